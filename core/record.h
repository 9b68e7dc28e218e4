/*
 * What a model has counted: totals since load, the open slot and a ring of closed ones, which units
 * fired, what its newest inputs look like. Sessions move what they count here some inputs at a time
 * (core/counters.h); everything is under one lock.
 */
#ifndef RF_CORE_RECORD_H
#define RF_CORE_RECORD_H

#include <pthread.h>

#include "core/inputs.h"
#include "core/layer.h"
#include "core/recent.h"
#include "core/units.h"

struct rf_counters;

/* What some runs counted. */
struct rf_slot {
    struct rf_tally tally;
    struct rf_inputs inputs;
};

/* What it counts. */
struct rf_record_layout {
    enum rf_activity_level level;
    const struct rf_layer *layers;
    size_t n_layers, n_channels, places, unit_words; /* of all layers */
    const struct rf_feature_map *map;
    const struct rf_kernels *kernels;
    size_t n_slots; /* closed ones */
};

struct rf_record {
    struct rf_record_layout layout;

    pthread_mutex_t lock;               /* everything below */
    struct rf_slot *slots;              /* [n_slots + 1], a ring */
    size_t open, n_closed;              /* its place; those before it */
    uint64_t rolls;                     /* so far: the open slot's number */
    struct rf_channel_activity *totals; /* of closed slots since load */
    uint64_t inputs;                    /* the same */
    struct rf_units units;
    struct rf_distinct distinct;
    struct rf_recent recent;
    struct rf_counters *sessions; /* linked by next */
};

/* Memory of such a record; SIZE_MAX where it overflows. */
size_t rf_record_bytes(const struct rf_record_layout *layout);
enum rf_status rf_record_init(struct rf_record *r, const struct rf_record_layout *layout,
                              struct rf_error *err) RF_CHECKED;
void rf_record_release(struct rf_record *r);

/* ---- under the lock ---- */

/* Moves n tallies, those that have any with their units, and what was seen of their inputs. */
void rf_record_move(struct rf_record *r, struct rf_tally *tallies, size_t n, struct rf_inputs *in);
void rf_record_roll(struct rf_record *r);
/* The slot closed `age` slots ago, 0 is the open one; NULL where it is not kept. */
const struct rf_slot *rf_record_slot(const struct rf_record *r, size_t age);

#endif
