/* The model's insides, for core's own files. */
#ifndef RF_CORE_MODEL_H
#define RF_CORE_MODEL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/counters.h"
#include "core/plan.h"
#include "core/record.h"
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
    size_t max_session_bytes;
    const struct rf_kernels *kernels;
    struct rf_feature_map features;
    struct rf_record record;

    pthread_mutex_t lock; /* everything below */
    struct rf_plan *plans[RF_MAX_PLANS];
    uint64_t clock;
};

/* Fills inputs, outputs, activation layers and features, and begins the record (core/describe.c).
 * `nominal`: of the inputs. */
enum rf_status rf_model_describe(struct rf_model *model, const struct rf_model_options *options,
                                 const struct rf_shape *nominal, struct rf_error *err) RF_CHECKED;

/* Checks n inputs against the model's and hands out the plan for them, made if need be. */
enum rf_status rf_model_plan(struct rf_model *model, const struct rf_given *given, size_t n,
                             struct rf_plan **out, struct rf_error *err) RF_CHECKED;

/* What one session counted and has not moved on, which the caller may touch (core/activity.c). */
enum rf_status rf_activity_of(const struct rf_model *model, const struct rf_counters *c,
                              struct rf_activity **out, struct rf_error *err) RF_CHECKED;
/* The mean of its features; returns the class of a single input. */
int rf_features_of(const struct rf_model *model, const struct rf_counters *c, double *features);

#endif
