/*
 * One run for several requests: their inputs gathered, the network run, and each given its rows of
 * the outputs. Which bits a row's outputs have does not depend on who it shares a run with.
 */
#ifndef SRV_BATCH_H
#define SRV_BATCH_H

#include "server/queue.h"

/* A worker's room for inputs that are put behind each other. Grows up to `max`. */
struct srv_gather {
    char *data;
    size_t bytes, max;
};

/*
 * Runs jobs that srv_queue_take_batch gave, and ends each. A job alone is computed from where its
 * inputs lie; one of more rows than fit one run, in several. Jobs that are over by now are ended
 * first. When there is no memory to run them together, they run one by one.
 */
void srv_batch_run(struct srv_gather *gather, struct srv_waiting *jobs);

#endif
