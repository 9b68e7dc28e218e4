/*
 * The rows of core/ops/unary.def as functions on vectors, f_Relu(x, a, b) and so on, and what the
 * loops over them share: how rows are cut into blocks that stay in the first-level cache.
 */
#ifndef RF_CORE_KERNELS_SIMD_UNARY_H
#define RF_CORE_KERNELS_SIMD_UNARY_H

#include "core/kernels/simd/math.h"
#include "core/kernels/simd/table.h"

/* x tanh(ln(1 + e^x)); see its row. */
RF_INLINE vf v_mish(vf x)
{
    const vf e = v_exp(v_min(x, v_set(20)));
    const vf n = e * (e + v_set(2));

    return x * (n / (n + v_set(2)));
}

#define UNARY(op, torch, since, a_attr, a_torch, a_default, b_attr, b_torch, b_default, kind, tol, \
              vec, ref)                                                                            \
    RF_INLINE vf f_##op(vf x, vf a, vf b)                                                          \
    {                                                                                              \
        (void)a, (void)b;                                                                          \
        return vec;                                                                                \
    }
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY

typedef vf unary_fn(vf x, vf a, vf b);

#define BLOCK_CHANNELS 256 /* channels of a block, a multiple of RF_GROUP */
#define BLOCK_FLOATS 4096  /* values of a block: 16 KiB */

/* Rows of a block of `channels` channels. */
RF_INLINE size_t block_rows(size_t channels)
{
    return BLOCK_FLOATS / channels;
}

RF_INLINE size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* What is added and multiplied where a NULL leaves it out. x * 1 + -0 is x, the sign of 0 included.
 */
#define NO_SCALE 1.f
#define NO_BIAS (-0.f)

/* Channels c.. of an array [channels], or `absent` where there is none. */
RF_INLINE vf channel_values(const float *p, size_t c, size_t lanes, float absent)
{
    return p ? v_load_lanes(p + c, lanes) : v_set(absent);
}

/* The same of f's parameters, which may be one for all. */
RF_INLINE vf parameter(const float *p, size_t step, size_t c, size_t lanes)
{
    if (p && !step)
        return v_set(*p);
    return channel_values(p, c, lanes, 0);
}

#endif
