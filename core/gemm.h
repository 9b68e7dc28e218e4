/*
 * Matrix products with constant right-hand sides, behind one interface: pack once, run often. A
 * backend is one const struct; today's is OpenBLAS (kernels/blas.c).
 */
#ifndef RF_CORE_GEMM_H
#define RF_CORE_GEMM_H

#include "core/op.h"

/* W packed for x * W: [n_in][n_out], n_out fastest. Lives in the model's arena. */
struct rf_gemm {
    const float *weights;
    size_t n_in, n_out;
};

struct rf_gemm_backend {
    const char *name;
    /* y[rows][c1 - c0] = a[rows][n_in] * W[:, c0..c1). y does not overlap a. */
    void (*run)(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                size_t y_pitch, size_t c0, size_t c1);
};

extern const struct rf_gemm_backend rf_gemm_openblas;

/* Rows that make a call worth the packing it does of its own. */
#define RF_GEMM_MIN_ROWS 192

/* Makes room for the weights; the caller fills them: g->weights is [n_in][n_out]. NULL on failure.
 */
float *rf_gemm_init(struct rf_prepare *p, struct rf_gemm *g, size_t n_in, size_t n_out);
void rf_gemm_run(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                 size_t y_pitch, size_t c0, size_t c1);

/* y[rows][n_out] = a[rows][n_in] * b[n_in][n_out], all dense; sizes may be 0. At most INT32_MAX. */
void rf_gemm_dense(const float *a, const float *b, float *y, size_t rows, size_t n_in,
                   size_t n_out);

/* Lets the calling thread's first product not pay for the backend's buffers. */
void rf_gemm_warm_up(void);
const char *rf_gemm_library(void); /* "OpenBLAS 0.3.21 SkylakeX" */

#endif
