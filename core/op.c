/* What operators share: reading attributes and constants, messages, dividing work. */
#include "core/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct rf_attr *find(struct rf_prepare *p, const char *name, enum rf_attr_type type)
{
    for (struct rf_attr *a = p->node->attrs; a; a = a->next) {
        if (strcmp(a->name, name) != 0)
            continue;
        a->used = true;
        if (a->type == type)
            return a;
        rf_prepare_fail(p, RF_INVALID, "attribute %s has the wrong type", name);
        return NULL;
    }
    return NULL;
}

int64_t rf_attr_int(struct rf_prepare *p, const char *name, int64_t fallback)
{
    const struct rf_attr *const a = find(p, name, RF_ATTR_INT);

    return a ? a->as.i : fallback;
}

int64_t rf_attr_int_in(struct rf_prepare *p, const char *name, int64_t fallback, int64_t lo,
                       int64_t hi)
{
    const int64_t value = rf_attr_int(p, name, fallback);

    if (value >= lo && value <= hi)
        return value;
    rf_prepare_fail(p, RF_INVALID, "attribute %s is %lld, expected %lld to %lld", name,
                    (long long)value, (long long)lo, (long long)hi);
    return fallback;
}

float rf_attr_float(struct rf_prepare *p, const char *name, float fallback)
{
    const struct rf_attr *const a = find(p, name, RF_ATTR_FLOAT);

    return a ? a->as.f : fallback;
}

const char *rf_attr_string(struct rf_prepare *p, const char *name, const char *fallback)
{
    const struct rf_attr *const a = find(p, name, RF_ATTR_STRING);

    return a ? a->as.s : fallback;
}

const int64_t *rf_attr_ints(struct rf_prepare *p, const char *name, size_t *n, int64_t lo,
                            int64_t hi)
{
    const struct rf_attr *const a = find(p, name, RF_ATTR_INTS);

    *n = 0;
    if (!a)
        return NULL;
    for (size_t i = 0; i < a->n; i++) {
        if (a->as.ints[i] < lo || a->as.ints[i] > hi) {
            rf_prepare_fail(p, RF_INVALID, "attribute %s[%zu] is %lld, expected %lld to %lld", name,
                            i, (long long)a->as.ints[i], (long long)lo, (long long)hi);
            return NULL;
        }
    }
    *n = a->n;
    return a->as.ints;
}

const float *rf_attr_floats(struct rf_prepare *p, const char *name, size_t *n)
{
    const struct rf_attr *const a = find(p, name, RF_ATTR_FLOATS);

    *n = a ? a->n : 0;
    return a ? a->as.floats : NULL;
}

const struct rf_value *rf_attr_tensor(struct rf_prepare *p, const char *name)
{
    const struct rf_attr *const a = find(p, name, RF_ATTR_TENSOR);

    return a ? &p->graph->values[a->as.tensor] : NULL;
}

const struct rf_value *rf_prepare_in(const struct rf_prepare *p, int i)
{
    if (i >= p->node->n_in || p->node->in[i] == RF_NO_VALUE)
        return NULL;
    return &p->graph->values[p->node->in[i]];
}

const float *rf_prepare_weights(struct rf_prepare *p, int i, const char *what)
{
    const struct rf_value *const v = rf_prepare_in(p, i);

    if (!v || !v->constant) {
        rf_prepare_fail(p, RF_UNSUPPORTED, "%s must be a constant", what);
        return NULL;
    }
    if (v->dtype != RF_F32) {
        rf_prepare_fail(p, RF_UNSUPPORTED, "%s %s is %s, expected FP32", what, v->name,
                        rf_dtype_name(v->dtype));
        return NULL;
    }
    return v->constant;
}

const float *rf_prepare_vector(struct rf_prepare *p, int i, const char *what, int64_t n)
{
    const struct rf_value *const v = rf_prepare_in(p, i);
    char text[RF_SHAPE_TEXT];

    if (!v)
        return NULL;
    const float *const data = rf_prepare_weights(p, i, what);
    if (data && (v->shape.rank != 1 || v->shape.dim[0] != n)) {
        rf_prepare_fail(p, RF_SHAPE, "%s %s has shape %s, expected [%lld]", what, v->name,
                        rf_shape_text(&v->shape, text, sizeof(text)), (long long)n);
        return NULL;
    }
    return data;
}

