/*
 * From a received body to a reply: the bounded queue of a model and the worker that runs a job.
 * Every inference that srv_queue_start counts ends in exactly one result.
 */
#ifndef SRV_QUEUE_H
#define SRV_QUEUE_H

#include "server/metrics.h"
#include "server/request.h"

/* Counts the inference and takes a place in the model's queue. False: the reply says why not. */
bool srv_queue_start(struct srv_request *r);
/* Hands the suspended request to a worker, which resumes it; the caller's last access. */
void srv_queue_submit(struct srv_request *r);

#endif
