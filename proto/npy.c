#include "proto/npy.h"

#include <stdlib.h>
#include <string.h>

#include "proto/convert.h"
#include "proto/text.h"

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

static const struct {
    const char *descr;
    enum rf_dtype dtype;
} types[] = {
    {"|b1", RF_BOOL}, {"|u1", RF_U8},  {"|i1", RF_I8},  {"<u2", RF_U16},
    {"<i2", RF_I16},  {"<u4", RF_U32}, {"<i4", RF_I32}, {"<u8", RF_U64},
    {"<i8", RF_I64},  {"<f2", RF_F16}, {"<f4", RF_F32}, {"<f8", RF_F64},
};

bool rf_npy_is(const void *bytes, size_t len)
{
    return len >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

/* The header is a Python dictionary literal: {'descr': '<f4', 'fortran_order': False, ...}. */
struct header {
    const char *what, *text, *at, *end;
    struct rf_error *err;
};

static enum rf_status fail_at(const struct header *h, const char *expected)
{
    char got[RF_EXCERPT];
    const size_t left = (size_t)(h->end - h->at);
    rf_excerpt(got, h->at, left < 24 ? left : 24);
    return rf_fail(h->err, RF_FORMAT, "%s: npy header: expected %s at byte %td, got \"%s\"",
                   h->what, expected, h->at - h->text, got);
}

static void space(struct header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t'))
        h->at++;
}

static bool take(struct header *h, const char *token)
{
    const size_t n = strlen(token);
    space(h);
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, token, n) != 0)
        return false;
    h->at += n;
    return true;
}

/* A quoted string without escapes, at most size - 1 bytes. */
static bool take_string(struct header *h, char *out, size_t size)
{
    space(h);
    const char *const start = h->at;
    if (h->at == h->end || (*h->at != '\'' && *h->at != '"'))
        return false;
    const char quote = *h->at++;
    size_t n = 0;
    while (h->at < h->end && *h->at != quote && *h->at != '\\' && n < size - 1)
        out[n++] = *h->at++;
    out[n] = '\0';
    if (h->at == h->end || *h->at != quote) {
        h->at = start;
        return false;
    }
    h->at++;
    return true;
}

static enum rf_status read_descr(struct header *h, struct rf_npy *out)
{
    char descr[16], shown[RF_EXCERPT];
    if (!take_string(h, descr, sizeof descr))
        return fail_at(h, "a type as '<f4' (structured types are not supported)");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const bool one_byte = types[i].descr[0] == '|' && (descr[0] == '<' || descr[0] == '=');
        const bool native = types[i].descr[0] == '<' && descr[0] == '=';
        if (strcmp(descr, types[i].descr) == 0 ||
            ((one_byte || native) && strcmp(descr + 1, types[i].descr + 1) == 0)) {
            out->dtype = types[i].dtype;
            return RF_OK;
        }
    }
    rf_excerpt(shown, descr, strlen(descr));
    return rf_fail(h->err, RF_UNSUPPORTED,
                   "%s: npy dtype '%s' is not supported%s; expected b1, u1-u8, i1-i8, f2, f4 or f8",
                   h->what, shown, descr[0] == '>' ? " (big-endian)" : "");
}

static enum rf_status read_order(struct header *h, struct rf_npy *out)
{
    out->fortran = take(h, "True");
    return out->fortran || take(h, "False") ? RF_OK : fail_at(h, "True or False");
}

static enum rf_status read_dim(struct header *h, struct rf_npy *out)
{
    int64_t v = 0;
    space(h);
    if (h->at == h->end || *h->at < '0' || *h->at > '9')
        return fail_at(h, "a size of 0 or more");
    for (; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *h->at - '0', &v))
            return fail_at(h, "a size below 2^63");
    if (h->at < h->end && *h->at == 'L') /* a long of Python 2 */
        h->at++;
    if (out->shape.rank == RF_MAX_RANK)
        return rf_fail(h->err, RF_UNSUPPORTED, "%s: npy array has more than %d dimensions", h->what,
                       RF_MAX_RANK);
    out->shape.dim[out->shape.rank++] = v;
    return RF_OK;
}

