/*
 * One loaded version of a model, immutable, so that any thread may use it. It owns its sessions,
 * one for each compute thread, so that a worker never waits for one. Who uses it holds a reference:
 * the repository while it is served, a request from routing to completion.
 */
#ifndef SRV_MODELS_H
#define SRV_MODELS_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/rectifier.h"
#include "proto/baseline.h"
#include "proto/infer.h"
#include "proto/load.h"
#include "server/layout.h"
#include "server/metrics.h"
#include "server/nodes.h"
#include "server/novel.h"
#include "server/queue.h"
#include "server/rows.h"

struct srv_loader;
struct srv_repository;
struct srv_entry;

/* Where a model is, or was, served. */
struct srv_place {
    struct srv_repository *repository; /* hears when the model is freed; NULL: nobody does */
    struct srv_entry *entry;
    uint64_t number;
};

struct srv_model {
    atomic_size_t refs;
    struct srv_loader *loader; /* frees it, if not NULL, in its own thread */
    struct srv_place place;
    struct rf_task release;
    char name[SRV_MAX_MODEL_NAME + 1];
    char version[21];
    struct rf_network network; /* labels, format, sha256; its graph went into the model */
    struct rf_model *model;
    struct rf_model_io io;
    struct rf_io *io_inputs, *io_outputs;
    double load_time; /* of day, for the metrics */
    uint64_t loaded_ns;
    atomic_uint_fast64_t rolled_ns; /* when activity's slots were last closed */
    int64_t max_batch; /* rows in one run that requests may share; 0: they share none */
    struct srv_rows rows;
    struct srv_queue queue;
    struct srv_model_metrics metrics;
    struct srv_nodes nodes;
    struct srv_novel novel;
    enum rf_drift_state drift_state; /* as last logged, by who closes slots */
    pthread_mutex_t baseline_lock;   /* the baseline with: */
    struct rf_baseline_about baseline_about;
    pthread_mutex_t lock; /* the free sessions */
    struct rf_session **sessions;
    size_t n_sessions, n_free;
};

/* What to load. */
struct srv_model_source {
    const char *name; /* "": the name in the file, or the file's */
    const char *path;
    uint64_t version;
};

/* Loads a model, with one reference; it is ready to make sessions. */
enum rf_status srv_model_load_version(struct srv_model **out, const struct srv_model_source *source,
                                      const struct rf_model_options *options,
                                      struct rf_error *err) RF_CHECKED;
/* The same for "[NAME=]PATH", or the bundled network when `spec` is NULL; as version 1. */
enum rf_status srv_model_load(struct srv_model **out, const char *spec,
                              const struct rf_model_options *options,
                              struct rf_error *err) RF_CHECKED;
struct srv_model *srv_model_ref(struct srv_model *model);
void srv_model_unref(struct srv_model *model); /* frees with the last reference; NULL is fine */

/* Of a run that requests share. */
struct srv_batch_limits {
    int64_t rows;
    size_t bytes; /* of each worker's */
};

/* Makes the sessions, one for each of the pool's threads, and runs each once, uncounted.
 * `together`: at the same time, so that every thread leads one; else one by one, and requests go
 * on. Finds out how many rows requests may share a run with, within `limits`. */
enum rf_status srv_model_warm_up(struct srv_model *model, struct rf_pool *pool, bool together,
                                 const struct srv_batch_limits *limits,
                                 struct rf_error *err) RF_CHECKED;

/* A free session; never NULL in one of the pool's tasks. */
struct rf_session *srv_model_take_session(struct srv_model *model);
void srv_model_give_session(struct srv_model *model, struct rf_session *session);

/* The shapes of the inputs for `rows` samples (1: nominal, as other open sizes are); false when
 * shapes follow from an input's elements. `shapes` has room for every input. */
bool srv_model_shapes(const struct rf_model *model, int64_t rows, struct rf_shape *shapes);
/* Calls `each` for every step of the plan of one sample; for none where shapes follow from an
 * input's elements. */
enum rf_status srv_model_steps(struct rf_model *model,
                               void (*each)(void *arg, const struct rf_step_info *info), void *arg,
                               struct rf_error *err) RF_CHECKED;

#endif
