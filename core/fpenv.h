/*
 * Denormals as zero while computing: they are of no use in a network and many times slower. Set on
 * entry and restored on exit, since whoever reads numbers in the same thread needs them.
 */
#ifndef RF_CORE_FPENV_H
#define RF_CORE_FPENV_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>

static inline uint64_t rf_fp_enter(void)
{
    const uint32_t saved = _mm_getcsr();

    _mm_setcsr(saved | 0x8040); /* flush to zero, denormals are zero */
    return saved;
}

static inline void rf_fp_leave(uint64_t saved)
{
    _mm_setcsr((uint32_t)saved);
}
#elif defined(__aarch64__)
static inline uint64_t rf_fp_enter(void)
{
    uint64_t saved;

    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(saved | 1u << 24));
    return saved;
}

static inline void rf_fp_leave(uint64_t saved)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(saved));
}
#else
static inline uint64_t rf_fp_enter(void)
{
    return 0;
}

static inline void rf_fp_leave(uint64_t saved)
{
    (void)saved;
}
#endif

#endif