static enum rf_status read_shape(struct header *h, struct rf_npy *out)
{
    if (!take(h, "("))
        return fail_at(h, "a shape as (2, 3)");
    while (!take(h, ")")) {
        const enum rf_status rc = read_dim(h, out);
        if (rc != RF_OK)
            return rc;
        const bool comma = take(h, ",");
        space(h);
        if (!comma && (h->at == h->end || *h->at != ')' || out->shape.rank == 1))
            return fail_at(h, "','");
    }
    return RF_OK;
}

static enum rf_status read_entry(struct header *h, struct rf_npy *out, unsigned *seen)
{
    static const struct {
        const char *key;
        enum rf_status (*read)(struct header *, struct rf_npy *);
    } entries[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
    char key[16];
    if (!take_string(h, key, sizeof key))
        return fail_at(h, "'descr', 'fortran_order' or 'shape'");
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(key, entries[i].key) != 0)
            continue;
        if (*seen >> i & 1)
            return rf_fail(h->err, RF_FORMAT, "%s: npy header has '%s' twice", h->what, key);
        *seen |= 1u << i;
        return take(h, ":") ? entries[i].read(h, out) : fail_at(h, "':'");
    }
    char shown[RF_EXCERPT];
    rf_excerpt(shown, key, strlen(key));
    return rf_fail(h->err, RF_FORMAT, "%s: npy header has an unknown key '%s'", h->what, shown);
}

static enum rf_status read_header(struct header *h, struct rf_npy *out)
{
    unsigned seen = 0;
    if (!take(h, "{"))
        return fail_at(h, "'{'");
    while (!take(h, "}")) {
        const enum rf_status rc = read_entry(h, out, &seen);
        if (rc != RF_OK)
            return rc;
        const bool comma = take(h, ",");
        space(h);
        if (!comma && (h->at == h->end || *h->at != '}'))
            return fail_at(h, "',' or '}'");
    }
    space(h);
    if (h->at != h->end)
        return fail_at(h, "spaces up to the end");
    if (seen != 7)
        return rf_fail(h->err, RF_FORMAT, "%s: npy header lacks '%s'", h->what,
                       !(seen & 1)   ? "descr"
                       : !(seen & 2) ? "fortran_order"
                                     : "shape");
    return RF_OK;
}

/* Where the header's text is. */
static enum rf_status find_text(const struct rf_npy_part *p, size_t *at, size_t *n,
                                struct rf_error *err)
{
    const unsigned char *const b = p->bytes;
    if (!rf_npy_is(b, p->have))
        return rf_fail(err, RF_FORMAT, "%s: not an npy file: it does not start with \\x93NUMPY",
                       p->what);
    if (p->have < 10)
        return rf_fail(err, RF_FORMAT, "%s: npy file of %zu bytes ends within its header", p->what,
                       p->len);
    if (b[6] < 1 || b[6] > 3)
        return rf_fail(err, RF_UNSUPPORTED, "%s: npy version %u.%u; expected 1 to 3", p->what, b[6],
                       b[7]);
    *at = b[6] == 1 ? 10 : 12;
    *n = (size_t)b[8] | (size_t)b[9] << 8;
    if (*at == 12 && p->have >= 12)
        *n |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (p->len < *at || *n > p->len - *at)
        return rf_fail(err, RF_FORMAT, "%s: npy header of %zu bytes, but the file has %zu", p->what,
                       *n, p->len);
    if (*at + *n > p->have || *n > RF_NPY_LONGEST_HEADER)
        return rf_fail(err, RF_LIMIT, "%s: npy header of %zu bytes; at most %d are read", p->what,
                       *n, RF_NPY_LONGEST_HEADER);
    return RF_OK;
}

/* The shape wants as many bytes as are `left` behind the header. */
static enum rf_status count_elements(struct rf_npy *out, const char *what, size_t left,
                                     struct rf_error *err)
{
    char shape[RF_SHAPE_TEXT];
    size_t need;
    if (!rf_shape_numel(&out->shape, &out->n) ||
        __builtin_mul_overflow((size_t)out->n, rf_dtype_size(out->dtype), &need))
        return rf_fail(err, RF_SHAPE, "%s: npy shape %s has too many elements", what,
                       rf_shape_text(&out->shape, shape, sizeof shape));
    if (need != left)
        return rf_fail(err, RF_FORMAT,
                       "%s: npy shape %s of %s needs %zu bytes behind the header, the file has %zu",
                       what, rf_shape_text(&out->shape, shape, sizeof shape),
                       rf_dtype_name(out->dtype), need, left);
    return RF_OK;
}

