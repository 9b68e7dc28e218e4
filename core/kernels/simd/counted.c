/*
 * Activations that count: as rows.c, and of each channel the masks, the sum, the sum of squares and
 * the maximum, all in the pass that computes the values. Sums are kept in float for at most
 * SUM_ROWS rows, in two accumulators, then added to the caller's doubles.
 */
#include "core/kernels/simd/unary.h"

#define SUM_ROWS 64

struct partial_sums {
    float sum[BLOCK_CHANNELS], squares[BLOCK_CHANNELS];
} __attribute__((aligned(RF_GROUP * sizeof(float))));

/* A place in the masks: words of one group from one row on. */
struct mask_cursor {
    uint16_t *fired, *inactive, *zero, *top; /* the last three may be NULL */
    size_t pitch;
    unsigned shift; /* of lane 0 in the word */
    uint32_t keep;  /* the lanes that are channels */
    bool only_fired;
};

struct counters {
    vf sum, squares, max;
};

/* One vector is one word, or words begin as 0 and collect their vectors. */
RF_INLINE void put_bits(uint16_t *word, vm m, const struct mask_cursor *k)
{
    const uint32_t bits = (v_bits(m) & k->keep) << k->shift;

    *word = (uint16_t)(VW == RF_GROUP ? bits : *word | bits);
}

RF_INLINE void put_masks(struct mask_cursor *k, vf v, vf y, vf b)
{
    put_bits(k->fired, v_gt(y, v_set(0)), k);
    k->fired += k->pitch;
    if (k->only_fired)
        return;
    if (k->inactive) {
        put_bits(k->inactive, v_le(v, v_set(0)), k);
        k->inactive += k->pitch;
    }
    if (k->zero) {
        put_bits(k->zero, v_eq(y, v_set(0)), k);
        k->zero += k->pitch;
    }
    if (k->top) {
        put_bits(k->top, v_eq(y, b), k);
        k->top += k->pitch;
    }
}

RF_INLINE struct mask_cursor mask_cursor(const struct rf_rows *r, size_t c, size_t lanes,
                                         size_t row)
{
    const size_t at = row * r->mask_pitch + c / RF_GROUP;

    return (struct mask_cursor){
        .fired = r->fired + at,
        .inactive = r->inactive ? r->inactive + at : NULL,
        .zero = r->zero ? r->zero + at : NULL,
        .top = r->top ? r->top + at : NULL,
        .pitch = r->mask_pitch,
        .shift = (unsigned)(c % RF_GROUP),
        .keep = lanes == VW ? 0xffff : (1u << lanes) - 1,
        .only_fired = !r->inactive && !r->zero && !r->top,
    };
}

RF_INLINE void count(struct counters *n, vf y)
{
    n->sum += y;
    n->squares = v_fma(y, y, n->squares);
    n->max = v_max(n->max, y);
}

/* Rows [first, last) of the channels c .. c + lanes. */
RF_INLINE void vector_rows(const struct rf_rows *r, size_t c, size_t lanes, size_t first,
                           size_t last, struct partial_sums *sums, unary_fn *f)
{
    const size_t x_pitch = r->x_pitch, y_pitch = r->y_pitch, residual_pitch = r->residual_pitch;
    const size_t at = c % BLOCK_CHANNELS;
    const vf scale = channel_values(r->scale, c, lanes, NO_SCALE);
    const vf bias = channel_values(r->bias, c, lanes, NO_BIAS);
    const vf a = parameter(r->a, r->param_step, c, lanes);
    const vf b = parameter(r->b, r->param_step, c, lanes);
    const float *x = r->x + first * x_pitch + c;
    const float *residual = r->residual ? r->residual + first * residual_pitch + c : NULL;
    float *y = r->y + first * y_pitch + c;
    struct mask_cursor masks = mask_cursor(r, c, lanes, first);
    struct counters even = {v_load(sums->sum + at), v_load(sums->squares + at),
                            v_load_lanes(r->max + c, lanes)};
    struct counters odd = {v_set(0), v_set(0), even.max};

    for (size_t n = last - first; n; n--, x += x_pitch, y += y_pitch) {
        vf v = v_fma(v_load_lanes(x, lanes), scale, bias);
        if (residual) {
            v += v_load_lanes(residual, lanes);
            residual += residual_pitch;
        }
        const vf out = f(v, a, b);
        v_store_lanes(y, out, lanes);
        put_masks(&masks, v, out, b);
        count(&even, out);
        const struct counters swap = even;
        even = odd;
        odd = swap;
    }
    v_store(sums->sum + at, even.sum + odd.sum);
    v_store(sums->squares + at, even.squares + odd.squares);
    v_store_lanes(r->max + c, v_max(even.max, odd.max), lanes);
}

RF_INLINE void block(const struct rf_rows *r, size_t c, size_t end, size_t first, size_t last,
                     struct partial_sums *sums, unary_fn *f)
{
    for (; c + VW <= end; c += VW)
        vector_rows(r, c, VW, first, last, sums, f);
    if (c < end)
        vector_rows(r, c, end - c, first, last, sums, f);
}

/* Vectors narrower than a word add their bits to it. */
static void clear_words(const struct rf_rows *r, size_t c, size_t end, size_t first, size_t last)
{
    uint16_t *const masks[] = {r->fired, r->inactive, r->zero, r->top};
    const size_t words = rf_mask_words(end - c);

    for (size_t m = 0; m < sizeof(masks) / sizeof(*masks); m++)
        for (size_t row = first; masks[m] && row < last; row++)
            memset(masks[m] + row * r->mask_pitch + c / RF_GROUP, 0, words * sizeof(*masks[m]));
}

static void add_sums(const struct rf_rows *r, size_t c, size_t end, const struct partial_sums *sums)
{
    double *const sum = r->sum + c, *const squares = r->sum_squares + c;

    for (size_t i = 0; i < end - c; i++) {
        sum[i] += (double)sums->sum[i];
        squares[i] += (double)sums->squares[i];
    }
}

RF_INLINE void rows_counted(const struct rf_rows *r, unary_fn *f)
{
    for (size_t c = 0; c < r->channels; c += BLOCK_CHANNELS) {
        const size_t end = min_size(c + BLOCK_CHANNELS, r->channels);
        const size_t step = min_size(block_rows(end - c), SUM_ROWS);
        for (size_t first = 0, last; first < r->rows; first = last) {
            struct partial_sums sums;
            const size_t summed = min_size(first + SUM_ROWS, r->rows);
            memset(&sums, 0, sizeof(sums));
            for (last = first; last < summed;) {
                const size_t from = last;
                last = min_size(last + step, summed);
                if (VW < RF_GROUP)
                    clear_words(r, c, end, from, last);
                block(r, c, end, from, last, &sums, f);
            }
            add_sums(r, c, end, &sums);
        }
    }
}

#define UNARY(op, ...)                                                                             \
    void RF_K(rf_rows_counted_##op)(const struct rf_rows *r)                                       \
    {                                                                                              \
        rows_counted(r, f_##op);                                                                   \
    }
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY
