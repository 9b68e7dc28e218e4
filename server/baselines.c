#include "server/baselines.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "server/embedded.h"
#include "server/models.h"

/* ---- finding ---- */

/* "NAME=FILE" of the model, or NULL. */
static const char *named(const struct srv_list *list, const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < list->n; i++)
        if (strncmp(list->item[i], name, n) == 0 && list->item[i][n] == '=')
            return list->item[i] + n + 1;
    return NULL;
}

/* net.onnx -> net.baseline.json, a folder -> FOLDER/baseline.json; false when it is not there. */
static bool beside(const char *path, char *found, size_t size)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    const char *const slash = strrchr(path, '/'), *const dot = strrchr(path, '.');
    const int stem = dot && dot > (slash ? slash : path) ? (int)(dot - path) : (int)strlen(path);
    const int n = S_ISDIR(st.st_mode) ? snprintf(found, size, "%s/baseline.json", path)
                                      : snprintf(found, size, "%.*s.baseline.json", stem, path);
    return n > 0 && (size_t)n < size && access(found, F_OK) == 0;
}

enum rf_status srv_baseline_attach(struct srv_model *m, const char *path,
                                   const struct srv_config *config, struct rf_error *err)
{
    char found[RF_LONGEST_PATH + 32];
    const struct rf_baseline_owner owner = {.model = m->name, .map = rf_model_features(m->model)};
    const struct rf_baseline_file bundled = {
        .source = "the bundled baseline",
        .text = srv_digits_baseline,
        .len = (size_t)(srv_digits_baseline_end - srv_digits_baseline)};
    const char *const file = named(&config->baselines, m->name);
    struct rf_baseline *baseline = NULL;
    struct rf_baseline_about about;
    enum rf_status rc = RF_OK;
    if (config->activity < RF_ACTIVITY_CHANNEL)
        return RF_OK;
    if (file)
        rc = rf_baseline_load(&baseline, &about, file, &owner, err);
    else if (srv_model_is_bundled(path))
        rc = rf_baseline_parse(&baseline, &about, &bundled, &owner, err);
    else if (beside(path, found, sizeof found))
        rc = rf_baseline_load(&baseline, &about, found, &owner, err);
    if (!rc && baseline)
        srv_baseline_set(m, baseline, &about);
    return rc;
}

/* ---- the one in use ---- */

struct rf_baseline_about srv_baseline_about(const struct srv_model *m,
                                            enum rf_baseline_source source)
{
    struct rf_baseline_about about = {.source = source};
    snprintf(about.model, sizeof about.model, "%s", m->name);
    snprintf(about.sha256, sizeof about.sha256, "%s", m->network.sha256);
    return about;
}

void srv_baseline_set(struct srv_model *m, struct rf_baseline *baseline,
                      const struct rf_baseline_about *about)
{
    pthread_mutex_lock(&m->baseline_lock);
    rf_model_set_baseline(m->model, baseline);
    m->baseline_about = *about;
    pthread_mutex_unlock(&m->baseline_lock);
}

struct writing {
    struct rf_buf *to;
    const struct srv_model *model;
    bool found;
};

static void write_text(void *arg, const struct rf_baseline *baseline)
{
    struct writing *w = arg;
    w->found = baseline != NULL;
    if (baseline)
        rf_baseline_write(w->to, baseline, &w->model->baseline_about,
                          rf_model_features(w->model->model));
}

bool srv_baseline_text(struct rf_buf *b, struct srv_model *m)
{
    struct writing w = {.to = b, .model = m};
    pthread_mutex_lock(&m->baseline_lock);
    rf_model_use_baseline(m->model, write_text, &w);
    pthread_mutex_unlock(&m->baseline_lock);
    return w.found;
}
