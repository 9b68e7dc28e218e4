#include "proto/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/convert.h"
#include "proto/json.h"
#include "proto/text.h"

static const char *const dtype_names[RF_N_DTYPE] = {
    [RF_BOOL] = "BOOL", [RF_U8] = "U8",   [RF_U16] = "U16",   [RF_U32] = "U32", [RF_U64] = "U64",
    [RF_I8] = "I8",     [RF_I16] = "I16", [RF_I32] = "I32",   [RF_I64] = "I64", [RF_F16] = "F16",
    [RF_F32] = "F32",   [RF_F64] = "F64", [RF_BF16] = "BF16",
};

const char *rf_safetensors_dtype(enum rf_dtype dtype)
{
    return dtype_names[dtype];
}

/* The file while it is read. */
struct file {
    const char *what;
    const unsigned char *data; /* behind the header */
    size_t len;                /* of data */
    struct rf_error *err;
};

static enum rf_status read_dtype(const struct file *f, struct rf_safetensor *t, const json_t *info)
{
    const char *const text = json_string_value(json_object_get(info, "dtype"));
    char shown[RF_EXCERPT];
    if (!text)
        return rf_fail(f->err, RF_FORMAT, "%s: tensor '%s': \"dtype\" must be a string", f->what,
                       t->name);
    for (int d = 0; d < RF_N_DTYPE; d++) {
        if (strcmp(text, dtype_names[d]) == 0) {
            t->dtype = (enum rf_dtype)d;
            return RF_OK;
        }
    }
    return rf_fail(f->err, RF_UNSUPPORTED, "%s: tensor '%s': unknown dtype '%s'", f->what, t->name,
                   rf_excerpt(shown, text, strlen(text)));
}

static enum rf_status read_shape(const struct file *f, struct rf_safetensor *t, const json_t *info)
{
    const json_t *const shape = json_object_get(info, "shape");
    if (!json_is_array(shape))
        return rf_fail(f->err, RF_FORMAT, "%s: tensor '%s': \"shape\" must be an array", f->what,
                       t->name);
    if (json_array_size(shape) > RF_MAX_RANK)
        return rf_fail(f->err, RF_UNSUPPORTED, "%s: tensor '%s' has %zu dimensions; at most %d",
                       f->what, t->name, json_array_size(shape), RF_MAX_RANK);
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_t *const dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return rf_fail(f->err, RF_FORMAT,
                           "%s: tensor '%s': shape[%zu] must be an integer of 0 or more", f->what,
                           t->name, i);
        t->shape.dim[t->shape.rank++] = json_integer_value(dim);
    }
    return RF_OK;
}

static enum rf_status read_offsets(const struct file *f, struct rf_safetensor *t,
                                   const json_t *info)
{
    const json_t *const offsets = json_object_get(info, "data_offsets");
    const json_t *const b = json_array_get(offsets, 0), *const e = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(b) || !json_is_integer(e) ||
        json_integer_value(b) < 0 || json_integer_value(e) < 0)
        return rf_fail(f->err, RF_FORMAT,
                       "%s: tensor '%s': \"data_offsets\" must be two integers of 0 or more",
                       f->what, t->name);
    const uint64_t begin = (uint64_t)json_integer_value(b), end = (uint64_t)json_integer_value(e);
    if (end < begin || end > f->len)
        return rf_fail(f->err, RF_FORMAT,
                       "%s: tensor '%s': data_offsets [%" PRIu64 ",%" PRIu64
                       "] do not lie in order within the %zu bytes of data",
                       f->what, t->name, begin, end, f->len);
    t->data = f->data + begin;
    t->bytes = (size_t)(end - begin);
    return RF_OK;
}

static enum rf_status check_span(const struct file *f, const struct rf_safetensor *t)
{
    char shape[RF_SHAPE_TEXT];
    int64_t n;
    size_t need;
    rf_shape_text(&t->shape, shape, sizeof shape);
    if (!rf_shape_numel(&t->shape, &n) ||
        __builtin_mul_overflow((size_t)n, rf_dtype_size(t->dtype), &need))
        return rf_fail(f->err, RF_FORMAT, "%s: tensor '%s': shape %s of %s overflows", f->what,
                       t->name, shape, dtype_names[t->dtype]);
    if (need != t->bytes)
        return rf_fail(f->err, RF_FORMAT,
                       "%s: tensor '%s': shape %s of %s needs %zu bytes, data_offsets span %zu",
                       f->what, t->name, shape, dtype_names[t->dtype], need, t->bytes);
    return RF_OK;
}

