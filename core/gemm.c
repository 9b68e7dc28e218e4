#include "core/gemm.h"

#include <string.h>

#include "core/rectifier.h"

static const struct rf_gemm_backend *const backend = &rf_gemm_openblas;

float *rf_gemm_init(struct rf_prepare *p, struct rf_gemm *g, size_t n_in, size_t n_out)
{
    size_t n;

    if (n_in > INT32_MAX || n_out > INT32_MAX || __builtin_mul_overflow(n_in, n_out, &n)) {
        rf_prepare_fail(p, RF_LIMIT, "weights of %zu by %zu are too large", n_in, n_out);
        return NULL;
    }
    float *const weights = rf_prepare_alloc(p, n, sizeof(float));

    *g = (struct rf_gemm){.weights = weights, .n_in = n_in, .n_out = n_out};
    return weights;
}

void rf_gemm_run(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                 size_t y_pitch, size_t c0, size_t c1)
{
    backend->run(g, a, a_pitch, rows, y, y_pitch, c0, c1);
}

void rf_gemm_dense(const float *a, const float *b, float *y, size_t rows, size_t n_in, size_t n_out)
{
    const struct rf_gemm g = {.weights = b, .n_in = n_in, .n_out = n_out};

    if (!n_in)
        memset(y, 0, rows * n_out * sizeof(*y));
    else if (rows && n_out)
        rf_gemm_run(&g, a, n_in, rows, y, n_out, 0, n_out);
}

void rf_gemm_warm_up(void)
{
    static const float weights[RF_GROUP * RF_GROUP], a[4 * RF_GROUP];
    const struct rf_gemm g = {.weights = weights, .n_in = RF_GROUP, .n_out = RF_GROUP};
    float y[4 * RF_GROUP];

    rf_gemm_run(&g, a, RF_GROUP, 4, y, RF_GROUP, 0, RF_GROUP);
}

const char *rf_engine_gemm(void)
{
    return backend->name;
}

const char *rf_engine_blas(void)
{
    return rf_gemm_library();
}
