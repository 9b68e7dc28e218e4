/*
 * Conv with a 3x3 kernel and stride 1 by Winograd's algorithm (core/winograd.h). Which one is
 * decided by the geometry that the model was loaded with, so that a result never depends on the
 * batch.
 *
 * This row is the first that is asked for a Conv; then come conv_grouped.c, conv_panel.c, conv.c
 * and conv_plain.c.
 */
#include <stdlib.h>
#include <string.h>

#include "core/ops/conv.h"
#include "core/winograd.h"

#define MIN_CHANNELS 16 /* of either side: fewer do not pay for the transforms */
#define COLUMNS 64      /* channels in the smallest share of them */
#define TRANSFORM 8     /* a weight read takes as long as an eighth of a transformed value */

struct state {
    struct rf_conv_state common; /* first */
    struct rf_winograd winograd;
};

/* ---- which size ---- */

/* F4 has four times the weights: where they are large and the image small, reading them would take
 * longer than multiplying. Of 5 pixels, F2's tiles would compute 6; of less than 4, twice as many.
 */
static bool choose(const struct rf_shape *weight, int64_t height, int64_t width, bool accurate,
                   enum rf_winograd_size *size)
{
    const int64_t least = height < width ? height : width;
    const bool large = weight->dim[0] * weight->dim[1] > 256 * 256;

    *size = !accurate && least >= (large ? 14 : 8) ? RF_WINOGRAD_4 : RF_WINOGRAD_2;
    return least == 4 || least >= 6;
}

/* RECTIFIER_CONV: auto; accurate leaves F4 out; direct takes neither. */
static bool is_wished(const char *wish)
{
    const char *const given = getenv("RECTIFIER_CONV");

    return given && !strcmp(given, wish);
}

static bool is_ones(const struct rf_node *node, const char *name)
{
    const struct rf_attr *const a = rf_node_attr(node, name);

    return !a || (a->type == RF_ATTR_INTS && a->n == 2 && a->as.ints[0] == 1 && a->as.ints[1] == 1);
}

static bool find_size(const struct rf_graph *g, const struct rf_node *node,
                      enum rf_winograd_size *size)
{
    const struct rf_value *const in = &g->values[node->in[0]], *const w = &g->values[node->in[1]];
    const struct rf_attr *const group = rf_node_attr(node, "group");

    if (w->shape.rank != 4 || w->shape.dim[2] != 3 || w->shape.dim[3] != 3 ||
        w->shape.dim[0] < MIN_CHANNELS || w->shape.dim[1] < MIN_CHANNELS ||
        (group && group->as.i != 1) || !is_ones(node, "strides") || !is_ones(node, "dilations"))
        return false;
    return choose(&w->shape, in->shape.dim[2], in->shape.dim[3], is_wished("accurate"), size);
}

static bool fits(const struct rf_graph *g, const struct rf_node *node)
{
    enum rf_winograd_size size;

    return rf_gemm_backend() == &rf_gemm_panel && rf_conv_fits_constant(g, node) &&
           !is_wished("direct") && find_size(g, node, &size);
}

/* ---- the operator ---- */

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    find_size(p->graph, p->node, &s->winograd.size);
    return rf_conv_prepare_constant(p, &s->common);
}

static enum rf_status pack(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const struct rf_value *const weight = rf_prepare_in(p, 1);

    s->winograd.in_channels = (size_t)weight->shape.dim[1];
    s->winograd.out_channels = (size_t)weight->shape.dim[0];
    return rf_winograd_pack(p, &s->winograd, weight->constant, s->common.epilogue.bias);
}

static struct rf_winograd_grid grid_of(const struct state *s, const struct rf_window *w,
                                       const struct rf_shape *weight)
{
    const struct rf_winograd sized = {.size = s->winograd.size,
                                      .in_channels = (size_t)weight->dim[1],
                                      .out_channels = (size_t)weight->dim[0]};

    return rf_winograd_grid(&sized, (size_t)w->out[0], (size_t)w->out[1]);
}

/* Whole tiles are read: beyond the image, where its size is no multiple of theirs. */
static int32_t reach(size_t tiles, size_t m, int64_t before, int64_t size)
{
    const int64_t beyond = (int64_t)(tiles * m) + 2 - before - size;

    return beyond > 0 ? (int32_t)beyond : 0;
}

