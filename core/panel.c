#include "core/panel.h"

#include <string.h>

#include "core/gemm.h"
#include "core/rectifier.h"
#include "core/skip.h"

bool rf_panel_is_faster(void)
{
    return rf_kernels_best() != rf_kernels_for(RF_ISA_BASE);
}

size_t rf_panel_floats(size_t n_in, size_t n_out)
{
    const size_t width = rf_kernels_best()->panel_width;
    const size_t panels = n_out / width + (n_out % width != 0);
    size_t floats;

    return __builtin_mul_overflow(panels * width, n_in, &floats) ? 0 : floats;
}

size_t rf_panel_at(const struct rf_gemm *g, size_t k, size_t o)
{
    const size_t width = rf_kernels_best()->panel_width;

    return (o / width * g->n_in + k) * width + o % width;
}

/* A few rows at a time, each written from end to end. */
void rf_panel_unpack(const struct rf_gemm *g, float *rows, size_t pitch)
{
    enum { ROWS = 16 };
    const size_t width = rf_kernels_best()->panel_width;

    for (size_t k = 0; k < g->n_in; k += ROWS) {
        const size_t end = g->n_in - k < ROWS ? g->n_in : k + ROWS;

        for (size_t o = 0; o < g->n_out; o += width) {
            const size_t columns = g->n_out - o < width ? g->n_out - o : width;

            for (size_t i = k; i < end; i++)
                memcpy(rows + i * pitch + o, g->weights + rf_panel_at(g, i, o),
                       columns * sizeof(*rows));
        }
    }
}

/* Rows of the first of as few tiles as there must be, as even as possible. */
static size_t tile_rows(size_t left, size_t most)
{
    if (left <= most)
        return left;
    const size_t tiles = (left + most - 1) / most;

    return (left + tiles - 1) / tiles;
}

/* One panel, all rows. */
static void panel(const struct rf_kernels *k, const struct rf_panel_rows *r, const float *weights,
                  const float *next, size_t c, size_t lanes)
{
    const size_t half = r->n_taps * r->depth * k->panel_width / 2;
    float *y[RF_MAX_PANEL_ROWS] __attribute__((uninitialized));
    struct rf_panel_tile t = {.y = y,
                              .tap = r->tap,
                              .n_taps = r->n_taps,
                              .depth = r->depth,
                              .weights = weights,
                              .lanes = lanes};

    for (size_t i = 0, at = 0; at < r->n; i++, at += t.rows) {
        t.rows = tile_rows(r->n - at, k->panel_rows);
        t.row = r->row + at;
        /* The first two tiles fetch the halves of the next panel. */
        t.ahead = i < 2 ? next + i * half : weights;
        for (size_t j = 0; j < t.rows; j++)
            y[j] = r->y[at + j] + c; /* NOLINT: n of them are set */
        k->panel(&t);
    }
}

void rf_panel_product(const struct rf_gemm *g, const struct rf_panel_rows *rows, size_t c0,
                      size_t c1, const float *behind)
{
    const struct rf_kernels *const k = rf_kernels_best();
    const size_t width = k->panel_width;

    for (size_t c = c0; c < c1; c += width) {
        const float *const weights = g->weights + c * g->n_in;
        const bool last = c + width >= c1;

        panel(k, rows, weights, last ? behind : weights + width * g->n_in, c,
              last ? c1 - c : width);
    }
}

/* ---- behind the interface of gemm.h ---- */

static void run_rows(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                     size_t y_pitch, size_t c0, size_t c1, const float *behind)
{
    enum { BLOCK = 8 * RF_MAX_PANEL_ROWS };
    /* Clearing them would take longer than the few rows of a small image. */
    const float *row[BLOCK] __attribute__((uninitialized));
    float *out[BLOCK] __attribute__((uninitialized));
    static const ptrdiff_t tap;

    for (size_t at = 0; at < rows; at += BLOCK) {
        const size_t n = rows - at < BLOCK ? rows - at : BLOCK;
        const struct rf_panel_rows r = {
            .row = row, .y = out, .n = n, .tap = &tap, .n_taps = 1, .depth = g->n_in};

        for (size_t i = 0; i < n; i++) {
            row[i] = a + (at + i) * a_pitch;
            out[i] = y + (at + i) * y_pitch - c0;
        }
        rf_panel_product(g, &r, c0, c1, behind);
    }
}

void rf_panel_run(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                  size_t y_pitch, size_t c0, size_t c1, const float *behind)
{
    const struct rf_panel_row one = {
        .x = a, .depth = g->n_in, .weights = g->weights + c0 * g->n_in, .y = y, .columns = c1 - c0};

    if (rows == 1 && rf_skip_pays(g, a))
        rf_skip_run(g, a, y, c0, c1);
    else if (rows == 1)
        rf_kernels_best()->panel_row(&one);
    else
        run_rows(g, a, a_pitch, rows, y, y_pitch, c0, c1, behind);
}

static void run(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                size_t y_pitch, size_t c0, size_t c1)
{
    rf_panel_run(g, a, a_pitch, rows, y, y_pitch, c0, c1, g->weights + c0 * g->n_in);
}

const struct rf_gemm_backend rf_gemm_panel = {.name = "panel", .run = run};

int64_t rf_engine_exercise(void)
{
    enum { DEPTH = 64, TIMES = 2000 };
    static const float x[DEPTH], weights[DEPTH * RF_MAX_PANEL_WIDTH];
    static const ptrdiff_t tap;
    const struct rf_kernels *const k = rf_kernels_best();
    float sums[RF_MAX_PANEL_ROWS][RF_MAX_PANEL_WIDTH], *y[RF_MAX_PANEL_ROWS];
    const float *row[RF_MAX_PANEL_ROWS];
    const struct rf_panel_tile t = {.row = row,
                                    .y = y,
                                    .rows = k->panel_rows,
                                    .tap = &tap,
                                    .n_taps = 1,
                                    .depth = DEPTH,
                                    .weights = weights,
                                    .lanes = k->panel_width,
                                    .ahead = weights};

    for (size_t i = 0; i < RF_MAX_PANEL_ROWS; i++) {
        row[i] = x;
        y[i] = sums[i];
    }
    for (int i = 0; i < TIMES; i++)
        k->panel(&t);
    return (int64_t)TIMES * DEPTH * (int64_t)(k->panel_rows * k->panel_width);
}
