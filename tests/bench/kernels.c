/* Prints how many thousand million elements a second each activation makes of values in the
 * first-level cache, on every instruction set of this processor, alone and counted. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/kernels/kernels.h"

#define ROWS 32
#define CHANNELS 64
#define SECONDS 0.02

static const char *const names[] = {
#define UNARY(op, ...) #op,
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY
};
static const float defaults[][2] = {
#define UNARY(op, torch, since, a, a_torch, a_default, b, b_torch, b_default, ...)                 \
    {(float)(a_default), (float)(b_default)},
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The best of all turns of 100 calls. */
static double speed(rf_rows_fn *kernel, const struct rf_rows *rows)
{
    double best = 0;
    for (const double end = now() + SECONDS; now() < end;) {
        const double start = now();
        for (int i = 0; i < 100; i++)
            kernel(rows);
        const double rate = 1e-9 * 100 * ROWS * CHANNELS / (now() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

int main(void)
{
    static float x[ROWS * CHANNELS], y[ROWS * CHANNELS], max[CHANNELS];
    static double sum[CHANNELS], sum_squares[CHANNELS];
    static uint16_t fired[ROWS * CHANNELS / RF_GROUP];
    static uint32_t nonfinite[CHANNELS];
    for (size_t i = 0; i < ROWS * CHANNELS; i++) /* -4 to 4, in no order */
        x[i] = (float)(i * 2654435761u % 8192) / 1024 - 4;
    printf("%-20s", "G elements/s");
    for (int isa = 0; isa < RF_N_ISA; isa++)
        if (rf_kernels_for((enum rf_isa)isa))
            printf("%10s %10s", rf_kernels_for((enum rf_isa)isa)->isa, "counted");
    puts("");
    for (size_t op = 0; op < RF_N_UNARY; op++) {
        const struct rf_rows rows = {.y = y,
                                     .x = x,
                                     .y_pitch = CHANNELS,
                                     .x_pitch = CHANNELS,
                                     .rows = ROWS,
                                     .channels = CHANNELS,
                                     .a = &defaults[op][0],
                                     .b = &defaults[op][1],
                                     .fired = fired,
                                     .mask_pitch = CHANNELS / RF_GROUP,
                                     .sum = sum,
                                     .sum_squares = sum_squares,
                                     .max = max,
                                     .nonfinite = nonfinite,
                                     .nan = nonfinite};
        printf("%-20s", names[op]);
        for (int isa = 0; isa < RF_N_ISA; isa++) {
            const struct rf_kernels *const k = rf_kernels_for((enum rf_isa)isa);
            if (k)
                printf("%10.2f %10.2f", speed(k->rows[op], &rows),
                       k->rows_counted[op] ? speed(k->rows_counted[op], &rows) : 0.0);
        }
        puts("");
    }
    return 0;
}
