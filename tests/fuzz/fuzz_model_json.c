/*
 * model.json, and behind a zero byte its weights; without one they are a file of no tensors, so
 * that nothing is initialised and memory stays small.
 */
#include <string.h>

#include "proto/load.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char nothing[] = "\x02\0\0\0\0\0\0\0{}";
    const uint8_t *const zero = size ? memchr(data, '\0', size) : NULL;
    const size_t json = zero ? (size_t)(zero - data) : size;
    const void *const weights = zero ? (const void *)(zero + 1) : nothing;
    struct rf_error err = RF_ERROR_INIT;
    struct rf_network net;
    if (rf_network_parse(&net, "fuzz", data, json, weights,
                         zero ? size - json - 1 : sizeof nothing - 1, &err) == RF_OK)
        rf_network_release(&net);
    return 0;
}
