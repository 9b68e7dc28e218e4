#include "proto/convert.h"

#include <math.h>
#include <string.h>

#include "proto/numbers.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are read as they lie");

bool rf_narrow_f32(double v, float *f)
{
    *f = (float)v;
    return isfinite(*f) || !isfinite(v);
}

static enum rf_status too_large(const char *what, size_t i, double v, const char *limit,
                                struct rf_error *err)
{
    char text[RF_NUMBER_TEXT];
    rf_number_print_f64(text, v);
    return rf_fail(err, RF_FORMAT, "%s: element %zu is %s, beyond %s", what, i, text, limit);
}

static enum rf_status from_f64(float *dst, const unsigned char *src, size_t n, const char *what,
                               struct rf_error *err)
{
    for (size_t i = 0; i < n; i++) {
        double v;
        memcpy(&v, src + i * sizeof v, sizeof v);
        if (!rf_narrow_f32(v, &dst[i]))
            return too_large(what, i, v, "FP32's range", err);
    }
    return RF_OK;
}

static enum rf_status from_i64(float *dst, const unsigned char *src, size_t n, const char *what,
                               struct rf_error *err)
{
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        memcpy(&v, src + i * sizeof v, sizeof v);
        if (v > RF_EXACT_INT || v < -RF_EXACT_INT)
            return too_large(what, i, (double)v, "2^53", err);
        dst[i] = (float)v;
    }
    return RF_OK;
}

static enum rf_status from_u64(float *dst, const unsigned char *src, size_t n, const char *what,
                               struct rf_error *err)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t v;
        memcpy(&v, src + i * sizeof v, sizeof v);
        if (v > (uint64_t)RF_EXACT_INT)
            return too_large(what, i, (double)v, "2^53", err);
        dst[i] = (float)v;
    }
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

enum rf_status rf_convert_f32(float *dst, enum rf_dtype dtype, const void *src, size_t n,
                              const char *what, struct rf_error *err)
{
    const unsigned char *const bytes = src;
    switch (dtype) {
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
    case RF_BOOL:
        EACH(uint8_t, v ? 1.0f : 0.0f);
        return RF_OK;
    case RF_U8:
        EACH(uint8_t, (float)v);
        return RF_OK;
    case RF_I8:
        EACH(int8_t, (float)v);
        return RF_OK;
    case RF_U16:
        EACH(uint16_t, (float)v);
        return RF_OK;
    case RF_I16:
        EACH(int16_t, (float)v);
        return RF_OK;
    case RF_U32:
        EACH(uint32_t, (float)v);
        return RF_OK;
    case RF_I32:
        EACH(int32_t, (float)v);
        return RF_OK;
    case RF_F64:
        return from_f64(dst, bytes, n, what, err);
    case RF_I64:
        return from_i64(dst, bytes, n, what, err);
    case RF_U64:
        return from_u64(dst, bytes, n, what, err);
    case RF_N_DTYPE:
        break;
    }
    return rf_fail(err, RF_UNSUPPORTED, "%s: dtype %d is not one of ours", what, (int)dtype);
}
#undef EACH
