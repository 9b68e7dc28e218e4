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
    int32_t node;    /* index in the graph */
    size_t first;    /* its channels' place in a session's counters */
    bool needs_zero; /* zeros are not simply what did not fire */
};

/*
 * One layer in one run, between the epilogue and rf_layer_count. Masks hold a row of words for each
 * position (n * h * w), moments a row of channels for each part.
 */
struct rf_layer_run {
    size_t n_channels, mask_pitch;
    uint16_t *fired, *inactive, *zero, *top;
    double *sum, *sum_squares;
    float *max;
};

/* Bytes for the masks and moments of a layer of `positions` positions in a run of n_parts parts. */
size_t rf_layer_run_bytes(const struct rf_layer *layer, size_t positions, size_t n_parts);
/* Lays the layer out in such memory and clears the moments. */
void rf_layer_run_begin(struct rf_layer_run *run, const struct rf_layer *layer, size_t positions,
                        size_t n_parts, void *memory);

/* Adds a finished run to `totals` (one a channel). `out` is the activation's output; `scratch`
 * holds rf_layer_scratch(n_channels) bytes. */
size_t rf_layer_scratch(size_t n_channels);
void rf_layer_count(const struct rf_layer *layer, const struct rf_layer_run *run, size_t n_parts,
                    const struct rf_pixels *out, const struct rf_kernels *k, void *scratch,
                    struct rf_channel_activity *totals);

#endif
