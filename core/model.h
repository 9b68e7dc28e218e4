/* The model's insides, for core's own files. */
#ifndef RF_CORE_MODEL_H
#define RF_CORE_MODEL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/counters.h"
#include "core/layer.h"
#include "core/plan.h"
#include "core/rectifier.h"

#define RF_MAX_PLANS 40 /* the batches that a server makes, and some */

struct rf_model {
    atomic_int refs;
    struct rf_graph *graph;
    struct rf_io *inputs, *outputs;
    size_t n_outputs;
    struct rf_layer *layers;
    size_t n_layers, n_channels; /* channels of all layers */
    int64_t parameters;
    enum rf_activity_level activity;
    size_t max_session_bytes;
    const struct rf_kernels *kernels;

    pthread_mutex_t lock; /* everything below */
    struct rf_plan *plans[RF_MAX_PLANS];
    uint64_t clock;
    struct rf_counters *counters; /* of its sessions, linked by next */
    uint64_t retired_inputs;      /* counted by sessions that are gone */
    struct rf_channel_activity *retired;
};

/* Fills inputs, outputs and activation layers (core/describe.c). `nominal`: of the inputs. */
enum rf_status rf_model_describe(struct rf_model *model, const struct rf_shape *nominal,
                                 struct rf_error *err) RF_CHECKED;

/* Checks n inputs against the model's and hands out the plan for them, made if need be. */
enum rf_status rf_model_plan(struct rf_model *model, const struct rf_given *given, size_t n,
                             struct rf_plan **out, struct rf_error *err) RF_CHECKED;

/* Adds `from` to `to`, n channels. */
void rf_channels_add(struct rf_channel_activity *to, const struct rf_channel_activity *from,
                     size_t n);
void rf_channels_clear(struct rf_channel_activity *channels, size_t n);

#endif
