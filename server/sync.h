/*
 * What is on disk -> what is served. Called by one thread at a time: main while the server starts,
 * the loader's afterwards.
 */
#ifndef SRV_SYNC_H
#define SRV_SYNC_H

#include "server/layout.h"

struct srv_server;
struct srv_sync;

enum rf_status srv_sync_new(struct srv_sync **out, struct srv_server *server,
                            struct rf_error *err) RF_CHECKED;
void srv_sync_free(struct srv_sync *sync);

/* Lists every MODEL as loading, there or not. `settled`: all of them are there, and unchanged since
 * the look before. */
enum rf_status srv_sync_look(struct srv_sync *sync, bool *settled, struct rf_error *err) RF_CHECKED;
/* Loads every MODEL. The first failure ends it; where models may be mended or come later
 * (--model-control), only that of all. */
enum rf_status srv_sync_start(struct srv_sync *sync, struct rf_error *err) RF_CHECKED;

/* Loads what is new or changed, as soon as two looks in a row saw the same, and ends what is gone.
 * Failures go to the log and the repository. */
void srv_sync_poll(struct srv_sync *sync);

/* Loads a model anew, in the versions that the policy wants now. RF_NOT_FOUND: no MODEL
 * is called so. */
enum rf_status srv_sync_load(struct srv_sync *sync, const char *name,
                             struct rf_error *err) RF_CHECKED;
/* Ends serving a model; its requests under way are answered. */
enum rf_status srv_sync_unload(struct srv_sync *sync, const char *name,
                               struct rf_error *err) RF_CHECKED;

#endif