enum rf_status rf_npy_head(struct rf_npy *out, size_t *start, const struct rf_npy_part *part,
                           struct rf_error *err)
{
    size_t at = 0, n = 0;
    *out = (struct rf_npy){.dtype = RF_F32};
    enum rf_status rc = find_text(part, &at, &n, err);
    if (rc != RF_OK)
        return rc;
    const char *const text = (const char *)part->bytes + at;
    struct header h = {.what = part->what, .text = text, .at = text, .end = text + n, .err = err};
    rc = read_header(&h, out);
    if (rc != RF_OK)
        return rc;
    *start = at + n;
    return count_elements(out, part->what, part->len - *start, err);
}

enum rf_status rf_npy_read(struct rf_npy *out, const char *what, const void *bytes, size_t len,
                           struct rf_error *err)
{
    const struct rf_npy_part whole = {.what = what, .bytes = bytes, .have = len, .len = len};
    size_t start;
    const enum rf_status rc = rf_npy_head(out, &start, &whole, err);
    if (rc == RF_OK)
        out->data = (const char *)bytes + start;
    return rc;
}

/* `from` has the first dimension fastest, `dst` the last one; elements of `size` bytes. */
static void to_row_major(char *dst, const char *from, size_t size, const struct rf_shape *shape,
                         int64_t n)
{
    int64_t index[RF_MAX_RANK] = {0}, stride[RF_MAX_RANK], at = 0, step = 1;
    for (int d = 0; d < shape->rank; d++) {
        stride[d] = step;
        step *= shape->dim[d];
    }
    for (int64_t i = 0; i < n; i++) {
        memcpy(dst + (size_t)i * size, from + (size_t)at * size, size);
        for (int d = shape->rank - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < shape->dim[d])
                break;
            at -= stride[d] * shape->dim[d];
            index[d] = 0;
        }
    }
}

enum rf_status rf_npy_convert(const struct rf_npy *npy, void *dst, enum rf_dtype to,
                              const char *what, struct rf_error *err)
{
    const size_t n = (size_t)npy->n, size = rf_dtype_size(to);
    if (!npy->fortran || npy->shape.rank < 2 || n == 0)
        return rf_convert(dst, to, npy->dtype, npy->data, n, what, err);
    size_t bytes;
    char *const as_stored = __builtin_mul_overflow(n, size, &bytes) ? NULL : malloc(bytes);
    if (!as_stored)
        return rf_fail_nomem(err, "an array in Fortran order", n * size);
    const enum rf_status rc = rf_convert(as_stored, to, npy->dtype, npy->data, n, what, err);
    if (rc == RF_OK)
        to_row_major(dst, as_stored, size, &npy->shape, npy->n);
    free(as_stored);
    return rc;
}

static const char *descr_of(enum rf_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype)
            return types[i].descr;
    return "<V2"; /* BF16: NumPy knows its size only */
}

void rf_npy_write(struct rf_buf *b, enum rf_dtype dtype, const struct rf_shape *shape,
                  const void *data)
{
    struct rf_buf text;
    rf_buf_init(&text, 512);
    rf_buf_printf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr_of(dtype));
    for (int d = 0; d < shape->rank; d++)
        rf_buf_printf(&text, "%s%lld%s", d ? ", " : "", (long long)shape->dim[d],
                      shape->rank == 1 ? "," : "");
    rf_buf_text(&text, "), }");
    while ((10 + text.len + 1) % RF_ALIGN != 0 && text.status == RF_OK)
        rf_buf_text(&text, " ");
    rf_buf_text(&text, "\n");
    if (text.status == RF_OK) {
        const unsigned char head[4] = {1, 0, (unsigned char)text.len,
                                       (unsigned char)(text.len >> 8)};
        rf_buf_add(b, magic, sizeof magic);
        rf_buf_add(b, head, sizeof head);
        rf_buf_add(b, text.data, text.len);
        rf_buf_add(b, data, rf_shape_bytes(shape, dtype));
    } else if (b->status == RF_OK) {
        b->status = text.status;
    }
    rf_buf_release(&text);
}
