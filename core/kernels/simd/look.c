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

static double total(double *lane)
{
    for (size_t n = VW / 2; n; n /= 2)
        for (size_t i = 0; i < n; i++)
            lane[i] += lane[i + n];
    return lane[0];
}

static void finish(const struct looking *even, const struct looking *odd, size_t n,
                   struct rf_look *look)
{
    const vl lanes = even->hash + odd->hash * STEP;
    float low[VW], high[VW];
    uint64_t h = n;

    for (size_t i = 0; i < LANES; i++)
        h = mix(h ^ lanes[i]);
    look->hash = h;
    v_store(low, v_min(even->min, odd->min));
    v_store(high, v_max(even->max, odd->max));
    look->min = low[0];
    look->max = high[0];
    for (size_t i = 1; i < VW; i++) {
        look->min = low[i] < look->min ? low[i] : look->min;
        look->max = high[i] > look->max ? high[i] : look->max;
    }
}

void RF_K(rf_look)(const float *x, size_t n, struct rf_look *look)
{
    const float inf = __builtin_inff();
    struct looking even = {v_set(0), v_set(0), v_set(inf), v_set(-inf), {0}, {0}}, odd;
    double sum[VW] = {0}, squares[VW] = {0};
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
        v_add_to_doubles(sum, even.sum + odd.sum, VW);
        v_add_to_doubles(squares, even.squares + odd.squares, VW);
    }
    if (n) { /* lanes beyond are 0, and no extremes */
        float lane[VW];

        even.sum = even.squares = v_set(0);
        see(&odd, v_load_part(x, n));
        for (size_t i = 0; i < VW; i++)
            lane[i] = x[i < n ? i : 0];
        see_extremes(&odd, v_load(lane));
        odd.sum = odd.squares = v_set(0);
        for (size_t i = 0; i < n; i++) {
            sum[i] += (double)x[i];
            squares[i] += (double)x[i] * (double)x[i];
        }
    }
    look->sum = total(sum);
    look->sum_squares = total(squares);
    finish(&even, &odd, count, look);
    v_leave();
}
