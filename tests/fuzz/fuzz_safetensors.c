/* safetensors files; all that a file holds is then read and converted. */
#include <stdlib.h>

#include "proto/safetensors.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_safetensors *st;
    if (rf_safetensors_read(&st, "fuzz", data, size, &err) != RF_OK)
        return 0;
    for (size_t i = 0; i < st->n; i++) {
        const struct rf_safetensor *const t = &st->tensors[i];
        float *const to = calloc((size_t)rf_numel(&t->shape) + 1, sizeof *to);
        if (rf_safetensors_find(st, t->name) != t)
            abort();
        if (to && rf_safetensor_to_f32(t, to, "fuzz", &err) != RF_OK)
            err = (struct rf_error)RF_ERROR_INIT;
        free(to);
    }
    rf_safetensors_free(st);
    return 0;
}
