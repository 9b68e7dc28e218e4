/* SHA-256 (FIPS 180-4) of a model's files, by Nettle, which uses the processor's own instructions.
 */
#ifndef RF_PROTO_SHA256_H
#define RF_PROTO_SHA256_H

#include <nettle/sha2.h>
#include <stddef.h>

struct rf_sha256 {
    struct sha256_ctx ctx;
};

void rf_sha256_init(struct rf_sha256 *s);
void rf_sha256_add(struct rf_sha256 *s, const void *bytes, size_t n);
/* Lower-case hexadecimal; the state is used up. */
void rf_sha256_hex(struct rf_sha256 *s, char hex[65]);

#endif
