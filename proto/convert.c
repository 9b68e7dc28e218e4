#include "proto/convert.h"

#include <math.h>
#include <string.h>

#include "proto/numbers.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are read as they lie");

bool rf_dtype_is_real(enum rf_dtype dtype)
{
    return dtype == RF_F16 || dtype == RF_BF16 || dtype == RF_F32 || dtype == RF_F64;
}

bool rf_converts(enum rf_dtype to, enum rf_dtype from)
{
    if (to == from || rf_dtype_is_real(to))
        return true;
    return to != RF_BOOL && from != RF_BOOL && !rf_dtype_is_real(from);
}

/* ---- one element ---- */

struct rf_range rf_range_of(enum rf_dtype dtype)
{
    enum { LARGEST_F16 = 65504 };
    static const struct rf_range ranges[RF_N_DTYPE] = {
        [RF_BOOL] = {0, 1},
        [RF_U8] = {0, UINT8_MAX},
        [RF_U16] = {0, UINT16_MAX},
        [RF_U32] = {0, UINT32_MAX},
        [RF_U64] = {0, UINT64_MAX},
        [RF_I8] = {INT8_MIN, INT8_MAX},
        [RF_I16] = {INT16_MIN, INT16_MAX},
        [RF_I32] = {INT32_MIN, INT32_MAX},
        [RF_I64] = {INT64_MIN, INT64_MAX},
        [RF_F16] = {-LARGEST_F16, LARGEST_F16},
        [RF_BF16] = {-RF_EXACT_INT, RF_EXACT_INT},
        [RF_F32] = {-RF_EXACT_INT, RF_EXACT_INT},
        [RF_F64] = {-RF_EXACT_INT, RF_EXACT_INT},
    };
    return ranges[dtype];
}

bool rf_in_range(const struct rf_range *range, struct rf_whole v)
{
    return v.negative ? (int64_t)v.bits >= range->min : v.bits <= range->max;
}

bool rf_store_real(enum rf_dtype to, void *dst, double v)
{
    float f = (float)v;
    uint16_t half;
    switch (to) {
    case RF_F64:
        memcpy(dst, &v, sizeof v);
        return true;
    case RF_F32:
        memcpy(dst, &f, sizeof f);
        break;
    case RF_F16:
        half = rf_f32_to_f16(f);
        f = rf_f16_to_f32(half);
        memcpy(dst, &half, sizeof half);
        break;
    case RF_BF16:
        half = rf_f32_to_bf16(f);
        f = rf_bf16_to_f32(half);
        memcpy(dst, &half, sizeof half);
        break;
    default:
        return false;
    }
    return isfinite(f) || !isfinite(v);
}

bool rf_store_whole(enum rf_dtype to, void *dst, struct rf_whole v)
{
    const struct rf_range range = rf_range_of(to);
    if (!rf_in_range(&range, v))
        return false;
    if (rf_dtype_is_real(to))
        return rf_store_real(to, dst, v.negative ? (double)(int64_t)v.bits : (double)v.bits);
    memcpy(dst, &v.bits, rf_dtype_size(to)); /* the low bytes are the same number */
    return true;
}

double rf_load_real(enum rf_dtype from, const void *src)
{
    uint16_t half;
    float f;
    double d;
    if (from == RF_F64) {
        memcpy(&d, src, sizeof d);
        return d;
    }
    if (from == RF_F32) {
        memcpy(&f, src, sizeof f);
        return (double)f;
    }
    memcpy(&half, src, sizeof half);
    return (double)(from == RF_BF16 ? rf_bf16_to_f32(half) : rf_f16_to_f32(half));
}

