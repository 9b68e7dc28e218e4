/* OpenBLAS behind the GEMM interface; the only file that knows cblas. */
#include <cblas.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/gemm.h"

/*
 * The serial library hands out its work buffers without a lock: two callers at the same instant can
 * get the same one. The linker puts this lock around it (--wrap in the Makefile); the products
 * themselves run side by side.
 */
void *__real_blas_memory_alloc(int position);
void __real_blas_memory_free(void *buffer);
void *__wrap_blas_memory_alloc(int position);
void __wrap_blas_memory_free(void *buffer);

static pthread_mutex_t buffers = PTHREAD_MUTEX_INITIALIZER;

void *__wrap_blas_memory_alloc(int position)
{
    pthread_mutex_lock(&buffers);
    void *const buffer = __real_blas_memory_alloc(position);
    pthread_mutex_unlock(&buffers);
    return buffer;
}

void __wrap_blas_memory_free(void *buffer)
{
    pthread_mutex_lock(&buffers);
    __real_blas_memory_free(buffer);
    pthread_mutex_unlock(&buffers);
}

/* One row is a matrix-vector product: sgemm would pack the whole matrix for it. */
static void run(const struct rf_gemm *g, const float *a, size_t a_pitch, size_t rows, float *y,
                size_t y_pitch, size_t c0, size_t c1)
{
    const blasint n = (blasint)(c1 - c0), k = (blasint)g->n_in, ldw = (blasint)g->n_out;

    if (rows == 1)
        cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1, g->weights + c0, ldw, a, 1, 0, y, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)rows, n, k, 1, a,
                    (blasint)a_pitch, g->weights + c0, ldw, 0, y, (blasint)y_pitch);
}

const struct rf_gemm_backend rf_gemm_openblas = {.name = "openblas", .run = run};

static char library[128];

static void describe(void)
{
    char version[64] = "";

    /* "OpenBLAS 0.3.21 DYNAMIC_ARCH ..." */
    if (sscanf(openblas_get_config(), "OpenBLAS %63s", version) != 1)
        version[0] = '\0';
    snprintf(library, sizeof(library), "OpenBLAS %s %s", version, openblas_get_corename());
}

const char *rf_gemm_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, describe);
    return library;
}
