/* Range: start, start + delta, ... up to a limit that is left out; all known before a run. */
#include <math.h>

#include "core/op.h"

#define MAX_COUNT (1 << 26)

static double real(const struct rf_tensor *t)
{
    return (double)*(const float *)t->data;
}

static int64_t integer(const struct rf_tensor *t)
{
    int64_t v = 0;

    rf_tensor_ints(t, &v, 1);
    return v;
}

static enum rf_status check_scalars(struct rf_infer *x)
{
    static const char *const what[] = {"start", "limit", "delta"};
    char text[RF_SHAPE_TEXT];

    for (int i = 0; i < 3; i++) {
        const enum rf_status rc = rf_infer_dtype(x, i, 1u << RF_F32 | 1u << RF_I32 | 1u << RF_I64);

        if (rc)
            return rc;
        if (x->in[i]->dtype != x->in[0]->dtype)
            return rf_infer_fail(x, RF_UNSUPPORTED, "%s is %s, start %s", what[i],
                                 rf_dtype_name(x->in[i]->dtype), rf_dtype_name(x->in[0]->dtype));
        if (x->in[i]->shape.rank > 1 || rf_numel(&x->in[i]->shape) != 1)
            return rf_infer_fail(x, RF_SHAPE, "%s has shape %s, expected a scalar", what[i],
                                 rf_shape_text(&x->in[i]->shape, text, sizeof(text)));
        if (!x->in[i]->data)
            return rf_infer_fail(x, RF_UNSUPPORTED, "%s is only known in a run", what[i]);
    }
    return RF_OK;
}

/* Elements, as a real number that may be NaN or too large. */
static double count(const struct rf_infer *x)
{
    if (x->in[0]->dtype == RF_F32)
        return ceil((real(x->in[1]) - real(x->in[0])) / real(x->in[2]));
    const __int128 way = (__int128)integer(x->in[1]) - integer(x->in[0]);
    const int64_t delta = integer(x->in[2]);

    if (!delta)
        return NAN;
    const __int128 whole = way / delta;

    return (double)(whole + (way % delta != 0 && (way > 0) == (delta > 0)));
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const enum rf_status rc = check_scalars(x);

    (void)state;
    if (rc)
        return rc;
    const double n = count(x);

    if (!(n <= MAX_COUNT)) /* NaN, too */
        return rf_infer_fail(x, RF_LIMIT, "a range of %g elements; at most %d are offered", n,
                             MAX_COUNT);
    x->out[0]->shape = (struct rf_shape){.rank = 1, .dim = {n > 0 ? (int64_t)n : 0}};
    x->out[0]->dtype = x->in[0]->dtype;
    return RF_OK;
}

/* Element i of whole numbers; unsigned, as i * delta may be beyond what start + i * delta is. */
static int64_t element(const struct rf_exec *x, int64_t i)
{
    return (int64_t)((uint64_t)integer(x->in[0]) + (uint64_t)i * (uint64_t)integer(x->in[2]));
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_tensor *const out = x->out[0];

    (void)part, (void)n_parts;
    for (int64_t i = 0; i < out->shape.dim[0]; i++) {
        if (out->dtype == RF_F32)
            ((float *)out->data)[i] = (float)(real(x->in[0]) + (double)i * real(x->in[2]));
        else if (out->dtype == RF_I32)
            ((int32_t *)out->data)[i] = (int32_t)element(x, i);
        else
            ((int64_t *)out->data)[i] = element(x, i);
    }
}

RF_OP(Range) = {
    .name = "Range",
    .since = 11,
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .known_in = 1u << 0 | 1u << 1 | 1u << 2,
    .prepare = rf_prepare_nothing,
    .infer = infer,
    .run = run,
};
