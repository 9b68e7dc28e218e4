#include "core/gemm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/rectifier.h"

static const struct rf_gemm_backend *chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* An unknown RECTIFIER_GEMM changes nothing: who reads the user's settings says so. */
static void choose(void)
{
    const char *const wish = getenv("RECTIFIER_GEMM");
    const bool openblas = (wish && !strcmp(wish, "openblas")) || !rf_panel_is_faster();

    chosen = openblas ? &rf_gemm_openblas : &rf_gemm_panel;
}

const struct rf_gemm_backend *rf_gemm_backend(void)
{
    pthread_once(&once, choose);
    return chosen;
}

enum rf_status rf_gemm_init(struct rf_prepare *p, struct rf_gemm *g,
                            const struct rf_gemm_backend *backend, size_t n_in, size_t n_out)
{
    size_t n;

    if (n_in > INT32_MAX || n_out > INT32_MAX || __builtin_mul_overflow(n_in, n_out, &n))
        return rf_prepare_fail(p, RF_LIMIT, "weights of %zu by %zu are too large", n_in, n_out);
    if (backend == &rf_gemm_panel)
        n = rf_panel_floats(n_in, n_out);
    *g = (struct rf_gemm){.backend = backend, .n_in = n_in, .n_out = n_out};
    g->weights = rf_prepare_alloc(p, n, sizeof(float));
    return p->status;
}

/* Rows and columns of a tile that is turned around in the first-level cache. */
#define TILE_IN 16
#define TILE_OUT RF_MAX_PANEL_WIDTH

static void pack_tile(const struct rf_gemm *g, const struct rf_gemm_source *from, size_t k0,
                      size_t o0, size_t columns)
{
    const size_t rows = g->n_in - k0 < TILE_IN ? g->n_in - k0 : TILE_IN;
    const size_t area = g->n_in / from->channels;
    const float *const w = from->w + k0 * from->in_step + o0 * from->out_step;
    float tile[TILE_IN][TILE_OUT];

    for (size_t o = 0; o < columns; o++)
        for (size_t k = 0; k < rows; k++)
            tile[k][o] = from->scale * w[k * from->in_step + o * from->out_step];
    for (size_t k = 0; k < rows; k++) {
        const size_t row = (k0 + k) % area * from->channels + (k0 + k) / area;

        memcpy(rf_gemm_at(g, row, o0), tile[k], columns * sizeof(float));
    }
}

/* By tiles, as either side is read or written across its rows. */
void rf_gemm_pack(const struct rf_gemm *g, const struct rf_gemm_source *from)
{
    const size_t width = g->backend == &rf_gemm_panel ? rf_kernels_best()->panel_width : TILE_OUT;

    for (size_t o = 0; o < g->n_out; o += width)
        for (size_t k = 0; k < g->n_in; k += TILE_IN)
            pack_tile(g, from, k, o, g->n_out - o < width ? g->n_out - o : width);
}

void rf_gemm_run(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                 size_t y_pitch, size_t c0, size_t c1)
{
    g->backend->run(g, a, a_pitch, rows, y, y_pitch, c0, c1);
}

void rf_gemm_dense(const float *a, const float *b, float *y, size_t rows, size_t n_in, size_t n_out)
{
    const struct rf_gemm g = {.backend = &rf_gemm_openblas,
                              .weights = (float *)(uintptr_t)b,
                              .n_in = n_in,
                              .n_out = n_out};

    if (!n_in)
        memset(y, 0, rows * n_out * sizeof(*y));
    else if (rows && n_out)
        rf_gemm_run(&g, a, n_in, rows, y, n_out, 0, n_out);
}

void rf_gemm_warm_up(void)
{
    static float weights[RF_GROUP * RF_GROUP];
    static const float a[4 * RF_GROUP];
    const struct rf_gemm g = {
        .backend = &rf_gemm_openblas, .weights = weights, .n_in = RF_GROUP, .n_out = RF_GROUP};
    float y[4 * RF_GROUP];

    rf_gemm_run(&g, a, RF_GROUP, 4, y, RF_GROUP, 0, RF_GROUP);
}

const char *rf_engine_gemm(void)
{
    return rf_gemm_backend()->name;
}

const char *rf_engine_blas(void)
{
    return rf_gemm_library();
}
