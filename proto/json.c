#include "proto/json.h"

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "proto/numbers.h"
#include "proto/text.h"

struct scan {
    const char *what, *text, *at, *end;
    bool tokens;
    int depth;
    uint64_t objects; /* bit 0: the innermost container is an object */
    struct rf_error *err;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* RF_FORMAT with the position of the scan. */
static enum rf_status fail_at(const struct scan *s, const char *problem)
{
    size_t line = 1, column = 1;
    char got[RF_EXCERPT];
    for (const char *p = s->text; p < s->at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    if (s->at >= s->end)
        return rf_fail(s->err, RF_FORMAT, "%s: %s, but the text ends at line %zu, column %zu",
                       s->what, problem, line, column);
    const size_t left = (size_t)(s->end - s->at);
    rf_excerpt(got, s->at, left < 12 ? left : 12);
    return rf_fail(s->err, RF_FORMAT, "%s: %s at line %zu, column %zu (at \"%s\")", s->what,
                   problem, line, column, got);
}

static void space(struct scan *s)
{
    while (s->at < s->end && is_space(*s->at))
        s->at++;
}

static bool hex4(const char *at, const char *end, unsigned *v)
{
    if (end - at < 4)
        return false;
    *v = 0;
    for (int i = 0; i < 4; i++) {
        const int digit = rf_hex_digit(at[i]);
        if (digit < 0)
            return false;
        *v = *v * 16 + (unsigned)digit;
    }
    return true;
}

/* Bytes of the escape sequence at `at` (a backslash), 0 when malformed; its character in `*v`. */
static size_t escape(const char *at, const char *end, unsigned *v)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    unsigned low;
    if (end - at < 2)
        return 0;
    const char *const name = at[1] ? strchr(names, at[1]) : NULL;
    if (name) {
        *v = (unsigned char)values[name - names];
        return 2;
    }
    if (at[1] != 'u' || !hex4(at + 2, end, v) || (*v >= 0xdc00 && *v < 0xe000))
        return 0;
    if (*v < 0xd800 || *v >= 0xdc00)
        return 6;
    if (end - at < 12 || at[6] != '\\' || at[7] != 'u' || !hex4(at + 8, end, &low) ||
        low < 0xdc00 || low >= 0xe000)
        return 0;
    *v = 0x10000 + ((*v - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

static enum rf_status check_string(struct scan *s)
{
    s->at++;
    while (s->at < s->end && *s->at != '"') {
        unsigned v;
        if ((unsigned char)*s->at < 0x20)
            return fail_at(s, "a control character must be escaped in a string");
        const size_t n = *s->at == '\\' ? escape(s->at, s->end, &v) : rf_utf8_length(s->at, s->end);
        if (!n)
            return fail_at(s, *s->at == '\\' ? "malformed escape sequence in a string"
                                             : "malformed UTF-8 in a string");
        s->at += n;
    }
    if (s->at == s->end)
        return fail_at(s, "a string wants its closing quote");
    s->at++;
    return RF_OK;
}

static bool word(struct scan *s, const char *text)
{
    const size_t n = strlen(text);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, text, n) != 0)
        return false;
    s->at += n;
    return true;
}

static enum rf_status check_scalar(struct scan *s)
{
    if (*s->at == '"')
        return check_string(s);
    const size_t n = rf_number_length(s->at, s->end);
    const char *const after = s->at + n;
    /* 01, 1.x, 0x10: a number that runs on */
    if (n && (after == s->end || !strchr("0123456789.eExX", *after) || !*after)) {
        s->at = after;
        return n <= RF_NUMBER_LONGEST ? RF_OK : fail_at(s, "a number is too long");
    }
    if (!n && (word(s, "true") || word(s, "false") || word(s, "null") ||
               (s->tokens && (word(s, "NaN") || word(s, "Infinity") || word(s, "-Infinity")))))
        return RF_OK;
    return fail_at(s, n || *s->at == '-' ? "malformed number" : "expected a JSON value");
}

enum expected { VALUE, KEY, AFTER };

static enum rf_status open_container(struct scan *s, enum expected *next)
{
    const bool object = *s->at == '{';
    if (s->depth == RF_JSON_DEPTH)
        return fail_at(s, "JSON nesting depth exceeds maximum allowed limit (64)");
    s->depth++;
    s->objects = s->objects << 1 | object;
    s->at++;
    space(s);
    if (s->at < s->end && *s->at == (object ? '}' : ']'))
        *next = AFTER;
    else
        *next = object ? KEY : VALUE;
    return RF_OK;
}

static enum rf_status check_key(struct scan *s)
{
    if (s->at == s->end || *s->at != '"')
        return fail_at(s, "expected a key in quotes");
    const enum rf_status rc = check_string(s);
    if (rc != RF_OK)
        return rc;
    space(s);
    if (s->at == s->end || *s->at != ':')
        return fail_at(s, "expected ':' behind a key");
    s->at++;
    return RF_OK;
}

/* Behind a value: a comma, or brackets that close. */
static enum rf_status check_after(struct scan *s, enum expected *next)
{
    const bool object = s->objects & 1;
    if (s->at < s->end && *s->at == ',') {
        s->at++;
        *next = object ? KEY : VALUE;
        return RF_OK;
    }
    if (s->at < s->end && *s->at == (object ? '}' : ']')) {
        s->at++;
        s->depth--;
        s->objects >>= 1;
        return RF_OK;
    }
    return fail_at(s, object ? "expected ',' or '}'" : "expected ',' or ']'");
}

/*
 * `objects` has room for RF_JSON_DEPTH levels only, which is why the depth is checked before a bit
 * is shifted in.
 */
_Static_assert(RF_JSON_DEPTH <= 64, "one bit a level");

enum rf_status rf_json_check(const char *what, const void *text, size_t len, bool tokens,
                             struct rf_error *err)
{
    struct scan s = {.what = what,
                     .text = text,
                     .at = text,
                     .end = (const char *)text + len,
                     .tokens = tokens,
                     .err = err};
    enum expected next = VALUE;
    do {
        enum rf_status rc = RF_OK;
        space(&s);
        if (next == VALUE && s.depth > 0 && !(s.objects & 1)) { /* most of what comes */
            s.at = rf_numbers_past(s.at, s.end);
            space(&s);
        }
        if (next == KEY) {
            rc = check_key(&s);
            next = VALUE;
        } else if (next == AFTER) {
            rc = check_after(&s, &next);
        } else if (s.at < s.end && (*s.at == '{' || *s.at == '[')) {
            rc = open_container(&s, &next);
        } else if (s.at < s.end) {
            rc = check_scalar(&s);
            next = AFTER;
        } else {
            rc = fail_at(&s, "expected a JSON value");
        }
        if (rc != RF_OK)
            return rc;
    } while (s.depth > 0);
    space(&s);
    return s.at == s.end ? RF_OK : fail_at(&s, "expected the end of the text");
}

bool rf_json_element(const char **at, const char **value)
{
    /* At the opening bracket, or at what follows the value given last. */
    const char *p = rf_json_space(*at);
    if (*p == ']' || *p == '}')
        return false;
    p = rf_json_space(p + 1);
    if (*p == ']' || *p == '}')
        return false;
    *value = p;
    *at = rf_json_space(rf_json_past(p));
    return true;
}

bool rf_json_member(const char **at, const char **key, const char **value)
{
    if (!rf_json_element(at, key))
        return false;
    *value = rf_json_space(*at + 1); /* past the colon */
    *at = rf_json_space(rf_json_past(*value));
    return true;
}

static size_t encode_utf8(unsigned v, char out[4])
{
    if (v < 0x80) {
        out[0] = (char)v;
        return 1;
    }
    if (v < 0x800) {
        out[0] = (char)(0xc0 | v >> 6);
        out[1] = (char)(0x80 | (v & 0x3f));
        return 2;
    }
    if (v < 0x10000) {
        out[0] = (char)(0xe0 | v >> 12);
        out[1] = (char)(0x80 | (v >> 6 & 0x3f));
        out[2] = (char)(0x80 | (v & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | v >> 18);
    out[1] = (char)(0x80 | (v >> 12 & 0x3f));
    out[2] = (char)(0x80 | (v >> 6 & 0x3f));
    out[3] = (char)(0x80 | (v & 0x3f));
    return 4;
}

bool rf_json_string(const char *quote, char *out, size_t size)
{
    const char *const end = rf_json_past(quote) - 1;
    const char *at = quote + 1;
    size_t n = 0;
    out[0] = '\0';
    while (at < end) {
        char character[4];
        const char *from = at;
        size_t bytes, taken;
        if (*at == '\\') {
            unsigned v = 0;
            taken = escape(at, end, &v);
            if (!v)
                return false;
            bytes = encode_utf8(v, character);
            from = character;
        } else {
            taken = bytes = rf_utf8_length(at, end);
        }
        if (bytes > size - 1 - n)
            return false;
        memcpy(out + n, from, bytes);
        n += bytes;
        out[n] = '\0';
        at += taken;
    }
    return true;
}

const char *rf_json_kind(const char *at)
{
    switch (*at) {
    case '{':
        return "an object";
    case '[':
        return "an array";
    case '"':
        return "a string";
    case 't':
    case 'f':
        return "a boolean";
    case 'n':
        return "null";
    default:
        return "a number";
    }
}

enum rf_status rf_json_parse(json_t **out, const char *what, const void *text, size_t len,
                             struct rf_error *err)
{
    json_error_t e;
    const enum rf_status rc = rf_json_check(what, text, len, false, err);
    if (rc != RF_OK)
        return rc;
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (*out)
        return RF_OK;
    switch (json_error_code(&e)) {
    case json_error_duplicate_key:
    case json_error_null_byte_in_key:
    case json_error_null_character:
    case json_error_numeric_overflow:
        break;
    default: /* the grammar is proven: without memory jansson blames it all the same */
        return rf_fail_nomem(err, what, len);
    }
    return rf_fail(err, RF_FORMAT, "%s: %.120s at line %d, column %d", what, e.text, e.line,
                   e.column);
}
