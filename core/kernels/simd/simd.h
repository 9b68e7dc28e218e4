/*
 * One vector of floats, as wide as the instruction set that this file is compiled for; kernels are
 * written once against it. + - * / are plain C. Intrinsics stand only where the compiler's own
 * vector code is poor; without them (RF_PLAIN, other processors) plain C does the same.
 */
#ifndef RF_CORE_KERNELS_SIMD_H
#define RF_CORE_KERNELS_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/kernels.h"

#if defined(__x86_64__) && !defined(RF_PLAIN)
#include <immintrin.h>
#if defined(__AVX512F__)
#define RF_AVX512 1
#define VW 16
#elif defined(__AVX2__)
#define RF_AVX2 1
#define VW 8
#else
#define RF_SSE2 1
#define VW 4
#endif
#else
#define VW 4
#endif

typedef float vf __attribute__((vector_size(VW * 4)));
typedef int32_t vi __attribute__((vector_size(VW * 4)));
typedef uint32_t vu __attribute__((vector_size(VW * 4)));

/* A condition for each lane: what v_lt and its kin give and v_sel and v_bits take. */
#ifdef RF_AVX512
typedef __mmask16 vm;
#else
typedef vi vm;
#endif

/* name_isa: what a function of these files is called in the table of its instruction set. */
#define RF_CAT_(a, b) a##_##b
#define RF_CAT(a, b) RF_CAT_(a, b)
#define RF_K(name) RF_CAT(name, RF_ISA)

#define RF_INLINE static inline __attribute__((always_inline, unused))

RF_INLINE vf v_set(float s)
{
#ifdef RF_AVX512
    return _mm512_set1_ps(s);
#elif defined(RF_AVX2)
    return _mm256_set1_ps(s);
#elif defined(RF_SSE2)
    return _mm_set1_ps(s);
#else
    return (vf){s, s, s, s};
#endif
}

