/*
 * Activations: the rows of core/ops/unary.def under torch's names, and those that a row cannot say.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/model_build.h"

/* An argument of torch.nn and the attribute that it becomes. */
struct argument {
    const char *attribute, *torch;
    double value; /* default */
};

struct row {
    const char *op, *torch;
    struct argument a, b;
};

static const struct row rows[] = {
#define UNARY(op, torch, since, a, a_torch, a_default, b, b_torch, b_default, ...)                 \
    {#op, torch, {a, a_torch, (double)(a_default)}, {b, b_torch, (double)(b_default)}},
#define UNARY_KERNEL(...)
#include "core/ops/unary.def"
#undef UNARY
};

/* Where torch.nn's fixed value is not ONNX's default. */
static const struct {
    const char *op, *attribute;
    float value;
} fixed[] = {
#define UNARY(...)
#define UNARY_KERNEL(...)
#define UNARY_TORCH_DEFAULT(op, attribute, value) {#op, attribute, value},
#include "core/ops/unary.def"
#undef UNARY
};

enum { N_ROWS = sizeof rows / sizeof *rows };

static const struct row *find_row(const char *torch)
{
    for (int i = 0; i < N_ROWS; i++)
        if (*rows[i].torch && strcmp(rows[i].torch, torch) == 0)
            return &rows[i];
    return NULL;
}

bool rf_is_unary(const char *type)
{
    return find_row(type) != NULL;
}

const char *const *rf_unary_names(size_t *n)
{
    static const char *const names[] = {
#define UNARY(op, torch, ...) torch,
#define UNARY_KERNEL(...)
#include "core/ops/unary.def"
#undef UNARY
    };
    *n = N_ROWS;
    return names;
}

static enum rf_status set_argument(const struct rf_layer *l, const struct argument *a,
                                   struct rf_node *node)
{
    float v;
    if (!a->torch)
        return RF_OK;
    const enum rf_status rc = rf_arg_float(l, a->torch, a->value, &v);
    return rc == RF_OK ? rf_node_set_float(l->b->graph, node, a->attribute, v, l->b->err) : rc;
}

static enum rf_status unary_node(const struct rf_layer *l, const char *op, struct rf_flow *flow,
                                 struct rf_node **node)
{
    const rf_value_id in = flow->value;
    const struct rf_shape sample = flow->sample;
    bool inplace; /* an advice to PyTorch: nothing here depends on it */
    const enum rf_status rc = rf_arg_bool(l, "inplace", false, &inplace);
    return rc == RF_OK ? rf_build_node(l, op, &in, 1, &sample, flow, node) : rc;
}

enum rf_status rf_build_unary(const struct rf_layer *l, struct rf_flow *flow)
{
    const struct row *const row = find_row(l->type);
    const char *const keys[] = {"inplace", row->a.torch ? row->a.torch : row->b.torch, row->b.torch,
                                NULL};
    char what[RF_ERROR_TEXT];
    struct rf_node *node = NULL;
    snprintf(what, sizeof what, "%s: layer '%s' (%s)", l->b->source, l->name, l->type);
    enum rf_status rc = rf_check_keys(l->json, keys, true, what, l->b->err);
    if (rc == RF_OK)
        rc = unary_node(l, row->op, flow, &node);
    if (rc == RF_OK)
        rc = set_argument(l, &row->a, node);
    if (rc == RF_OK)
        rc = set_argument(l, &row->b, node);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed && rc == RF_OK; i++)
        if (strcmp(fixed[i].op, row->op) == 0)
            rc =
                rf_node_set_float(l->b->graph, node, fixed[i].attribute, fixed[i].value, l->b->err);
    return rc;
}

enum rf_status rf_build_gelu(const struct rf_layer *l, struct rf_flow *flow)
{
    static const char *const forms[] = {"none", "tanh", NULL};
    int form;
    const enum rf_status rc = rf_arg_choice(l, "approximate", forms, &form);
    return rc == RF_OK ? unary_node(l, form == 1 ? "GeluTanh" : "Gelu", flow, NULL) : rc;
}

enum rf_status rf_build_relu6(const struct rf_layer *l, struct rf_flow *flow)
{
    const struct rf_shape scalar = {.rank = 0}, sample = flow->sample;
    rf_value_id in[3] = {flow->value};
    char name[RF_MAX_NAME + 8];
    bool inplace;
    enum rf_status rc = rf_arg_bool(l, "inplace", false, &inplace);
    for (int i = 0; i < 2 && rc == RF_OK; i++) {
        snprintf(name, sizeof name, "%s/%s", l->name, i == 0 ? "min" : "max");
        rc = rf_build_constant(l->b, name, &scalar, i == 0 ? 0 : 6, &in[1 + i], NULL);
    }
    return rc == RF_OK ? rf_build_node(l, "Clip", in, 3, &sample, flow, NULL) : rc;
}

enum rf_status rf_build_prelu(const struct rf_layer *l, struct rf_flow *flow)
{
    const struct rf_shape sample = flow->sample;
    rf_value_id in[2] = {flow->value, RF_NO_VALUE};
    int64_t n;
    enum rf_status rc = rf_arg_int(l, "num_parameters", 1, 1, &n);
    if (rc != RF_OK)
        return rc;
    if (n != 1 && n != sample.dim[0])
        return rf_layer_fail(l, RF_SHAPE,
                             "\"num_parameters\" is %" PRId64 ", expected 1 or its %" PRId64
                             " channels",
                             n, sample.dim[0]);
    const struct rf_shape stored = {.rank = 1, .dim = {n}};
    struct rf_shape slope = stored; /* [C, 1, ...] broadcasts from the last dimension */
    for (int i = 1; i < sample.rank && n > 1; i++)
        slope.dim[slope.rank++] = 1;
    rc = rf_build_tensor(l, "weight", &stored, &slope, RF_ROLE_SLOPE, &in[1]);
    return rc == RF_OK ? rf_build_node(l, "PRelu", in, 2, &sample, flow, NULL) : rc;
}
