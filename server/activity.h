/* What a model's activations did, as JSON: for the route, `infer --activity` and `audit`. */
#ifndef SRV_ACTIVITY_H
#define SRV_ACTIVITY_H

#include "core/rectifier.h"
#include "proto/buf.h"
#include "server/config.h"

/* As the options have it. */
struct rf_criteria srv_criteria(const struct srv_config *config);
/* "healthy", "dying", "unknown"; NULL for layers that are not judged. */
const char *srv_verdict_text(const struct rf_layer_activity *layer,
                             const struct rf_layer_verdict *verdict);

/* Of a channel or layer; NAN without finite values. */
double srv_mean(const struct rf_channel_activity *c);
double srv_std(const struct rf_channel_activity *c); /* the population's */

/* Appends a number; null unless it is finite. */
void srv_json_number(struct rf_buf *b, double v);

/* What against the baseline changed; with room for each of the model's layers. */
struct srv_drift {
    bool known; /* there is a baseline */
    struct rf_drift drift;
    const struct rf_feature_map *map;
    double *scores;   /* by the map's layers */
    double *sparsity; /* the baseline's, by the activity's layers; NAN where it says nothing */
};

enum rf_status srv_drift_read(struct srv_drift *drift, struct rf_model *model,
                              struct rf_error *err) RF_CHECKED;
void srv_drift_release(struct srv_drift *drift);
/* Enough inputs were seen. */
bool srv_drift_has_score(const struct srv_drift *drift);
/* ,"drift":{...}, or null without a baseline. */
void srv_drift_json(struct rf_buf *b, const struct srv_drift *drift);

struct srv_products;

/* What to print, and how. */
struct srv_activity_view {
    const char *model, *version;
    const char *window;    /* as it was asked for */
    double window_seconds; /* below 0: not known */
    const struct rf_activity *activity;
    struct rf_criteria criteria;
    const char *layer; /* only this one; NULL: all */
    bool channels;     /* arrays of each channel's counters, too, and `products` */
    const struct srv_products *products;
    const struct srv_drift *drift; /* or NULL */
    struct rf_model *units;        /* whose dead units to list; or NULL */
};

/* {"model": ..., "layers": [...]}, but for the closing brace. RF_NOT_FOUND names a layer that is
 * not there. */
enum rf_status srv_activity_json(struct rf_buf *b, const struct srv_activity_view *view,
                                 struct rf_error *err) RF_CHECKED;

#endif
