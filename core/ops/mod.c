/* Mod: the remainder has the divisor's sign, with fmod the dividend's. That by 0 is 0. */
#include <math.h>

#include "core/broadcast.h"

static const struct rf_broadcast numpy = {.how = RF_BROADCAST_BOTH};

struct state {
    bool fmod;
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->fmod = rf_attr_int_in(p, "fmod", 0, 0, 1);
    return p->status;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    const enum rf_status rc = rf_broadcast_dtypes(x, 0, RF_NUMBERS);

    if (!rc && x->in[0]->dtype == RF_F32 && !s->fmod)
        return rf_infer_fail(x, RF_INVALID, "attribute fmod is 0, FP32 needs 1");
    return rc ? rc : rf_broadcast_infer(&numpy, x, x->in[0]->dtype);
}

static int64_t remainder_of(int64_t a, int64_t b, bool as_fmod)
{
    const int64_t rest = b == 0 || b == -1 ? 0 : a % b;

    return !as_fmod && rest && (rest < 0) != (b < 0) ? rest + b : rest;
}

static void floats(const struct rf_walk *w, const void *context)
{
    (void)context;
    RF_EACH_PAIR(w, float, float, float, fmodf(a, b))
}

static void ints(const struct rf_walk *w, const void *context)
{
    const struct state *const s = context;

    if (w->size[0] == sizeof(int32_t))
        RF_EACH_PAIR(w, int32_t, int32_t, int32_t, remainder_of(a, b, s->fmod))
    else
        RF_EACH_PAIR(w, int64_t, int64_t, int64_t, remainder_of(a, b, s->fmod))
}

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct rf_tensor *const out = x->out[0];
    struct rf_view views[] = {rf_view_of(out), rf_broadcast_view(&numpy, x->in[0], 0, out),
                              rf_broadcast_view(&numpy, x->in[1], 1, out)};

    rf_broadcast_run(views, 3, part, n_parts, out->dtype == RF_F32 ? floats : ints, x->state);
}

RF_OP(Mod) = {
    .name = "Mod",
    .since = 10,
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE | RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ANY,
    .state_bytes = sizeof(struct state),
    .prepare = prepare,
    .infer = infer,
    .run = run,
};
