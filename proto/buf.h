/*
 * A growing byte buffer with a hard cap. Once growing fails, every later write is dropped and
 * `status` tells why, so that writers need not check each step.
 */
#ifndef RF_PROTO_BUF_H
#define RF_PROTO_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct rf_buf {
    char *data;
    size_t len, cap, limit;
    enum rf_status status; /* RF_OK, RF_NOMEM, or RF_LIMIT */
};

void rf_buf_init(struct rf_buf *b, size_t limit);
void rf_buf_release(struct rf_buf *b);
/* Room for n more bytes at the end; NULL on failure. Their number is added by the caller to len. */
char *rf_buf_reserve(struct rf_buf *b, size_t n);
void rf_buf_add(struct rf_buf *b, const void *bytes, size_t n);
void rf_buf_text(struct rf_buf *b, const char *text);
void rf_buf_printf(struct rf_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void rf_buf_json_string(struct rf_buf *b, const char *text);
/* A member of an object whose value is a string, behind `separator`: "{" or ",". */
void rf_buf_json_member(struct rf_buf *b, const char *separator, const char *key,
                        const char *value);
/* A JSON number with the fewest digits that reads back as the same float or double ("1.0", "-0.0",
 * "1e-45"); the tokens NaN, Infinity and -Infinity for the rest. */
void rf_buf_json_float(struct rf_buf *b, float v);
void rf_buf_json_double(struct rf_buf *b, double v);
void rf_buf_json_count(struct rf_buf *b, uint64_t v);
/* The bytes, owned by the caller (free), `*len` of them; the buffer is empty again. NULL when empty
 * or failed. */
char *rf_buf_take(struct rf_buf *b, size_t *len);

#endif
