/*
 * A session's counters. The run adds to `pending`, alone and without locks; once there is enough to
 * be worth it, a run's end moves them to `totals` if the lock is free, else the next run's. A
 * reader that finds the session idle moves what is pending itself, so that nothing stays behind.
 */
#ifndef RF_CORE_COUNTERS_H
#define RF_CORE_COUNTERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/layer.h"

struct rf_model;

struct rf_counters {
    const struct rf_model *model;
    struct rf_tally pending;
    uint64_t pending_inputs;
    atomic_int state; /* who may touch what is pending */

    pthread_mutex_t lock; /* the two below */
    struct rf_channel_activity *totals;
    uint64_t inputs;

    struct rf_counters *next; /* the model's other sessions; under its lock */
};

/* Joins the model's list. */
enum rf_status rf_counters_init(struct rf_counters *c, struct rf_model *model,
                                struct rf_error *err) RF_CHECKED;
/* Leaves it; what was counted stays with the model. */
void rf_counters_release(struct rf_counters *c, struct rf_model *model);

/* Around a run. */
void rf_counters_begin(struct rf_counters *c);
void rf_counters_end(struct rf_counters *c);

/* Adds everything that finished runs counted, from any thread. */
void rf_counters_read(struct rf_counters *c, uint64_t *inputs, struct rf_channel_activity *sum);

#endif
