/*
 * Matrix products with packed weights: a tile of rows times one panel of columns, two vectors wide.
 * Sums stay in registers over the whole depth: one chain of fused additions for each output, in
 * the order of depth, so that a result does not depend on which rows share its tile. Each row is
 * found through its own pointer, which costs a load per row and step that the multiplications hide.
 */
#include "core/kernels/simd/table.h"

#define ROWS RF_PANEL_ROWS
#define WIDTH RF_PANEL_WIDTH

struct sums {
    vf c[ROWS][2];
};

RF_INLINE void multiply(struct sums *s, const size_t rows, const bool whole,
                        const float *const *row, ptrdiff_t tap, const float *w, size_t depth,
                        const char *ahead)
{
    for (size_t k = 0; k < depth; k++, w += WIDTH) {
        const vf w0 = v_load(w), w1 = v_load(w + VW);

        __builtin_prefetch(ahead, 0, 2);
        ahead += sizeof(vf);
#pragma GCC unroll 14
        for (size_t r = 0; r < rows; r++) {
            const vf x = v_set(row[r][tap + (ptrdiff_t)k]);
            s->c[r][0] = v_fma(x, w0, s->c[r][0]);
            if (whole)
                s->c[r][1] = v_fma(x, w1, s->c[r][1]);
        }
    }
}

RF_INLINE void store(const struct rf_panel_tile *t, const struct sums *s, const size_t rows)
{
#pragma GCC unroll 14
    for (size_t r = 0; r < rows; r++) {
        float *const y = t->y[r];

        if (t->lanes == WIDTH) {
            v_store(y, s->c[r][0]);
            v_store(y + VW, s->c[r][1]);
        } else if (t->lanes > VW) {
            v_store(y, s->c[r][0]);
            v_store_part(y + VW, s->c[r][1], t->lanes - VW);
        } else {
            v_store_lanes(y, s->c[r][0], t->lanes);
        }
    }
}

/* `whole`: columns in both vectors. */
RF_INLINE void tile(const struct rf_panel_tile *t, const size_t rows, const bool whole)
{
    const float *w = t->weights;
    const char *ahead = t->ahead;
    struct sums s;

#pragma GCC unroll 14
    for (size_t r = 0; r < rows; r++)
        s.c[r][0] = s.c[r][1] = v_set(0);
    for (size_t i = 0; i < t->n_taps; i++) {
        multiply(&s, rows, whole, t->row, t->tap[i], w, t->depth, ahead);
        w += t->depth * WIDTH;
        ahead += t->depth * sizeof(vf);
    }
    store(t, &s, rows);
}

#define CASE(n)                                                                                    \
    case n:                                                                                        \
        if (t->lanes > VW)                                                                         \
            tile(t, n, true);                                                                      \
        else                                                                                       \
            tile(t, n, false);                                                                     \
        break;

void RF_K(rf_panel)(const struct rf_panel_tile *t)
{
    /* clang-format off */
    switch (t->rows) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if ROWS > 6
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
    }
    /* clang-format on */
    v_leave();
}

/* One row times several panels at once, so that enough chains run side by side. */
#define VECTORS 8 /* panels' halves at once */

RF_INLINE void row_panels(const float *x, size_t depth, const float *w, size_t panel,
                          const size_t n_panels, vf c[VECTORS])
{
    for (size_t k = 0; k < depth; k++) {
        const vf v = v_set(x[k]);
        const float *const at = w + k * WIDTH;

#pragma GCC unroll 4
        for (size_t p = 0; p < n_panels; p++) {
            c[2 * p] = v_fma(v, v_load(at + p * panel), c[2 * p]);
            c[2 * p + 1] = v_fma(v, v_load(at + p * panel + VW), c[2 * p + 1]);
        }
    }
}

RF_INLINE void row_chunk(const struct rf_panel_row *t, size_t first, const size_t n_panels)
{
    const size_t panel = t->depth * WIDTH, c0 = first * WIDTH;
    vf c[VECTORS];

#pragma GCC unroll 8
    for (size_t i = 0; i < 2 * n_panels; i++)
        c[i] = v_set(0);
    row_panels(t->x, t->depth, t->weights + first * panel, panel, n_panels, c);
#pragma GCC unroll 8
    for (size_t i = 0; i < 2 * n_panels; i++) {
        const size_t at = c0 + i * VW;

        if (at + VW <= t->columns)
            v_store(t->y + at, c[i]);
        else if (at < t->columns)
            v_store_part(t->y + at, c[i], t->columns - at);
    }
}

void RF_K(rf_panel_row)(const struct rf_panel_row *t)
{
    const size_t n = (t->columns + WIDTH - 1) / WIDTH;
    size_t p = 0;

    for (; p + 4 <= n; p += 4)
        row_chunk(t, p, 4);
    for (; p < n; p++)
        row_chunk(t, p, 1);
    v_leave();
}
