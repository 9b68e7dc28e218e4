#include "server/survey.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/baselines.h"
#include "server/files.h"
#include "server/models.h"
#include "server/units.h"

struct srv_survey {
    const struct srv_model *model;
    struct rf_session *session;
    const struct rf_feature_map *map;
    struct rf_baseline_builder *builder;
    struct rf_feature_sum one; /* an input */
    uint64_t rows;
};

enum rf_status srv_survey_new(struct srv_survey **out, struct srv_model *model,
                              struct rf_session *session, struct rf_error *err)
{
    struct srv_survey *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return rf_fail_nomem(err, "a baseline", sizeof *s);
    s->model = model;
    s->session = session;
    s->map = rf_model_features(model->model);
    enum rf_status rc = rf_feature_sum_init(&s->one, s->map, err);
    if (!rc)
        rc = rf_baseline_builder_new(&s->builder, s->map, RF_BASELINE_SUB_WINDOWS, err);
    if (rc) {
        srv_survey_free(s);
        return rc;
    }
    rf_session_observe(session, true);
    *out = s;
    return RF_OK;
}

void srv_survey_free(struct srv_survey *s)
{
    if (!s)
        return;
    rf_session_observe(s->session, false);
    rf_baseline_builder_free(s->builder);
    rf_feature_sum_release(&s->one);
    free(s);
}

enum rf_status srv_survey_add(struct srv_survey *s, struct rf_error *err)
{
    rf_feature_sum_clear(&s->one, s->map);
    const int class = rf_session_features(s->session, s->one.sum);
    s->one.inputs = 1;
    if (class >= 0)
        s->one.classes[class] = 1;
    for (size_t i = 0; i < s->map->n_features; i++)
        if (!isfinite(s->one.sum[i]))
            return rf_fail(err, RF_INVALID,
                           "row %" PRIu64 ": some values are not finite, of the input or of "
                           "activations; a baseline describes finite ones",
                           s->rows);
    s->rows++;
    return rf_baseline_builder_add(s->builder, &s->one, err);
}

static const char *parts_text(char text[64], const struct rf_baseline *baseline)
{
    if (baseline->inputs < 2 * RF_DRIFT_WINDOW)
        snprintf(text, 64, "too few to compare parts of it");
    else
        snprintf(text, 64, "its own parts differ by at most %.3f", baseline->sub_window_max);
    return text;
}

enum rf_status srv_survey_write(const struct srv_survey *s, const char *path, bool from_training,
                                struct rf_error *err)
{
    struct rf_baseline *baseline;
    const struct rf_baseline_about about =
        srv_baseline_about(s->model, from_training ? RF_BASELINE_TRAINING : RF_BASELINE_HELD_OUT);
    struct rf_buf b;
    char size[SRV_UNIT_TEXT], parts[64];
    enum rf_status rc = rf_baseline_builder_finish(s->builder, from_training, &baseline, err);
    if (rc)
        return rc;
    rf_buf_init(&b, RF_BASELINE_LIMIT);
    rf_baseline_write(&b, baseline, &about, s->map);
    if (b.status)
        rc = rf_fail(err, b.status, "the baseline takes more than %zu bytes", b.limit);
    if (!rc)
        rc = srv_file_write(path, b.data, b.len, err);
    if (!rc)
        fprintf(stderr, "%s: a baseline of %" PRIu64 " inputs, %s; %s%s\n", path, baseline->inputs,
                srv_bytes_text(b.len, size), parts_text(parts, baseline),
                from_training ? "; made from training data, so drift is measured without classes"
                              : "");
    rf_buf_release(&b);
    rf_baseline_free(baseline);
    return rc;
}
