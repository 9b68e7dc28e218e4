/* The rows of core/ops/binary.def. */
#include "core/kernels/simd/table.h"

#define BINARY(op, vec, ...)                                                                       \
    RF_INLINE vf f_##op(vf x, vf y)                                                                \
    {                                                                                              \
        return vec;                                                                                \
    }
#include "core/ops/binary.def"
#undef BINARY

RF_INLINE void apply(vf (*f)(vf, vf), float *to, const float *a, bool a_step, const float *b,
                     bool b_step, size_t n)
{
    const vf all_a = v_set(n ? *a : 0), all_b = v_set(n ? *b : 0);
    size_t i = 0;

    for (; i + VW <= n; i += VW)
        v_store(to + i, f(a_step ? v_load(a + i) : all_a, b_step ? v_load(b + i) : all_b));
    if (i < n)
        v_store_part(to + i,
                     f(a_step ? v_load_part(a + i, n - i) : all_a,
                       b_step ? v_load_part(b + i, n - i) : all_b),
                     n - i);
}

#define BINARY(op, ...)                                                                            \
    void RF_K(rf_binary_##op)(float *to, const float *a, bool a_step, const float *b, bool b_step, \
                              size_t n)                                                            \
    {                                                                                              \
        if (a_step && b_step)                                                                      \
            apply(f_##op, to, a, true, b, true, n);                                                \
        else if (a_step)                                                                           \
            apply(f_##op, to, a, true, b, false, n);                                               \
        else if (b_step)                                                                           \
            apply(f_##op, to, a, false, b, true, n);                                               \
        else                                                                                       \
            apply(f_##op, to, a, false, b, false, n);                                              \
        v_leave();                                                                                 \
    }
#include "core/ops/binary.def"
#undef BINARY
