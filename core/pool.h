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

enum rf_status rf_pool_new(struct rf_pool **out, int n_threads, struct rf_error *err) RF_CHECKED;
/* Runs what was submitted, then joins the threads. NULL is fine. */
void rf_pool_free(struct rf_pool *pool);
int rf_pool_threads(const struct rf_pool *pool);

void rf_pool_submit(struct rf_pool *pool, struct rf_task *task);

/* Calls fn(arg, part) for every part in [0, n_parts), here and in idle threads; returns when all
 * are done. Parts may run in any order. `pool` NULL: all here. Not to be nested. */
void rf_pool_parallel(struct rf_pool *pool, void (*fn)(void *arg, int part), void *arg,
                      int n_parts);

#endif
