#include "proto/tensor_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/convert.h"
#include "proto/json.h"
#include "proto/numbers.h"
#include "proto/text.h"

/* A walk through nested arrays; level d counts the elements of the array that is open there. */
struct walk {
    const char *path, *at;
    int depth; /* arrays open */
    int64_t count[RF_MAX_RANK];
    struct rf_error *err;
};

enum { PATH = 160 };

/* "data[1][2]": the place of the element at `level`. */
static const char *place(const struct walk *w, int levels, char out[PATH])
{
    int n = snprintf(out, PATH, "%.40s", w->path);
    for (int d = 0; d < levels && n > 0 && n < PATH; d++)
        n += snprintf(out + n, (size_t)(PATH - n), "[%" PRId64 "]", w->count[d]);
    return out;
}

enum content { UNKNOWN, NUMBERS, ARRAYS };

/* What measuring knows of each level: its arrays' length and what they hold. */
struct level {
    int64_t length; /* -1: no array has ended yet */
    enum content content;
};

static enum rf_status note_content(const struct walk *w, struct level *level, enum content content)
{
    char text[PATH];
    if (level->content == UNKNOWN)
        level->content = content;
    if (level->content == content)
        return RF_OK;
    return rf_fail(w->err, RF_SHAPE, "%s is %s, but others beside it are %s: the array is ragged",
                   place(w, w->depth, text), content == NUMBERS ? "a number" : "an array",
                   content == NUMBERS ? "arrays" : "numbers");
}

static enum rf_status open_array(struct walk *w, struct level levels[RF_MAX_RANK])
{
    if (w->depth > 0) {
        const enum rf_status rc = note_content(w, &levels[w->depth - 1], ARRAYS);
        if (rc != RF_OK)
            return rc;
    }
    if (w->depth == RF_MAX_RANK)
        return rf_fail(w->err, RF_SHAPE, "%.40s is nested more than %d deep", w->path, RF_MAX_RANK);
    w->count[w->depth++] = 0;
    w->at = rf_json_space(w->at + 1);
    return RF_OK;
}

static enum rf_status close_array(struct walk *w, struct level levels[RF_MAX_RANK])
{
    struct level *const level = &levels[--w->depth];
    const int64_t length = w->count[w->depth];
    char text[PATH];
    if (level->length < 0)
        level->length = length;
    if (level->length != length)
        return rf_fail(w->err, RF_SHAPE,
                       "%s has %" PRId64 " elements, the arrays before it have %" PRId64
                       ": the array is ragged",
                       place(w, w->depth, text), length, level->length);
    w->at++;
    return RF_OK;
}

/* Past one element's end: commas count. */
static void next_element(struct walk *w)
{
    w->at = rf_json_space(w->at);
    if (w->depth > 0) {
        w->count[w->depth - 1]++;
        if (*w->at == ',')
            w->at = rf_json_space(w->at + 1);
    }
}

static bool is_number(const char *at)
{
    return !strchr("{[\"tfn", *at);
}

static enum rf_status measure_number(struct walk *w, struct level levels[RF_MAX_RANK], int64_t *n)
{
    char text[PATH];
    if (!is_number(w->at))
        return rf_fail(w->err, RF_FORMAT, "%s is %s, expected a number", place(w, w->depth, text),
                       rf_json_kind(w->at));
    const enum rf_status rc = note_content(w, &levels[w->depth - 1], NUMBERS);
    if (rc != RF_OK)
        return rc;
    ++*n;
    w->at = rf_json_past(w->at);
    next_element(w);
    return RF_OK;
}

enum rf_status rf_json_array_measure(struct rf_json_array *out, const char *path, const char *at,
                                     struct rf_error *err)
{
    struct walk w = {.path = path, .at = at, .err = err};
    struct level levels[RF_MAX_RANK];
    *out = (struct rf_json_array){.at = at};
    for (int d = 0; d < RF_MAX_RANK; d++)
        levels[d] = (struct level){.length = -1};
    if (*at != '[')
        return rf_fail(err, RF_FORMAT, "%.40s is %s, expected an array of numbers", path,
                       rf_json_kind(at));
    do {
        enum rf_status rc;
        if (*w.at == '[') {
            rc = open_array(&w, levels);
        } else if (*w.at == ']') {
            rc = close_array(&w, levels);
            if (rc == RF_OK && w.depth > 0)
                next_element(&w);
        } else {
            rc = measure_number(&w, levels, &out->n);
        }
        if (rc != RF_OK)
            return rc;
    } while (w.depth > 0);
    for (int d = 0; d < RF_MAX_RANK && levels[d].length >= 0; d++)
        out->shape.dim[out->shape.rank++] = levels[d].length;
    return RF_OK;
}

/* NaN, Infinity, -Infinity: the token's value, or false. */
static bool nonfinite(const char *at, float *v)
{
    if (*at == 'N')
        *v = NAN;
    else if (*at == 'I')
        *v = INFINITY;
    else if (*at == '-' && at[1] == 'I')
        *v = -INFINITY;
    else
        return false;
    return true;
}

static bool read_f64(const char *at, size_t len, float *v)
{
    double d;
    return rf_number_f64(at, len, &d) && rf_narrow_f32(d, v);
}

