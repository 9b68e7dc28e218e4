/* Taps: maximum and sum over pointers to rows of channels, as pooling reads them. */
#include "core/kernels/simd/table.h"

RF_INLINE void max_vector(float *y, const float *const *x, size_t n_taps, size_t c, size_t lanes)
{
    vf top = v_load_lanes(x[0] + c, lanes);

    for (size_t t = 1; t < n_taps; t++)
        top = v_max_nan(top, v_load_lanes(x[t] + c, lanes));
    v_store_lanes(y + c, top, lanes);
}

void RF_K(rf_max_taps)(float *y, const float *const *x, size_t n_taps, size_t channels)
{
    size_t c = 0;

    for (; c + VW <= channels; c += VW)
        max_vector(y, x, n_taps, c, VW);
    if (c < channels)
        max_vector(y, x, n_taps, c, channels - c);
    v_leave();
}

RF_INLINE void sum_vector(float *y, const float *const *x, size_t n_taps, vf scale, size_t c,
                          size_t lanes)
{
    vf sum = v_set(0);

    for (size_t t = 0; t < n_taps; t++)
        sum += v_load_lanes(x[t] + c, lanes);
    v_store_lanes(y + c, sum * scale, lanes);
}

void RF_K(rf_sum_taps)(float *y, const float *const *x, size_t n_taps, float scale, size_t channels)
{
    size_t c = 0;

    for (; c + VW <= channels; c += VW)
        sum_vector(y, x, n_taps, v_set(scale), c, VW);
    if (c < channels)
        sum_vector(y, x, n_taps, v_set(scale), c, channels - c);
    v_leave();
}
