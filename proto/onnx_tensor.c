/* TensorProto -> constants of the graph. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/onnx_import.h"
#include "proto/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are read as they lie");

static const struct rf_onnx_type types[] = {
    {1, "FLOAT", RF_F32},      {2, "UINT8", RF_U8},    {3, "INT8", RF_I8},
    {4, "UINT16", RF_U16},     {5, "INT16", RF_I16},   {6, "INT32", RF_I32},
    {7, "INT64", RF_I64},      {9, "BOOL", RF_BOOL},   {10, "FLOAT16", RF_F16},
    {11, "DOUBLE", RF_F64},    {12, "UINT32", RF_U32}, {13, "UINT64", RF_U64},
    {16, "BFLOAT16", RF_BF16},
};

enum rf_status rf_onnx_find_type(int number, const char *what, const struct rf_onnx_type **type,
                                 struct rf_error *err)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].number == number) {
            *type = &types[i];
            return RF_OK;
        }
    }
    if (number == 8)
        return rf_fail(err, RF_UNSUPPORTED, "%s: strings are not supported", what);
    return rf_fail(err, RF_UNSUPPORTED, "%s: data type %d is not supported", what, number);
}

enum rf_dtype rf_onnx_graph_dtype(enum rf_dtype stored)
{
    return stored == RF_F16 || stored == RF_BF16 || stored == RF_F64 ? RF_F32 : stored;
}

/* ---- elements ---- */

#define EACH(from, to, expression)                                                                 \
    for (size_t i = 0; i < n; i++) {                                                               \
        from v;                                                                                    \
        memcpy(&v, (const char *)src + i * sizeof v, sizeof v);                                    \
        ((to *)dst)[i] = (expression);                                                             \
    }

void rf_onnx_elements(void *dst, enum rf_dtype stored, const void *src, size_t n)
{
    if (n == 0)
        return;
    switch (stored) {
    case RF_F64:
        EACH(double, float, (float)v)
        break;
    case RF_F16:
        EACH(uint16_t, float, rf_f16_to_f32(v))
        break;
    case RF_BF16:
        EACH(uint16_t, float, rf_bf16_to_f32(v))
        break;
    case RF_BOOL:
        EACH(uint8_t, uint8_t, v != 0)
        break;
    default:
        memcpy(dst, src, n * rf_dtype_size(stored));
    }
}

/* int32_data holds all that is smaller, FP16 and BF16 as their bits; uint64_data holds UINT32. */
static enum rf_status narrow(void *dst, const struct rf_onnx_type *type, const RfOnnx__Tensor *t,
                             const char *what, struct rf_error *err)
{
    const bool is_signed = type->stored == RF_I8 || type->stored == RF_I16;
    const size_t size = rf_dtype_size(type->stored);
    const int64_t span = (int64_t)1 << (8 * size), low = is_signed ? -span / 2 : 0;
    const size_t n = t->n_int32_data + t->n_uint64_data;
    for (size_t i = 0; i < n; i++) {
        const bool huge = t->n_uint64_data && t->uint64_data[i] > UINT32_MAX;
        const int64_t v = huge               ? INT64_MAX
                          : t->n_uint64_data ? (int64_t)t->uint64_data[i]
                                             : t->int32_data[i];
        if (type->stored != RF_BOOL && (v < low || v >= low + span))
            return rf_fail(err, RF_FORMAT, "%s: element %zu is no %s", what, i, type->name);
        const uint64_t bits = type->stored == RF_BOOL ? v != 0 : (uint64_t)v;
        if (rf_onnx_graph_dtype(type->stored) == RF_F32) {
            const uint16_t half = (uint16_t)bits;
            rf_onnx_elements((float *)dst + i, type->stored, &half, 1);
        } else {
            memcpy((char *)dst + i * size, &bits, size);
        }
    }
    return RF_OK;
}

/* ---- where the elements are ---- */

/* The field for elements that are not raw. */
enum field { FLOATS, INT32S, INT64S, DOUBLES, UINT64S, STRINGS, N_FIELDS };

static const char *const field_names[N_FIELDS] = {"float_data",  "int32_data",  "int64_data",
                                                  "double_data", "uint64_data", "string_data"};

static enum field field_of(enum rf_dtype stored)
{
    switch (stored) {
    case RF_F32:
        return FLOATS;
    case RF_I64:
        return INT64S;
    case RF_F64:
        return DOUBLES;
    case RF_U32:
    case RF_U64:
        return UINT64S;
    default:
        return INT32S;
    }
}

struct data {
    const struct rf_onnx_type *type;
    const char *what; /* "tensor 'NAME'" */
    size_t n;
    bool external;
    off_t offset;
};

static bool is_external(const RfOnnx__Tensor *t)
{
    return t->has_data_location && t->data_location == 1;
}

