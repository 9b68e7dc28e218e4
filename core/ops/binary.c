/* Add: two values of one shape; an epilogue whose residual is the second. */
#include "core/epilogue.h"

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct rf_epilogue *const e = state;

    rf_epilogue_prepare(p, e);
    e->residual = 1;
    return p->status;
}

RF_OP(Add) = {
    .name = "Add",
    .since = 7,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE | RF_OP_EPILOGUE,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct rf_epilogue),
    .prepare = prepare,
    .infer = rf_epilogue_only_infer,
    .run = rf_epilogue_only_run,
};
