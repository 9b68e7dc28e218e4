/* Sub, Mul, Div and the plain Add: the rows of binary.def, broadcast. */
#include "core/broadcast.h"

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const enum rf_status rc = rf_broadcast_dtypes(x, 0, RF_NUMBERS);

    return rc ? rc : rf_broadcast_infer(state, x, x->in[0]->dtype);
}

static void run(const struct rf_exec *x, enum rf_binary op, int part, int n_parts)
{
    const struct rf_tensor *const out = x->out[0];
    struct rf_view views[] = {rf_view_of(out), rf_broadcast_view(x->state, x->in[0], 0, out),
                              rf_broadcast_view(x->state, x->in[1], 1, out)};

    rf_broadcast_binary(x->k, op, out->dtype, views, part, n_parts);
}

#define BINARY(op, ...)                                                                            \
    static void run_##op(const struct rf_exec *x, int part, int n_parts)                           \
    {                                                                                              \
        run(x, RF_BINARY_##op, part, n_parts);                                                     \
    }
#define VARIADIC(...)
#define BINARY_KERNEL(...)
#include "core/ops/binary.def"
#undef BINARY

#define ROW(op, opset, prepare_fn)                                                                 \
    {                                                                                              \
        .name = #op, .since = opset, .min_in = 2, .max_in = 2, .min_out = 1, .max_out = 1,         \
        .flags = RF_OP_INPLACE | RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY,                       \
        .state_bytes = sizeof(struct rf_broadcast), .prepare = prepare_fn, .infer = infer,         \
        .run = run_##op,                                                                           \
    }

/* What core/ops/add.c falls back on. */
RF_OP(PlainAdd6) = ROW(Add, RF_NO_OPSET, rf_broadcast_prepare_6);
RF_OP(PlainAdd) = ROW(Add, RF_NO_OPSET, rf_prepare_nothing);
RF_OP(Sub6) = ROW(Sub, 6, rf_broadcast_prepare_6);
RF_OP(Sub) = ROW(Sub, 7, rf_prepare_nothing);
RF_OP(Mul6) = ROW(Mul, 6, rf_broadcast_prepare_6);
RF_OP(Mul) = ROW(Mul, 7, rf_prepare_nothing);
RF_OP(Div6) = ROW(Div, 6, rf_broadcast_prepare_6);
RF_OP(Div) = ROW(Div, 7, rf_prepare_nothing);
