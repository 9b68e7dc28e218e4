/*
 * One inference from a received body to a reply. Every one that srv_job_start counts ends in
 * exactly one result: by srv_job_end, once, which is the last access to the request.
 */
#ifndef SRV_JOB_H
#define SRV_JOB_H

#include "server/metrics.h"
#include "server/request.h"

/* Counts the inference and takes a place in the model's queue. False: the reply says why not. */
bool srv_job_start(struct srv_request *r);

/* Decodes the body; the job is ready then, and the body gone unless inputs are read in place. False
 * when it ended instead. */
bool srv_job_decode(struct srv_request *r);

/* Past its deadline, or its client closed its side while it had to wait. */
bool srv_job_is_over(const struct srv_waiting *w, uint64_t now);
void srv_job_end_over(struct srv_request *r, uint64_t now);

/* Gives up its place in the queue: it is being computed, or has ended. */
void srv_job_leave_queue(struct srv_request *r, uint64_t now);

/* Makes the reply of the model's outputs. */
enum srv_result srv_job_encode(struct srv_request *r, const struct rf_tensor *outputs);
/* Makes the reply to a run that failed. */
enum srv_result srv_job_fail(struct srv_request *r, const struct rf_error *err);

void srv_job_end(struct srv_request *r, enum srv_result result);

static inline struct srv_request *srv_waiting_request(struct srv_waiting *w)
{
    return (struct srv_request *)(void *)((char *)w - offsetof(struct srv_request, job.waiting));
}

#endif
