/* DepthToSpace and SpaceToDepth: blocks of pixels from channels, and back. */
#include <string.h>

#include "core/ops/move.h"

struct state {
    int64_t block;
    bool channels_first; /* mode CRD: a channel's block lies together; DCR: a pixel's channels */
};

static enum rf_status prepare_block(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->block = rf_attr_int_in(p, "blocksize", 0, 1, INT32_MAX);
    return p->status;
}

static enum rf_status prepare_mode(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const char *const mode = rf_attr_string(p, "mode", "DCR");

    s->channels_first = !strcmp(mode, "CRD");
    if (!s->channels_first && strcmp(mode, "DCR") != 0)
        rf_prepare_fail(p, RF_UNSUPPORTED, "attribute mode is \"%.*s\", expected DCR or CRD",
                        RF_MAX_NAME, mode);
    return prepare_block(p, state);
}

static enum rf_status check_rank(struct rf_infer *x)
{
    if (x->in[0]->shape.rank != 4)
        return rf_infer_fail(x, RF_SHAPE, "rank %d, expected 4", x->in[0]->shape.rank);
    return RF_OK;
}

static enum rf_status infer_to_space(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    struct rf_shape shape = x->in[0]->shape;
    const enum rf_status rc = check_rank(x);

    if (rc)
        return rc;
    if (shape.dim[1] % (s->block * s->block) != 0)
        return rf_infer_fail(x, RF_SHAPE, "%lld channels are not blocks of %lld x %lld",
                             (long long)shape.dim[1], (long long)s->block, (long long)s->block);
    shape.dim[1] /= s->block * s->block;
    if (__builtin_mul_overflow(shape.dim[2], s->block, &shape.dim[2]) ||
        __builtin_mul_overflow(shape.dim[3], s->block, &shape.dim[3]))
        return rf_infer_fail(x, RF_LIMIT, "blocks of %lld are too large", (long long)s->block);
    return rf_move_copy(x, &shape);
}

static enum rf_status infer_to_depth(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    struct rf_shape shape = x->in[0]->shape;
    const enum rf_status rc = check_rank(x);
    char text[RF_SHAPE_TEXT];

    if (rc)
        return rc;
    if (shape.dim[2] % s->block || shape.dim[3] % s->block)
        return rf_infer_fail(x, RF_SHAPE, "shape %s is not made of blocks of %lld x %lld",
                             rf_shape_text(&shape, text, sizeof(text)), (long long)s->block,
                             (long long)s->block);
    if (__builtin_mul_overflow(shape.dim[1], s->block * s->block, &shape.dim[1]))
        return rf_infer_fail(x, RF_LIMIT, "blocks of %lld are too large", (long long)s->block);
    shape.dim[2] /= s->block;
    shape.dim[3] /= s->block;
    return rf_move_copy(x, &shape);
}

/* N, row and column in the block, C, H, W; of the tensor whose blocks are channels. */
static struct rf_view view_of_depth(const struct rf_tensor *t, const struct state *s)
{
    const struct rf_view v = rf_view_of(t);
    const int64_t b = s->block, c = v.dim[1] / (b * b), step = v.step[1];
    const int64_t column = s->channels_first ? step : step * c;

    return (struct rf_view){.data = v.data,
                            .size = v.size,
                            .rank = 6,
                            .dim = {v.dim[0], b, b, c, v.dim[2], v.dim[3]},
                            .step = {v.step[0], column * b, column,
                                     s->channels_first ? step * b * b : step, v.step[2],
                                     v.step[3]}};
}

/* The same of the tensor whose blocks are pixels. */
static struct rf_view view_of_space(const struct rf_tensor *t, const struct state *s)
{
    const struct rf_view v = rf_view_of(t);
    const int64_t b = s->block;

    return (struct rf_view){
        .data = v.data,
        .size = v.size,
        .rank = 6,
        .dim = {v.dim[0], b, b, v.dim[1], v.dim[2] / b, v.dim[3] / b},
        .step = {v.step[0], v.step[2], v.step[3], v.step[1], v.step[2] * b, v.step[3] * b}};
}

static void run_to_space(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_view to = view_of_space(x->out[0], x->state);
    const struct rf_view from = view_of_depth(x->in[0], x->state);

    rf_move(&to, &from, part, n_parts);
}

static void run_to_depth(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_view to = view_of_depth(x->out[0], x->state);
    const struct rf_view from = view_of_space(x->in[0], x->state);

    rf_move(&to, &from, part, n_parts);
}

RF_OP(DepthToSpace1) = {
    .name = "DepthToSpace",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_block,
    .infer = infer_to_space,
    .run = run_to_space,
};

RF_OP(DepthToSpace11) = {
    .name = "DepthToSpace",
    .since = 11,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_mode,
    .infer = infer_to_space,
    .run = run_to_space,
};

RF_OP(SpaceToDepth) = {
    .name = "SpaceToDepth",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare_block,
    .infer = infer_to_depth,
    .run = run_to_depth,
};
