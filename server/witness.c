#include "server/witness.h"

#include <math.h>
#include <stdlib.h>

#include "server/activity.h"
#include "server/models.h"
#include "server/server.h"

bool srv_witness_is_wanted(const struct srv_request *r)
{
    const struct rf_infer_request *in = &r->job.inputs;
    return in->wants_activity || in->wants_novelty ||
           (r->job.model->novel.most && in->rows == 1 && r->job.model->max_batch > 0);
}

static void note_presence(void *arg, const struct rf_baseline *baseline)
{
    *(bool *)arg = baseline != NULL;
}

/* A request that asks for what is not there is refused; nobody asked for novel inputs to be kept.
 */
static enum rf_status check(struct srv_witness *w, struct rf_error *err)
{
    const struct srv_model *m = w->model;
    const struct rf_infer_request *in = &w->request->job.inputs;
    const int level = w->request->server->config->activity;
    bool has_baseline = false;
    if (level >= RF_ACTIVITY_CHANNEL)
        rf_model_use_baseline(m->model, note_presence, &has_baseline);
    if (in->wants_activity && level == RF_ACTIVITY_OFF)
        return rf_fail(err, RF_INVALID, "\"activity\": the server runs with --activity off");
    if (in->wants_novelty && !has_baseline)
        return rf_fail(err, RF_INVALID, "\"novelty\": model '%s' has no baseline", m->name);
    w->activity = in->wants_activity;
    w->novelty = has_baseline && (in->wants_novelty || m->novel.most);
    return RF_OK;
}

enum rf_status srv_witness_begin(struct srv_witness *w, struct srv_request *r,
                                 struct rf_session *session, struct rf_error *err)
{
    *w = (struct srv_witness){.request = r, .model = r->job.model, .session = session};
    const enum rf_status rc = check(w, err);
    if (rc || !(w->activity || w->novelty))
        return rc;
    const struct rf_feature_map *map = w->novelty ? rf_model_features(w->model->model) : NULL;
    w->n_rows = r->job.inputs.rows;
    w->features = calloc(map ? map->n_features + 1 : 1, sizeof *w->features);
    w->distances = calloc((size_t)w->n_rows + 1, sizeof *w->distances);
    if (!w->features || !w->distances)
        return rf_fail_nomem(err, "a request's activity", map ? map->n_features * 8 : 8);
    rf_session_observe(session, true);
    return RF_OK;
}

/* ---- a run ---- */

static enum rf_status add_activity(struct srv_witness *w, struct rf_error *err)
{
    struct rf_activity *a;
    enum rf_status rc = rf_session_activity(w->session, &a, err);
    if (rc)
        return rc;
    if (!w->values) {
        w->n_layers = a->n_layers;
        w->values = calloc(a->n_layers + 1, sizeof *w->values);
        w->zeros = calloc(a->n_layers + 1, sizeof *w->zeros);
        w->names = calloc(a->n_layers + 1, sizeof *w->names);
    }
    if (!w->values || !w->zeros || !w->names)
        rc = rf_fail_nomem(err, "a request's activity", a->n_layers * sizeof *w->values);
    for (size_t i = 0; !rc && i < a->n_layers; i++) {
        w->names[i] = a->layers[i].name;
        w->values[i] += a->layers[i].total.values;
        w->zeros[i] += a->layers[i].total.zeros;
    }
    rf_activity_free(a);
    return rc;
}

struct measuring {
    struct srv_witness *witness;
    int class;
    double distance;
};

static void measure(void *arg, const struct rf_baseline *baseline)
{
    struct measuring *x = arg;
    if (baseline)
        x->distance = rf_novelty(baseline, x->witness->features, x->class);
}

static void add_novelty(struct srv_witness *w, int64_t row)
{
    struct measuring x = {.witness = w, .distance = NAN};
    const struct rf_tensor *input = &w->request->job.inputs.inputs[0];
    x.class = rf_session_features(w->session, w->features);
    rf_model_use_baseline(w->model->model, measure, &x);
    w->distances[row] = x.distance;
    if (isnan(x.distance))
        return;
    srv_novelty_add(&w->model->metrics.novelty, x.distance, w->request->traceparent);
    srv_novel_offer(&w->model->novel, x.distance, input, row);
}

enum rf_status srv_witness_row(struct srv_witness *w, int64_t row, int64_t n, struct rf_error *err)
{
    if (w->novelty && n == 1)
        add_novelty(w, row);
    for (int64_t i = 0; w->novelty && n > 1 && i < n; i++)
        w->distances[row + i] = NAN; /* they were not apart */
    return w->activity ? add_activity(w, err) : RF_OK;
}

/* ---- the end ---- */

static void report_activity(struct rf_buf *b, const struct srv_witness *w)
{
    rf_buf_text(b, "\"activity\":{");
    for (size_t i = 0; i < w->n_layers; i++) {
        rf_buf_text(b, i ? "," : "");
        rf_buf_json_string(b, w->names[i]);
        rf_buf_text(b, ":");
        srv_json_number(b, w->values[i] ? (double)w->zeros[i] / (double)w->values[i] : NAN);
    }
    rf_buf_text(b, "}");
}

void srv_witness_report(struct srv_witness *w)
{
    struct srv_job *job = &w->request->job;
    struct rf_buf *b = &job->report;
    if (!job->inputs.wants_activity && !job->inputs.wants_novelty)
        return;
    rf_buf_init(b, w->request->server->reply_limit);
    if (job->inputs.wants_activity)
        report_activity(b, w);
    if (job->inputs.wants_novelty) {
        rf_buf_text(b, job->inputs.wants_activity ? ",\"novelty\":[" : "\"novelty\":[");
        for (int64_t i = 0; i < w->n_rows; i++) {
            rf_buf_text(b, i ? "," : "");
            srv_json_number(b, w->distances[i]);
        }
        rf_buf_text(b, "]");
    }
    rf_buf_add(b, "", 1);
    job->inputs.report = b->status ? NULL : b->data;
}

void srv_witness_end(struct srv_witness *w)
{
    if (w->session && w->distances)
        rf_session_observe(w->session, false);
    free(w->features);
    free(w->distances);
    free(w->values);
    free(w->zeros);
    free(w->names);
}
