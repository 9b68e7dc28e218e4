/* Dropout hands its input on, as it does when nothing is trained; the mask keeps everything. */
#include <string.h>

#include "core/op.h"
#include "core/view.h"

struct state {
    int n_in, n_out;
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->n_in = p->node->n_in;
    s->n_out = p->node->n_out;
    rf_attr_float(p, "ratio", 0.5f);
    return p->status;
}

static enum rf_status prepare_6(struct rf_prepare *p, void *state)
{
    rf_attr_int(p, "is_test", 1);
    return prepare(p, state);
}

static enum rf_status prepare_12(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->n_in = p->node->n_in;
    s->n_out = p->node->n_out;
    rf_attr_int(p, "seed", 0);
    return p->status;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_tensor *const training = s->n_in > 2 ? x->in[2] : NULL;

    if (training && (training->dtype != RF_BOOL || rf_numel(&training->shape) != 1))
        return rf_infer_fail(x, RF_INVALID, "training_mode is not one BOOL");
    if (training && !training->data)
        return rf_infer_fail(x, RF_UNSUPPORTED, "training_mode is only known in a run");
    if (training && *(const uint8_t *)training->data)
        return rf_infer_fail(x, RF_UNSUPPORTED, RF_NO_TRAINING);
    if (s->n_out > 1) {
        x->out[1]->shape = x->in[0]->shape;
        x->out[1]->dtype = RF_BOOL;
    }
    x->algorithm = "copy";
    return rf_infer_same(state, x);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_view to = rf_view_of(x->out[0]), from = rf_view_of(x->in[0]);

    (void)part, (void)n_parts;
    if (to.data != from.data)
        rf_view_copy(&to, &from);
    if (s->n_out > 1)
        memset(x->out[1]->data, true, (size_t)rf_numel(&x->out[1]->shape));
}

#define ROW(opset, inputs, prepare_fn)                                                             \
    {                                                                                              \
        .name = "Dropout", .since = opset, .min_in = 1, .max_in = inputs, .min_out = 1,            \
        .max_out = 2, .flags = RF_OP_INPLACE | RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY,         \
        .known_in = 1u << 2, .state_bytes = sizeof(struct state), .prepare = prepare_fn,           \
        .infer = infer, .run = run,                                                                \
    }

RF_OP(Dropout6) = ROW(6, 1, prepare_6);
RF_OP(Dropout7) = ROW(7, 1, prepare);
RF_OP(Dropout12) = ROW(12, 3, prepare_12);
