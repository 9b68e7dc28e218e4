#include "core/winograd.h"

#include <math.h>
#include <string.h>

/*
 * F4's errors in parts of (the largest input in the tile * the sum of a channel's magnitudes):
 * up to 5e-7 with random weights of any sign, where the sum comes near 0 at all. With positive
 * weights, windows of zeros beside positive inputs get up to 2e-6; with constants alone, 8e-6
 * (2,048 channels).
 */
#define NOISE 1e-5
#define HIDING 1e-4 /* a bias of so much stays above it, for inputs up to 10 */

#define CHUNK_BYTES (1 << 20) /* of transformed inputs and products: what a core's L2 holds */
#define LEAST_TILES 28        /* rows of the products that make their panels worth reading */

/* ---- weights ---- */

/* G of F(2, 3) and F(4, 3). */
static const double g2[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
static const double g4[6][3] = {{1. / 4, 0, 0},
                                {-1. / 6, -1. / 6, -1. / 6},
                                {-1. / 6, 1. / 6, -1. / 6},
                                {1. / 24, 1. / 12, 1. / 6},
                                {1. / 24, -1. / 12, 1. / 6},
                                {0, 0, 1}};

#define LANES 16 /* output channels that are transformed side by side */

/* The weights from `first` on of output channels that are `step` apart, tap by tap. */
static void gather(const float *first, size_t step, size_t channels, double (*w)[LANES])
{
    for (size_t o = 0; o < channels; o++)
        for (size_t t = 0; t < 9; t++)
            w[t][o] = (double)first[o * step + t];
}

/* G w G^T of each. */
static void transform(const double (*g)[3], size_t n, const double (*w)[LANES], float (*to)[LANES])
{
    double half[6][3][LANES];

    for (size_t i = 0; i < n; i++)
        for (size_t x = 0; x < 3; x++)
            for (size_t o = 0; o < LANES; o++)
                half[i][x][o] = g[i][0] * w[x][o] + g[i][1] * w[3 + x][o] + g[i][2] * w[6 + x][o];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t o = 0; o < LANES; o++)
                to[i * n + j][o] = (float)(g[j][0] * half[i][0][o] + g[j][1] * half[i][1][o] +
                                           g[j][2] * half[i][2][o]);
}

static enum rf_status pack_matrices(struct rf_prepare *p, struct rf_winograd *w,
                                    const float *weights)
{
    const size_t n = rf_winograd_m(w->size) + 2, width = rf_kernels_best()->panel_width;
    const size_t lanes = width < LANES ? width : LANES; /* that lie side by side in a panel */
    const size_t step = 9 * w->in_channels;
    double taps[9][LANES] = {{0}};
    float to[36][LANES];

    w->gemm = rf_prepare_alloc(p, n * n, sizeof(*w->gemm));
    for (size_t t = 0; t < n * n && !p->status; t++)
        rf_gemm_init(p, &w->gemm[t], &rf_gemm_panel, w->in_channels, w->out_channels);
    for (size_t o = 0; o < w->out_channels && !p->status; o += lanes) {
        const size_t rest = w->out_channels - o, channels = rest < lanes ? rest : lanes;

        for (size_t i = 0; i < w->in_channels; i++) {
            gather(weights + o * step + 9 * i, step, channels, taps);
            transform(w->size == RF_WINOGRAD_2 ? g2 : g4, n, taps, to);
            for (size_t t = 0; t < n * n; t++)
                memcpy(rf_gemm_at(&w->gemm[t], i, o), to[t], channels * sizeof(float));
        }
    }
    return p->status;
}

/* What F4 may be off by in a channel, where inputs are up to 1; 0 where the bias is well above. */
static float noise(const float *weights, size_t n, float bias)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += fabs((double)weights[i]);
    return fabs((double)bias) > HIDING * sum ? 0 : (float)(NOISE * sum);
}

/* One channel's weights, tap by tap. */
static const float *pack_taps(struct rf_prepare *p, const float *weights, size_t in_channels)
{
    float *const to = rf_prepare_alloc(p, 9 * in_channels, sizeof(*to));

    for (size_t i = 0; to && i < 9 * in_channels; i++)
        to[i] = weights[i % in_channels * 9 + i / in_channels];
    return to;
}

/* The group from channel `first` on; whether any of its channels needs care. */
static bool pack_group(struct rf_prepare *p, const struct rf_winograd *w, const float *weights,
                       const float *bias, size_t first, struct rf_winograd_group *g)
{
    const size_t each = 9 * w->in_channels, rest = w->out_channels - first;
    bool any = false;

    *g = (struct rf_winograd_group){.first = first};
    for (size_t i = 0; i < RF_GROUP && i < rest; i++) {
        const float *const from = weights + (first + i) * each;

        g->bias[i] = bias ? bias[first + i] : 0;
        g->noise[i] = noise(from, each, g->bias[i]);
        if (g->noise[i] == 0)
            continue;
        g->weights[i] = pack_taps(p, from, w->in_channels);
        any = true;
    }
    return any;
}

enum rf_status rf_winograd_pack(struct rf_prepare *p, struct rf_winograd *w, const float *weights,
                                const float *bias)
{
    if (pack_matrices(p, w, weights) || w->size != RF_WINOGRAD_4)
        return p->status;
    w->groups = rf_prepare_alloc(p, rf_mask_words(w->out_channels), sizeof(*w->groups));
    for (size_t o = 0; o < w->out_channels && !p->status; o += RF_GROUP)
        w->n_groups += pack_group(p, w, weights, bias, o, &w->groups[w->n_groups]);
    return p->status;
}

