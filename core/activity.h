/*
 * Activation statistics: which neurons are awake.
 *
 * Counted at each activation's output, in the same pass that computes it. For x and its y = f(x):
 *
 *   fired      y > 0
 *   zero       y == 0, exactly
 *   inactive   x <= 0; NaN is neither
 *   saturated  y at the upper rail (Clip)
 *
 * A *channel* is dead when it never fired, always on when every value fired, near dead when it
 * fired in less than 1 % of the inputs. A *unit* is one number of a layer's output, a channel at
 * one position; it is dead when it never fired. Moments are over finite values; others are counted
 * apart. Warm-up runs and padding never count; `inputs` are the rows computed.
 *
 * What is counted since load is also kept in *slots*, whose ends the caller sets, so that there are
 * windows: the open slot and the newest closed ones. Everything below may be called by any thread
 * at any time. While runs go on, the last few inputs of each session may not be seen yet (19, or
 * one batch if that is larger); nothing is missing of sessions that are idle.
 */
#ifndef RF_CORE_ACTIVITY_H
#define RF_CORE_ACTIVITY_H

#include "core/drift.h"
#include "core/tensor.h"

/* Each level counts what those before it do: totals of layers since load; channels, windows, what
 * inputs look like, drift; units. */
enum rf_activity_level {
    RF_ACTIVITY_OFF,
    RF_ACTIVITY_LAYER,
    RF_ACTIVITY_CHANNEL,
    RF_ACTIVITY_UNIT,
};

/* What an activation's counters mean. */
enum rf_activity_kind {
    RF_KIND_NONE,  /* not an activity layer (Sigmoid, Softmax) */
    RF_KIND_RELU,  /* zero exactly where not fired */
    RF_KIND_LEAKY, /* few zeros; `inactive` is counted on its own */
    RF_KIND_CLIP,  /* as ReLU, with a top rail */
};

/* One channel's totals. */
struct rf_channel_activity {
    uint64_t values, fired, fired_inputs, zeros, inactive, saturated, nonfinite;
    double sum, sum_squares, max; /* of finite values; max is -INFINITY before the first */
};

struct rf_layer_activity {
    const char *name, *type, *path; /* borrowed from the model */
    enum rf_activity_kind kind;
    struct rf_shape shape; /* of one input, batch left out; -1 where it varies */
    struct rf_channel_activity total;
    size_t n_channels;
    struct rf_channel_activity *channels; /* NULL: not counted */
    size_t n_units, dead_units;           /* 0 units: not counted, as their number varies */
};

struct rf_activity {
    uint64_t inputs;
    /* Different ones among the newest RF_DISTINCT_INPUTS of the window. */
    size_t distinct_inputs;
    size_t n_slots; /* of a window: closed ones that it covers */
    size_t n_layers;
    struct rf_layer_activity *layers;
};

#define RF_DISTINCT_INPUTS 4096

struct rf_model;

/* Since load, over all of the model's sessions. Counts never go back. The caller frees. */
enum rf_status rf_activity_read(struct rf_model *model, struct rf_activity **out,
                                struct rf_error *err) RF_CHECKED;
/* The open slot and the newest `slots` that are closed, or as many as there are; none is kept below
 * RF_ACTIVITY_CHANNEL. */
enum rf_status rf_activity_read_window(struct rf_model *model, size_t slots,
                                       struct rf_activity **out, struct rf_error *err) RF_CHECKED;
void rf_activity_free(struct rf_activity *activity);

/* Closes the open slot; rf_model_options.n_slots closed ones are kept. */
void rf_activity_roll(struct rf_model *model);

/*
 * In which slot each unit of a layer fired last: 0 the open one, 1 the one closed last, and so on
 * to 254, that one or before; RF_NEVER_FIRED not since load. So a unit is dead in a window of k
 * closed slots when its age is above k. `ages` is [n_units], in the order of `shape`. False, and
 * nothing written, where units are not counted.
 */
#define RF_NEVER_FIRED 255
bool rf_activity_unit_ages(struct rf_model *model, size_t layer, uint8_t *ages);

/* Memory of what the model has counted; `*session`: more for each thread of each session. Of
 * closed slots it is taken when they come. */
size_t rf_activity_bytes(const struct rf_model *model, size_t *session);

/* When silence counts. */
struct rf_criteria {
    uint64_t min_inputs;   /* below, or with fewer different ones, nothing is said of channels */
    double dead_threshold; /* dead is what was never above it, rather than never fired */
    double near_dead;      /* firing in less than this share of the inputs is nearly dead */
    double dying;          /* more than this share of dead channels, and the layer is dying */
    double high_sparsity;  /* more than this share of zeros is worth a note */
};

/* What the counters say about a layer; without channels only what is said of values, which takes
 * no different inputs. */
struct rf_layer_verdict {
    bool known;
    size_t dead, near_dead, always_on;
    double dead_rate_upper; /* 3 / inputs: the firing rate that silence rules out at 95 % */
    bool dying, high_sparsity;
};

/* Adds what n channels have counted. */
void rf_channels_add(struct rf_channel_activity *to, const struct rf_channel_activity *from,
                     size_t n);
bool rf_channel_is_dead(const struct rf_channel_activity *c, const struct rf_criteria *criteria);
void rf_layer_judge(const struct rf_activity *activity, size_t index,
                    const struct rf_criteria *criteria, struct rf_layer_verdict *verdict);

/* ---- features and drift; from RF_ACTIVITY_CHANNEL on ---- */

/* Borrowed from the model. */
const struct rf_feature_map *rf_model_features(const struct rf_model *model);
/* Features of the slots [newest, oldest), where slot 0 is the open one, 1 the one closed last;
 * `sum` is the caller's, and is set. */
void rf_activity_features(struct rf_model *model, size_t newest, size_t oldest,
                          struct rf_feature_sum *sum);

/* Takes the baseline, frees the one before; NULL takes it away. Drift begins anew. */
void rf_model_set_baseline(struct rf_model *model, struct rf_baseline *baseline);
/* Calls `use` with the baseline, or NULL, which stays for the call; `use` may not call the model.
 */
void rf_model_use_baseline(struct rf_model *model,
                           void (*use)(void *arg, const struct rf_baseline *baseline), void *arg);

/* A baseline of the newest inputs, whether one is set or not: of at most RF_TRAFFIC_SLOT blocks of
 * 20 inputs (or one batch, if that is larger) a slot, RF_TRAFFIC_BLOCKS in all (core/traffic.h),
 * those left out whose values are not finite. RF_INVALID says what is missing. The caller frees. */
enum rf_status rf_activity_baseline(struct rf_model *model, struct rf_baseline **out,
                                    struct rf_error *err) RF_CHECKED;

/* The newest inputs, at least RF_DRIFT_WINDOW of them once there are so many, against the baseline.
 */
struct rf_drift {
    uint64_t inputs, baseline_inputs;
    double score; /* 0 below RF_DRIFT_MIN_INPUTS */
    enum rf_drift_state state;
    struct rf_mix mix;
};

/* False without a baseline. `layers`: scores by the layers of rf_model_features; may be NULL. */
bool rf_activity_drift(struct rf_model *model, struct rf_drift *drift, double *layers);

#endif
