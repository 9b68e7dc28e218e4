/*
 * Which units fired when: a bit each for the open slot, and an age in slots. Both lie as masks do,
 * a row of words of RF_GROUP channels for each position, layer by layer.
 */
#ifndef RF_CORE_UNITS_H
#define RF_CORE_UNITS_H

#include "core/layer.h"

#define RF_MAX_SLOTS 253 /* that ages can tell apart */

struct rf_units {
    uint16_t *fired; /* [words] in the open slot */
    uint8_t *ages;   /* [words * RF_GROUP] slots since then, 1 the one closed last */
    size_t words;
};

/* 0 words: no unit is counted, and nothing allocated. */
enum rf_status rf_units_init(struct rf_units *u, size_t words, struct rf_error *err) RF_CHECKED;
void rf_units_release(struct rf_units *u);
/* What rf_units_init takes. */
size_t rf_units_bytes(size_t words);

/* Moves what `fired` has to the open slot. */
void rf_units_move(struct rf_units *u, uint16_t *fired, const struct rf_kernels *k);
void rf_units_roll(struct rf_units *u, const struct rf_kernels *k);
/* Units of a layer that are silent in the open slot and the `slots` before it; since load:
 * RF_NEVER_FIRED - 1. */
size_t rf_units_dead(const struct rf_units *u, const struct rf_layer *layer, size_t slots,
                     const struct rf_kernels *k);
/* Ages of a layer's units in the order of its shape; 0 is the open slot. */
void rf_units_ages(const struct rf_units *u, const struct rf_layer *layer, uint8_t *ages);

#endif
