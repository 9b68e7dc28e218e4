/*
 * What a baseline of a model's own traffic is made of: blocks of few inputs, which tell classes
 * apart where sums over seconds do not. Of every slot the first RF_TRAFFIC_SLOT blocks are taken,
 * so that it costs a busy server nothing; the oldest are forgotten half of RF_TRAFFIC_BLOCKS at a
 * time.
 */
#ifndef RF_CORE_TRAFFIC_H
#define RF_CORE_TRAFFIC_H

#include "core/baseline.h"

#define RF_TRAFFIC_SLOT 20    /* blocks of a slot */
#define RF_TRAFFIC_BLOCKS 600 /* at most; at least half of them once there were so many */

/* All zero: takes nothing, and has nothing. */
struct rf_traffic {
    struct rf_baseline_builder *old, *young; /* young takes the blocks of old's second half */
    size_t n;                                /* blocks in old */
    size_t of_slot;                          /* blocks of the open slot */
};

enum rf_status rf_traffic_init(struct rf_traffic *t, const struct rf_feature_map *map,
                               struct rf_error *err) RF_CHECKED;
void rf_traffic_release(struct rf_traffic *t);
size_t rf_traffic_bytes(const struct rf_feature_map *map);

/* Whether it takes another block of this slot. */
bool rf_traffic_wants(const struct rf_traffic *t);
/* Takes one; leaves it out where it has values that are not finite. */
void rf_traffic_add(struct rf_traffic *t, const struct rf_feature_sum *block);
/* A slot ends. */
void rf_traffic_roll(struct rf_traffic *t);
/* What they say; as rf_baseline_builder_finish. */
enum rf_status rf_traffic_baseline(const struct rf_traffic *t, struct rf_baseline **out,
                                   struct rf_error *err) RF_CHECKED;

#endif
