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
 * A channel is dead when it never fired, always on when every value fired, near dead when it fired
 * in less than 1 % of the inputs. Moments are over finite values; others are counted apart. Warm-up
 * runs and padding never count; `inputs` are the rows computed.
 */
#ifndef RF_CORE_ACTIVITY_H
#define RF_CORE_ACTIVITY_H

#include "core/tensor.h"

enum rf_activity_level { RF_ACTIVITY_OFF, RF_ACTIVITY_LAYER, RF_ACTIVITY_CHANNEL };

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
    struct rf_channel_activity *channels;
};

struct rf_activity {
    uint64_t inputs;
    size_t n_layers;
    struct rf_layer_activity *layers;
};

struct rf_model;

/* Totals since load over all of the model's sessions; consistent per session. The caller frees. */
enum rf_status rf_activity_read(struct rf_model *model, struct rf_activity **out,
                                struct rf_error *err) RF_CHECKED;
void rf_activity_free(struct rf_activity *activity);

/* What the counters say about a layer. Unknown below `min_inputs`. */
struct rf_layer_verdict {
    bool known;
    size_t dead, near_dead, always_on;
    double dead_rate_upper; /* 3 / inputs: the firing rate that silence rules out at 95 % */
    bool dying;             /* more than half of the channels are dead */
    bool high_sparsity;     /* more than 70 % zeros */
};

bool rf_channel_is_dead(const struct rf_channel_activity *c);
void rf_layer_judge(const struct rf_layer_activity *layer, uint64_t inputs, uint64_t min_inputs,
                    struct rf_layer_verdict *verdict);

#endif