struct rf_whole rf_load_whole(enum rf_dtype from, const void *src)
{
    int64_t v = 0;
    switch (from) {
#define CASE(id, type)                                                                             \
    case id: {                                                                                     \
        type x;                                                                                    \
        memcpy(&x, src, sizeof x);                                                                 \
        v = (int64_t)x;                                                                            \
        break;                                                                                     \
    }
        CASE(RF_U8, uint8_t)
        CASE(RF_U16, uint16_t)
        CASE(RF_U32, uint32_t)
        CASE(RF_U64, uint64_t)
        CASE(RF_I8, int8_t)
        CASE(RF_I16, int16_t)
        CASE(RF_I32, int32_t)
        CASE(RF_I64, int64_t)
#undef CASE
    default:
        v = *(const unsigned char *)src != 0;
    }
    return (struct rf_whole){.bits = (uint64_t)v, .negative = v < 0 && from != RF_U64};
}

size_t rf_whole_print(char *out, struct rf_whole v)
{
    *out = '-';
    return v.negative + rf_number_print_u64(out + v.negative, v.negative ? -v.bits : v.bits);
}

/* ---- many ---- */

static enum rf_status does_not_fit(enum rf_dtype to, enum rf_dtype from, const unsigned char *src,
                                   const char *what, size_t i, struct rf_error *err)
{
    char text[RF_NUMBER_TEXT];
    if (rf_dtype_is_real(from)) {
        rf_number_print_f64(text, rf_load_real(from, src));
    } else {
        rf_whole_print(text, rf_load_whole(from, src));
        if (rf_range_of(to).max == (uint64_t)RF_EXACT_INT)
            return rf_fail(err, RF_FORMAT, "%s: element %zu is %s, beyond 2^53", what, i, text);
    }
    return rf_fail(err, RF_FORMAT, "%s: element %zu is %s, beyond %s's range", what, i, text,
                   rf_dtype_name(to));
}

static enum rf_status one_by_one(unsigned char *dst, enum rf_dtype to, enum rf_dtype from,
                                 const unsigned char *src, size_t n, const char *what,
                                 struct rf_error *err)
{
    const size_t from_size = rf_dtype_size(from), to_size = rf_dtype_size(to);
    const bool is_real = rf_dtype_is_real(from);
    for (size_t i = 0; i < n; i++, src += from_size, dst += to_size)
        if (!(is_real ? rf_store_real(to, dst, rf_load_real(from, src))
                      : rf_store_whole(to, dst, rf_load_whole(from, src))))
            return does_not_fit(to, from, src, what, i, err);
    return RF_OK;
}

#define EACH(type, expression)                                                                     \
    do {                                                                                           \
        for (size_t i = 0; i < n; i++) {                                                           \
            type v;                                                                                \
            memcpy(&v, bytes + i * sizeof v, sizeof v);                                            \
            dst[i] = (expression);                                                                 \
        }                                                                                          \
    } while (0)

enum rf_status rf_convert_f32(float *dst, enum rf_dtype from, const void *src, size_t n,
                              const char *what, struct rf_error *err)
{
    const unsigned char *const bytes = src;
    switch (from) {
    case RF_F32:
        if (n)
            memcpy(dst, src, n * sizeof *dst);
        return RF_OK;
    case RF_F16:
        EACH(uint16_t, rf_f16_to_f32(v));
        return RF_OK;
    case RF_BF16:
        EACH(uint16_t, rf_bf16_to_f32(v));
        return RF_OK;
    case RF_U8:
        EACH(uint8_t, (float)v);
        return RF_OK;
    default:
        return one_by_one((unsigned char *)dst, RF_F32, from, bytes, n, what, err);
    }
}
#undef EACH

enum rf_status rf_convert(void *dst, enum rf_dtype to, enum rf_dtype from, const void *src,
                          size_t n, const char *what, struct rf_error *err)
{
    if (!rf_converts(to, from))
        return rf_fail(err, RF_UNSUPPORTED, "%s: %s does not convert to %s", what,
                       rf_dtype_name(from), rf_dtype_name(to));
    if (to == RF_F32)
        return rf_convert_f32(dst, from, src, n, what, err);
    if (to != from || to == RF_BOOL)
        return one_by_one(dst, to, from, src, n, what, err);
    if (n)
        memcpy(dst, src, n * rf_dtype_size(to));
    return RF_OK;
}
