/*
 * The compute threads. A thread takes a task and leads it; idle threads join the parts that a
 * leader offers. Tasks start in the order of submission. Thread-safe.
 */
#ifndef RF_CORE_POOL_H
#define RF_CORE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

struct rf_pool;

/* Intrusive: the submitter owns it; after `run` is called the pool does not touch it again. */
struct rf_task {
    void (*run)(struct rf_task *task);
    struct rf_task *next;
};

/*
 * `spins`: threads look for work for some microseconds before they sleep, which makes it worth
 * sharing a tenth of what would pay otherwise. Not where processor time is metered (a CFS quota).
 */
enum rf_status rf_pool_new(struct rf_pool **out, int n_threads, bool spins,
                           struct rf_error *err) RF_CHECKED;
/* Runs what was submitted, then joins the threads. NULL is fine. */
void rf_pool_free(struct rf_pool *pool);
int rf_pool_threads(const struct rf_pool *pool);
bool rf_pool_spins(const struct rf_pool *pool);

void rf_pool_submit(struct rf_pool *pool, struct rf_task *task);

/* Calls fn(arg) in one of the threads, after the tasks before it, and returns when it is done: who
 * leads from outside is one more thread than there should be. `pool` NULL: here. */
void rf_pool_call(struct rf_pool *pool, void (*fn)(void *arg), void *arg);

/* Between the two a caller makes offers of up to n_parts that follow each other closely: threads
 * wake up now, before the first of them, and look out longer. */
void rf_pool_enter(struct rf_pool *pool, int n_parts);
void rf_pool_leave(struct rf_pool *pool);

/* Calls fn(arg, part) for every part in [0, n_parts), here and in idle threads; returns when all
 * are done. Parts may run in any order. `pool` NULL: all here. Not to be nested. */
void rf_pool_parallel(struct rf_pool *pool, void (*fn)(void *arg, int part), void *arg,
                      int n_parts);

#endif
