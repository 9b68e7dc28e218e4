#include "proto/sha256.h"

void rf_sha256_init(struct rf_sha256 *s)
{
    sha256_init(&s->ctx);
}

void rf_sha256_add(struct rf_sha256 *s, const void *bytes, size_t n)
{
    sha256_update(&s->ctx, n, bytes);
}

void rf_sha256_hex(struct rf_sha256 *s, char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[SHA256_DIGEST_SIZE];

    sha256_digest(&s->ctx, sizeof sum, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    hex[64] = '\0';
}
