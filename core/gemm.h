/*
 * Matrix products behind one interface: constant right-hand sides are packed once and used often.
 * Two backends, one const struct each: OpenBLAS (kernels/blas.c) and panels of our own (panel.c),
 * which also give the same bits however the work is cut. RECTIFIER_GEMM=openblas|auto; auto takes
 * panels where they are faster.
 */
#ifndef RF_CORE_GEMM_H
#define RF_CORE_GEMM_H

#include "core/op.h"
#include "core/panel.h"

struct rf_gemm_backend;

/* W packed for x * W. Lives in the model's arena. */
struct rf_gemm {
    const struct rf_gemm_backend *backend;
    float *weights;
    size_t n_in, n_out;
    /* Once more as whole rows, [n_in][row_pitch], for single rows with zeros (skip.h); or NULL. */
    float *rows;
    size_t row_pitch;
};

struct rf_gemm_backend {
    const char *name;
    /* y[rows][c1 - c0] = a[rows][n_in] * W[:, c0..c1). y does not overlap a. */
    void (*run)(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                size_t y_pitch, size_t c0, size_t c1);
};

extern const struct rf_gemm_backend rf_gemm_openblas, rf_gemm_panel;

/* The one that weights are packed for. */
const struct rf_gemm_backend *rf_gemm_backend(void);

/* Rows that make a call worth the packing that OpenBLAS does of its own. */
#define RF_GEMM_MIN_ROWS 192

/* Makes room for the weights, zeroed; the caller fills them through rf_gemm_pack or rf_gemm_at. */
enum rf_status rf_gemm_init(struct rf_prepare *p, struct rf_gemm *g,
                            const struct rf_gemm_backend *backend, size_t n_in, size_t n_out);
/* Where weights (k, o) come from: scale * w[k * in_step + o * out_step]. */
struct rf_gemm_source {
    const float *w;
    size_t in_step, out_step;
    float scale;
    size_t channels; /* k counts channels of pixels one after the other, a row has pixel after
                        pixel; n_in: as it is */
};

void rf_gemm_pack(const struct rf_gemm *g, const struct rf_gemm_source *from);
/* Weight (k, o), for k < n_in, o < n_out. */
static inline float *rf_gemm_at(const struct rf_gemm *g, size_t k, size_t o)
{
    return g->weights + (g->backend == &rf_gemm_panel ? rf_panel_at(g, k, o) : k * g->n_out + o);
}
/* c0 is a multiple of 64. */
void rf_gemm_run(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                 size_t y_pitch, size_t c0, size_t c1);

/* y[rows][n_out] = a[rows][n_in] * b[n_in][n_out], all dense; sizes may be 0. At most INT32_MAX. */
void rf_gemm_dense(const float *a, const float *b, float *y, size_t rows, size_t n_in,
                   size_t n_out);

/* Lets the calling thread's first product not pay for the backend's buffers. */
void rf_gemm_warm_up(void);
const char *rf_gemm_library(void); /* "OpenBLAS 0.3.21 SkylakeX" */

#endif
