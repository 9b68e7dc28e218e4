/* Pow: the result has the base's type, the exponent may have another. */
#include <math.h>

#include "core/broadcast.h"

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    enum rf_status rc = rf_infer_dtype(x, 0, RF_NUMBERS);

    if (!rc)
        rc = rf_infer_dtype(x, 1, RF_NUMBERS);
    if (!rc)
        rc = rf_broadcast_infer(state, x, x->in[0]->dtype);
    x->cost = rf_cost(x->cost, 8);
    return rc;
}

/* ---- whole bases ---- */

/* Wraps around; a negative power is 0, but for bases of 1 and -1. */
static uint64_t whole_power(int64_t base, int64_t exponent)
{
    uint64_t power = (uint64_t)base, y = 1;

    if (exponent < 0 && base != 1 && base != -1)
        return 0;
    for (uint64_t e = (uint64_t)exponent; e; e >>= 1, power *= power)
        if (e & 1)
            y *= power;
    return y;
}

/* Towards 0; beyond the type: its limit; NaN: 0. */
static int64_t truncated_power(int64_t base, double exponent, int64_t lo, int64_t hi)
{
    const double v = pow((double)base, exponent);

    if (isnan(v))
        return 0;
    return v <= (double)lo ? lo : v >= (double)hi ? hi : (int64_t)v;
}

/* ---- runs ---- */

struct types {
    enum rf_dtype base, exponent;
};

#define BASE(T, by_float, by_whole)                                                                \
    switch (t->exponent) {                                                                         \
    case RF_F32:                                                                                   \
        RF_EACH_PAIR(w, T, T, float, by_float)                                                     \
        break;                                                                                     \
    case RF_I32:                                                                                   \
        RF_EACH_PAIR(w, T, T, int32_t, by_whole)                                                   \
        break;                                                                                     \
    default:                                                                                       \
        RF_EACH_PAIR(w, T, T, int64_t, by_whole)                                                   \
        break;                                                                                     \
    }

static void each(const struct rf_walk *w, const void *context)
{
    const struct types *const t = context;

    switch (t->base) {
    case RF_F32:
        BASE(float, powf(a, b), powf(a, (float)b))
        break;
    case RF_I32:
        BASE(int32_t, truncated_power(a, (double)b, INT32_MIN, INT32_MAX), whole_power(a, b))
        break;
    default:
        BASE(int64_t, truncated_power(a, (double)b, INT64_MIN, INT64_MAX), whole_power(a, b))
        break;
    }
}

/* What layer norms and the like are exported with. */
static bool is_square(const struct rf_tensor *base, const struct rf_tensor *exponent)
{
    return base->dtype == RF_F32 && exponent->dtype == RF_F32 && rf_numel(&exponent->shape) == 1 &&
           *(const float *)exponent->data == 2;
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_tensor *const out = x->out[0];
    const struct types types = {x->in[0]->dtype, x->in[1]->dtype};
    const bool square = is_square(x->in[0], x->in[1]);
    struct rf_view views[] = {rf_view_of(out), rf_broadcast_view(x->state, x->in[0], 0, out),
                              rf_broadcast_view(x->state, x->in[1], 1, out)};

    if (square) {
        views[2] = views[1];
        rf_broadcast_binary(x->k, RF_BINARY_Mul, RF_F32, views, part, n_parts);
    } else {
        rf_broadcast_run(views, 3, part, n_parts, each, &types);
    }
}

#define ROW(opset, prepare_fn)                                                                     \
    {                                                                                              \
        .name = "Pow", .since = opset, .min_in = 2, .max_in = 2, .min_out = 1, .max_out = 1,       \
        .flags = RF_OP_INPLACE | RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY,                       \
        .state_bytes = sizeof(struct rf_broadcast), .prepare = prepare_fn, .infer = infer,         \
        .run = run,                                                                                \
    }

RF_OP(Pow6) = ROW(1, rf_broadcast_prepare_6);
RF_OP(Pow) = ROW(7, rf_prepare_nothing);
