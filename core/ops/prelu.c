/*
 * PRelu: y = x > 0 ? x : slope * x. One constant slope for all or one a channel (axis 1) is an
 * activation; the plain rows take slopes of any shape that broadcasts to the input's.
 */
#include "core/broadcast.h"
#include "core/epilogue.h"

/* ---- the activation ---- */

static enum rf_status activation(struct rf_prepare *p, struct rf_epilogue *e)
{
    const float *const slope = rf_prepare_weights(p, 1, "slope");
    const struct rf_value *const v = rf_prepare_in(p, 1);

    if (!slope)
        return p->status;
    const int64_t n = rf_numel(&v->shape);
    float *const copy = rf_prepare_alloc(p, (size_t)n, sizeof(*copy));

    if (!copy)
        return p->status;
    for (int64_t i = 0; i < n; i++)
        copy[i] = slope[i];
    e->unary = RF_UNARY_PRelu;
    e->kind = p->node->op->kind;
    e->a = e->b = copy;
    e->n_params = (size_t)n;
    return p->status;
}

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct rf_epilogue *const e = state;

    e->residual = -1;
    return activation(p, e);
}

/* A constant slope whose dimension `at`, from the first of the input on, is the only one. */
static bool has_slopes(const struct rf_graph *g, const struct rf_node *node, int at)
{
    const struct rf_value *const x = &g->values[node->in[0]], *const slope =
                                                                  &g->values[node->in[1]];
    const int rank = slope->shape.rank;

    if (!slope->constant || slope->dtype != RF_F32 || x->dtype != RF_F32 || x->shape.rank < 1)
        return false;
    if (rf_numel(&slope->shape) == 1)
        return rank <= x->shape.rank;
    for (int i = 0; i < rank; i++)
        if (slope->shape.dim[i] != (i + at == 1 ? x->shape.dim[1] : 1))
            return false;
    /* Slopes go by the channel where channels are neighbours. */
    return x->shape.rank >= 2 && x->shape.rank <= 4 && at >= 0 && at <= 1 && rank > 1 - at;
}

/* From the right in ONNX: [C,1,1] for [N,C,H,W], [C] for [N,C]. */
static bool fits(const struct rf_graph *g, const struct rf_node *node)
{
    return has_slopes(g, node,
                      g->values[node->in[0]].shape.rank - g->values[node->in[1]].shape.rank);
}

/* Opset 6: [C]. */
static bool fits_6(const struct rf_graph *g, const struct rf_node *node)
{
    return has_slopes(g, node, 1);
}

/* ---- any slope ---- */

static enum rf_status prepare_plain(struct rf_prepare *p, void *state)
{
    *(struct rf_broadcast *)state = (struct rf_broadcast){.how = RF_BROADCAST_TO_FIRST, .axis = -1};
    return p->status;
}

static enum rf_status prepare_plain_6(struct rf_prepare *p, void *state)
{
    *(struct rf_broadcast *)state = (struct rf_broadcast){.how = RF_BROADCAST_TO_FIRST, .axis = 1};
    return p->status;
}

static enum rf_status infer_plain(const void *state, struct rf_infer *x)
{
    const enum rf_status rc = rf_broadcast_dtypes(x, 0, 1u << RF_F32);

    return rc ? rc : rf_broadcast_infer(state, x, RF_F32);
}

static void run_plain(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_tensor *const out = x->out[0];
    struct rf_view views[] = {rf_view_of(out), rf_broadcast_view(x->state, x->in[0], 0, out),
                              rf_broadcast_view(x->state, x->in[1], 1, out)};

    rf_broadcast_binary(x->k, RF_BINARY_PRelu, RF_F32, views, part, n_parts);
}

#define PLAIN(prepare_fn)                                                                          \
    {                                                                                              \
        .name = "PRelu", .since = RF_NO_OPSET, .min_in = 2, .max_in = 2, .min_out = 1,             \
        .max_out = 1, .flags = RF_OP_INPLACE | RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY,         \
        .param_in = 1u << 1, .state_bytes = sizeof(struct rf_broadcast), .prepare = prepare_fn,    \
        .infer = infer_plain, .run = run_plain,                                                    \
    }

static const struct rf_op plain = PLAIN(prepare_plain), plain_6 = PLAIN(prepare_plain_6);

#define ROW(opset, fits_fn, plain_row)                                                             \
    {                                                                                              \
        .name = "PRelu", .since = opset, .min_in = 2, .max_in = 2, .min_out = 1, .max_out = 1,     \
        .flags = RF_OP_INPLACE, .layouts = RF_ACCEPTS_NHWC, .const_in = 1u << 1,                   \
        .param_in = 1u << 1, .kind = RF_KIND_LEAKY, .state_bytes = sizeof(struct rf_epilogue),     \
        .fits = fits_fn, .otherwise = &(plain_row), .prepare = prepare,                            \
        .infer = rf_epilogue_only_infer, .run = rf_epilogue_only_run, .activation = activation,    \
    }

RF_OP(PRelu6) = ROW(6, fits_6, plain_6);
RF_OP(PRelu) = ROW(7, fits, plain);
