/*
 * A session's counters. Runs add to `tallies` and `inputs`, alone and without locks; once there are
 * enough inputs, a run's end moves them to the model's record if its lock is free, else the next
 * run's. A reader that finds the session idle moves what is pending itself, so that nothing stays
 * behind.
 */
#ifndef RF_CORE_COUNTERS_H
#define RF_CORE_COUNTERS_H

#include <stdatomic.h>

#include "core/record.h"

struct rf_counters {
    struct rf_record *record;
    struct rf_tally *tallies; /* one a thread that counts */
    size_t n_tallies;
    struct rf_inputs inputs;
    atomic_int state; /* who may touch what is pending */
    bool is_observed; /* between its runs, too, only the session may */

    struct rf_counters *next; /* the model's other sessions; under the record's lock */
};

/* Joins the record's list. */
enum rf_status rf_counters_init(struct rf_counters *c, struct rf_record *record,
                                struct rf_error *err) RF_CHECKED;
/* Leaves it; what was counted stays with the record. */
void rf_counters_release(struct rf_counters *c);
/* Between runs: for runs of n parts and so many inputs each. */
enum rf_status rf_counters_reserve(struct rf_counters *c, size_t n_tallies, size_t inputs,
                                   struct rf_error *err) RF_CHECKED;

/* Around a run. */
void rf_counters_begin(struct rf_counters *c);
void rf_counters_end(struct rf_counters *c);
/* Between runs: whether the next ones are kept apart, each until the one behind it begins. */
void rf_counters_observe(struct rf_counters *c, bool on);

/* Moves everything that finished runs of idle sessions counted. */
void rf_counters_collect(struct rf_record *record);

#endif
