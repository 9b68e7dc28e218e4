/* Request ids: a random start per process, then a bijective mix of a counter. */
#include "server/request_id.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static atomic_uint_fast64_t counter;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void seed_counter(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (uint64_t)time(NULL) << 32 ^ (uint64_t)getpid();
    atomic_store(&counter, seed);
}

void srv_request_id_make(char id[SRV_REQUEST_ID_MADE])
{
    pthread_once(&once, seed_counter);
    /* SplitMix64's finalizer (Steele, Lea, Flood 2014). */
    uint64_t z = atomic_fetch_add(&counter, UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    for (int i = SRV_REQUEST_ID_MADE - 2; i >= 0; i--, z >>= 4)
        id[i] = "0123456789abcdef"[z & 15];
    id[SRV_REQUEST_ID_MADE - 1] = '\0';
}

bool srv_request_id_is_sound(const char *id)
{
    const size_t n = strlen(id);
    if (n == 0 || n >= SRV_MAX_REQUEST_ID || id[0] == ' ' || id[n - 1] == ' ')
        return false;
    for (const char *p = id; *p; p++)
        if (*p < ' ' || *p > '~')
            return false;
    return true;
}

/* n lower-case hexadecimal digits, not all zero. */
static bool is_hex(const char *p, size_t n)
{
    size_t zeros = 0;
    for (size_t i = 0; i < n; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return false;
        zeros += p[i] == '0';
    }
    return zeros < n;
}

bool srv_traceparent_is_valid(const char *text)
{
    return strlen(text) == SRV_TRACEPARENT - 1 && strncmp(text, "00-", 3) == 0 &&
           is_hex(text + 3, 32) && text[35] == '-' && is_hex(text + 36, 16) && text[52] == '-' &&
           (is_hex(text + 53, 2) || strcmp(text + 53, "00") == 0);
}