/* Parts that share rows of tiles all read the weights; parts that share channels all transform the
 * input. The smaller of the two is done twice. */
static bool splits_channels(const struct rf_winograd_grid *grid, size_t images, size_t channels)
{
    return TRANSFORM * images * grid->rows * grid->columns < channels;
}

static size_t n_columns(size_t channels)
{
    return (channels + COLUMNS - 1) / COLUMNS;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const size_t images = (size_t)x->in[0]->shape.dim[0];
    const size_t channels = (size_t)x->in[1]->shape.dim[0];
    const size_t m = rf_winograd_m(s->winograd.size);
    struct rf_window w;
    const enum rf_status rc = rf_conv_infer(&s->common.conv, x, &w);

    if (rc)
        return rc;
    const struct rf_winograd_grid grid = grid_of(s, &w, &x->in[1]->shape);

    x->halo = rf_window_halo(&w);
    x->halo.bottom = reach(grid.rows, m, w.before[0], w.in[0]);
    x->halo.right = reach(grid.columns, m, w.before[1], w.in[1]);
    x->scratch = grid.scratch;
    x->cost = x->macs / 3;
    x->max_parts =
        splits_channels(&grid, images, channels) ? n_columns(channels) : grid.rows * images;
    x->algorithm = m == 2 ? "winograd F(2x2,3x3)" : "winograd F(4x4,3x3)";
    return rf_epilogue_infer(&s->common.epilogue, x);
}

/* The first output position of a row of tiles. */
static size_t position(const struct rf_winograd_grid *grid, const struct rf_pixels *out, size_t m,
                       size_t row)
{
    const size_t y = row % grid->rows * m;

    return (row / grid->rows * out->h + y) * out->w;
}

/* Rows of tiles [first, last) and channels of a part. */
static struct rf_winograd_share share_of(const struct rf_winograd_grid *grid,
                                         const struct rf_pixels *out, int part, int n_parts)
{
    struct rf_winograd_share all = {.last = out->n * grid->rows, .c1 = out->c};

    if (splits_channels(grid, out->n, out->c)) {
        rf_part_range(n_columns(out->c), part, n_parts, &all.c0, &all.c1);
        all.c0 *= COLUMNS;
        all.c1 = all.c1 * COLUMNS < out->c ? all.c1 * COLUMNS : out->c;
    } else {
        rf_part_range(all.last, part, n_parts, &all.first, &all.last);
    }
    return all;
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    const struct rf_shape *const weight = &x->in[1]->shape;
    const struct rf_pixels in = rf_tensor_pixels(x->in[0]), out = rf_tensor_pixels(x->out[0]);
    const size_t m = rf_winograd_m(s->winograd.size);
    struct rf_window w;

    rf_window_fit(&s->common.conv.window, &x->in[0]->shape, &weight->dim[2], &w);
    const struct rf_winograd_grid grid = grid_of(s, &w, weight);
    const struct rf_winograd_share all = share_of(&grid, &out, part, n_parts);
    const struct rf_winograd_work work = {.w = &s->winograd,
                                          .grid = &grid,
                                          .k = x->k,
                                          .in = &in,
                                          .out = &out,
                                          .top = w.before[0],
                                          .left = w.before[1]};
    struct rf_winograd_share chunk = all;

    for (; chunk.first < all.last && all.c0 < all.c1; chunk.first = chunk.last) {
        chunk.last = all.last - chunk.first < grid.chunk ? all.last : chunk.first + grid.chunk;
        const size_t from = position(&grid, &out, m, chunk.first);
        const size_t to = position(&grid, &out, m, chunk.last);

        rf_winograd_run(&work, &chunk, x->scratch);
        rf_epilogue_run(&s->common.epilogue, x, part, from, to - from, NULL, 0, chunk.c0, chunk.c1);
    }
}

extern const struct rf_op rf_op_ConvGrouped;

RF_OP(Conv) = {
    RF_CONV_ROW,
    .since = 1,
    .const_in = 1u << 1 | 1u << 2,
    .fits = fits,
    .otherwise = &rf_op_ConvGrouped,
    .prepare = prepare,
    .infer = infer,
    .pack = pack,
    .run = run,
};
