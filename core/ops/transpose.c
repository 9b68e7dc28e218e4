/*
 * Transpose: dimensions in another order. [N,C,H,W] -> [N,H,W,C] of an image that is channels last
 * moves whole pixels, and so does the way back, where the result is made channels last.
 */
#include <string.h>

#include "core/ops/move.h"

struct state {
    const int64_t *perm; /* NULL: reversed */
    size_t n;
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->perm = rf_attr_ints(p, "perm", &s->n, 0, RF_MAX_RANK - 1);
    return p->status;
}

static void order(const struct state *s, int rank, int *perm)
{
    for (int i = 0; i < rank; i++)
        perm[i] = s->perm ? (int)s->perm[i] : rank - 1 - i;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const struct rf_shape *const in = &x->in[0]->shape;
    struct rf_shape out = {.rank = in->rank};
    int perm[RF_MAX_RANK];

    if (s->perm) {
        if (s->n != (size_t)in->rank)
            return rf_infer_fail(x, RF_SHAPE, "perm has %zu axes, the input rank %d", s->n,
                                 in->rank);
        const enum rf_status rc = rf_move_axes(x, s->perm, s->n, in->rank, perm);
        if (rc)
            return rc;
    }
    order(s, in->rank, perm);
    for (int i = 0; i < in->rank; i++)
        out.dim[i] = in->dim[perm[i]];
    return rf_move_copy(x, &out);
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_view to = rf_view_of(x->out[0]);
    struct rf_view from = rf_view_of(x->in[0]);
    int perm[RF_MAX_RANK];

    order(x->state, from.rank, perm);
    rf_view_permute(&from, perm);
    rf_move(&to, &from, part, n_parts);
}

static bool permutes_images(const struct rf_graph *g, const struct rf_node *node,
                            const int64_t *perm)
{
    const struct rf_value *const in = &g->values[node->in[0]];
    const struct rf_attr *const a = rf_node_attr(node, "perm");

    return in->dtype == RF_F32 && in->shape.rank == 4 && a && a->type == RF_ATTR_INTS &&
           a->n == 4 && !memcmp(a->as.ints, perm, 4 * sizeof(*perm));
}

static bool moves_channels_up(const struct rf_graph *g, const struct rf_node *node)
{
    return permutes_images(g, node, (const int64_t[]){0, 3, 1, 2});
}

static bool moves_channels_down(const struct rf_graph *g, const struct rf_node *node)
{
    return permutes_images(g, node, (const int64_t[]){0, 2, 3, 1});
}

extern const struct rf_op rf_op_TransposeDown, rf_op_TransposePlain;

RF_OP(Transpose) = {
    .name = "Transpose",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_NHWC,
    .state_bytes = sizeof(struct state),
    .fits = moves_channels_up,
    .otherwise = &rf_op_TransposeDown,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

RF_OP(TransposeDown) = {
    .name = "Transpose",
    .since = RF_NO_OPSET,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY | RF_OP_CHANNELS_LAST,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .fits = moves_channels_down,
    .otherwise = &rf_op_TransposePlain,
    .prepare = prepare,
    .infer = infer,
    .run = run,
};

RF_OP(TransposePlain) = {
    .name = "Transpose",
    .since = RF_NO_OPSET,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