static enum rf_status read_tensor(const struct file *f, struct rf_safetensor *t, const json_t *info)
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    enum rf_status rc = RF_OK;
    if (!json_is_object(info))
        return rf_fail(f->err, RF_FORMAT, "%s: tensor '%s' must be described by an object", f->what,
                       t->name);
    for (size_t i = 0; i < 3; i++)
        if (!json_object_get(info, keys[i]))
            return rf_fail(f->err, RF_FORMAT, "%s: tensor '%s' lacks \"%s\"", f->what, t->name,
                           keys[i]);
    if (json_object_size(info) != 3)
        return rf_fail(f->err, RF_FORMAT,
                       "%s: tensor '%s' has keys other than dtype, shape and data_offsets", f->what,
                       t->name);
    if ((rc = read_dtype(f, t, info)) == RF_OK && (rc = read_shape(f, t, info)) == RF_OK &&
        (rc = read_offsets(f, t, info)) == RF_OK)
        rc = check_span(f, t);
    return rc;
}

static enum rf_status check_metadata(const struct file *f, json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return rf_fail(f->err, RF_FORMAT, "%s: \"__metadata__\" must be an object", f->what);
    json_object_foreach(metadata, key, value)
    {
        char shown[RF_EXCERPT];
        if (!json_is_string(value))
            return rf_fail(f->err, RF_FORMAT, "%s: \"__metadata__\": '%s' must be a string",
                           f->what, rf_excerpt(shown, key, strlen(key)));
    }
    return RF_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct rf_safetensor *const x = a, *const y = b;
    if (x->data != y->data)
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct rf_safetensor *)a)->name, ((const struct rf_safetensor *)b)->name);
}

/* Tensors in order of place: each begins where the one before ends, the last at the file's end. */
static enum rf_status check_contiguous(const struct file *f, const struct rf_safetensors *st)
{
    size_t end = 0;
    const char *before = "the header";
    for (size_t i = 0; i < st->n; i++) {
        const struct rf_safetensor *const t = &st->tensors[i];
        const size_t begin = (size_t)((const unsigned char *)t->data - f->data);
        if (begin != end)
            return rf_fail(f->err, RF_FORMAT,
                           "%s: tensor '%s' begins at byte %zu, but '%s' before it ends at %zu%s",
                           f->what, t->name, begin, before, end,
                           begin < end ? " (overlap)" : " (hole)");
        end = begin + t->bytes;
        before = t->name;
    }
    if (end != f->len)
        return rf_fail(f->err, RF_FORMAT,
                       "%s: %zu bytes of data, but the tensors end at byte %zu ('%s')", f->what,
                       f->len, end, before);
    return RF_OK;
}

static enum rf_status read_entries(const struct file *f, json_t *header, struct rf_safetensors *st)
{
    const char *key;
    json_t *value;
    json_object_foreach(header, key, value)
    {
        enum rf_status rc;
        if (strcmp(key, "__metadata__") == 0) {
            rc = check_metadata(f, value);
        } else {
            struct rf_safetensor *const t = &st->tensors[st->n];
            *t = (struct rf_safetensor){.name = strdup(key)};
            if (!t->name)
                return rf_fail_nomem(f->err, "a tensor's name", strlen(key));
            st->n++;
            rc = strlen(key) > 0
                     ? read_tensor(f, t, value)
                     : rf_fail(f->err, RF_FORMAT, "%s: a tensor has an empty name", f->what);
        }
        if (rc != RF_OK)
            return rc;
    }
    qsort(st->tensors, st->n, sizeof *st->tensors, by_place);
    const enum rf_status rc = check_contiguous(f, st);
    qsort(st->tensors, st->n, sizeof *st->tensors, by_name);
    return rc;
}

