/*
 * Activations without counting: rows of channels, y = f(x * scale + bias + residual). Vectors of
 * channels are the outer loop and rows the inner one, so that what belongs to a channel stays in
 * registers; blocks keep the data in the first-level cache meanwhile.
 */
#include "core/kernels/simd/unary.h"

/* Rows [first, last) of the channels c .. c + lanes. */
RF_INLINE void vector_rows(const struct rf_rows *r, size_t c, size_t lanes, size_t first,
                           size_t last, unary_fn *f)
{
    const size_t x_pitch = r->x_pitch, y_pitch = r->y_pitch, residual_pitch = r->residual_pitch;
    const vf scale = channel_values(r->scale, c, lanes, NO_SCALE);
    const vf bias = channel_values(r->bias, c, lanes, NO_BIAS);
    const vf a = parameter(r->a, r->param_step, c, lanes);
    const vf b = parameter(r->b, r->param_step, c, lanes);
    const float *x = r->x + first * x_pitch + c;
    const float *residual = r->residual ? r->residual + first * residual_pitch + c : NULL;
    float *y = r->y + first * y_pitch + c;

    for (size_t n = last - first; n; n--, x += x_pitch, y += y_pitch) {
        vf v = v_fma(v_load_lanes(x, lanes), scale, bias);
        if (residual) {
            v += v_load_lanes(residual, lanes);
            residual += residual_pitch;
        }
        v_store_lanes(y, f(v, a, b), lanes);
    }
}

/* n values in a row, parameters the same for all. */
RF_INLINE void flat(float *y, const float *x, size_t n, vf a, vf b, unary_fn *f)
{
    size_t i = 0;

    for (; i + 2 * VW <= n; i += 2 * VW) {
        const vf first = f(v_load(x + i), a, b), second = f(v_load(x + i + VW), a, b);
        v_store(y + i, first);
        v_store(y + i + VW, second);
    }
    for (; i < n; i += VW) {
        const size_t lanes = min_size(n - i, VW);
        v_store_lanes(y + i, f(v_load_lanes(x + i, lanes), a, b), lanes);
    }
}

/* True where no value depends on its channel. */
static bool is_uniform(const struct rf_rows *r)
{
    return !r->scale && !r->bias && !r->residual && (!r->param_step || (!r->a && !r->b));
}

RF_INLINE void uniform_rows(const struct rf_rows *r, unary_fn *f)
{
    const bool dense = r->x_pitch == r->channels && r->y_pitch == r->channels;
    const size_t rows = dense ? 1 : r->rows;
    const size_t n = dense ? r->rows * r->channels : r->channels;
    const vf a = parameter(r->a, 0, 0, VW), b = parameter(r->b, 0, 0, VW);

    for (size_t i = 0; i < rows; i++)
        flat(r->y + i * r->y_pitch, r->x + i * r->x_pitch, n, a, b, f);
}

RF_INLINE void block(const struct rf_rows *r, size_t c, size_t end, size_t first, size_t last,
                     unary_fn *f)
{
    for (; c + VW <= end; c += VW)
        vector_rows(r, c, VW, first, last, f);
    if (c < end)
        vector_rows(r, c, end - c, first, last, f);
}

RF_INLINE void per_channel_rows(const struct rf_rows *r, unary_fn *f)
{
    for (size_t c = 0; c < r->channels; c += BLOCK_CHANNELS) {
        const size_t end = min_size(c + BLOCK_CHANNELS, r->channels);
        const size_t step = block_rows(end - c);
        for (size_t first = 0; first < r->rows; first += step)
            block(r, c, end, first, min_size(first + step, r->rows), f);
    }
}

#define UNARY(op, ...)                                                                             \
    void RF_K(rf_rows_##op)(const struct rf_rows *r)                                               \
    {                                                                                              \
        if (is_uniform(r))                                                                         \
            uniform_rows(r, f_##op);                                                               \
        else                                                                                       \
            per_channel_rows(r, f_##op);                                                           \
        v_leave();                                                                                 \
    }
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY
