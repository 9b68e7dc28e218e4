/*
 * What is seen of an input's numbers in one pass over them: moments, extremes and a hash. Sums are
 * kept in float for at most SUM_VECTORS vectors and what is left. The hash is of the kind of NH:
 * each 64 bits meet a key, and the halves of what comes of it are multiplied. Their place
 * determines the key, but for pairs of vectors, which share it and are told apart in the end.
 */
#include "core/kernels/simd/table.h"

#define SUM_VECTORS 64
#define LANES (VW / 2) /* of 64 bits */

typedef uint64_t vl __attribute__((vector_size(VW * 4)));

#define KEY 0x9e3779b97f4a7c15u  /* 2^64 / golden ratio */
#define STEP 0xd1342543de82ef95u /* odd, without a pattern */

/* The product of each lane's halves. */
RF_INLINE vl v_multiply_halves(vl x)
{
#ifdef RF_AVX512
    return (vl)_mm512_mul_epu32((__m512i)x, _mm512_srli_epi64((__m512i)x, 32));
#elif defined(RF_AVX2)
    return (vl)_mm256_mul_epu32((__m256i)x, _mm256_srli_epi64((__m256i)x, 32));
#elif defined(RF_SSE2)
    return (vl)_mm_mul_epu32((__m128i)x, _mm_srli_epi64((__m128i)x, 32));
#else
    return (x & 0xffffffffu) * (x >> 32);
#endif
}

struct looking {
    vf sum, squares, min, max;
    vl hash;
};

/* Lanes beyond what there is are 0, and no extremes. */
RF_INLINE void see_lanes(struct looking *l, vf v, vf or_any, vl key)
{
    l->hash += v_multiply_halves((vl)v ^ key);
    l->sum += v;
    l->squares = v_fma(v, v, l->squares);
    l->min = v_min(l->min, or_any);
    l->max = v_max(l->max, or_any);
}

RF_INLINE void see(struct looking *l, vf v, vl key)
{
    see_lanes(l, v, v, key);
}

/* Fewer than VW. */
RF_INLINE void see_part(struct looking *l, const float *x, size_t n, vl key)
{
    float lane[VW];

    if (!n)
        return;
    for (size_t i = 0; i < VW; i++)
        lane[i] = x[i < n ? i : 0];
    see_lanes(l, v_load_part(x, n), v_load(lane), key);
}

RF_INLINE vl mix(vl h)
{
    h = (h ^ h >> 32) * KEY;
    return (h ^ h >> 29) * STEP;
}

/* x[i ^ n] in lane i. */
RF_INLINE vf v_across(vf x, int n)
{
    vi lane = {0};

    for (int i = 0; i < VW; i++)
        lane[i] = i ^ n;
    return v_permute(x, lane);
}

/* The result of `op`, of x and other, over all lanes; a loop is not unrolled. */
#define FOLD_BY(n, op)                                                                             \
    if (VW > (n)) {                                                                                \
        const vf other = v_across(x, n);                                                           \
                                                                                                   \
        x = op;                                                                                    \
    }
#define FOLD(name, op)                                                                             \
    RF_INLINE float name(vf x)                                                                     \
    {                                                                                              \
        FOLD_BY(8, op)                                                                             \
        FOLD_BY(4, op)                                                                             \
        FOLD_BY(2, op)                                                                             \
        FOLD_BY(1, op)                                                                             \
        return x[0];                                                                               \
    }
FOLD(v_total, x + other)
FOLD(v_least, v_min(x, other))
FOLD(v_most, v_max(x, other))
#undef FOLD
#undef FOLD_BY

RF_INLINE void finish(const struct looking *even, const struct looking *odd, size_t n,
                      struct rf_look *look)
{
    vl lanes = even->hash + odd->hash * STEP;
    uint64_t h = n;

    for (size_t i = 0; i < LANES; i++)
        lanes[i] ^= KEY * (i + 1);
    lanes = mix(lanes);
    for (size_t i = 0; i < LANES; i++)
        h += lanes[i];
    look->hash = (h ^ h >> 32) * KEY;
    look->min = v_least(v_min(even->min, odd->min));
    look->max = v_most(v_max(even->max, odd->max));
}

void RF_K(rf_look)(const float *x, size_t n, struct rf_look *look)
{
    const float inf = __builtin_inff();
    struct looking even = {v_set(0), v_set(0), v_set(inf), v_set(-inf), {0}}, odd = even;
    vl key = {0};
    double sum = 0, squares = 0;
    const size_t count = n;

    for (size_t i = 0; i < LANES; i++)
        key[i] = KEY * (i + 1);
    while (n) {
        size_t vectors = n / VW < SUM_VECTORS ? n / VW : SUM_VECTORS;

        n -= vectors * VW;
        even.sum = odd.sum = even.squares = odd.squares = v_set(0);
        for (; vectors >= 2; vectors -= 2, x += 2 * VW, key += STEP) {
            see(&even, v_load(x), key);
            see(&odd, v_load(x + VW), key);
        }
        if (vectors) {
            see(&even, v_load(x), key);
            x += VW;
        }
        if (n < VW) {
            see_part(&odd, x, n, key);
            n = 0;
        }
        sum += (double)v_total(even.sum + odd.sum);
        squares += (double)v_total(even.squares + odd.squares);
    }
    look->sum = sum;
    look->sum_squares = squares;
    finish(&even, &odd, count, look);
    v_leave();
}
