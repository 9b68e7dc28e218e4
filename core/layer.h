/*
 * Counters of an activation layer: declared by the model, filled in a run, kept by the session.
 */
#ifndef RF_CORE_LAYER_H
#define RF_CORE_LAYER_H

#include "core/activity.h"
#include "core/kernels/kernels.h"

/* What the model knows of a layer. */
struct rf_layer {
    const char *name, *type, *path;
    enum rf_activity_kind kind;
    struct rf_shape shape; /* of one input; -1 where it varies */
    int channel_axis;      /* in shape */
    size_t n_channels;
    size_t area;        /* positions of one input; 0 where they vary */
    int32_t node;       /* index in the graph */
    size_t index;       /* among the layers */
    size_t first;       /* its channels' place among those of all layers */
    size_t first_place; /* ... in a tally */
    size_t first_unit;  /* its words' place among units */
    size_t unit_words;  /* 0: units are not counted */
    bool needs_zero;    /* zeros are not simply what did not fire */
};

/* Channels' places in a tally: whole groups, so that kernels need not look for the last. */
static inline size_t rf_layer_places(const struct rf_layer *layer)
{
    return rf_mask_words(layer->n_channels) * RF_GROUP;
}

/* Where the next layer's begin. */
static inline size_t rf_layer_end_place(const struct rf_layer *layer)
{
    return layer->first_place + rf_layer_places(layer);
}

/* ---- what runs counted ---- */

enum rf_count {
    RF_COUNT_FIRED,
    RF_COUNT_FIRED_INPUTS, /* where an input has more than one position */
    RF_COUNT_ZEROS,        /* of layers that need it */
    RF_COUNT_INACTIVE,
    RF_COUNT_SATURATED,
    RF_COUNT_NONFINITE,
    RF_COUNT_NAN,
    RF_N_COUNTS
};

/* Of a layer in one run; a plan with more is refused. */
#define RF_MAX_POSITIONS (UINT64_C(1) << 31)

/*
 * Counts of some runs, an array a quantity, so that adding to it is a matter of vectors. Who keeps
 * one moves it on before any layer's positions reach 2^32: when there are 2^31, one more run has at
 * most RF_MAX_POSITIONS.
 */
struct rf_tally {
    uint64_t *positions;           /* [layers] */
    uint32_t *counts[RF_N_COUNTS]; /* [places] each, as the moments */
    struct rf_moments moments;
    uint16_t *units; /* masks of units that fired, [unit words]; NULL: not wanted */
    size_t n_layers, places, unit_words;
};

/* For these layers; `unit_words` is 0, or those of all layers. Memory is zeroed and touched where
 * it is used; rf_tally_clear comes before the first use. */
enum rf_status rf_tally_init(struct rf_tally *t, const struct rf_layer *layers, size_t n_layers,
                             size_t unit_words, struct rf_error *err) RF_CHECKED;
void rf_tally_release(struct rf_tally *t);
void rf_tally_clear(struct rf_tally *t);
/* What rf_tally_init takes. SIZE_MAX where it overflows. */
size_t rf_tally_bytes(size_t n_layers, size_t places, size_t unit_words);
/* Moves everything but units from one to another. */
void rf_tally_move(struct rf_tally *to, struct rf_tally *from, const struct rf_kernels *k);
/* Adds everything but units to `sums`, one a channel. */
void rf_tally_add(const struct rf_tally *t, const struct rf_layer *layers,
                  struct rf_channel_activity *sums);
void rf_channels_clear(struct rf_channel_activity *channels, size_t n);

/* ---- one layer in one run ---- */

/* The mask holds a row of words for each position (n * h * w). */
struct rf_layer_run {
    struct rf_tally *tallies; /* one a part; the first for what fired, too */
    size_t first_place, mask_pitch;
    bool needs_inactive, needs_zero, needs_top;
    uint16_t *fired;
    uint16_t *any; /* a row of words to work with */
};

/* Bytes for the mask of a layer of `positions` positions in a run. */
size_t rf_layer_run_bytes(const struct rf_layer *layer, size_t positions);
/* Lays the layer out in such memory, which is RF_ALIGN-ed. */
void rf_layer_run_begin(struct rf_layer_run *run, const struct rf_layer *layer,
                        struct rf_tally *tallies, void *memory);
/* Adds a finished run to the first tally. `out` is the activation's output. */
void rf_layer_count(const struct rf_layer *layer, const struct rf_layer_run *run,
                    const struct rf_pixels *out, const struct rf_kernels *k);

#endif
