#include "core/winograd.h"

#define CHUNK_BYTES (1 << 20) /* of transformed inputs and products: what a core's L2 holds */
#define LEAST_TILES 28        /* rows of the products that make their panels worth reading */

/* ---- weights -----------------------------------------------------------------------------------
 */

/* G of F(2, 3) and F(4, 3). */
static const double g2[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
static const double g4[6][3] = {{1. / 4, 0, 0},
                                {-1. / 6, -1. / 6, -1. / 6},
                                {-1. / 6, 1. / 6, -1. / 6},
                                {1. / 24, 1. / 12, 1. / 6},
                                {1. / 24, -1. / 12, 1. / 6},
                                {0, 0, 1}};

/* Element (i, j) of G w G^T. */
static double transformed(const double (*g)[3], const float *w, size_t i, size_t j)
{
    double sum = 0;

    for (size_t y = 0; y < 3; y++)
        for (size_t x = 0; x < 3; x++)
            sum += g[i][y] * (double)w[3 * y + x] * g[j][x];
    return sum;
}

enum rf_status rf_winograd_pack(struct rf_prepare *p, struct rf_winograd *w, const float *weights)
{
    const size_t n = rf_winograd_m(w->size) + 2;
    const double(*const g)[3] = w->size == RF_WINOGRAD_2 ? g2 : g4;

    w->gemm = rf_prepare_alloc(p, n * n, sizeof(*w->gemm));
    for (size_t t = 0; t < n * n && !p->status; t++) {
        if (rf_gemm_init(p, &w->gemm[t], &rf_gemm_panel, w->in_channels, w->out_channels))
            return p->status;
        for (size_t o = 0; o < w->out_channels; o++)
            for (size_t i = 0; i < w->in_channels; i++)
                *rf_gemm_at(&w->gemm[t], i, o) =
                    (float)transformed(g, weights + (o * w->in_channels + i) * 9, t / n, t % n);
    }
    return p->status;
}

/* ---- tiles -------------------------------------------------------------------------------------
 */

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

struct job {
    const struct rf_winograd *w;
    const struct rf_winograd_grid *grid;
    const struct rf_kernels *k;
    const struct rf_winograd_share *share;
    size_t m;
    float *v, *products;
    size_t v_step, product_step;
};

static void transform_inputs(const struct job *j, const struct rf_pixels *in, int64_t top,
                             int64_t left)
{
    struct rf_winograd_input t = {
        .row = in->row, .pitch = in->pitch, .channels = in->c, .v = j->v, .step = j->v_step};

    for (size_t r = j->share->first; r < j->share->last; r++) {
        const size_t n = r / j->grid->rows, y = r % j->grid->rows * j->m;

        for (size_t c = 0; c < j->grid->columns; c++, t.v += in->c) {
            t.x = in->data + (int64_t)(n * in->image) + ((int64_t)y - top) * (int64_t)in->row +
                  ((int64_t)(c * j->m) - left) * (int64_t)in->pitch;
            j->k->winograd_input[j->w->size](&t);
        }
    }
}

static void transform_outputs(const struct job *j, const struct rf_pixels *out)
{
    const size_t c0 = j->share->c0, channels = j->share->c1 - c0;
    struct rf_winograd_output t = {.m = j->products,
                                   .step = j->product_step,
                                   .channels = channels,
                                   .row = out->row,
                                   .pitch = out->pitch};

    for (size_t r = j->share->first; r < j->share->last; r++) {
        const size_t n = r / j->grid->rows, y = r % j->grid->rows * j->m;

        t.h = out->h - y < j->m ? out->h - y : j->m;
        for (size_t c = 0; c < j->grid->columns; c++, t.m += channels) {
            const size_t x = c * j->m;

            t.w = out->w - x < j->m ? out->w - x : j->m;
            t.y = out->data + n * out->image + y * out->row + x * out->pitch + c0;
            j->k->winograd_output[j->w->size](&t);
        }
    }
}

void rf_winograd_run(const struct rf_winograd *w, const struct rf_winograd_grid *grid,
                     const struct rf_kernels *k, const struct rf_pixels *in, int64_t top,
                     int64_t left, const struct rf_pixels *out,
                     const struct rf_winograd_share *share, float *scratch)
{
    const size_t m = rf_winograd_m(w->size), matrices = (m + 2) * (m + 2);
    const size_t tiles = (share->last - share->first) * grid->columns;
    const size_t channels = share->c1 - share->c0;
    struct job j = {.w = w,
                    .grid = grid,
                    .k = k,
                    .share = share,
                    .m = m,
                    .v = scratch,
                    .v_step = matrix_step(tiles, in->c),
                    .product_step = matrix_step(tiles, channels)};

    j.products = scratch + matrices * j.v_step;
    transform_inputs(&j, in, top, left);
    for (size_t t = 0; t < matrices; t++) {
        const struct rf_gemm *const next = &w->gemm[t + 1 < matrices ? t + 1 : 0];

        rf_panel_run(&w->gemm[t], j.v + t * j.v_step, in->c, tiles, j.products + t * j.product_step,
                     channels, share->c0, share->c1, next->weights + share->c0 * next->n_in);
    }
    transform_outputs(&j, out);
}