static bool read_f16(const char *at, size_t len, float *v)
{
    if (!rf_number_f32(at, len, v))
        return false;
    *v = rf_f16_to_f32(rf_f32_to_f16(*v));
    return isfinite(*v);
}

static bool read_bf16(const char *at, size_t len, float *v)
{
    if (!rf_number_f32(at, len, v))
        return false;
    *v = rf_bf16_to_f32(rf_f32_to_bf16(*v));
    return isfinite(*v);
}

/* What values a dtype takes; integers only where `max` is not 0. */
struct range {
    int64_t min, max;
    bool (*real)(const char *at, size_t len, float *v);
};

static bool range_of(enum rf_dtype dtype, struct range *r)
{
    static const struct range ranges[RF_N_DTYPE] = {
        [RF_U8] = {0, UINT8_MAX, NULL},
        [RF_U16] = {0, UINT16_MAX, NULL},
        [RF_U32] = {0, UINT32_MAX, NULL},
        [RF_U64] = {0, RF_EXACT_INT, NULL},
        [RF_I8] = {INT8_MIN, INT8_MAX, NULL},
        [RF_I16] = {INT16_MIN, INT16_MAX, NULL},
        [RF_I32] = {INT32_MIN, INT32_MAX, NULL},
        [RF_I64] = {-RF_EXACT_INT, RF_EXACT_INT, NULL},
        [RF_F16] = {0, 0, read_f16},
        [RF_BF16] = {0, 0, read_bf16},
        [RF_F32] = {0, 0, rf_number_f32},
        [RF_F64] = {0, 0, read_f64},
    };
    *r = ranges[dtype];
    return r->real || r->max;
}

static bool read_one(const char *at, size_t len, const struct range *r, float *v)
{
    int64_t i;
    if (r->real)
        return nonfinite(at, v) || r->real(at, len, v);
    if (!rf_number_i64(at, len, &i) || i < r->min || i > r->max)
        return false;
    *v = (float)i;
    return true;
}

static enum rf_status bad_value(const struct walk *w, const char *token, size_t len,
                                enum rf_dtype dtype, const struct range *r)
{
    char text[PATH], shown[RF_EXCERPT];
    place(w, w->depth, text);
    rf_excerpt(shown, token, len < 24 ? len : 24);
    const char *const cut = len > 24 ? "..." : "";
    if (r->real)
        return rf_fail(w->err, RF_FORMAT, "%s is %s%s, which does not fit %s%s", text, shown, cut,
                       rf_dtype_name(dtype), dtype == RF_F64 ? " converted to FP32" : "");
    return rf_fail(w->err, RF_FORMAT,
                   "%s is %s%s; %s takes integers from %" PRId64 " to %" PRId64 "%s", text, shown,
                   cut, rf_dtype_name(dtype), r->min, r->max,
                   r->max == RF_EXACT_INT ? " (2^53) for an FP32 input" : "");
}

enum rf_status rf_json_array_read(const struct rf_json_array *array, float *dst,
                                  enum rf_dtype dtype, const char *path, struct rf_error *err)
{
    struct walk w = {.path = path, .at = array->at, .err = err};
    struct range r;
    if (!range_of(dtype, &r))
        return rf_fail(err, RF_UNSUPPORTED, "%.40s: %s is not converted to FP32", path,
                       rf_dtype_name(dtype));
    do {
        if (*w.at == '[') {
            w.count[w.depth++] = 0;
            w.at = rf_json_space(w.at + 1);
        } else if (*w.at == ']') {
            w.at++;
            if (--w.depth > 0) /* the outermost array may end the text */
                next_element(&w);
        } else {
            const char *const end = rf_json_past(w.at);
            const size_t len = (size_t)(end - w.at);
            if (!read_one(w.at, len, &r, dst++))
                return bad_value(&w, w.at, len, dtype, &r);
            w.at = end;
            next_element(&w);
        }
    } while (w.depth > 0);
    return RF_OK;
}

void rf_json_array_write_flat(struct rf_buf *b, const float *data, size_t n)
{
    rf_buf_add(b, "[", 1);
    for (size_t i = 0; i < n && b->status == RF_OK; i++) {
        if (i > 0)
            rf_buf_add(b, ",", 1);
        rf_buf_json_float(b, data[i]);
    }
    rf_buf_add(b, "]", 1);
}

void rf_json_array_write(struct rf_buf *b, const float *data, const struct rf_shape *shape)
{
    if (shape->rank == 0) {
        rf_buf_json_float(b, *data);
        return;
    }
    if (shape->rank == 1) {
        rf_json_array_write_flat(b, data, (size_t)shape->dim[0]);
        return;
    }
    struct rf_shape inner = {.rank = shape->rank - 1};
    memcpy(inner.dim, shape->dim + 1, (size_t)inner.rank * sizeof *inner.dim);
    const size_t step = (size_t)rf_numel(&inner);
    rf_buf_add(b, "[", 1);
    for (int64_t i = 0; i < shape->dim[0] && b->status == RF_OK; i++) {
        if (i > 0)
            rf_buf_add(b, ",", 1);
        rf_json_array_write(b, data + (size_t)i * step, &inner);
    }
    rf_buf_add(b, "]", 1);
}
