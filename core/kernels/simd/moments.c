/* Sums, sums of squares and maxima of channels as arrays: cleared, looked over and added up. */
#include "core/kernels/simd/table.h"

#define WIDE (RF_GROUP / 2) /* doubles at once, whatever the instruction set makes of them */
typedef double wide_double __attribute__((vector_size(WIDE * sizeof(double))));
typedef int64_t wide_int __attribute__((vector_size(WIDE * sizeof(double))));

void RF_K(rf_moments_clear)(const struct rf_moments *m, size_t n)
{
    __builtin_memset(m->sum, 0, n * sizeof(*m->sum));
    __builtin_memset(m->sum_squares, 0, n * sizeof(*m->sum_squares));
    for (size_t i = 0; i < n; i += VW)
        v_store(m->max + i, v_set(-__builtin_inff()));
    v_leave();
}

bool RF_K(rf_all_finite)(const double *x, size_t n)
{
    const wide_double none = {0};
    wide_int bad = {0};
    int64_t any = 0;

    for (size_t i = 0; i < n; i += WIDE) {
        wide_double v;

        __builtin_memcpy(&v, x + i, sizeof(v));
        bad |= (wide_int)(v * 0 != none); /* infinity * 0 is NaN, as is NaN * 0 */
    }
    for (size_t i = 0; i < WIDE; i++)
        any |= bad[i];
    v_leave();
    return !any;
}

RF_INLINE void add(double *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i += WIDE) {
        wide_double a, b;

        __builtin_memcpy(&a, to + i, sizeof(a));
        __builtin_memcpy(&b, from + i, sizeof(b));
        a += b;
        __builtin_memcpy(to + i, &a, sizeof(a));
    }
}

void RF_K(rf_moments_add)(const struct rf_moments *to, const struct rf_moments *from, size_t n)
{
    add(to->sum, from->sum, n);
    add(to->sum_squares, from->sum_squares, n);
    for (size_t i = 0; i < n; i += VW)
        v_store(to->max + i, v_max(v_load(to->max + i), v_load(from->max + i)));
    v_leave();
}
