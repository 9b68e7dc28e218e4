/*
 * JSON numbers <-> float and double, exactly: reading rounds once, to nearest even; printing gives
 * the fewest digits that read back the same. The C library reads the hard cases, in the "C" locale:
 * programs that use this must not set LC_NUMERIC.
 */
#ifndef RF_PROTO_NUMBERS_H
#define RF_PROTO_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RF_NUMBER_LONGEST 2048 /* bytes of a number that is read */
#define RF_NUMBER_TEXT 64      /* bytes that printing a number may touch, terminator included */

/* Bytes of the JSON number at `at`, 0 when its grammar is wrong there. */
size_t rf_number_length(const char *at, const char *end);
/* Past as many numbers as there are in a row, each with a comma and perhaps a space behind it: what
 * the caller need not look at one by one. */
const char *rf_numbers_past(const char *at, const char *end);
/* The same for well-formed numbers, read into v, n at most; returns how many. Stops early at one
 * that rf_number_f32 must judge. */
size_t rf_numbers_f32(const char **at, const char *end, float *v, size_t n);

/* A token of rf_number_length bytes. False: too large for the type (or too long). */
bool rf_number_f32(const char *token, size_t len, float *v);
bool rf_number_f64(const char *token, size_t len, double *v);
/* False: has a fraction or an exponent, or does not fit. */
bool rf_number_i64(const char *token, size_t len, int64_t *v);
bool rf_number_u64(const char *token, size_t len, uint64_t *v);

/* Returns the bytes written, terminator left out. "1.0", "-0.0", "1e-45"; the tokens NaN, Infinity
 * and -Infinity. */
size_t rf_number_print_f32(char out[RF_NUMBER_TEXT], float v);
/* As many as n, 1 at least, with commas between them, no terminator. */
#define RF_NUMBERS_AT_ONCE 24
#define RF_NUMBERS_TEXT 576 /* bytes that this many may touch */
size_t rf_numbers_print_f32(char *out, const float *v, size_t n);
size_t rf_number_print_f64(char out[RF_NUMBER_TEXT], double v);
size_t rf_number_print_u64(char out[RF_NUMBER_TEXT], uint64_t v);

#endif
