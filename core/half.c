/* IEEE 754 binary16 and bfloat16 from and to binary32, in integers: the same on every CPU. */
#include <string.h>

#include "core/tensor.h"

static float from_bits(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

static uint32_t to_bits(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof(bits));
    return bits;
}

float rf_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = h >> 10 & 31, mantissa = h & 0x3ff;

    if (exponent == 31)
        return from_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent == 0) {
        if (!mantissa)
            return from_bits(sign);
        for (exponent = 1; !(mantissa & 0x400); mantissa <<= 1) /* normalise a subnormal */
            exponent--;
        mantissa &= 0x3ff;
    }
    return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

/* Drops the low `shift` bits of `v`, to nearest, ties to even. */
static uint32_t round_shift(uint32_t v, unsigned shift)
{
    const uint32_t half = 1u << (shift - 1), rest = v & ((1u << shift) - 1), kept = v >> shift;

    return kept + (rest > half || (rest == half && (kept & 1)));
}

uint16_t rf_f32_to_f16(float f)
{
    const uint32_t bits = to_bits(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;

    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x47800000) /* 65536 and more, infinity included */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude >= 0x38800000) /* a carry out of the mantissa makes the exponent right */
        return (uint16_t)(sign | round_shift(magnitude - 0x38000000, 13));
    if (magnitude < 0x33000000) /* less than half of the smallest subnormal */
        return (uint16_t)sign;
    return (uint16_t)(sign |
                      round_shift((magnitude & 0x7fffff) | 0x800000, 126 - (magnitude >> 23)));
}

float rf_bf16_to_f32(uint16_t h)
{
    return from_bits((uint32_t)h << 16);
}

uint16_t rf_f32_to_bf16(float f)
{
    const uint32_t bits = to_bits(f);

    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)round_shift(bits, 16);
}
