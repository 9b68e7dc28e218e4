/*
 * What waits for a model, and in which order it is computed. Knows no clock, lock or socket.
 *
 * A job arrives, is decoded by a worker, and is inserted again, ready to run. Ready jobs go by
 * priority, then deadline, then arrival. The first takes along, into one run, those behind it whose
 * inputs differ in nothing but their rows, as long as these are not too many; who is left out comes
 * closer to the front by that, so nobody starves.
 */
#ifndef SRV_QUEUE_H
#define SRV_QUEUE_H

#include "core/tensor.h"

/* A job as the queue sees it; intrusive. What is behind `deadline_ns` is set before it is ready. */
struct srv_waiting {
    struct srv_waiting *prev, *next;
    uint64_t arrival_ns, deadline_ns;
    uint64_t priority; /* 1 goes first; 0: behind all that have one */
    int64_t rows;      /* dimension 0 of every input; 0: shares no run */
    const struct rf_tensor *inputs;
    size_t n_inputs;
};

struct srv_waiting_list {
    struct srv_waiting *first, *last;
};

struct srv_queue {
    struct srv_waiting_list arrived, ready;
    int64_t ready_rows;
    int64_t max_batch;      /* rows in one run */
    struct srv_queue *next; /* among those with something in them */
};

bool srv_queue_is_empty(const struct srv_queue *q);

/* Behind those that have arrived. */
void srv_queue_arrive(struct srv_queue *q, struct srv_waiting *w);
/* Takes out who arrived first, or NULL. */
struct srv_waiting *srv_queue_take_arrived(struct srv_queue *q);

/* Among the ready ones. */
void srv_queue_insert(struct srv_queue *q, struct srv_waiting *w);
/* Takes out who runs next together, linked by `next`; NULL when none is ready. */
struct srv_waiting *srv_queue_take_batch(struct srv_queue *q);
/* Until when they may wait for company: the longest waiting one's arrival + max_delay, or 0 when
 * there are rows enough. */
uint64_t srv_queue_ripe(const struct srv_queue *q, uint64_t max_delay);

/* Takes out all that `is_over` says so of, linked by `next`. */
struct srv_waiting *srv_queue_drop(struct srv_queue *q,
                                   bool (*is_over)(const struct srv_waiting *w, uint64_t now),
                                   uint64_t now);

#endif
