/*
 * The clock of activity's windows: the core counts in slots, here they are closed. A window of
 * --activity-window has SRV_SLOTS of them.
 */
#ifndef SRV_SLOTS_H
#define SRV_SLOTS_H

#include "core/rectifier.h"

#define SRV_SLOTS 30

struct srv_model;
struct srv_server;

/* Closes the slots of all models when it is time; for one thread, often. */
void srv_slots_roll(struct srv_server *server, uint64_t now);

/* "load", or a time of at most --activity-window: the activity of that window and its seconds. NULL
 * with RF_INVALID for other texts. The caller frees. */
enum rf_status srv_slots_read(struct srv_server *server, struct srv_model *model,
                              const char *window, struct rf_activity **out, double *seconds,
                              struct rf_error *err) RF_CHECKED;

#endif