/* ---- tiles ---- */

/* Floats between the same row of two matrices: not a multiple of 4 KiB, whose lines would all fall
 * into the same sets of the cache. */
static size_t matrix_step(size_t tiles, size_t channels)
{
    const size_t step = (tiles * channels + 15) / 16 * 16;

    return step % 1024 ? step : step + 16;
}

struct rf_winograd_grid rf_winograd_grid(const struct rf_winograd *w, size_t height, size_t width)
{
    const size_t m = rf_winograd_m(w->size), matrices = (m + 2) * (m + 2);
    struct rf_winograd_grid grid = {.rows = (height + m - 1) / m, .columns = (width + m - 1) / m};
    const size_t row = matrices * grid.columns * (w->in_channels + w->out_channels) * sizeof(float);
    const size_t least = (LEAST_TILES + grid.columns - 1) / grid.columns;
    const size_t fits = CHUNK_BYTES / row;

    grid.chunk = fits > least ? fits : least;
    grid.scratch = matrices *
                   (matrix_step(grid.chunk * grid.columns, w->in_channels) +
                    matrix_step(grid.chunk * grid.columns, w->out_channels)) *
                   sizeof(float);
    return grid;
}

/* A share while it is computed. */
struct job {
    const struct rf_winograd_work *work;
    const struct rf_winograd_share *share;
    size_t m;
    float *v, *products;
    size_t v_step, product_step;
};

/* Input pixel (0, 0) of tile c of row r. */
static const float *tile_input(const struct job *j, size_t r, size_t c)
{
    const struct rf_pixels *const in = j->work->in;
    const size_t n = r / j->work->grid->rows, y = r % j->work->grid->rows * j->m;

    return in->data + (int64_t)(n * in->image) + ((int64_t)y - j->work->top) * (int64_t)in->row +
           ((int64_t)(c * j->m) - j->work->left) * (int64_t)in->pitch;
}

static void transform_inputs(const struct job *j)
{
    const struct rf_winograd_work *const work = j->work;
    const struct rf_pixels *const in = work->in;
    struct rf_winograd_input t = {
        .row = in->row, .pitch = in->pitch, .channels = in->c, .v = j->v, .step = j->v_step};

    for (size_t r = j->share->first; r < j->share->last; r++) {
        for (size_t c = 0; c < work->grid->columns; c++, t.v += in->c) {
            t.x = tile_input(j, r, c);
            work->k->winograd_input[work->w->size](&t);
        }
    }
}

/* The groups among the share's channels. */
static void find_groups(const struct job *j, struct rf_winograd_exact *t)
{
    const struct rf_winograd_group *g = j->work->w->groups, *const end = g + j->work->w->n_groups;

    while (g < end && g->first < j->share->c0)
        g++;
    for (t->group = g; g < end && g->first < j->share->c1; g++)
        t->n_groups++;
}

static void transform_outputs(const struct job *j)
{
    const struct rf_winograd_work *const work = j->work;
    const struct rf_pixels *const in = work->in, *const out = work->out;
    const size_t c0 = j->share->c0, channels = j->share->c1 - c0;
    struct rf_winograd_output t = {.m = j->products,
                                   .step = j->product_step,
                                   .channels = channels,
                                   .row = out->row,
                                   .pitch = out->pitch};
    struct rf_winograd_exact e = {.x_row = in->row,
                                  .x_pitch = in->pitch,
                                  .in_channels = in->c,
                                  .y_row = out->row,
                                  .y_pitch = out->pitch,
                                  .out_channels = out->c};

    find_groups(j, &e);
    for (size_t r = j->share->first; r < j->share->last; r++) {
        const size_t n = r / work->grid->rows, y = r % work->grid->rows * j->m;

        e.h = t.h = out->h - y < j->m ? out->h - y : j->m;
        for (size_t c = 0; c < work->grid->columns; c++, t.m += channels) {
            const size_t x = c * j->m;

            e.w = t.w = out->w - x < j->m ? out->w - x : j->m;
            e.y = out->data + n * out->image + y * out->row + x * out->pitch;
            t.y = e.y + c0;
            work->k->winograd_output[work->w->size](&t);
            e.x = tile_input(j, r, c);
            if (e.n_groups)
                work->k->winograd_exact(&e);
        }
    }
}

void rf_winograd_run(const struct rf_winograd_work *work, const struct rf_winograd_share *share,
                     float *scratch)
{
    const struct rf_winograd *const w = work->w;
    const size_t m = rf_winograd_m(w->size), matrices = (m + 2) * (m + 2);
    const size_t tiles = (share->last - share->first) * work->grid->columns;
    const size_t depth = work->in->c, channels = share->c1 - share->c0;
    struct job j = {.work = work,
                    .share = share,
                    .m = m,
                    .v = scratch,
                    .v_step = matrix_step(tiles, depth),
                    .product_step = matrix_step(tiles, channels)};

    j.products = scratch + matrices * j.v_step;
    transform_inputs(&j);
    for (size_t t = 0; t < matrices; t++) {
        const struct rf_gemm *const next = &w->gemm[t + 1 < matrices ? t + 1 : 0];

        rf_panel_run(&w->gemm[t], j.v + t * j.v_step, depth, tiles, j.products + t * j.product_step,
                     channels, share->c0, share->c1, next->weights + share->c0 * next->n_in);
    }
    transform_outputs(&j);
}
