/*
 * Softmax and its logarithm, stable: exponents are taken of x - max. Sums are kept in float for at
 * most SUM_VECTORS vectors, then in double. A row with NaN or +infinity gives NaN, as in PyTorch.
 */
#include <math.h>

#include "core/kernels/simd/math.h"
#include "core/kernels/simd/table.h"

#define SUM_VECTORS 32

/* The largest of the row; NaN does not count, the exponents find it. */
static float row_max(const float *x, size_t n)
{
    float lane[VW], max = -INFINITY;
    vf top = v_set(-INFINITY);
    size_t i = 0;

    for (; i + VW <= n; i += VW)
        top = v_max(top, v_load(x + i));
    v_store(lane, top);
    for (size_t k = 0; k < VW; k++)
        max = lane[k] > max ? lane[k] : max;
    for (; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

/* e^(x - max), and in y unless that is NULL; lanes that are no elements give 0. */
RF_INLINE vf exponents(float *y, const float *x, size_t lanes, vf max)
{
    const vf e = v_exp(v_load_lanes(x, lanes) - max);

    if (y)
        v_store_lanes(y, e, lanes);
    if (lanes == VW)
        return e;
    float kept[VW];
    v_store(kept, e);
    for (size_t k = lanes; k < VW; k++)
        kept[k] = 0;
    return v_load(kept);
}

/* Sum of e^(x - max); y as in exponents. */
RF_INLINE double sum_exponents(float *y, const float *x, size_t n, vf max)
{
    double total = 0;
    size_t i = 0;

    while (i + VW <= n) {
        const size_t vectors = (n - i) / VW,
                     end = i + VW * (vectors < SUM_VECTORS ? vectors : SUM_VECTORS);
        vf sum = v_set(0);
        for (; i < end; i += VW)
            sum += exponents(y ? y + i : NULL, x + i, VW, max);
        total += (double)v_sum(sum);
    }
    if (i < n)
        total += (double)v_sum(exponents(y ? y + i : NULL, x + i, n - i, max));
    return total;
}

/* y = (x - shift) * scale - offset */
static void affine(float *y, const float *x, size_t n, vf shift, vf scale, vf offset)
{
    size_t i = 0;

    for (; i + VW <= n; i += VW)
        v_store(y + i, (v_load(x + i) - shift) * scale - offset);
    if (i < n)
        v_store_part(y + i, (v_load_part(x + i, n - i) - shift) * scale - offset, n - i);
}

void RF_K(rf_softmax)(float *y, const float *x, size_t n, bool log_of_it)
{
    const vf max = v_set(row_max(x, n)), zero = v_set(0);

    if (log_of_it) {
        const double sum = sum_exponents(NULL, x, n, max);
        affine(y, x, n, max, v_set(1), v_set((float)log(sum)));
    } else {
        const double sum = sum_exponents(y, x, n, max);
        affine(y, y, n, zero, v_set((float)(1 / sum)), zero);
    }
    v_leave();
}
