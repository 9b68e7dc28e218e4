/*
 * Activations that count: as rows.c, and of each channel what fired, the counts, the sum, the sum
 * of squares and the maximum, all in the pass that computes the values. Sums are kept in float for
 * at most SUM_ROWS rows, in two accumulators, then added to the caller's doubles.
 */
#include "core/kernels/simd/unary.h"

#define SUM_ROWS 64

/* A place in the mask: words of one group from one row on. */
struct mask_cursor {
    uint16_t *fired;
    size_t pitch;
    unsigned shift; /* of lane 0 in the word */
    uint32_t keep;  /* the lanes that are channels */
};

struct counters {
    vf sum, squares, max;
    vi inactive, zero, top;
    bool more; /* one of them is wanted */
};

/* A word's first vector sets it, those behind add their bits. */
RF_INLINE void put_fired(struct mask_cursor *k, vf y)
{
    const uint32_t bits = v_bits(v_gt(y, v_set(0))) & k->keep;

    if (VW == RF_GROUP || k->shift == 0)
        *k->fired = (uint16_t)bits;
    else
        *k->fired = (uint16_t)(*k->fired | bits << k->shift);
    k->fired += k->pitch;
}

RF_INLINE struct mask_cursor mask_cursor(const struct rf_rows *r, size_t c, size_t lanes,
                                         size_t row)
{
    return (struct mask_cursor){
        .fired = r->fired + row * r->mask_pitch + c / RF_GROUP,
        .pitch = r->mask_pitch,
        .shift = (unsigned)(c % RF_GROUP),
        .keep = lanes == VW ? 0xffff : (1u << lanes) - 1,
    };
}

RF_INLINE struct counters counters_begin(const struct rf_rows *r, size_t c, size_t lanes)
{
    return (struct counters){.max = v_load_lanes(r->max + c, lanes),
                             .more = r->inactive || r->zero || r->top};
}

RF_INLINE void count(const struct rf_rows *r, struct counters *n, vf v, vf y, vf b)
{
    n->sum += y;
    n->squares = v_fma(y, y, n->squares);
    n->max = v_max(n->max, y);
    if (!n->more)
        return;
    if (r->inactive)
        n->inactive = v_count(n->inactive, v_le(v, v_set(0)));
    if (r->zero)
        n->zero = v_count(n->zero, v_eq(y, v_set(0)));
    if (r->top)
        n->top = v_count(n->top, v_eq(y, b));
}

struct pixel {
    const float *x, *residual; /* residual may be NULL */
    float *y;
};

RF_INLINE void step(const struct rf_rows *r, struct pixel *p)
{
    p->x += r->x_pitch;
    p->y += r->y_pitch;
    if (p->residual)
        p->residual += r->residual_pitch;
}

RF_INLINE void one_row(const struct rf_rows *r, const struct pixel *at, size_t lanes, vf scale,
                       vf bias, vf a, vf b, struct mask_cursor *mask, struct counters *counters,
                       unary_fn *f)
{
    vf v = v_fma(v_load_lanes(at->x, lanes), scale, bias);

    if (at->residual)
        v += v_load_lanes(at->residual, lanes);
    const vf y = f(v, a, b);
    v_store_lanes(at->y, y, lanes);
    put_fired(mask, y);
    count(r, counters, v, y, b);
}

/* Sums of finite values are finite, but for squares above FLT_MAX. */
RF_INLINE bool may_be_finite(vf sum, vf squares, size_t lanes)
{
    const vf nothing = sum * v_set(0) + squares * v_set(0); /* infinity * 0 is NaN */
    const uint32_t all = lanes == VW ? 0xffffffffu >> (32 - VW) : (1u << lanes) - 1;

    return (v_bits(v_eq(nothing, v_set(0))) & all) == all;
}

/* The moments of rows [first, last) value by value, those apart that are not finite. */
static __attribute__((noinline, cold)) void count_singly(const struct rf_rows *r, size_t c,
                                                         size_t lanes, size_t first, size_t last)
{
    for (; lanes; lanes--, c++) {
        for (size_t i = first; i < last; i++) {
            const float y = r->y[i * r->y_pitch + c];

            if (!__builtin_isfinite(y)) {
                r->nonfinite[c]++;
                r->nan[c] += y != y;
                continue;
            }
            r->sum[c] += (double)y;
            r->sum_squares[c] += (double)y * (double)y;
            r->max[c] = y > r->max[c] ? y : r->max[c];
        }
    }
}

