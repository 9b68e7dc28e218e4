#include "proto/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/numbers.h"
#include "proto/text.h"

void rf_buf_init(struct rf_buf *b, size_t limit)
{
    *b = (struct rf_buf){.limit = limit};
}

void rf_buf_release(struct rf_buf *b)
{
    free(b->data);
    *b = (struct rf_buf){.limit = b->limit};
}

static bool grow(struct rf_buf *b, size_t need)
{
    size_t cap = b->cap < 256 ? 256 : b->cap;
    while (cap < need)
        cap = cap > b->limit / 2 ? b->limit : cap * 2;
    if (cap > b->limit)
        cap = b->limit;
    char *const data = realloc(b->data, cap);
    if (!data)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

char *rf_buf_reserve(struct rf_buf *b, size_t n)
{
    size_t need;
    if (b->status != RF_OK)
        return NULL;
    if (__builtin_add_overflow(b->len, n, &need) || need > b->limit) {
        b->status = RF_LIMIT;
        return NULL;
    }
    if ((need > b->cap || !b->data) && !grow(b, need)) {
        b->status = RF_NOMEM;
        return NULL;
    }
    return b->data + b->len;
}

void rf_buf_add(struct rf_buf *b, const void *bytes, size_t n)
{
    char *const to = n ? rf_buf_reserve(b, n) : NULL;
    if (!to)
        return;
    memcpy(to, bytes, n);
    b->len += n;
}

void rf_buf_text(struct rf_buf *b, const char *text)
{
    rf_buf_add(b, text, strlen(text));
}

void rf_buf_printf(struct rf_buf *b, const char *fmt, ...)
{
    char small[256];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(small, sizeof small, fmt, ap);
    if (n >= 0 && (size_t)n < sizeof small) {
        rf_buf_add(b, small, (size_t)n);
    } else if (n >= 0) {
        char *const to = rf_buf_reserve(b, (size_t)n + 1);
        if (to) {
            vsnprintf(to, (size_t)n + 1, fmt, again);
            b->len += (size_t)n;
        }
    }
    va_end(again);
    va_end(ap);
}

static const char *escape_of(unsigned char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    default:
        return NULL;
    }
}

void rf_buf_json_string(struct rf_buf *b, const char *text)
{
    const char *const end = text + strlen(text);
    const char *plain = text; /* start of bytes that go out as they are */
    rf_buf_add(b, "\"", 1);
    while (text < end) {
        const unsigned char c = (unsigned char)*text;
        const size_t n = rf_utf8_length(text, end);
        const char *const escape = escape_of(c);
        if (n && !escape && c >= 0x20 && c != 0x7f) {
            text += n;
            continue;
        }
        rf_buf_add(b, plain, (size_t)(text - plain));
        if (!n)
            rf_buf_text(b, "\xef\xbf\xbd"); /* U+FFFD */
        else if (escape)
            rf_buf_text(b, escape);
        else
            rf_buf_printf(b, "\\u%04x", c);
        plain = ++text;
    }
    rf_buf_add(b, plain, (size_t)(text - plain));
    rf_buf_add(b, "\"", 1);
}

void rf_buf_json_member(struct rf_buf *b, const char *separator, const char *key, const char *value)
{
    rf_buf_printf(b, "%s\"%s\":", separator, key);
    rf_buf_json_string(b, value);
}

void rf_buf_json_float(struct rf_buf *b, float v)
{
    char text[RF_NUMBER_TEXT] = "";
    rf_buf_add(b, text, rf_number_print_f32(text, v));
}

void rf_buf_json_double(struct rf_buf *b, double v)
{
    char text[RF_NUMBER_TEXT] = "";
    rf_buf_add(b, text, rf_number_print_f64(text, v));
}

void rf_buf_json_count(struct rf_buf *b, uint64_t v)
{
    char text[RF_NUMBER_TEXT] = "";
    rf_buf_add(b, text, rf_number_print_u64(text, v));
}

char *rf_buf_take(struct rf_buf *b, size_t *len)
{
    char *const data = b->status == RF_OK && b->len ? b->data : NULL;
    *len = data ? b->len : 0;
    if (!data)
        free(b->data);
    *b = (struct rf_buf){.limit = b->limit};
    return data;
}