void *rf_prepare_alloc(struct rf_prepare *p, size_t n, size_t size)
{
    size_t bytes;
    void *const data = __builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2
                           ? NULL
                           : rf_arena_alloc_aligned(p->arena, bytes + RF_ALIGN);

    if (!data)
        rf_prepare_fail(p, RF_NOMEM, "out of memory: %zu elements of %zu bytes", n, size);
    return data;
}

enum rf_status rf_prepare_nothing(struct rf_prepare *p, void *state)
{
    (void)state;
    return p->status;
}

__attribute__((format(printf, 2, 0))) static void
describe(const struct rf_node *node, const char *fmt, va_list ap, char *text, size_t size)
{
    const int n = snprintf(text, size, "node %.*s (%s): ", RF_MAX_NAME, node->name, node->op->name);

    if (n > 0 && (size_t)n < size)
        vsnprintf(text + n, size - (size_t)n, fmt, ap);
}

enum rf_status rf_prepare_fail(struct rf_prepare *p, enum rf_status status, const char *fmt, ...)
{
    char text[RF_ERROR_TEXT];
    va_list ap;

    if (p->status == RF_OK) {
        va_start(ap, fmt);
        describe(p->node, fmt, ap, text, sizeof(text));
        va_end(ap);
        p->status = rf_fail(p->err, status, "%s", text);
    }
    return p->status;
}

enum rf_status rf_infer_fail(struct rf_infer *x, enum rf_status status, const char *fmt, ...)
{
    char text[RF_ERROR_TEXT];
    va_list ap;

    va_start(ap, fmt);
    describe(x->node, fmt, ap, text, sizeof(text));
    va_end(ap);
    return rf_fail(x->err, status, "%s", text);
}

enum rf_status rf_infer_dtype(struct rf_infer *x, int i, uint32_t dtypes)
{
    if (!x->in[i] || dtypes >> x->in[i]->dtype & 1)
        return RF_OK;
    return rf_infer_fail(x, RF_UNSUPPORTED, "input %d is %s, which is not offered", i,
                         rf_dtype_name(x->in[i]->dtype));
}

size_t rf_tensor_ints(const struct rf_tensor *t, int64_t *v, size_t max)
{
    const size_t n = t ? (size_t)rf_numel(&t->shape) : 0;
    const void *const data = t ? t->data : NULL;

    for (size_t i = 0; data && i < n && i < max; i++)
        v[i] = t->dtype == RF_I32 ? ((const int32_t *)data)[i] : ((const int64_t *)data)[i];
    return n;
}

enum rf_status rf_infer_ints(struct rf_infer *x, int i, const char *what, int64_t *v, size_t max,
                             size_t *n)
{
    const struct rf_tensor *const t = x->in[i];
    char text[RF_SHAPE_TEXT];

    *n = 0;
    if (!t)
        return RF_OK;
    if (t->dtype != RF_I64 && t->dtype != RF_I32)
        return rf_infer_fail(x, RF_UNSUPPORTED, "%s is %s, expected INT64", what,
                             rf_dtype_name(t->dtype));
    if (t->shape.rank > 1 || (size_t)rf_numel(&t->shape) > max)
        return rf_infer_fail(x, RF_SHAPE, "%s has shape %s, expected at most %zu elements", what,
                             rf_shape_text(&t->shape, text, sizeof(text)), max);
    if (!t->data && rf_numel(&t->shape))
        return rf_infer_fail(x, RF_UNSUPPORTED, "%s is only known in a run", what);
    *n = rf_tensor_ints(t, v, max);
    return RF_OK;
}

enum rf_status rf_infer_axis(struct rf_infer *x, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return rf_infer_fail(x, RF_SHAPE, "axis %lld lies outside of rank %d", (long long)axis,
                             rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return RF_OK;
}

int64_t rf_cost(int64_t a, int64_t b)
{
    int64_t product;

    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

enum rf_status rf_infer_same(const void *state, struct rf_infer *x)
{
    (void)state;
    x->out[0]->shape = x->in[0]->shape;
    x->out[0]->dtype = x->in[0]->dtype;
    return RF_OK;
}

void rf_part_range(size_t n, int part, int n_parts, size_t *first, size_t *last)
{
    *first = (size_t)((unsigned __int128)n * (unsigned)part / (unsigned)n_parts);
    *last = (size_t)((unsigned __int128)n * (unsigned)(part + 1) / (unsigned)n_parts);
}
