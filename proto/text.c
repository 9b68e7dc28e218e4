#include "proto/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool is_tail(const unsigned char *p, const unsigned char *end)
{
    return p < end && (*p & 0xc0) == 0x80;
}

size_t rf_utf8_length(const char *at, const char *end)
{
    const unsigned char *const p = (const unsigned char *)at;
    const unsigned char *const e = (const unsigned char *)end;
    if (p >= e)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || !is_tail(p + 1, e))
        return 0;
    if (p[0] < 0xe0)
        return 2;
    if (p[0] < 0xf0) {
        const bool overlong = p[0] == 0xe0 && p[1] < 0xa0;
        const bool surrogate = p[0] == 0xed && p[1] >= 0xa0;
        return overlong || surrogate || !is_tail(p + 2, e) ? 0 : 3;
    }
    const bool overlong = p[0] == 0xf0 && p[1] < 0x90;
    const bool too_large = p[0] == 0xf4 && p[1] >= 0x90;
    return overlong || too_large || !is_tail(p + 2, e) || !is_tail(p + 3, e) ? 0 : 4;
}

int rf_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void rf_text_copy(char *out, size_t size, const char *text)
{
    const size_t n = strnlen(text, size - 1);
    memcpy(out, text, n);
    out[n] = '\0';
}

const char *rf_excerpt(char out[RF_EXCERPT], const char *text, size_t len)
{
    const char *const end = text + len;
    size_t n = 0;
    while (text < end) {
        const size_t bytes = rf_utf8_length(text, end);
        const size_t copied = bytes ? bytes : 1;
        if (n + copied > RF_EXCERPT - 4 && (size_t)(end - text) > RF_EXCERPT - 1 - n) {
            memcpy(out + n, "...", 3);
            n += 3;
            break;
        }
        const unsigned char c = (unsigned char)*text;
        if (!bytes || c < 0x20 || c == 0x7f)
            out[n] = '?';
        else
            memcpy(out + n, text, copied);
        n += copied;
        text += copied;
    }
    out[n] = '\0';
    return out;
}

enum { LONGEST = 64 }; /* of names that are compared */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

size_t rf_edit_distance(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    uint8_t rows[3][LONGEST + 1];
    if (n > LONGEST || m > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (uint8_t)j;
    for (size_t i = 1; i <= n; i++) {
        uint8_t *const now = rows[i % 3];
        const uint8_t *const before = rows[(i + 2) % 3], *const older = rows[(i + 1) % 3];
        now[0] = (uint8_t)i;
        for (size_t j = 1; j <= m; j++) {
            int best = before[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                older[j - 2] + 1 < best)
                best = older[j - 2] + 1;
            now[j] = (uint8_t)best;
        }
    }
    return rows[n % 3][m];
}

const char *rf_nearest(const char *name, const char *const *names, size_t n)
{
    size_t best = 1 + strlen(name) / 4;
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        const size_t d = rf_edit_distance(name, names[i]);
        if (d < best || (d == best && !nearest)) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

const char *rf_hint(char out[RF_HINT], const char *nearest)
{
    if (nearest)
        snprintf(out, RF_HINT, "; did you mean '%.70s'?", nearest);
    else
        out[0] = '\0';
    return out;
}

void rf_text_clean(char *text)
{
    const char *const end = text + strlen(text);
    for (char *c = text; *c;) {
        const size_t n = rf_utf8_length(c, end);
        if (n == 0 || (unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
        c += n ? n : 1;
    }
}

void rf_error_clean(struct rf_error *err)
{
    if (err)
        rf_text_clean(err->text);
}
