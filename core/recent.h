/*
 * The newest inputs' features since there is a baseline, in blocks that are dropped when those
 * behind them reach RF_DRIFT_WINDOW inputs; and what they say against it, worked out whenever a
 * block is full, so that a reader only reads. Some blocks are kept for a baseline of the traffic.
 */
#ifndef RF_CORE_RECENT_H
#define RF_CORE_RECENT_H

#include "core/activity.h"
#include "core/inputs.h"
#include "core/layer.h"
#include "core/traffic.h"

#define RF_BLOCK_INPUTS 20 /* that fill a block */
#define RF_N_BLOCKS (RF_DRIFT_WINDOW / RF_BLOCK_INPUTS + 1)

struct rf_recent {
    const struct rf_feature_map *map; /* NULL: no features are kept */
    struct rf_feature_sum open;       /* the block that is being filled */
    struct rf_feature_sum blocks[RF_N_BLOCKS];
    size_t first, n;              /* of the blocks */
    struct rf_feature_sum window; /* all closed blocks */
    struct rf_baseline *baseline; /* owned, or NULL */
    struct rf_drift_watch watch;
    uint64_t seen; /* inputs since the baseline came */
    struct rf_drift drift;
    double *scores; /* [layers of the map] */
    struct rf_traffic traffic;
};

enum rf_status rf_recent_init(struct rf_recent *r, const struct rf_feature_map *map,
                              struct rf_error *err) RF_CHECKED;
void rf_recent_release(struct rf_recent *r);
size_t rf_recent_bytes(const struct rf_feature_map *map);

/* Adds what n tallies and `in` say to a sum of features. Nothing where there are no inputs. */
void rf_features_add(struct rf_feature_sum *sum, const struct rf_feature_map *map,
                     const struct rf_layer *layers, const struct rf_tally *tallies, size_t n,
                     const struct rf_inputs *in);
/* The same, to the open block; nothing where nobody wants it. */
void rf_recent_add(struct rf_recent *r, const struct rf_layer *layers,
                   const struct rf_tally *tallies, size_t n, const struct rf_inputs *in);
/* Takes the baseline; drift begins anew with the next inputs. */
void rf_recent_compare(struct rf_recent *r, struct rf_baseline *baseline);

#endif