/* The built-in, as the fortified memcpy may become a call. */
RF_INLINE vf v_load(const float *p)
{
    vf v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

RF_INLINE void v_store(float *p, vf v)
{
    __builtin_memcpy(p, &v, sizeof(v));
}

/* ---- comparisons; false where a lane is NaN ------------------------------------------------- */

#ifdef RF_AVX512
#define RF_COMPARE(name, op, code)                                                                 \
    RF_INLINE vm name(vf x, vf y)                                                                  \
    {                                                                                              \
        return _mm512_cmp_ps_mask(x, y, code);                                                     \
    }
#else
#define RF_COMPARE(name, op, code)                                                                 \
    RF_INLINE vm name(vf x, vf y)                                                                  \
    {                                                                                              \
        return x op y;                                                                             \
    }
#endif
RF_COMPARE(v_lt, <, _CMP_LT_OQ)
RF_COMPARE(v_le, <=, _CMP_LE_OQ)
RF_COMPARE(v_gt, >, _CMP_GT_OQ)
RF_COMPARE(v_ge, >=, _CMP_GE_OQ)
RF_COMPARE(v_eq, ==, _CMP_EQ_OQ)
#undef RF_COMPARE

/* Where the condition holds a, else b. */
RF_INLINE vf v_sel(vm m, vf a, vf b)
{
#ifdef RF_AVX512
    return _mm512_mask_blend_ps(m, b, a);
#elif defined(RF_AVX2)
    return _mm256_blendv_ps(b, a, (vf)m);
#else
    return (vf)((m & (vi)a) | (~m & (vi)b));
#endif
}

/* The condition as an integer, lane 0 in the lowest bit. */
RF_INLINE uint32_t v_bits(vm m)
{
#ifdef RF_AVX512
    return m;
#elif defined(RF_AVX2)
    return (uint32_t)_mm256_movemask_ps((vf)m);
#elif defined(RF_SSE2)
    return (uint32_t)_mm_movemask_ps((vf)m);
#else
    return (uint32_t)((m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8));
#endif
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

/* The larger, the smaller; where either lane is NaN: x. So a NaN in x stays, one in `limit` does
 * not count. */
RF_INLINE vf v_max(vf x, vf limit)
{
#ifdef RF_AVX512
    return _mm512_max_ps(limit, x);
#elif defined(RF_AVX2)
    return _mm256_max_ps(limit, x);
#elif defined(RF_SSE2)
    return _mm_max_ps(limit, x);
#else
    return v_sel(limit > x, limit, x);
#endif
}

RF_INLINE vf v_min(vf x, vf limit)
{
#ifdef RF_AVX512
    return _mm512_min_ps(limit, x);
#elif defined(RF_AVX2)
    return _mm256_min_ps(limit, x);
#elif defined(RF_SSE2)
    return _mm_min_ps(limit, x);
#else
    return v_sel(limit < x, limit, x);
#endif
}

/* The larger; NaN where either is. */
RF_INLINE vf v_max_nan(vf x, vf y)
{
    const vf larger = v_max(x, y); /* x where y is NaN */

    return v_sel(v_eq(y, y), larger, y);
}

/* The smaller; NaN where either is. */
RF_INLINE vf v_min_nan(vf x, vf y)
{
    return v_sel(v_eq(y, y), v_min(x, y), y);
}

RF_INLINE vf v_clamp(vf x, vf low, vf high)
{
    return v_min(v_max(x, low), high);
}

/* a * b + c; rounded once where the instruction set can. */
RF_INLINE vf v_fma(vf a, vf b, vf c)
{
#ifdef RF_AVX512
    return _mm512_fmadd_ps(a, b, c);
#elif defined(RF_AVX2)
    return _mm256_fmadd_ps(a, b, c);
#else
    return a * b + c;
#endif
}

RF_INLINE vf v_sqrt(vf x)
{
#ifdef RF_AVX512
    return _mm512_sqrt_ps(x);
#elif defined(RF_AVX2)
    return _mm256_sqrt_ps(x);
#elif defined(RF_SSE2)
    return _mm_sqrt_ps(x);
#else
    return (vf){__builtin_sqrtf(x[0]), __builtin_sqrtf(x[1]), __builtin_sqrtf(x[2]),
                __builtin_sqrtf(x[3])};
#endif
}

RF_INLINE vf v_abs(vf x)
{
    return (vf)((vu)x & 0x7fffffffu);
}

/* The magnitude of x (itself not negative) with the sign of `sign`. */
RF_INLINE vf v_with_sign(vf x, vf sign)
{
    return (vf)((vu)x | ((vu)sign & 0x80000000u));
}

/* Lane i is x's lane at[i], for 0 <= at[i] < VW. */
RF_INLINE vf v_permute(vf x, vi at)
{
#ifdef RF_AVX512
    return _mm512_permutexvar_ps((__m512i)at, x);
#elif defined(RF_AVX2)
    return _mm256_permutevar8x32_ps(x, (__m256i)at);
#else
    vf y = {0};

    for (size_t i = 0; i < VW; i++)
        y[i] = x[at[i]];
    return y;
#endif
}

RF_INLINE float v_sum(vf x)
{
    float lane[VW], total = 0;

    v_store(lane, x);
    for (size_t i = 0; i < VW; i++)
        total += lane[i];
    return total;
}

/* ---- the first n lanes, 0 < n < VW: nothing beyond them is touched -------------------------- */

#if defined(__x86_64__) && !defined(RF_PLAIN)
RF_INLINE __m128 v_load_under_4(const float *p, size_t n)
{
    if (n == 1)
        return _mm_load_ss(p);
    const __m128 low = (__m128)_mm_loadl_epi64((const __m128i *)(const void *)p);
    return n == 2 ? low : _mm_movelh_ps(low, _mm_load_ss(p + 2));
}

RF_INLINE void v_store_under_4(float *p, __m128 v, size_t n)
{
    if (n & 2) {
        _mm_storel_pi((__m64 *)(void *)p, v);
        v = _mm_movehl_ps(v, v);
        p += 2;
    }
    if (n & 1)
        _mm_store_ss(p, v);
}
#endif

#if defined(RF_AVX512) || defined(RF_AVX2)
RF_INLINE void v_store_under_8(float *p, __m256 v, size_t n)
{
    __m128 half = _mm256_castps256_ps128(v);

    if (n & 4) {
        _mm_storeu_ps(p, half);
        half = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    v_store_under_4(p, half, n);
}
#endif

/* Lanes from n on are 0. */
RF_INLINE vf v_load_part(const float *p, size_t n)
{
#ifdef RF_AVX512
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(RF_AVX2)
    if (n < 4)
        return _mm256_zextps128_ps256(v_load_under_4(p, n));
    const __m256 low = _mm256_zextps128_ps256(_mm_loadu_ps(p));
    return n == 4 ? low : _mm256_insertf128_ps(low, v_load_under_4(p + 4, n - 4), 1);
#elif defined(RF_SSE2)
    return v_load_under_4(p, n);
#else
    return (vf){p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};
#endif
}

/* In pieces, not by masked stores: AVX2's take tens of cycles on some processors, and AVX-512's
 * hold up a load of what they leave out, which in dense rows is the next row. */
RF_INLINE void v_store_part(float *p, vf v, size_t n)
{
#ifdef RF_AVX512
    __m256 half = _mm512_castps512_ps256(v);
    if (n & 8) {
        _mm256_storeu_ps(p, half);
        half = _mm512_extractf32x8_ps(v, 1);
        p += 8;
    }
    v_store_under_8(p, half, n);
#elif defined(RF_AVX2)
    v_store_under_8(p, v, n);
#elif defined(RF_SSE2)
    v_store_under_4(p, v, n);
#else
    for (size_t i = 0; i < n; i++)
        p[i] = v[i];
#endif
}

/* The same with `lanes` = VW allowed; the compiler drops the branch where it is a constant. */
RF_INLINE vf v_load_lanes(const float *p, size_t lanes)
{
    return lanes == VW ? v_load(p) : v_load_part(p, lanes);
}

RF_INLINE void v_store_lanes(float *p, vf v, size_t lanes)
{
    if (lanes == VW)
        v_store(p, v);
    else
        v_store_part(p, v, lanes);
}

/* n[i] + 1 where the condition holds. */
RF_INLINE vi v_count(vi n, vm m)
{
#ifdef RF_AVX512
    return (vi)_mm512_mask_sub_epi32((__m512i)n, m, (__m512i)n, _mm512_set1_epi32(-1));
#else
    return n - m;
#endif
}

/* count[i] += n[i] for the first `lanes` lanes. */
RF_INLINE void v_add_to_counts(uint32_t *count, vi n, size_t lanes)
{
    vi sum;

    if (lanes < VW) {
        for (size_t i = 0; i < lanes; i++)
            count[i] += (uint32_t)n[i];
        return;
    }
    memcpy(&sum, count, sizeof(sum));
    sum += n;
    memcpy(count, &sum, sizeof(sum));
}

/* sum[i] += x[i] for the first `lanes` lanes, in double. */
RF_INLINE void v_add_to_doubles(double *sum, vf x, size_t lanes)
{
    if (lanes < VW) {
        float lane[VW];
        v_store(lane, x);
        for (size_t i = 0; i < lanes; i++)
            sum[i] += (double)lane[i];
        return;
    }
#ifdef RF_AVX512
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
    const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
    _mm512_storeu_pd(sum, low + _mm512_loadu_pd(sum));
    _mm512_storeu_pd(sum + 8, high + _mm512_loadu_pd(sum + 8));
#elif defined(RF_AVX2)
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
    _mm256_storeu_pd(sum, low + _mm256_loadu_pd(sum));
    _mm256_storeu_pd(sum + 4, high + _mm256_loadu_pd(sum + 4));
#elif defined(RF_SSE2)
    _mm_storeu_pd(sum, _mm_cvtps_pd(x) + _mm_loadu_pd(sum));
    _mm_storeu_pd(sum + 2, _mm_cvtps_pd(_mm_movehl_ps(x, x)) + _mm_loadu_pd(sum + 2));
#else
    for (size_t i = 0; i < VW; i++)
        sum[i] += (double)x[i];
#endif
}

/* Last in every kernel: dirty upper halves slow the SSE code of others down, and the compiler does
 * not always see that it leaves them. */
RF_INLINE void v_leave(void)
{
#if defined(RF_AVX512) || defined(RF_AVX2)
    _mm256_zeroupper();
#endif
}

#endif
