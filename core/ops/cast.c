/*
 * Cast and CastLike. FLOAT16, BFLOAT16 and DOUBLE are FP32 in a graph: values take the precision of
 * the first two and stay FP32. What lies beyond a whole type becomes its limit, NaN 0; whole
 * numbers are cut to the type's bits, as in NumPy.
 */
#include "core/broadcast.h"

#define INTEGERS                                                                                   \
    (1u << RF_I8 | 1u << RF_I16 | 1u << RF_I32 | 1u << RF_I64 | 1u << RF_U8 | 1u << RF_U16 |       \
     1u << RF_U32 | 1u << RF_U64)
#define CASTABLE (INTEGERS | 1u << RF_BOOL | 1u << RF_F32)

struct state {
    enum rf_dtype to; /* F16 and BF16: their precision */
    bool like;        /* the second input's, instead */
};

/* ---- load ---- */

/* TensorProto.DataType */
static const struct {
    int number;
    enum rf_dtype dtype;
} types[] = {
    {1, RF_F32},  {2, RF_U8},   {3, RF_I8},    {4, RF_U16},  {5, RF_I16},
    {6, RF_I32},  {7, RF_I64},  {9, RF_BOOL},  {10, RF_F16}, {11, RF_F32},
    {12, RF_U32}, {13, RF_U64}, {16, RF_BF16},
};

static enum rf_status prepare(struct rf_prepare *p, void *state)
{
    struct state *const s = state;
    const int64_t to = rf_attr_int(p, "to", 0);

    rf_attr_int_in(p, "saturate", 1, 0, 1); /* of FLOAT8 types, which are not offered */
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (types[i].number == to) {
            s->to = types[i].dtype;
            return p->status;
        }
    }
    return rf_prepare_fail(p, RF_UNSUPPORTED, "attribute to is data type %lld%s, not supported",
                           (long long)to, to == 8 ? " (STRING)" : "");
}

static enum rf_status prepare_like(struct rf_prepare *p, void *state)
{
    struct state *const s = state;

    s->like = true;
    rf_attr_int_in(p, "saturate", 1, 0, 1);
    return p->status;
}

static enum rf_status infer(const void *state, struct rf_infer *x)
{
    const struct state *const s = state;
    enum rf_status rc = rf_infer_dtype(x, 0, CASTABLE);

    if (!rc && s->like)
        rc = rf_infer_dtype(x, 1, CASTABLE);
    if (rc)
        return rc;
    x->out[0]->shape = x->in[0]->shape;
    x->out[0]->dtype = s->like                               ? x->in[1]->dtype
                       : s->to == RF_F16 || s->to == RF_BF16 ? RF_F32
                                                             : s->to;
    x->max_parts = (size_t)rf_numel(&x->out[0]->shape) / 4096 + 1;
    x->cost = rf_cost(rf_numel(&x->out[0]->shape), 8);
    x->algorithm = "elements";
    return RF_OK;
}

/* ---- run ---- */

static int64_t truncated(double v, int64_t lo, int64_t hi)
{
    if (v != v)
        return 0;
    return v <= (double)lo ? lo : v >= (double)hi ? hi : (int64_t)v;
}

static uint64_t truncated_u64(float v)
{
    return v >= 0x1p64f ? UINT64_MAX : v > 0 ? (uint64_t)v : 0;
}

/* One loop for each pair of types. */
#define INTO(id, T, of_float, of_whole)                                                            \
    static void into_##id(const struct rf_walk *w, const void *context)                            \
    {                                                                                              \
        switch ((int)*(const enum rf_dtype *)context) {                                            \
            FROM(RF_F32, T, float, of_float)                                                       \
            FROM(RF_BOOL, T, bool, of_whole)                                                       \
            FROM(RF_U8, T, uint8_t, of_whole)                                                      \
            FROM(RF_U16, T, uint16_t, of_whole)                                                    \
            FROM(RF_U32, T, uint32_t, of_whole)                                                    \
            FROM(RF_U64, T, uint64_t, of_whole)                                                    \
            FROM(RF_I8, T, int8_t, of_whole)                                                       \
            FROM(RF_I16, T, int16_t, of_whole)                                                     \
            FROM(RF_I32, T, int32_t, of_whole)                                                     \
            FROM(RF_I64, T, int64_t, of_whole)                                                     \
        }                                                                                          \
    }
#define FROM(dtype, T, F, expression)                                                              \
    case dtype:                                                                                    \
        RF_EACH(w, T, F, expression)                                                               \
        break;

INTO(BOOL, bool, a, a)
INTO(U8, uint8_t, truncated((double)a, 0, UINT8_MAX), a)
INTO(U16, uint16_t, truncated((double)a, 0, UINT16_MAX), a)
INTO(U32, uint32_t, truncated((double)a, 0, UINT32_MAX), a)
INTO(U64, uint64_t, truncated_u64(a), a)
INTO(I8, int8_t, truncated((double)a, INT8_MIN, INT8_MAX), a)
INTO(I16, int16_t, truncated((double)a, INT16_MIN, INT16_MAX), a)
INTO(I32, int32_t, truncated((double)a, INT32_MIN, INT32_MAX), a)
INTO(I64, int64_t, truncated((double)a, INT64_MIN, INT64_MAX), a)
INTO(F16, float, rf_f16_to_f32(rf_f32_to_f16(a)), rf_f16_to_f32(rf_f32_to_f16((float)a)))
INTO(BF16, float, rf_bf16_to_f32(rf_f32_to_bf16(a)), rf_bf16_to_f32(rf_f32_to_bf16((float)a)))
INTO(F32, float, a, a)

static rf_broadcast_fn *const into[RF_N_DTYPE] = {
    [RF_BOOL] = into_BOOL, [RF_U8] = into_U8,   [RF_U16] = into_U16, [RF_U32] = into_U32,
    [RF_U64] = into_U64,   [RF_I8] = into_I8,   [RF_I16] = into_I16, [RF_I32] = into_I32,
    [RF_I64] = into_I64,   [RF_F16] = into_F16, [RF_F32] = into_F32, [RF_BF16] = into_BF16,
};

static void run(const struct rf_exec *x, int part, int n_parts)
{
    const struct state *const s = x->state;
    struct rf_view views[] = {rf_view_of(x->out[0]), rf_view_of(x->in[0])};

    rf_broadcast_run(views, 2, part, n_parts, into[s->like ? x->out[0]->dtype : s->to],
                     &x->in[0]->dtype);
}

#define ROW(op, opset, n_in, prepare_fn)                                                           \
    {                                                                                              \
        .name = op, .since = opset, .min_in = n_in, .max_in = n_in, .min_out = 1, .max_out = 1,    \
        .flags = RF_OP_READS_ANY, .layouts = RF_ACCEPTS_ANY, .state_bytes = sizeof(struct state),  \
        .prepare = prepare_fn, .infer = infer, .run = run,                                         \
    }

RF_OP(Cast) = ROW("Cast", 6, 1, prepare);
RF_OP(CastLike) = ROW("CastLike", 15, 2, prepare_like);
