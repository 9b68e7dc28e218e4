/*
 * The thread that loads models after the start, and frees those that nobody uses any more: no HTTP
 * or compute thread waits for either. Tasks run one at a time in the order of submission; between
 * them it polls, if --model-control says so.
 */
#ifndef SRV_LOADER_H
#define SRV_LOADER_H

#include <stdint.h>

#include "core/pool.h"

struct srv_loader;
struct srv_sync;

/* `poll_ns`: between two looks at the disk; 0: none. Without its thread, and by its thread, tasks
 * run where they are submitted. */
enum rf_status srv_loader_new(struct srv_loader **out, struct srv_sync *sync, uint64_t poll_ns,
                              struct rf_error *err) RF_CHECKED;
enum rf_status srv_loader_start(struct srv_loader *loader, struct rf_error *err) RF_CHECKED;
/* Runs what was submitted and ends the thread; none may be submitting. */
void srv_loader_stop(struct srv_loader *loader);
void srv_loader_free(struct srv_loader *loader);

/* The submitter's until `run` is called. */
void srv_loader_submit(struct srv_loader *loader, struct rf_task *task);

#endif
