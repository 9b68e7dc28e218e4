/*
 * Powers of ten to 128 bits, for conversions between decimal and binary.
 */
#ifndef RF_PROTO_POWERS_H
#define RF_PROTO_POWERS_H

#include <stdint.h>

enum { RF_POWER_MIN = -342, RF_POWER_MAX = 332 };

/*
 * g = high * 2^64 + low, its highest bit set, stands for 10^k = g * 2^(rf_log2_of_power(k) - 127).
 * It is too large, by more than 0 and less than 4.
 */
struct rf_power {
    uint64_t high, low;
};

struct rf_power rf_power_of_ten(int k);

/* The same to 64 bits, too large by more than 0 and at most 1: what a float needs. */
enum { RF_FLOAT_POWER_MIN = -32, RF_FLOAT_POWER_MAX = 45 };

extern const uint64_t rf_float_powers[RF_FLOAT_POWER_MAX - RF_FLOAT_POWER_MIN + 1];

static inline uint64_t rf_float_power_of_ten(int k)
{
    return rf_float_powers[k - RF_FLOAT_POWER_MIN];
}

/* floor(log2(10^k)) */
static inline int rf_log2_of_power(int k)
{
    return k * 1741647 >> 19;
}

#endif