/* The data are in one place, and as many as the shape says. */
static enum rf_status check_data(struct rf_import *imp, const RfOnnx__Tensor *t,
                                 const struct rf_shape *shape, struct data *d)
{
    const size_t lengths[N_FIELDS] = {t->n_float_data,  t->n_int32_data,  t->n_int64_data,
                                      t->n_double_data, t->n_uint64_data, t->n_string_data};
    const enum field field = field_of(d->type->stored);
    size_t bytes;
    char text[RF_SHAPE_TEXT];
    d->external = is_external(t);
    bool given = d->external;
    if (__builtin_mul_overflow(d->n, rf_dtype_size(d->type->stored), &bytes))
        return rf_fail(imp->err, RF_LIMIT, "%s: shape %s is too large", d->what,
                       rf_shape_text(shape, text, sizeof text));
    if (t->has_segment)
        return rf_fail(imp->err, RF_UNSUPPORTED, "%s: segments are not supported", d->what);
    if (t->has_raw_data && given)
        return rf_fail(imp->err, RF_FORMAT, "%s: raw_data besides external data", d->what);
    given |= t->has_raw_data;
    for (int f = 0; f < N_FIELDS; f++) {
        if (lengths[f] && given)
            return rf_fail(imp->err, RF_FORMAT, "%s: %s besides other data", d->what,
                           field_names[f]);
        if (lengths[f] && f != (int)field)
            return rf_fail(imp->err, RF_FORMAT, "%s: %s in %s, expected %s", d->what, d->type->name,
                           field_names[f], field_names[field]);
    }
    if (d->external)
        return rf_external_find(imp, t, d->what, bytes, &d->offset);
    if (t->has_raw_data && t->raw_data.len != bytes)
        return rf_fail(imp->err, RF_FORMAT, "%s: %zu bytes of raw_data, shape %s of %s has %zu",
                       d->what, t->raw_data.len, rf_shape_text(shape, text, sizeof text),
                       d->type->name, bytes);
    if (!t->has_raw_data && lengths[field] != d->n)
        return rf_fail(imp->err, RF_FORMAT, "%s: %zu elements, shape %s has %zu", d->what,
                       lengths[field], rf_shape_text(shape, text, sizeof text), d->n);
    return RF_OK;
}

static enum rf_status copy(struct rf_import *imp, const RfOnnx__Tensor *t, const struct data *d,
                           void *dst)
{
    if (d->external)
        return rf_external_read(imp, d->offset, d->type->stored, d->n, dst);
    const void *const fields[N_FIELDS] = {t->float_data, t->int32_data, t->int64_data,
                                          t->double_data, t->uint64_data};
    const enum field field = field_of(d->type->stored);
    const bool narrower =
        (field == INT32S && d->type->stored != RF_I32) || d->type->stored == RF_U32;
    if (!t->has_raw_data && narrower)
        return narrow(dst, d->type, t, d->what, imp->err);
    rf_onnx_elements(dst, d->type->stored, t->has_raw_data ? t->raw_data.data : fields[field],
                     d->n);
    return RF_OK;
}

/* The file's copy goes as soon as the graph has its own. */
static void drop_data(const struct rf_import *imp, RfOnnx__Tensor *t)
{
    void *const blocks[] = {t->raw_data.data, t->float_data,  t->int32_data,
                            t->int64_data,    t->double_data, t->uint64_data};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (blocks[i])
            imp->allocator->free(imp->allocator->allocator_data, blocks[i]);
    t->has_raw_data = false;
    t->raw_data.data = NULL;
    t->float_data = NULL;
    t->int32_data = NULL;
    t->int64_data = NULL;
    t->double_data = NULL;
    t->uint64_data = NULL;
    t->n_float_data = t->n_int32_data = t->n_int64_data = t->n_double_data = t->n_uint64_data = 0;
}

static enum rf_status read_shape(const RfOnnx__Tensor *t, const char *what, struct rf_shape *shape,
                                 size_t *n, struct rf_error *err)
{
    int64_t numel;
    char text[RF_SHAPE_TEXT];
    if (t->n_dims > RF_MAX_RANK)
        return rf_fail(err, RF_LIMIT, "%s: %zu dimensions, at most %d are supported", what,
                       t->n_dims, RF_MAX_RANK);
    *shape = (struct rf_shape){.rank = (int)t->n_dims};
    for (size_t i = 0; i < t->n_dims; i++)
        shape->dim[i] = t->dims[i];
    if (!rf_shape_numel(shape, &numel))
        return rf_fail(err, RF_FORMAT, "%s: shape %s is negative or too large", what,
                       rf_shape_text(shape, text, sizeof text));
    *n = (size_t)numel;
    return RF_OK;
}

enum rf_status rf_import_tensor(struct rf_import *imp, RfOnnx__Tensor *t, const char *name,
                                rf_value_id *id)
{
    char excerpt[RF_EXCERPT], what[RF_EXCERPT + 16];
    struct rf_shape shape;
    struct data d = {.what = what};
    void *dst;
    snprintf(what, sizeof what, "tensor '%s'", rf_excerpt(excerpt, name, strlen(name)));
    enum rf_status rc = rf_onnx_find_type(t->data_type, what, &d.type, imp->err);
    if (rc == RF_OK)
        rc = read_shape(t, what, &shape, &d.n, imp->err);
    if (rc == RF_OK)
        rc = check_data(imp, t, &shape, &d);
    if (rc == RF_OK)
        rc = rf_graph_constant(imp->graph, name, rf_onnx_graph_dtype(d.type->stored), &shape, id,
                               &dst, imp->err);
    if (rc == RF_OK)
        rc = copy(imp, t, &d, dst);
    drop_data(imp, t);
    return rc;
}
