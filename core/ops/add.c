/*
 * Add of two FP32 values of one shape: an epilogue whose residual is the second, so that an
 * activation behind it is done in the same pass. Shapes that agree at load may yet differ in a run.
 */
#include "core/broadcast.h"
#include "core/epilogue.h"

extern const struct rf_op rf_op_PlainAdd, rf_op_PlainAdd6;

struct state {
    struct rf_epilogue epilogue; /* first: rf_epilogue_only_run takes it for the state */
    struct rf_broadcast broadcast;
};

static bool fits(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_value *const a = &g->values[node->in[0]], *const b = &g->values[node->in[1]];

    return !a->known && !b->known && a->dtype == RF_F32 && b->dtype == RF_F32 &&
           a->shape.rank >= 0 && rf_shape_equal(&a->shape, &b->shape) && a->open == b->open;
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    rf_epilogue_prepare(p, &s->epilogue);
    s->epilogue.residual = 1;
    return p->status;
}

static enum rf_status prepare_6(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    rf_broadcast_prepare_6(p, &s->broadcast);
    return prepare(p, state);
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    enum rf_status rc = rf_broadcast_dtypes(x, 0, 1u << RF_F32);

    if (rc)
        return rc;
    if (rf_shape_equal(&x->in[0]->shape, &x->in[1]->shape))
        return rf_epilogue_only_infer(state, x);
    rc = rf_broadcast_infer(&s->broadcast, x, RF_F32);
    x->max_parts = 1; /* the sum and the activation divide the work in different ways */
    return rc;
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_tensor *const out = x->out[0];

    if (rf_shape_equal(&x->in[0]->shape, &x->in[1]->shape)) {
        rf_epilogue_only_run(x, part, n_parts);
        return;
    }
    struct rf_view views[] = {rf_view_of(out), rf_broadcast_view(&s->broadcast, x->in[0], 0, out),
                              rf_broadcast_view(&s->broadcast, x->in[1], 1, out)};
    struct rf_epilogue after = s->epilogue;
    struct rf_exec sum = *x;

    rf_broadcast_binary(x->k, RF_BINARY_Add, RF_F32, views, 0, 1);
    after.residual = -1;
    sum.state = &after;
    sum.in = x->out;
    rf_epilogue_only_run(&sum, 0, 1);
}

#define ROW(opset, prepare_fn, plain)                                                              \
    {                                                                                              \
        .name = "Add", .since = opset, .min_in = 2, .max_in = 2, .min_out = 1, .max_out = 1,       \
        .flags = RF_OP_INPLACE | RF_OP_EPILOGUE | RF_OP_IMAGEWISE, .layouts = RF_ACCEPTS_ANY,      \
        .state_bytes = sizeof(struct state), .fits = fits, .otherwise = &(plain),                  \
        .prepare = prepare_fn, .infer = infer, .run = run,                                         \
    }

RF_OP(Add6) = ROW(6, prepare_6, rf_op_PlainAdd6);
RF_OP(Add) = ROW(7, prepare, rf_op_PlainAdd);
