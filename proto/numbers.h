/*
 * JSON numbers <-> float and double, exactly: reading rounds once, to nearest even; printing gives
 * the fewest digits that read back the same. The C library does the hard cases, in the "C" locale:
 * programs that use this must not set LC_NUMERIC.
 */
#ifndef RF_PROTO_NUMBERS_H
#define RF_PROTO_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RF_NUMBER_LONGEST 2048 /* bytes of a number that is read */
#define RF_NUMBER_TEXT 32      /* bytes of a number that is printed, terminator included */

/* Bytes of the JSON number at `at`, 0 when its grammar is wrong there. */
size_t rf_number_length(const char *at, const char *end);

/* A token of rf_number_length bytes. False: too large for the type (or too long). */
bool rf_number_f32(const char *token, size_t len, float *v);
bool rf_number_f64(const char *token, size_t len, double *v);
/* False: has a fraction or an exponent, or does not fit. */
bool rf_number_i64(const char *token, size_t len, int64_t *v);
bool rf_number_u64(const char *token, size_t len, uint64_t *v);

/* Returns the bytes written, terminator left out. */
size_t rf_number_print_f32(char out[RF_NUMBER_TEXT], float v);
size_t rf_number_print_f64(char out[RF_NUMBER_TEXT], double v);

#endif
