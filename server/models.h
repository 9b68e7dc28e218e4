/*
 * The models served: loaded at the start, immutable afterwards, so that any thread may look one up.
 * A model owns its sessions, one for each compute thread, so that a worker never waits for one.
 */
#ifndef SRV_MODELS_H
#define SRV_MODELS_H

#include <pthread.h>

#include "core/rectifier.h"
#include "proto/infer.h"
#include "proto/load.h"
#include "server/config.h"
#include "server/metrics.h"
#include "server/nodes.h"
#include "server/queue.h"
#include "server/rows.h"

#define SRV_MAX_MODEL_NAME 128
#define SRV_BUNDLED_NAME "digits"

struct srv_model {
    char name[SRV_MAX_MODEL_NAME + 1];
    const char *version;
    struct rf_network network; /* labels, format, sha256; its graph went into the model */
    struct rf_model *model;
    struct rf_model_io io;
    struct rf_io *io_inputs, *io_outputs;
    double load_time;  /* of day, for the metrics */
    int64_t max_batch; /* rows in one run that requests may share; 0: they share none */
    struct srv_rows rows;
    struct srv_queue queue;
    struct srv_model_metrics metrics;
    struct srv_nodes nodes;
    pthread_mutex_t lock; /* the free sessions */
    struct rf_session **sessions;
    size_t n_sessions, n_free;
};

struct srv_models {
    size_t n;
    struct srv_model *list[SRV_MAX_LIST];
};

/* ^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$ */
bool srv_model_name_is_valid(const char *name);

/*
 * Loads MODEL: "path" or "name=path", or the bundled network when it is NULL or names it and no
 * such file exists. The model is ready to make sessions.
 */
enum rf_status srv_model_load(struct srv_model **out, const char *spec,
                              const struct rf_model_options *options,
                              struct rf_error *err) RF_CHECKED;
void srv_model_free(struct srv_model *model);

/*
 * Makes the sessions, one for each of the pool's threads, and runs each once, uncounted. Finds out
 * how many rows requests may share a run with: `max_batch`, or less if the workers' runs took more
 * than `batch_bytes` each.
 */
enum rf_status srv_model_warm_up(struct srv_model *model, struct rf_pool *pool, int64_t max_batch,
                                 size_t batch_bytes, struct rf_error *err) RF_CHECKED;

/* A free session; never NULL in one of the pool's tasks. */
struct rf_session *srv_model_take_session(struct srv_model *model);
void srv_model_give_session(struct srv_model *model, struct rf_session *session);

/* The shapes of the inputs for `rows` samples (1: nominal, as other open sizes are); false when
 * shapes follow from an input's elements. `shapes` has room for every input. */
bool srv_model_shapes(const struct rf_model *model, int64_t rows, struct rf_shape *shapes);

/* Borrowed, or NULL. */
struct srv_model *srv_models_find(const struct srv_models *models, const char *name);

#endif
