/*
 * Elements of any dtype -> FP32, and what may get lost: the one rule for JSON, raw, npy and
 * weights.
 */
#ifndef RF_PROTO_CONVERT_H
#define RF_PROTO_CONVERT_H

#include "core/tensor.h"

#define RF_EXACT_INT ((int64_t)1 << 53) /* 64-bit integers up to here are taken, rounded */

/*
 * `src` holds n little-endian elements at any alignment. RF_FORMAT, with `what` before the index,
 * for an FP64 beyond FP32's range and a 64-bit integer beyond 2^53.
 */
enum rf_status rf_convert_f32(float *dst, enum rf_dtype dtype, const void *src, size_t n,
                              const char *what, struct rf_error *err) RF_CHECKED;
/* One double, finite ones within FP32's range or false. */
bool rf_narrow_f32(double v, float *f);

#endif