RF_INLINE void add_counts(const struct rf_rows *r, size_t c, size_t lanes, const struct counters *n)
{
    if (r->inactive)
        v_add_to_counts(r->inactive + c, n->inactive, lanes);
    if (r->zero)
        v_add_to_counts(r->zero + c, n->zero, lanes);
    if (r->top)
        v_add_to_counts(r->top + c, n->top, lanes);
}

/* Adds what rows [first, last) of the channels c .. c + lanes counted. `r` is a copy of the
 * caller's, which stores might change. */
RF_INLINE void add_counters(const struct rf_rows *call, const struct rf_rows r, size_t c,
                            size_t lanes, size_t first, size_t last, struct counters n)
{
    if (n.more)
        add_counts(&r, c, lanes, &n);
    if (!may_be_finite(n.sum, n.squares, lanes)) {
        count_singly(call, c, lanes, first, last);
        return;
    }
    v_add_to_doubles(r.sum + c, n.sum, lanes);
    v_add_to_doubles(r.sum_squares + c, n.squares, lanes);
    v_store_lanes(r.max + c, n.max, lanes);
}

/* Rows [first, last) of these channels. */
RF_INLINE void vector_rows(const struct rf_rows *call, const struct rf_rows r, size_t c,
                           size_t lanes, size_t first, size_t last, unary_fn *f)
{
    const vf scale = channel_values(r.scale, c, lanes, NO_SCALE);
    const vf bias = channel_values(r.bias, c, lanes, NO_BIAS);
    const vf a = parameter(r.a, r.param_step, c, lanes);
    const vf b = parameter(r.b, r.param_step, c, lanes);
    struct pixel at = {
        .x = r.x + first * r.x_pitch + c,
        .residual = r.residual ? r.residual + first * r.residual_pitch + c : NULL,
        .y = r.y + first * r.y_pitch + c,
    };
    struct mask_cursor mask = mask_cursor(&r, c, lanes, first);
    struct counters even = counters_begin(&r, c, lanes), odd = even;
    size_t n = last - first;

    for (; n >= 2; n -= 2) {
        one_row(&r, &at, lanes, scale, bias, a, b, &mask, &even, f);
        step(&r, &at);
        one_row(&r, &at, lanes, scale, bias, a, b, &mask, &odd, f);
        step(&r, &at);
    }
    if (n)
        one_row(&r, &at, lanes, scale, bias, a, b, &mask, &even, f);
    even.sum += odd.sum;
    even.squares += odd.squares;
    even.max = v_max(even.max, odd.max);
    even.inactive += odd.inactive;
    even.zero += odd.zero;
    even.top += odd.top;
    add_counters(call, r, c, lanes, first, last, even);
}

/* The same of a row alone, as linear layers of single inputs have it: without loops. */
RF_INLINE void single_row(const struct rf_rows *call, const struct rf_rows r, size_t c,
                          size_t lanes, unary_fn *f)
{
    const struct pixel at = {
        .x = r.x + c, .residual = r.residual ? r.residual + c : NULL, .y = r.y + c};
    struct mask_cursor mask = mask_cursor(&r, c, lanes, 0);
    struct counters n = counters_begin(&r, c, lanes);

    one_row(&r, &at, lanes, channel_values(r.scale, c, lanes, NO_SCALE),
            channel_values(r.bias, c, lanes, NO_BIAS), parameter(r.a, r.param_step, c, lanes),
            parameter(r.b, r.param_step, c, lanes), &mask, &n, f);
    add_counters(call, r, c, lanes, 0, 1, n);
}

RF_INLINE void rows_counted(const struct rf_rows *call, unary_fn *f)
{
    const struct rf_rows r = *call;
    size_t c = 0;

    if (r.rows == 1) {
        for (; c + VW <= r.channels; c += VW)
            single_row(call, r, c, VW, f);
        if (c < r.channels)
            single_row(call, r, c, r.channels - c, f);
        v_leave();
        return;
    }
    for (size_t c0 = 0; c0 < r.channels; c0 += BLOCK_CHANNELS) {
        const size_t end = min_size(c0 + BLOCK_CHANNELS, r.channels);
        const size_t rows = min_size(block_rows(end - c0), SUM_ROWS);
        for (size_t first = 0; first < r.rows; first += rows) {
            const size_t last = min_size(first + rows, r.rows);
            for (c = c0; c + VW <= end; c += VW)
                vector_rows(call, r, c, VW, first, last, f);
            if (c < end)
                vector_rows(call, r, c, end - c, first, last, f);
        }
    }
    v_leave();
}

#define UNARY(op, ...)                                                                             \
    void RF_K(rf_rows_counted_##op)(const struct rf_rows *r)                                       \
    {                                                                                              \
        rows_counted(r, f_##op);                                                                   \
    }
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY
