/* The sessions of a model: made, run once, and what that tells of batches. */
#include <stdlib.h>

#include "server/models.h"

/* The warm-ups of a model. None ends before all have begun, so that every compute thread leads one.
 */
struct warm_ups {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n, begun, ended;
};

struct warm_up {
    struct rf_task task;
    struct warm_ups *all;
    struct srv_model *model;
    struct rf_session *session;
    struct rf_error err;
};

static enum rf_status make_zeros(void **data, const struct rf_shape *shape, enum rf_dtype dtype,
                                 struct rf_error *err)
{
    const size_t bytes = rf_shape_bytes(shape, dtype);
    *data = calloc(1, bytes ? bytes : 1);
    return *data ? RF_OK : rf_fail_nomem(err, "a warm-up run", bytes);
}

/* For nothing where shapes follow from an input's elements. */
static enum rf_status run_zeros(struct warm_up *w)
{
    const size_t n_in = w->model->io.n_inputs, n_out = w->model->io.n_outputs;
    struct rf_error *err = &w->err;
    struct rf_shape *shapes = calloc(n_in + 1, sizeof *shapes);
    struct rf_tensor *out = calloc(n_out + 1, sizeof *out);
    void **in = calloc(n_in + 1, sizeof *in);
    enum rf_status rc = RF_OK;
    if (!shapes || !out || !in)
        rc = rf_fail_nomem(err, "a warm-up run", n_in * sizeof *shapes);
    const bool runs = !rc && srv_model_shapes(w->model->model, 1, shapes);
    for (size_t i = 0; runs && !rc && i < n_in; i++)
        rc = make_zeros(&in[i], &shapes[i], w->model->io.inputs[i].dtype, err);
    if (runs && !rc)
        rc = rf_session_prepare(w->session, shapes, NULL, n_in, err);
    if (runs && !rc)
        rc = rf_session_run(w->session, (const void *const *)in, n_in, out, n_out, false, err);
    for (size_t i = 0; in && i < n_in; i++)
        free(in[i]);
    free(in);
    free(out);
    free(shapes);
    return rc;
}

static void warm_up_task(struct rf_task *task)
{
    struct warm_up *w = (struct warm_up *)task;
    struct warm_ups *all = w->all;
    pthread_mutex_lock(&all->lock);
    all->begun++;
    pthread_cond_broadcast(&all->changed);
    while (all->begun < all->n)
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
    w->err.status = run_zeros(w);
    pthread_mutex_lock(&all->lock);
    all->ended++;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

static enum rf_status make_sessions(struct srv_model *m, struct rf_pool *pool, struct rf_error *err)
{
    const size_t n = (size_t)rf_pool_threads(pool);
    m->sessions = calloc(n, sizeof *m->sessions);
    if (!m->sessions)
        return rf_fail_nomem(err, "sessions", n * sizeof *m->sessions);
    for (; m->n_sessions < n; m->n_sessions++) {
        const enum rf_status rc = rf_session_new(&m->sessions[m->n_sessions], m->model, pool, err);
        if (rc)
            return rc;
    }
    m->n_free = n;
    return RF_OK;
}

static void find_max_batch(struct srv_model *model, int64_t limit, size_t bytes)
{
    model->rows = srv_rows_try(model->model, model->sessions[0]);
    if (model->rows.independent)
        model->max_batch = srv_rows_that_fit(model->model, limit, bytes);
    model->queue.max_batch = model->max_batch;
}

/* Runs sessions [first, first + n), and returns when all have ended. */
static enum rf_status warm_up(struct srv_model *model, struct rf_pool *pool, size_t first, size_t n,
                              struct rf_error *err)
{
    struct warm_ups all = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    enum rf_status rc = RF_OK;
    struct warm_up *list = calloc(n, sizeof *list);
    if (!list)
        return rf_fail_nomem(err, "warm-up runs", n * sizeof *list);
    all.n = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        list[i] = (struct warm_up){.task = {.run = warm_up_task},
                                   .all = &all,
                                   .model = model,
                                   .session = model->sessions[first + i]};
        rf_pool_submit(pool, &list[i].task);
    }
    pthread_mutex_lock(&all.lock);
    while (all.ended < all.n)
        pthread_cond_wait(&all.changed, &all.lock);
    pthread_mutex_unlock(&all.lock);
    for (size_t i = 0; i < n && !rc; i++)
        if (list[i].err.status)
            rc = rf_fail(err, list[i].err.status, "%s: %s", model->name, list[i].err.text);
    pthread_cond_destroy(&all.changed);
    pthread_mutex_destroy(&all.lock);
    free(list);
    return rc;
}

enum rf_status srv_model_warm_up(struct srv_model *model, struct rf_pool *pool, bool together,
                                 const struct srv_batch_limits *limits, struct rf_error *err)
{
    enum rf_status rc = make_sessions(model, pool, err);
    if (!rc)
        rc = srv_nodes_init(&model->nodes, model->model, err);
    const size_t n = model->n_sessions, step = together ? n : 1;
    for (size_t first = 0; !rc && first < n; first += step)
        rc = warm_up(model, pool, first, step, err);
    if (!rc)
        find_max_batch(model, limits->rows, limits->bytes);
    return rc;
}
