/* The table of operators: rows of ops/unary.def and the RF_OP lines of core/ops. */
#include <string.h>

#include "core/op.h"

#define UNARY(op, ...) extern const struct rf_op rf_op_##op;
#include "core/ops/unary.def"
#undef UNARY
#define RF_OP_ROW(id) extern const struct rf_op rf_op_##id;
#include "ops.inc"
#undef RF_OP_ROW

static const struct rf_op *const table[] = {
#define UNARY(op, ...) &rf_op_##op,
#include "core/ops/unary.def"
#undef UNARY
#define RF_OP_ROW(id) &rf_op_##id,
#include "ops.inc"
#undef RF_OP_ROW
};

#define N_OPS (sizeof(table) / sizeof(*table))

const struct rf_op *rf_op_find(const char *name, int opset)
{
    const struct rf_op *found = NULL;

    for (size_t i = 0; i < N_OPS; i++)
        if (table[i]->since <= opset && !strcmp(table[i]->name, name) &&
            (!found || table[i]->since > found->since))
            found = table[i];
    return found;
}

bool rf_op_exists(const char *name)
{
    for (size_t i = 0; i < N_OPS; i++)
        if (!strcmp(table[i]->name, name))
            return true;
    return false;
}

bool rf_op_is_own(const char *name)
{
    const struct rf_op *const op = rf_op_find(name, RF_OWN);
    return op && op->since == RF_OWN;
}
