/* Chooses the table of kernels for this processor, once. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"

extern const struct rf_kernels rf_kernels_base;
#ifdef __x86_64__
extern const struct rf_kernels rf_kernels_avx2, rf_kernels_avx512;
#endif

static const struct rf_kernels *best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Each case must ask for every -m flag that the Makefile gives the instruction set's objects. */
const struct rf_kernels *rf_kernels_for(enum rf_isa isa)
{
    switch (isa) {
    case RF_ISA_BASE:
        return &rf_kernels_base;
#ifdef __x86_64__
    case RF_ISA_AVX2:
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &rf_kernels_avx2
                                                                               : NULL;
    case RF_ISA_AVX512:
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                       rf_kernels_for(RF_ISA_AVX2)
                   ? &rf_kernels_avx512
                   : NULL;
#endif
    default:
        return NULL;
    }
}

/* An unknown RECTIFIER_ISA caps nothing: who reads the user's settings says so. */
static void choose(void)
{
    const char *const cap = getenv("RECTIFIER_ISA");

    for (int isa = 0; isa < RF_N_ISA; isa++) {
        const struct rf_kernels *const k = rf_kernels_for((enum rf_isa)isa);
        if (!k)
            break;
        best = k;
        if (cap && strcmp(cap, k->isa) == 0)
            break;
    }
}

const struct rf_kernels *rf_kernels_best(void)
{
    pthread_once(&once, choose);
    return best;
}
