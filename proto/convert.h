/*
 * Elements of any dtype -> another one, and what may get lost: the one rule for JSON, raw, npy and
 * weights. Whole numbers stay exact or are refused; real ones are rounded to nearest even.
 */
#ifndef RF_PROTO_CONVERT_H
#define RF_PROTO_CONVERT_H

#include "core/tensor.h"

#define RF_EXACT_INT ((int64_t)1 << 53) /* whole numbers up to here are taken as reals, rounded */

/* FP16, BF16, FP32, FP64. What is neither real nor BOOL is whole. */
bool rf_dtype_is_real(enum rf_dtype dtype);

/* Whether elements of `from` may stand for elements of `to`: any for real ones, whole ones for
 * whole ones, BOOL for BOOL. */
bool rf_converts(enum rf_dtype to, enum rf_dtype from);

/*
 * `src` holds n little-endian elements at any alignment. RF_UNSUPPORTED unless rf_converts;
 * RF_FORMAT, with `what` before the index, for a value that `to` cannot hold; for real dtypes, too,
 * for a 64-bit integer beyond 2^53. BOOL becomes 0 or 1.
 */
enum rf_status rf_convert(void *dst, enum rf_dtype to, enum rf_dtype from, const void *src,
                          size_t n, const char *what, struct rf_error *err) RF_CHECKED;
enum rf_status rf_convert_f32(float *dst, enum rf_dtype from, const void *src, size_t n,
                              const char *what, struct rf_error *err) RF_CHECKED;

/* A whole number: two's complement bits, and whether it is below zero. */
struct rf_whole {
    uint64_t bits;
    bool negative;
};

/* The whole numbers that a dtype takes. */
struct rf_range {
    int64_t min;
    uint64_t max;
};

struct rf_range rf_range_of(enum rf_dtype dtype);
bool rf_in_range(const struct rf_range *range, struct rf_whole v);

/* One element, at any alignment. Storing gives false when the value does not fit; a whole one goes
 * into real dtypes, too. BOOL is loaded as 0 or 1. */
struct rf_whole rf_load_whole(enum rf_dtype from, const void *src);
double rf_load_real(enum rf_dtype from, const void *src);
bool rf_store_whole(enum rf_dtype to, void *dst, struct rf_whole v);
bool rf_store_real(enum rf_dtype to, void *dst, double v);

/* Decimal digits into RF_NUMBER_TEXT bytes; returns their number, terminator left out. */
size_t rf_whole_print(char *out, struct rf_whole v);

#endif
