/* Equal, Less and their kin; And, Or, Xor, Not. BOOL comes out. */
#include "core/broadcast.h"

static enum rf_status infer(const void *state, struct rf_infer *x, uint32_t dtypes)
{
    const enum rf_status rc = rf_broadcast_dtypes(x, 0, dtypes);

    return rc ? rc : rf_broadcast_infer(state, x, RF_BOOL);
}

static enum rf_status infer_numbers(const void *state, struct rf_infer *x)
{
    return infer(state, x, RF_NUMBERS);
}

static enum rf_status infer_any(const void *state, struct rf_infer *x)
{
    return infer(state, x, RF_NUMBERS | 1u << RF_BOOL);
}

static enum rf_status infer_logic(const void *state, struct rf_infer *x)
{
    return infer(state, x, 1u << RF_BOOL);
}

static void run(const struct rf_exec *x, rf_broadcast_fn *fn, int part, int n_parts)
{
    const struct rf_tensor *const out = x->out[0];
    struct rf_view views[] = {rf_view_of(out), rf_broadcast_view(x->state, x->in[0], 0, out),
                              rf_broadcast_view(x->state, x->in[1], 1, out)};

    rf_broadcast_run(views, 3, part, n_parts, fn, &x->in[0]->dtype);
}

#define COMPARE(op, expression)                                                                    \
    static void each_##op(const struct rf_walk *w, const void *context)                            \
    {                                                                                              \
        switch (*(const enum rf_dtype *)context) {                                                 \
        case RF_F32:                                                                               \
            RF_EACH_PAIR(w, bool, float, float, expression)                                        \
            break;                                                                                 \
        case RF_I32:                                                                               \
            RF_EACH_PAIR(w, bool, int32_t, int32_t, expression)                                    \
            break;                                                                                 \
        case RF_I64:                                                                               \
            RF_EACH_PAIR(w, bool, int64_t, int64_t, expression)                                    \
            break;                                                                                 \
        default:                                                                                   \
            RF_EACH_PAIR(w, bool, bool, bool, expression)                                          \
            break;                                                                                 \
        }                                                                                          \
    }                                                                                              \
    static void run_##op(const struct rf_exec *x, int part, int n_parts)                           \
    {                                                                                              \
        run(x, each_##op, part, n_parts);                                                          \
    }

#define LOGIC(op, expression)                                                                      \
    static void each_##op(const struct rf_walk *w, const void *context)                            \
    {                                                                                              \
        (void)context;                                                                             \
        RF_EACH_PAIR(w, bool, bool, bool, expression)                                              \
    }                                                                                              \
    static void run_##op(const struct rf_exec *x, int part, int n_parts)                           \
    {                                                                                              \
        run(x, each_##op, part, n_parts);                                                          \
    }

COMPARE(Equal, a == b)
COMPARE(Less, a < b)
COMPARE(LessOrEqual, a <= b)
COMPARE(Greater, a > b)
COMPARE(GreaterOrEqual, a >= b)
LOGIC(And, a &&b)
LOGIC(Or, a || b)
LOGIC(Xor, a != b)

#define ROW(op, opset, prepare_fn, infer_fn)                                                       \
    {                                                                                              \
        .name = #op, .since = opset, .min_in = 2, .max_in = 2, .min_out = 1, .max_out = 1,         \
        .flags = RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ROWMAJOR,                                  \
        .state_bytes = sizeof(struct rf_broadcast), .prepare = prepare_fn, .infer = infer_fn,      \
        .run = run_##op,                                                                           \
    }

RF_OP(Equal1) = ROW(Equal, 1, rf_broadcast_prepare_6, infer_any);
RF_OP(Equal) = ROW(Equal, 7, rf_prepare_nothing, infer_any);
RF_OP(Less1) = ROW(Less, 1, rf_broadcast_prepare_6, infer_numbers);
RF_OP(Less) = ROW(Less, 7, rf_prepare_nothing, infer_numbers);
RF_OP(LessOrEqual) = ROW(LessOrEqual, 12, rf_prepare_nothing, infer_numbers);
RF_OP(Greater1) = ROW(Greater, 1, rf_broadcast_prepare_6, infer_numbers);
RF_OP(Greater) = ROW(Greater, 7, rf_prepare_nothing, infer_numbers);
RF_OP(GreaterOrEqual) = ROW(GreaterOrEqual, 12, rf_prepare_nothing, infer_numbers);
RF_OP(And1) = ROW(And, 1, rf_broadcast_prepare_6, infer_logic);
RF_OP(And) = ROW(And, 7, rf_prepare_nothing, infer_logic);
RF_OP(Or1) = ROW(Or, 1, rf_broadcast_prepare_6, infer_logic);
RF_OP(Or) = ROW(Or, 7, rf_prepare_nothing, infer_logic);
RF_OP(Xor1) = ROW(Xor, 1, rf_broadcast_prepare_6, infer_logic);
RF_OP(Xor) = ROW(Xor, 7, rf_prepare_nothing, infer_logic);

/* ---- Not ---- */

static void each_not(const struct rf_walk *w, const void *context)
{
    (void)context;
    RF_EACH(w, bool, bool, !a)
}

static void run_not(const struct rf_exec *x, int part, int n_parts)
{
    struct rf_view views[] = {rf_view_of(x->out[0]), rf_view_of(x->in[0])};

    rf_broadcast_run(views, 2, part, n_parts, each_not, NULL);
}

RF_OP(Not) = {
    .name = "Not",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .flags = RF_OP_INPLACE | RF_OP_READS_ANY,
    .layouts = RF_ACCEPTS_ROWMAJOR,
    .state_bytes = sizeof(struct rf_broadcast),
    .prepare = rf_prepare_nothing,
    .infer = infer_logic,
    .run = run_not,
};