/* Length and first byte; the header's text is bytes[8 .. 8 + *n). */
static enum rf_status check_head(const struct file *f, const unsigned char *bytes, size_t len,
                                 size_t *n)
{
    uint64_t length;
    if (len < sizeof length)
        return rf_fail(f->err, RF_FORMAT,
                       "%s: %zu bytes; a safetensors file starts with 8 bytes of header length",
                       f->what, len);
    memcpy(&length, bytes, sizeof length);
    if (length > RF_SAFETENSORS_HEADER)
        return rf_fail(f->err, RF_LIMIT, "%s: header of %" PRIu64 " bytes; at most %zu are read",
                       f->what, length, RF_SAFETENSORS_HEADER);
    if (length < 2 || length > len - 8)
        return rf_fail(f->err, RF_FORMAT,
                       "%s: header of %" PRIu64 " bytes, but %zu follow its length", f->what,
                       length, len - 8);
    if (bytes[8] != '{')
        return rf_fail(f->err, RF_FORMAT, "%s: the header must begin with '{', not byte 0x%02x",
                       f->what, bytes[8]);
    *n = (size_t)length;
    return RF_OK;
}

enum rf_status rf_safetensors_read(struct rf_safetensors **out, const char *what, const void *bytes,
                                   size_t len, struct rf_error *err)
{
    struct file f = {.what = what, .err = err};
    json_t *header = NULL;
    size_t n = 0;
    *out = NULL;
    enum rf_status rc = check_head(&f, bytes, len, &n);
    if (rc != RF_OK)
        return rc;
    f.data = (const unsigned char *)bytes + 8 + n;
    f.len = len - 8 - n;
    rc = rf_json_parse(&header, what, (const char *)bytes + 8, n, err);
    if (rc != RF_OK)
        return rc;
    struct rf_safetensors *const st = calloc(1, sizeof *st);
    if (st)
        st->tensors = calloc(json_object_size(header) + 1, sizeof *st->tensors);
    rc = st && st->tensors ? read_entries(&f, header, st)
                           : rf_fail_nomem(err, "the list of tensors",
                                           json_object_size(header) * sizeof *st->tensors);
    json_decref(header);
    if (rc == RF_OK)
        *out = st;
    else
        rf_safetensors_free(st);
    rf_error_clean(err);
    return rc;
}

void rf_safetensors_free(struct rf_safetensors *st)
{
    if (!st)
        return;
    for (size_t i = 0; i < st->n; i++)
        free((char *)st->tensors[i].name);
    free(st->tensors);
    free(st);
}

struct rf_safetensor *rf_safetensors_find(const struct rf_safetensors *st, const char *name)
{
    const struct rf_safetensor key = {.name = name};
    return bsearch(&key, st->tensors, st->n, sizeof *st->tensors, by_name);
}

enum rf_status rf_safetensor_to_f32(const struct rf_safetensor *t, float *dst, const char *what,
                                    struct rf_error *err)
{
    struct rf_error inner = RF_ERROR_INIT;
    if (t->dtype != RF_F32 && t->dtype != RF_F16 && t->dtype != RF_BF16 && t->dtype != RF_F64)
        return rf_fail(err, RF_UNSUPPORTED,
                       "%s: tensor '%s' holds %s; expected F32, F16, BF16 or F64", what, t->name,
                       dtype_names[t->dtype]);
    const size_t n = (size_t)rf_numel(&t->shape);
    const enum rf_status rc = rf_convert_f32(dst, t->dtype, t->data, n, t->name, &inner);
    return rc == RF_OK ? rc : rf_fail(err, rc, "%s: tensor %s", what, inner.text);
}

void rf_safetensors_write(struct rf_buf *b, const struct rf_safetensor *tensors, size_t n)
{
    static const char zeros[8] = {0};
    const size_t start = b->len;
    size_t at = 0;
    rf_buf_add(b, zeros, sizeof zeros);
    rf_buf_text(b, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        const struct rf_safetensor *const t = &tensors[i];
        rf_buf_text(b, ",");
        rf_buf_json_string(b, t->name);
        rf_buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", dtype_names[t->dtype]);
        for (int d = 0; d < t->shape.rank; d++)
            rf_buf_printf(b, "%s%" PRId64, d ? "," : "", t->shape.dim[d]);
        rf_buf_printf(b, "],\"data_offsets\":[%zu,%zu]}", at, at + t->bytes);
        at += t->bytes;
    }
    rf_buf_text(b, "}");
    while ((b->len - start) % 8 != 0 && b->status == RF_OK)
        rf_buf_text(b, " "); /* the data is aligned, as the format's own writer does */
    const uint64_t length = b->len - start - 8;
    if (b->status == RF_OK)
        memcpy(b->data + start, &length, sizeof length);
    for (size_t i = 0; i < n; i++)
        rf_buf_add(b, tensors[i].data, tensors[i].bytes);
}
