/* Max, Min, Sum and Mean of any number of inputs, taken in one after the other. */
#include "core/broadcast.h"

struct state {
    int n_in;
};

static const struct rf_broadcast numpy = {.how = RF_BROADCAST_BOTH};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->n_in = p->node->n_in;
    return p->status;
}

static enum rf_status infer(struct rf_infer *x, uint32_t dtypes)
{
    for (int i = 0; i < x->node->n_in; i++)
        if (!x->in[i])
            return rf_infer_fail(x, RF_INVALID, "input %d is absent", i);
    const enum rf_status rc = rf_broadcast_dtypes(x, 0, dtypes);

    return rc ? rc : rf_broadcast_infer(&numpy, x, x->in[0]->dtype);
}

static enum rf_status infer_numbers(const void *state, struct rf_infer *x)
{
    (void)state;
    return infer(x, RF_NUMBERS);
}

static enum rf_status infer_floats(const void *state, struct rf_infer *x)
{
    (void)state;
    return infer(x, 1u << RF_F32);
}

static void take_in(const struct rf_exec *x, enum rf_binary op, const struct rf_tensor *a,
                    const struct rf_tensor *b, int part, int n_parts)
{
    const struct rf_tensor *const out = x->out[0];
    struct rf_view views[] = {rf_view_of(out), rf_broadcast_view(&numpy, a, 0, out),
                              rf_broadcast_view(&numpy, b, 1, out)};

    rf_broadcast_binary(x->k, op, out->dtype, views, part, n_parts);
}

static void run(const struct rf_exec *x, enum rf_binary op, int part, int n_parts)
{
    const struct state *const s = x->state;

    /* The larger of one value and itself copies it. */
    if (s->n_in == 1)
        take_in(x, RF_BINARY_Max, x->in[0], x->in[0], part, n_parts);
    for (int i = 1; i < s->n_in; i++)
        take_in(x, op, i == 1 ? x->in[0] : x->out[0], x->in[i], part, n_parts);
}

static void run_max(const struct rf_exec *x, int part, int n_parts)
{
    run(x, RF_BINARY_Max, part, n_parts);
}

static void run_min(const struct rf_exec *x, int part, int n_parts)
{
    run(x, RF_BINARY_Min, part, n_parts);
}

static void run_sum(const struct rf_exec *x, int part, int n_parts)
{
    run(x, RF_BINARY_Add, part, n_parts);
}

static void run_mean(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    float n = (float)s->n_in;
    const struct rf_tensor count = {.data = &n, .dtype = RF_F32};

    run_sum(x, part, n_parts);
    take_in(x, RF_BINARY_Div, x->out[0], &count, part, n_parts);
}

#define ROW(op, infer_fn, run_fn)                                                                  \
    {                                                                                              \
        .name = op, .since = 6, .min_in = 1, .max_in = RF_MAX_IN, .min_out = 1, .max_out = 1,      \
        .flags = RF_OP_INPLACE | RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY,                       \
        .state_bytes = sizeof(struct state), .prepare = prepare, .infer = infer_fn, .run = run_fn, \
    }

RF_OP(Max) = ROW("Max", infer_numbers, run_max);
RF_OP(Min) = ROW("Min", infer_numbers, run_min);
RF_OP(Sum) = ROW("Sum", infer_floats, run_sum);
RF_OP(Mean) = ROW("Mean", infer_floats, run_mean);
