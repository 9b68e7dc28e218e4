/* Depthwise convolution: one pixel, every tap of the kernel a pointer to a pixel's channels. */
#include "core/kernels/simd/table.h"

/* From 0, taps in their order: one chain of sums a channel. */
RF_INLINE void vectors(float *y, const float *const *x, const float *w, size_t w_pitch,
                       size_t n_taps, size_t c, size_t lanes)
{
    vf sum = v_set(0);

    for (size_t t = 0; t < n_taps; t++)
        sum = v_fma(v_load_lanes(x[t] + c, lanes), v_load_lanes(w + t * w_pitch + c, lanes), sum);
    v_store_lanes(y + c, sum, lanes);
}

/* Four chains at once hide the latency of the addition. */
RF_INLINE void four_vectors(float *y, const float *const *x, const float *w, size_t w_pitch,
                            size_t n_taps, size_t c)
{
    vf s0 = v_set(0), s1 = s0, s2 = s0, s3 = s0;

    for (size_t t = 0; t < n_taps; t++) {
        const float *const from = x[t] + c, *const by = w + t * w_pitch + c;
        s0 = v_fma(v_load(from), v_load(by), s0);
        s1 = v_fma(v_load(from + VW), v_load(by + VW), s1);
        s2 = v_fma(v_load(from + 2 * VW), v_load(by + 2 * VW), s2);
        s3 = v_fma(v_load(from + 3 * VW), v_load(by + 3 * VW), s3);
    }
    v_store(y + c, s0);
    v_store(y + c + VW, s1);
    v_store(y + c + 2 * VW, s2);
    v_store(y + c + 3 * VW, s3);
}

void RF_K(rf_depthwise)(float *y, const float *const *x, const float *w, size_t w_pitch,
                        size_t n_taps, size_t channels)
{
    size_t c = 0;

    for (; c + 4 * VW <= channels; c += 4 * VW)
        four_vectors(y, x, w, w_pitch, n_taps, c);
    for (; c + VW <= channels; c += VW)
        vectors(y, x, w, w_pitch, n_taps, c, VW);
    if (c < channels)
        vectors(y, x, w, w_pitch, n_taps, c, channels - c);
    v_leave();
}
