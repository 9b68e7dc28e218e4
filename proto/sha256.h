/*
 * SHA-256 (FIPS 180-4) of a model's files. Our own: a TLS library for one hash would be the largest
 * dependency of all.
 */
#ifndef RF_PROTO_SHA256_H
#define RF_PROTO_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct rf_sha256 {
    uint32_t h[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
};

void rf_sha256_init(struct rf_sha256 *s);
void rf_sha256_add(struct rf_sha256 *s, const void *bytes, size_t n);
/* Lower-case hexadecimal; the state is used up. */
void rf_sha256_hex(struct rf_sha256 *s, char hex[65]);

#endif
