/*
 * The kernel tables: arithmetic on rows of floats, written once against a vector type
 * (simd/simd.h), compiled once per instruction set, chosen once (dispatch.c).
 *
 * Every kernel takes any count and any alignment of float: tails are the kernel's job, nothing
 * outside the named elements is written. Threads may share a table.
 */
#ifndef RF_CORE_KERNELS_H
#define RF_CORE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RF_GROUP 16 /* channels behind one word of a mask */

/* Words of a mask for `channels` channels. */
static inline size_t rf_mask_words(size_t channels)
{
    return (channels + RF_GROUP - 1) / RF_GROUP;
}

enum rf_unary {
#define UNARY(op, ...) RF_UNARY_##op,
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY
    RF_N_UNARY
};

enum rf_binary {
#define BINARY(op, ...) RF_BINARY_##op,
#include "core/ops/binary.def"
#undef BINARY
    RF_N_BINARY
};

/*
 * What an epilogue or an activation works on: `rows` positions of `channels` values each,
 *     v = x * scale[c] + bias[c] + residual,   y = f(v, a[c], b[c]).
 * NULL scale, bias, residual are left out; NULL a, b are 0. y may be x, else they do not overlap.
 * NaN and infinities go through f as in PyTorch, and NaN is in no mask.
 */
struct rf_rows {
    float *y;
    const float *x, *residual;
    size_t y_pitch, x_pitch, residual_pitch; /* floats between rows */
    size_t rows, channels;
    const float *scale, *bias; /* [channels] or NULL */
    const float *a, *b;        /* f's parameters; one each, or [channels] if param_step is 1 */
    size_t param_step;         /* 0 or 1 */

    /* Counted variant only. One bit a channel, y > 0, RF_GROUP channels a word, low bit first; bits
     * beyond `channels` are written 0. */
    uint16_t *fired;
    size_t mask_pitch;         /* words between rows */
    uint32_t *inactive;        /* [channels], v <= 0; added to; NULL: not wanted */
    uint32_t *zero;            /* [channels], y == 0; the same */
    uint32_t *top;             /* [channels], y == b, the upper rail; the same */
    double *sum, *sum_squares; /* [channels], of finite y; added to */
    float *max;                /* [channels], of finite y; raised */
    uint32_t *nonfinite, *nan; /* [channels], y that are not; added to */
};

/* What is known of channels beside counts; an array each. */
struct rf_moments {
    double *sum, *sum_squares;
    float *max;
};

/* What is seen of an input's numbers; infinite or NaN where one of them or a square is. */
struct rf_look {
    double sum, sum_squares;
    float min, max;
    uint64_t hash;
};

typedef void rf_rows_fn(const struct rf_rows *r);

/* to[i] = a[i] op b[i]; where a step is false, a[0] or b[0] serves for all. `to` may be a or b. */
typedef void rf_binary_fn(float *to, const float *a, bool a_step, const float *b, bool b_step,
                          size_t n);

/*
 * A row of output pixels whose windows lie evenly spaced: pixel i sees, in channel c, the values
 * x[i * x_step + tap[t] + c], in the order of the taps.
 */
struct rf_window_row {
    float *y;
    size_t y_pitch;
    const float *x;
    size_t x_step;
    const ptrdiff_t *tap;
    size_t n_taps;
    size_t pixels, channels;
    float scale;          /* of sums */
    const float *weights; /* of convolutions only, else NULL */
    size_t weights_pitch;
    size_t group_in, group_out; /* grouped only */
};

typedef void rf_window_fn(const struct rf_window_row *r);

/*
 * Up to panel_rows rows of a product times one panel of panel_width columns:
 *     y[r][c] = sum over taps t and k < depth of row[r][tap[t] + k] * weights[t * depth + k][c]
 * one chain of additions an output, in this order, from +0.
 */
struct rf_panel_tile {
    const float *const *row; /* [rows] */
    float *const *y;         /* [rows] */
    size_t rows;             /* 1 to panel_rows */
    const ptrdiff_t *tap;
    size_t n_taps, depth;
    const float *weights; /* [n_taps * depth][panel_width], zeros beyond the last column */
    size_t lanes;         /* columns to store, 1 to panel_width */
    const void *ahead;    /* memory to prefetch meanwhile, half the weights' size */
};

#define RF_MAX_PANEL_ROWS 14
#define RF_MAX_PANEL_WIDTH 32

/* One row times several panels: y[c] = sum over k of x[k] * weights[c / width][k][c % width]; the
 * same chains of additions as above. */
struct rf_panel_row {
    const float *x;
    size_t depth;
    const float *weights; /* panels side by side */
    float *y;
    size_t columns;
};

/* One row times whole rows of weights, leaving out those where it is 0:
 *     y[c] = sum over k with x[k] != 0 of x[k] * weights[k * pitch + c]
 * Where all weights are finite, the same chains of additions as above, but for a sum of -0, which
 * products left out there could have made +0. */
struct rf_skip_row {
    const float *x;
    size_t depth;
    const float *weights; /* column 0 of y */
    size_t pitch;         /* floats between rows of weights */
    float *y;
    size_t columns;
};

