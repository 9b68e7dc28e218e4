/* .npy files; what a file holds is then converted. */
#include <stdlib.h>

#include "proto/npy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_npy npy;
    if (rf_npy_read(&npy, "fuzz", data, size, &err) != RF_OK)
        return 0;
    void *const to = calloc((size_t)npy.n + 1, sizeof(int64_t));
    for (int dtype = 0; to && dtype < RF_N_DTYPE; dtype++)
        if (rf_npy_convert(&npy, to, (enum rf_dtype)dtype, "fuzz", &err) != RF_OK)
            err = (struct rf_error)RF_ERROR_INIT;
    free(to);
    return 0;
}
