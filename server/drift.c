/* How far a model's inputs are from its baseline, read as a whole. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "server/activity.h"

/* The baseline's shares of silence, layer by layer; a layer's channels have as many positions. */
static void note_sparsity(void *arg, const struct rf_baseline *baseline)
{
    struct srv_drift *d = arg;
    const size_t first = d->map->has_input;
    for (size_t i = first; baseline && i < d->map->n_layers; i++) {
        const struct rf_feature_layer *layer = &d->map->layers[i];
        const double *firing =
            baseline->mean + layer->first + RF_FEATURE_FIRING * layer->n_channels;
        double sum = 0;
        for (size_t c = 0; c < layer->n_channels; c++)
            sum += firing[c];
        d->sparsity[i - first] = 1 - sum / (double)layer->n_channels;
    }
}

enum rf_status srv_drift_read(struct srv_drift *d, struct rf_model *model, struct rf_error *err)
{
    *d = (struct srv_drift){.map = rf_model_features(model)};
    const size_t n = d->map ? d->map->n_layers : 0;
    d->scores = calloc(n + 1, sizeof *d->scores);
    d->sparsity = calloc(n + 1, sizeof *d->sparsity);
    if (!d->scores || !d->sparsity) {
        srv_drift_release(d);
        return rf_fail_nomem(err, "drift", n * sizeof *d->scores);
    }
    for (size_t i = 0; i < n; i++)
        d->sparsity[i] = NAN;
    d->known = n > 0 && rf_activity_drift(model, &d->drift, d->scores);
    if (d->known)
        rf_model_use_baseline(model, note_sparsity, d);
    return RF_OK;
}

void srv_drift_release(struct srv_drift *d)
{
    free(d->scores);
    free(d->sparsity);
    *d = (struct srv_drift){0};
}

bool srv_drift_has_score(const struct srv_drift *d)
{
    return d->known && d->drift.inputs >= RF_DRIFT_MIN_INPUTS;
}

void srv_drift_json(struct rf_buf *b, const struct srv_drift *d)
{
    if (!d->known) {
        rf_buf_text(b, ",\"drift\":null");
        return;
    }
    const bool scored = srv_drift_has_score(d);
    rf_buf_text(b, ",\"drift\":{\"score\":");
    srv_json_number(b, scored ? d->drift.score : NAN);
    rf_buf_printf(b, ",\"state\":\"%s\",\"mix\":", rf_drift_state_text(d->drift.state));
    srv_json_number(b, scored ? d->drift.mix.psi : NAN);
    rf_buf_printf(b, ",\"mix_notice\":%s,\"layers\":[", d->drift.mix.notice ? "true" : "false");
    for (size_t i = 0; i < d->map->n_layers; i++) {
        rf_buf_json_member(b, i ? ",{" : "{", "name", d->map->layers[i].name);
        rf_buf_text(b, ",\"score\":");
        srv_json_number(b, scored ? d->scores[i] : NAN);
        rf_buf_text(b, "}");
    }
    rf_buf_printf(b, "],\"n\":%" PRIu64 ",\"baseline_n\":%" PRIu64 "}", d->drift.inputs,
                  d->drift.baseline_inputs);
}
