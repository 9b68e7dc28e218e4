/*
 * Who works on what: the workers, one for each compute thread, and the queues of the models that
 * have something waiting.
 *
 * A worker that is free decodes what has arrived, and runs what is ready when nothing is left to
 * decode, so that a run takes along all that can share it and what is urgent overtakes. It goes
 * around the models, one job to decode or one run each, so that a model that is flooded does not
 * shut out others. Idle compute threads join the parts of a run that another leads (core/pool.h).
 */
#ifndef SRV_DISPATCH_H
#define SRV_DISPATCH_H

#include <pthread.h>

#include "server/batch.h"
#include "server/request.h"

struct srv_dispatch;

struct srv_worker {
    struct rf_task task; /* first: the pool's view of it */
    struct srv_dispatch *dispatch;
    struct srv_worker *next_idle;
    struct srv_gather gather;
};

struct srv_dispatch {
    struct rf_pool *pool;
    uint64_t max_delay;
    struct srv_worker *workers;
    size_t n_workers;
    pthread_mutex_t lock; /* everything below, and the queues */
    pthread_cond_t came;  /* a job, for a worker that waits for more rows */
    struct srv_worker *idle;
    size_t n_idle;
    size_t n_waiting; /* workers that wait for more rows */
    struct srv_queue *first, *last;
};

/* `max_gather`: bytes that the inputs of a batch may take, for each worker. */
enum rf_status srv_dispatch_init(struct srv_dispatch *d, struct rf_pool *pool, uint64_t max_delay,
                                 size_t max_gather, struct rf_error *err) RF_CHECKED;
/* Once the pool is gone, and with it the workers' threads. Zeros are fine. */
void srv_dispatch_release(struct srv_dispatch *d);

/*
 * Computes it here and now, in the place of an idle worker, if all are idle and it takes less than
 * it would to wake one up. The request is not suspended; its reply is made.
 */
bool srv_dispatch_run_here(struct srv_dispatch *d, struct srv_request *r);
/* Hands the suspended request over; the caller's last access. */
void srv_dispatch_submit(struct srv_dispatch *d, struct srv_request *r);
/* Answers those in the queues that are past their deadline or whose client has left. */
void srv_dispatch_sweep(struct srv_dispatch *d);

#endif