/* A tile of (m + 2)^2 pixels -> one row of `channels` floats in each of (m + 2)^2 matrices, `step`
 * floats apart. */
struct rf_winograd_input {
    const float *x; /* pixel (0, 0) of the tile */
    size_t row, pitch, channels;
    float *v;
    size_t step;
};

/* One row in each of (m + 2)^2 matrices -> the first h x w of m x m pixels. */
struct rf_winograd_output {
    const float *m;
    size_t step, channels;
    float *y; /* pixel (0, 0) of the tile */
    size_t row, pitch, h, w;
};

/* RF_GROUP output channels of an F4, some of which must keep sums apart from -bias. */
struct rf_winograd_group {
    size_t first; /* channel */
    float bias[RF_GROUP];
    float noise[RF_GROUP];          /* in a sum of inputs up to 1; 0: it does not matter */
    const float *weights[RF_GROUP]; /* [9][in_channels]; NULL where noise is 0 */
};

/*
 * The first h x w of F4's 4 x 4 sums of one tile: those whose distance from -bias is below their
 * noise, times the largest magnitude among the tile's inputs, are computed once more, directly. A
 * chain of fused additions a lane and tap, and the same order of additions for every value.
 */
struct rf_winograd_exact {
    const float *x; /* pixel (0, 0) of the tile */
    size_t x_row, x_pitch, in_channels;
    float *y; /* pixel (0, 0), channel 0 */
    size_t y_row, y_pitch, h, w, out_channels;
    const struct rf_winograd_group *group;
    size_t n_groups;
};

enum rf_winograd_size { RF_WINOGRAD_2, RF_WINOGRAD_4, RF_N_WINOGRAD };

enum rf_isa { RF_ISA_BASE, RF_ISA_AVX2, RF_ISA_AVX512, RF_N_ISA };

/* One const table per instruction set; never mutated. */
struct rf_kernels {
    const char *isa;
    rf_rows_fn *rows[RF_N_UNARY];
    rf_rows_fn *rows_counted[RF_N_UNARY];
    rf_binary_fn *binary[RF_N_BINARY];

    /* counts[c] += rows in which bit c is set; any[w] |= every row's word w. `groups` words a row,
     * `pitch` words between rows. */
    void (*mask_counts)(const uint16_t *mask, size_t rows, size_t groups, size_t pitch,
                        uint32_t *counts, uint16_t *any);
    /* n channels, whole groups, from one to another, which keeps 0, 0 and -infinity. */
    void (*moments_move)(const struct rf_moments *to, const struct rf_moments *from, size_t n);
    /* to[i] += from[i], from[i] = 0; n is a multiple of RF_GROUP. */
    void (*counts_move)(uint32_t *to, uint32_t *from, size_t n);
    /* units[i] |= mask[i]. */
    void (*units_add)(uint16_t *units, const uint16_t *mask, size_t n);
    /* A slot ends: each bit's age, RF_GROUP a word, is 1 where it is set, else one more up to 254;
     * 255 stays. Clears the words. */
    void (*units_age)(uint8_t *ages, uint16_t *units, size_t n);
    /* How many bits are not set and older than `age`, padding included. */
    size_t (*units_silent)(const uint8_t *ages, const uint16_t *units, size_t n, uint8_t age);
    /* Of n floats, in any order; `hash` of their bits, in theirs. */
    void (*look)(const float *x, size_t n, struct rf_look *look);

    rf_window_fn *window_max;       /* the largest value a channel; NaN wins. n_taps >= 1 */
    rf_window_fn *window_sum;       /* their sum, times scale */
    rf_window_fn *window_depthwise; /* the sum of x * weights[t * weights_pitch + c], a chain of
                                       fused additions from +0 */
    /* The same where output channel c sees the group_in channels from c / group_out * group_in on,
     * each with a row of weights: weights[(t * group_in + i) * weights_pitch + c]. group_out
     * divides the floats of a vector and is not less than group_in. */
    rf_window_fn *window_grouped;
    size_t panel_rows, panel_width;
    void (*panel)(const struct rf_panel_tile *t);
    void (*panel_row)(const struct rf_panel_row *t);
    void (*skip_row)(const struct rf_skip_row *t);
    void (*winograd_input[RF_N_WINOGRAD])(const struct rf_winograd_input *t);
    void (*winograd_output[RF_N_WINOGRAD])(const struct rf_winograd_output *t);
    void (*winograd_exact)(const struct rf_winograd_exact *t);
    /* y = softmax(x) or log(softmax(x)) over n elements; y may be x. */
    void (*softmax)(float *y, const float *x, size_t n, bool log);
};

/* The best table for this CPU, capped by $RECTIFIER_ISA (base, avx2, avx512); the same at every
 * call. */
const struct rf_kernels *rf_kernels_best(void);
/* NULL where this CPU lacks the instructions; for tests and benchmarks. */
const struct rf_kernels *rf_kernels_for(enum rf_isa isa);

#endif
