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
    size_t n_channels;
    int32_t node;       /* index in the graph */
    size_t index;       /* among the layers */
    size_t first;       /* its channels' place among those of all layers */
    size_t first_place; /* ... in a tally */
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

/* ---- one layer in one run ---------------------------------------------------------------------
 */

/*
 * Between the epilogue and rf_layer_count. Masks hold a row of words for each position (n * h * w),
 * moments `places` channels for each part.
 */
struct rf_layer_run {
    size_t places, mask_pitch;
    uint16_t *fired, *inactive, *zero, *top;
    uint16_t *any; /* a row of words to work with */
    struct rf_moments moments;
};

/* Bytes for the masks and moments of a layer of `positions` positions in a run of n_parts parts,
 * and for what rf_layer_count needs. */
size_t rf_layer_run_bytes(const struct rf_layer *layer, size_t positions, size_t n_parts);
/* Lays the layer out in such memory, which is RF_ALIGN-ed, and clears the moments. */
void rf_layer_run_begin(struct rf_layer_run *run, const struct rf_layer *layer, size_t positions,
                        size_t n_parts, const struct rf_kernels *k, void *memory);

/* ---- what runs counted ------------------------------------------------------------------------
 */

enum rf_count {
    RF_COUNT_FIRED,
    RF_COUNT_FIRED_INPUTS,
    RF_COUNT_ZEROS, /* of layers that need it */
    RF_COUNT_INACTIVE,
    RF_COUNT_SATURATED,
    RF_COUNT_NONFINITE,
    RF_COUNT_NAN,
    RF_N_COUNTS
};

/* Of a layer in one run; a plan with more is refused. */
#define RF_MAX_POSITIONS (UINT64_C(1) << 31)

/*
 * Counts of few runs, an array a quantity, so that adding to it is a matter of vectors. They are
 * moved to the totals before any can reach 2^32: when 2^31 values are counted and one more run has
 * at most RF_MAX_POSITIONS.
 */
struct rf_tally {
    uint64_t n_values;             /* of all layers and channels */
    uint64_t *positions;           /* [layers] */
    uint32_t *counts[RF_N_COUNTS]; /* [places] each, as the moments */
    struct rf_moments moments;
    size_t places;
    void *memory;
};

/* For these layers. */
enum rf_status rf_tally_init(struct rf_tally *t, const struct rf_layer *layers, size_t n_layers,
                             struct rf_error *err) RF_CHECKED;
void rf_tally_release(struct rf_tally *t);
/* Adds a finished run. `out` is the activation's output. */
void rf_layer_count(const struct rf_layer *layer, const struct rf_layer_run *run, size_t n_parts,
                    const struct rf_pixels *out, const struct rf_kernels *k, struct rf_tally *t);
/* Moves everything from one to another. */
void rf_tally_move(struct rf_tally *to, struct rf_tally *from, const struct rf_layer *layers,
                   size_t n_layers, const struct rf_kernels *k);
/* Moves everything to `totals`, one a channel. */
void rf_tally_flush(struct rf_tally *t, const struct rf_layer *layers, size_t n_layers,
                    struct rf_channel_activity *totals);

#endif
