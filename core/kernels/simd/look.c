/*
 * What is seen of an input's numbers in one pass over them: moments, extremes and a hash. Sums are
 * kept in float for at most SUM_VECTORS vectors. The hash is of the kind of XXH3: each 64 bits meet
 * a key that their place determines, and its halves are multiplied.
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
    vl hash, key;
};

RF_INLINE void see(struct looking *l, vf v)
{
    l->hash += (vl)v + v_multiply_halves((vl)v ^ l->key);
    l->key += STEP;
    l->sum += v;
    l->squares = v_fma(v, v, l->squares);
}

RF_INLINE void see_extremes(struct looking *l, vf v)
{
    l->min = v_min(l->min, v);
    l->max = v_max(l->max, v);
}

RF_INLINE uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 32) * KEY;
    return (h ^ h >> 29) * STEP;
}

/* The result of `op` over all lanes. */
#define FOLD(name, op)                                                                             \
    RF_INLINE float name(vf x)                                                                     \
    {                                                                                              \
        vi lane = {0};                                                                             \
                                                                                                   \
        for (int i = 0; i < VW; i++)                                                               \
            lane[i] = i;                                                                           \
        for (int n = VW / 2; n; n /= 2) {                                                          \
            const vf other = v_permute(x, lane ^ n);                                               \
                                                                                                   \
            x = op;                                                                                \
        }                                                                                          \
        return x[0];                                                                               \
    }
FOLD(v_total, x + other)
FOLD(v_least, v_min(x, other))
FOLD(v_most, v_max(x, other))
#undef FOLD

RF_INLINE void finish(const struct looking *even, const struct looking *odd, size_t n,
                      struct rf_look *look)
{
    const vl lanes = even->hash + odd->hash * STEP;
    uint64_t h = n;

    for (size_t i = 0; i < LANES; i++)
        h += mix(lanes[i] ^ KEY * (i + 1));
    look->hash = mix(h);
    look->min = v_least(v_min(even->min, odd->min));
    look->max = v_most(v_max(even->max, odd->max));
}

void RF_K(rf_look)(const float *x, size_t n, struct rf_look *look)
{
    const float inf = __builtin_inff();
    struct looking even = {v_set(0), v_set(0), v_set(inf), v_set(-inf), {0}, {0}}, odd;
    double sum = 0, squares = 0;
    const size_t count = n;

    for (size_t i = 0; i < LANES; i++)
        even.key[i] = KEY * (i + 1);
    odd = even;
    odd.key = even.key * KEY;
    while (n >= VW) {
        size_t vectors = n / VW < SUM_VECTORS ? n / VW : SUM_VECTORS;

        n -= vectors * VW;
        even.sum = odd.sum = even.squares = odd.squares = v_set(0);
        for (; vectors >= 2; vectors -= 2, x += 2 * VW) {
            const vf a = v_load(x), b = v_load(x + VW);

            see(&even, a);
            see_extremes(&even, a);
            see(&odd, b);
            see_extremes(&odd, b);
        }
        if (vectors) {
            const vf a = v_load(x);

            see(&even, a);
            see_extremes(&even, a);
            x += VW;
        }
        sum += (double)v_total(even.sum + odd.sum);
        squares += (double)v_total(even.squares + odd.squares);
    }
    if (n) { /* lanes beyond are 0, and no extremes */
        const vf part = v_load_part(x, n);
        float lane[VW];

        odd.sum = odd.squares = v_set(0);
        see(&odd, part);
        sum += (double)v_total(odd.sum);
        squares += (double)v_total(odd.squares);
        for (size_t i = 0; i < VW; i++)
            lane[i] = x[i < n ? i : 0];
        see_extremes(&odd, v_load(lane));
    }
    look->sum = sum;
    look->sum_squares = squares;
    finish(&even, &odd, count, look);
    v_leave();
}
