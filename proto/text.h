/*
 * Small helpers for text from outside: UTF-8, excerpts fit for messages, nearest names.
 */
#ifndef RF_PROTO_TEXT_H
#define RF_PROTO_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* Bytes of the well-formed UTF-8 character at `at`, or 0 (overlong forms, surrogates and code
 * points past U+10FFFF are malformed). */
size_t rf_utf8_length(const char *at, const char *end);

/* 0 to 15; -1 for what is no hexadecimal digit. */
int rf_hex_digit(char c);

/* As much of `text` as `size` bytes hold, terminated: snprintf would take a quarter of a
 * microsecond. */
void rf_text_copy(char *out, size_t size, const char *text);

/* At most RF_EXCERPT - 1 bytes of `text` for a message: control and malformed bytes become '?', a
 * cut ends in "...". Returns `out`. */
#define RF_EXCERPT 65
const char *rf_excerpt(char out[RF_EXCERPT], const char *text, size_t len);

/* Damerau's distance, whatever the case of letters: insertions, deletions, replacements, neighbours
 * swapped. SIZE_MAX when one of the two is longer than 64 bytes. */
size_t rf_edit_distance(const char *a, const char *b);

/* The name among `n` that `name` was probably meant to be, or NULL. */
const char *rf_nearest(const char *name, const char *const *names, size_t n);

/* "; did you mean 'x'?" or "" when `nearest` is NULL. Returns `out`. */
#define RF_HINT 96
const char *rf_hint(char out[RF_HINT], const char *nearest);

/* Control and malformed bytes become '?', so that a line stays one and a terminal does as it did.
 */
void rf_text_clean(char *text);
/* The same of those that came with a name; NULL is fine. */
void rf_error_clean(struct rf_error *err);

#endif
