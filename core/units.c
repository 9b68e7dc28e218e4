#include "core/units.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BYTES (sizeof(uint16_t) + RF_GROUP)

size_t rf_units_bytes(size_t words)
{
    size_t bytes;

    return __builtin_mul_overflow(words, WORD_BYTES, &bytes) ? SIZE_MAX : bytes;
}

enum rf_status rf_units_init(struct rf_units *u, size_t words, struct rf_error *err)
{
    const size_t bytes = rf_units_bytes(words);

    *u = (struct rf_units){.words = words};
    if (!words)
        return RF_OK;
    u->fired = calloc(1, bytes);
    if (!u->fired)
        return rf_fail_nomem(err, "units", bytes);
    u->ages = (uint8_t *)(u->fired + words);
    memset(u->ages, RF_NEVER_FIRED, words * RF_GROUP);
    return RF_OK;
}

void rf_units_release(struct rf_units *u)
{
    free(u->fired);
}

void rf_units_move(struct rf_units *u, uint16_t *fired, const struct rf_kernels *k)
{
    if (!u->words)
        return;
    k->units_add(u->fired, fired, u->words);
    memset(fired, 0, u->words * sizeof(*fired));
}

void rf_units_roll(struct rf_units *u, const struct rf_kernels *k)
{
    k->units_age(u->ages, u->fired, u->words);
}

size_t rf_units_dead(const struct rf_units *u, const struct rf_layer *layer, size_t slots,
                     const struct rf_kernels *k)
{
    const size_t padding = rf_layer_places(layer) - layer->n_channels;

    return k->units_silent(u->ages + layer->first_unit * RF_GROUP, u->fired + layer->first_unit,
                           layer->unit_words, (uint8_t)slots) -
           padding * layer->area;
}

void rf_units_ages(const struct rf_units *u, const struct rf_layer *layer, uint8_t *ages)
{
    const size_t words = rf_mask_words(layer->n_channels);
    const bool last = layer->channel_axis + 1 == layer->shape.rank;

    for (size_t p = 0; p < layer->area; p++) {
        for (size_t c = 0; c < layer->n_channels; c++) {
            const size_t word = layer->first_unit + p * words + c / RF_GROUP;
            const bool fired = u->fired[word] >> c % RF_GROUP & 1;

            ages[last ? p * layer->n_channels + c : c * layer->area + p] =
                fired ? 0 : u->ages[word * RF_GROUP + c % RF_GROUP];
        }
    }
}
