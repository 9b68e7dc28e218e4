/*
 * The second GEMM backend: weights packed once into panels of columns that lie in the order in
 * which the kernel reads them, [n_out / width][n_in][width], zeros behind the last column. Rows may
 * lie anywhere and consist of pieces (taps), so that a convolution needs no gathering.
 *
 * Every output is one chain of fused multiply-adds over n_in, ascending, from +0: its bits depend
 * on its row and column alone, not on how many rows a call has or how the work is split.
 */
#ifndef RF_CORE_PANEL_H
#define RF_CORE_PANEL_H

#include "core/kernels/kernels.h"

struct rf_gemm;

/* Whether panels beat OpenBLAS on this processor. */
bool rf_panel_is_faster(void);

/* Floats of the packed weights; 0 when that overflows. */
size_t rf_panel_floats(size_t n_in, size_t n_out);
/* Where weight (k, o) lies. */
size_t rf_panel_at(const struct rf_gemm *g, size_t k, size_t o);

/* All weights as whole rows, [n_in][pitch]. */
void rf_panel_unpack(const struct rf_gemm *g, float *rows, size_t pitch);

/* Rows of pieces: row r is row[r][tap[t] + i] for t < n_taps, i < depth; n_in = n_taps * depth. */
struct rf_panel_rows {
    const float *const *row;
    float *const *y; /* y[r]: column 0 of the output row */
    size_t n;
    const ptrdiff_t *tap;
    size_t n_taps, depth;
};

/* Columns [c0, c1) of the product; c0 is a multiple of the panel's width. `behind`: the weights
 * that are multiplied with afterwards, which the last panel fetches. */
void rf_panel_product(const struct rf_gemm *g, const struct rf_panel_rows *rows, size_t c0,
                      size_t c1, const float *behind);

/* Dense rows, as rf_gemm_run has them. */
void rf_panel_run(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                  size_t y_pitch, size_t c0, size_t c1, const float *behind);

#endif
