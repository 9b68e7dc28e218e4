#include "proto/tensor_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/convert.h"
#include "proto/json.h"
#include "proto/text.h"

/* A walk through nested arrays; level d counts the elements of the array that is open there. */
struct walk {
    const char *path, *at;
    bool booleans; /* instead of numbers */
    int depth;     /* arrays open */
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

enum content { UNKNOWN, ELEMENTS, ARRAYS };

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
    const char *const element = w->booleans ? "boolean" : "number";
    if (content == ELEMENTS)
        return rf_fail(w->err, RF_SHAPE,
                       "%s is a %s, but others beside it are arrays: the array is ragged",
                       place(w, w->depth, text), element);
    return rf_fail(w->err, RF_SHAPE,
                   "%s is an array, but others beside it are %ss: the array is ragged",
                   place(w, w->depth, text), element);
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

static bool is_element(const struct walk *w)
{
    return w->booleans ? *w->at == 't' || *w->at == 'f' : !strchr("{[\"tfn", *w->at);
}

/* From a number on to the next bracket. NaN and Infinity interrupt what goes in blocks. */
static void measure_numbers(struct walk *w, int64_t *n)
{
    int64_t count = 0;
    w->at = rf_json_past_numbers(w->at, &count);
    while (*w->at == 'N' || *w->at == 'I')
        w->at = rf_json_past_numbers(rf_json_past(w->at), &count);
    count += *w->at == ']'; /* behind the last there is no comma */
    w->count[w->depth - 1] += count;
    *n += count;
}

static enum rf_status measure_elements(struct walk *w, struct level levels[RF_MAX_RANK], int64_t *n)
{
    char text[PATH];
    if (!is_element(w))
        return rf_fail(w->err, RF_FORMAT, "%s is %s, expected %s", place(w, w->depth, text),
                       rf_json_kind(w->at), w->booleans ? "true or false" : "a number");
    const enum rf_status rc = note_content(w, &levels[w->depth - 1], ELEMENTS);
    if (rc != RF_OK)
        return rc;
    if (!w->booleans) {
        measure_numbers(w, n);
        return RF_OK;
    }
    ++*n;
    w->at = rf_json_past(w->at);
    next_element(w);
    return RF_OK;
}

bool rf_json_is_element(const char *at, enum rf_dtype dtype)
{
    const struct walk w = {.at = at, .booleans = dtype == RF_BOOL};
    return is_element(&w);
}

enum rf_status rf_json_array_measure(struct rf_json_array *out, const char *path, const char *at,
                                     enum rf_dtype dtype, struct rf_error *err)
{
    struct walk w = {.path = path, .at = at, .booleans = dtype == RF_BOOL, .err = err};
    struct level levels[RF_MAX_RANK];
    *out = (struct rf_json_array){.at = at};
    for (int d = 0; d < RF_MAX_RANK; d++)
        levels[d] = (struct level){.length = -1};
    if (*at != '[')
        return rf_fail(err, RF_FORMAT, "%.40s is %s, expected an array of %s", path,
                       rf_json_kind(at), w.booleans ? "booleans" : "numbers");
    do {
        enum rf_status rc;
        if (*w.at == '[') {
            rc = open_array(&w, levels);
        } else if (*w.at == ']') {
            rc = close_array(&w, levels);
            if (rc == RF_OK && w.depth > 0)
                next_element(&w);
        } else {
            rc = measure_elements(&w, levels, &out->n);
        }
        if (rc != RF_OK)
            return rc;
    } while (w.depth > 0);
    out->end = w.at;
    for (int d = 0; d < RF_MAX_RANK && levels[d].length >= 0; d++)
        out->shape.dim[out->shape.rank++] = levels[d].length;
    return RF_OK;
}

/* NaN, Infinity, -Infinity: the token's value, or false. */
static bool nonfinite(const char *at, double *v)
{
    if (*at == 'N')
        *v = (double)NAN;
    else if (*at == 'I')
        *v = (double)INFINITY;
    else if (*at == '-' && at[1] == 'I')
        *v = -(double)INFINITY;
    else
        return false;
    return true;
}

/* As a value of `dtype`: rounded to it first. */
static bool read_real(const char *at, size_t len, enum rf_dtype dtype, double *v)
{
    float f;
    if (nonfinite(at, v))
        return true;
    if (dtype == RF_F64)
        return rf_number_f64(at, len, v);
    if (!rf_number_f32(at, len, &f))
        return false;
    if (dtype == RF_F16)
        f = rf_f16_to_f32(rf_f32_to_f16(f));
    else if (dtype == RF_BF16)
        f = rf_bf16_to_f32(rf_f32_to_bf16(f));
    *v = (double)f;
    return isfinite(f);
}

static bool read_whole(const char *at, size_t len, struct rf_whole *v)
{
    int64_t below;
    *v = (struct rf_whole){.negative = false};
    if (*at != '-')
        return rf_number_u64(at, len, &v->bits);
    if (!rf_number_i64(at, len, &below))
        return false;
    *v = (struct rf_whole){.bits = (uint64_t)below, .negative = below < 0};
    return true;
}

/* Values of `from` that become elements of `to`; whole ones lie in both dtypes' ranges. */
struct reader {
    enum rf_dtype from, to;
    struct rf_range range;
};

static struct reader reader_of(enum rf_dtype from, enum rf_dtype to)
{
    const struct rf_range a = rf_range_of(from), b = rf_range_of(to);
    return (struct reader){
        .from = from,
        .to = to,
        .range = {.min = a.min > b.min ? a.min : b.min, .max = a.max < b.max ? a.max : b.max}};
}

static bool read_one(const struct reader *r, const char *at, size_t len, void *dst)
{
    struct rf_whole whole;
    double real;
    if (rf_dtype_is_real(r->from))
        return read_real(at, len, r->from, &real) && rf_store_real(r->to, dst, real);
    if (r->from == RF_BOOL) {
        whole = (struct rf_whole){.bits = *at == 't'};
        return rf_store_whole(r->to, dst, whole);
    }
    return read_whole(at, len, &whole) && rf_in_range(&r->range, whole) &&
           rf_store_whole(r->to, dst, whole);
}

static enum rf_status bad_value(const struct walk *w, const char *token, size_t len,
                                const struct reader *r)
{
    char text[PATH], shown[RF_EXCERPT];
    place(w, w->depth, text);
    rf_excerpt(shown, token, len < 24 ? len : 24);
    const char *const cut = len > 24 ? "..." : "";
    if (rf_dtype_is_real(r->from)) {
        const bool narrows = rf_dtype_size(r->to) < rf_dtype_size(r->from);
        return rf_fail(w->err, RF_FORMAT, "%s is %s%s, which does not fit %s%s%s", text, shown, cut,
                       rf_dtype_name(r->from), narrows ? " converted to " : "",
                       narrows ? rf_dtype_name(r->to) : "");
    }
    const struct rf_range own = rf_range_of(r->from);
    const bool narrows = r->range.min > own.min || r->range.max < own.max;
    return rf_fail(w->err, RF_FORMAT,
                   "%s is %s%s; %s takes integers from %" PRId64 " to %" PRIu64 "%s%s%s", text,
                   shown, cut, rf_dtype_name(r->from), r->range.min, r->range.max,
                   r->range.max == (uint64_t)RF_EXACT_INT ? " (2^53)" : "",
                   narrows ? " for an input of " : "", narrows ? rf_dtype_name(r->to) : "");
}

/* As many elements in a row as need no second look; returns their number. */
static size_t read_in_a_row(struct walk *w, const struct rf_json_array *array,
                            const struct reader *r, void *dst, size_t n)
{
    if (r->from != RF_F32 || r->to != RF_F32)
        return 0;
    const size_t k = rf_numbers_f32(&w->at, array->end, dst, n);
    w->count[w->depth - 1] += (int64_t)k;
    w->at = rf_json_space(w->at);
    return k;
}

static enum rf_status read_element(struct walk *w, const struct reader *r, void *dst)
{
    const char *const end = rf_json_past(w->at);
    const size_t len = (size_t)(end - w->at);
    if (!read_one(r, w->at, len, dst))
        return bad_value(w, w->at, len, r);
    w->at = end;
    next_element(w);
    return RF_OK;
}

enum rf_status rf_json_array_read(const struct rf_json_array *array, void *dst, enum rf_dtype to,
                                  enum rf_dtype from, const char *path, struct rf_error *err)
{
    struct walk w = {.path = path, .at = array->at, .err = err};
    const struct reader r = reader_of(from, to);
    const size_t size = rf_dtype_size(to), n = (size_t)array->n;
    size_t done = 0;
    if (*w.at != '[')
        return read_element(&w, &r, dst);
    do {
        if (*w.at == '[') {
            w.count[w.depth++] = 0;
            w.at = rf_json_space(w.at + 1);
        } else if (*w.at == ']') {
            w.at++;
            if (--w.depth > 0) /* the outermost array may end the text */
                next_element(&w);
        } else {
            const size_t row = read_in_a_row(&w, array, &r, (char *)dst + done * size, n - done);
            const enum rf_status rc = row ? RF_OK : read_element(&w, &r, (char *)dst + done * size);
            if (rc != RF_OK)
                return rc;
            done += row ? row : 1;
        }
    } while (w.depth > 0);
    return RF_OK;
}

size_t rf_dims_print(char out[RF_DIMS_TEXT], const struct rf_shape *shape)
{
    size_t len = 0;
    for (int d = 0; d < shape->rank; d++) {
        if (d > 0)
            out[len++] = ',';
        len += rf_number_print_u64(out + len, (uint64_t)shape->dim[d]);
    }
    out[len] = '\0';
    return len;
}

/* One element; returns its length. */
static size_t print(char out[RF_NUMBER_TEXT], enum rf_dtype dtype, const void *at)
{
    float f;
    if (dtype == RF_F32) {
        memcpy(&f, at, sizeof f);
        return rf_number_print_f32(out, f);
    }
    if (dtype == RF_F64)
        return rf_number_print_f64(out, rf_load_real(dtype, at));
    if (rf_dtype_is_real(dtype))
        return rf_number_print_f32(out, (float)rf_load_real(dtype, at));
    if (dtype == RF_BOOL)
        return strlen(strcpy(out, *(const unsigned char *)at ? "true" : "false"));
    return rf_whole_print(out, rf_load_whole(dtype, at));
}

static void write_floats(struct rf_buf *b, const float *v, size_t n)
{
    char text[1 + RF_NUMBERS_TEXT];
    text[0] = '[';
    if (n == 0)
        rf_buf_add(b, text, 1);
    for (size_t i = 0; i < n && b->status == RF_OK; i += RF_NUMBERS_AT_ONCE) {
        const size_t more = n - i < RF_NUMBERS_AT_ONCE ? n - i : RF_NUMBERS_AT_ONCE;
        rf_buf_add(b, text, 1 + rf_numbers_print_f32(text + 1, v + i, more));
        text[0] = ',';
    }
    rf_buf_add(b, "]", 1);
}

void rf_json_array_write_flat(struct rf_buf *b, enum rf_dtype dtype, const void *data, size_t n)
{
    if (dtype == RF_F32) { /* by far the most */
        write_floats(b, data, n);
        return;
    }
    enum { ROOM = 512 };
    char text[ROOM];
    const size_t size = rf_dtype_size(dtype);
    const char *at = data;
    size_t len = 0;
    text[len++] = '[';
    for (size_t i = 0; i < n && b->status == RF_OK; i++, at += size) {
        if (i > 0)
            text[len++] = ',';
        len += print(text + len, dtype, at);
        if (len > ROOM - RF_NUMBER_TEXT - 2) {
            rf_buf_add(b, text, len);
            len = 0;
        }
    }
    text[len++] = ']';
    rf_buf_add(b, text, len);
}

void rf_json_array_write(struct rf_buf *b, enum rf_dtype dtype, const void *data,
                         const struct rf_shape *shape)
{
    if (shape->rank == 0) {
        char text[RF_NUMBER_TEXT];
        rf_buf_add(b, text, print(text, dtype, data));
        return;
    }
    if (shape->rank == 1) {
        rf_json_array_write_flat(b, dtype, data, (size_t)shape->dim[0]);
        return;
    }
    const struct rf_shape inner = rf_shape_row(shape);
    const size_t step = rf_shape_bytes(&inner, dtype);
    rf_buf_add(b, "[", 1);
    for (int64_t i = 0; i < shape->dim[0] && b->status == RF_OK; i++) {
        if (i > 0)
            rf_buf_add(b, ",", 1);
        rf_json_array_write(b, dtype, (const char *)data + (size_t)i * step, &inner);
    }
    rf_buf_add(b, "]", 1);
}
