/* Counts, sums, sums of squares and maxima of channels as arrays: moved from one to another. */
#include "core/kernels/simd/table.h"

#define WIDE (RF_GROUP / 2) /* doubles at once, whatever the instruction set makes of them */
typedef double wide_double __attribute__((vector_size(WIDE * sizeof(double))));

RF_INLINE void move(double *to, double *from, size_t n)
{
    const wide_double none = {0};

    for (size_t i = 0; i < n; i += WIDE) {
        wide_double a, b;

        __builtin_memcpy(&a, to + i, sizeof(a));
        __builtin_memcpy(&b, from + i, sizeof(b));
        a += b;
        __builtin_memcpy(to + i, &a, sizeof(a));
        __builtin_memcpy(from + i, &none, sizeof(none));
    }
}

void RF_K(rf_moments_move)(const struct rf_moments *to, const struct rf_moments *from, size_t n)
{
    move(to->sum, from->sum, n);
    move(to->sum_squares, from->sum_squares, n);
    for (size_t i = 0; i < n; i += VW) {
        v_store(to->max + i, v_max(v_load(to->max + i), v_load(from->max + i)));
        v_store(from->max + i, v_set(-__builtin_inff()));
    }
    v_leave();
}

void RF_K(rf_counts_move)(uint32_t *to, uint32_t *from, size_t n)
{
    const vu none = {0};

    for (size_t i = 0; i < n; i += VW) {
        vu a, b;

        __builtin_memcpy(&a, to + i, sizeof(a));
        __builtin_memcpy(&b, from + i, sizeof(b));
        a += b;
        __builtin_memcpy(to + i, &a, sizeof(a));
        __builtin_memcpy(from + i, &none, sizeof(none));
    }
    v_leave();
}
