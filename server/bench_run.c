/* Subjects of a bench: set up, run in turn, timed. */
#include "server/bench.h"

#include <stdlib.h>
#include <string.h>

#include "core/init.h"
#include "server/clock.h"
#include "server/offline.h"

#define WARM_UPS 3
#define LEAST_RUNS 5

/* ---- times ---- */

static bool add_time(struct srv_times *times, double ms)
{
    if (times->n == times->cap) {
        const size_t cap = times->cap ? 2 * times->cap : 256;
        double *more = reallocarray(times->list, cap, sizeof *more);
        if (!more)
            return false;
        times->list = more;
        times->cap = cap;
    }
    times->list[times->n++] = ms;
    return true;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double srv_times_quantile(const struct srv_times *times, double q)
{
    return times->n ? times->list[(size_t)(q * (double)(times->n - 1) + 0.5)] : 0;
}

double srv_times_median(struct srv_times *times)
{
    qsort(times->list, times->n, sizeof *times->list, ascending);
    return srv_times_quantile(times, 0.5);
}

/* ---- a subject ---- */

void srv_bench_release(struct srv_bench_subject *s)
{
    for (size_t i = 0; s->in && s->model && i < s->model->io.n_inputs; i++)
        free(s->in[i]);
    for (size_t i = 0; i < s->n_layers; i++) {
        free(s->layers[i].name);
        free(s->layers[i].times.list);
    }
    free(s->layers);
    free(s->in);
    free(s->out);
    free(s->times.list);
    free(s->ratios.list);
    rf_session_free(s->session);
    srv_model_unref(s->model);
}

static void note_step(void *arg, const struct rf_step_info *info)
{
    struct srv_bench_subject *s = arg;
    s->macs += info->macs;
    if (info->step >= s->n_layers) {
        struct srv_bench_layer *more = reallocarray(s->layers, info->step + 1, sizeof *more);
        if (!more) {
            s->no_memory = true;
            return;
        }
        memset(more + s->n_layers, 0, (info->step + 1 - s->n_layers) * sizeof *more);
        s->layers = more;
        s->n_layers = info->step + 1;
    }
    struct srv_bench_layer *l = &s->layers[info->step];
    l->name = strdup(info->name);
    l->algorithm = info->algorithm;
    l->macs = info->macs;
    l->parameters = info->parameters;
    l->output = info->output;
    s->no_memory |= !l->name;
}

static void time_step(void *arg, size_t step)
{
    struct srv_bench_subject *s = arg;
    const uint64_t now = srv_now();
    if (step < s->n_layers)
        s->layers[step].ms += (double)(now - s->last) * 1e-6;
    s->last = srv_now();
}

/* Standard normal numbers; the smallest integers, as they may be indices. */
static void *random_input(const struct rf_shape *shape, enum rf_dtype dtype)
{
    const size_t n = (size_t)rf_numel(shape);
    void *data = calloc(n + 1, rf_dtype_size(dtype));
    for (size_t i = 0; data && dtype == RF_F32 && i < n; i++)
        ((float *)data)[i] = (float)rf_init_normal(1, 1, i);
    return data;
}

static enum rf_status make_inputs(struct srv_bench_subject *s, const struct rf_shape *shapes,
                                  struct rf_error *err)
{
    const struct rf_model_io *io = &s->model->io;
    s->in = calloc(io->n_inputs + 1, sizeof *s->in);
    s->out = calloc(io->n_outputs + 1, sizeof *s->out);
    if (!s->in || !s->out)
        return rf_fail_nomem(err, "inputs and outputs", io->n_inputs * sizeof *s->in);
    for (size_t i = 0; i < io->n_inputs; i++)
        if (!(s->in[i] = random_input(&shapes[i], io->inputs[i].dtype)))
            return rf_fail_nomem(err, "inputs", (unsigned long long)rf_numel(&shapes[i]));
    return RF_OK;
}

enum rf_status srv_bench_set_up(struct srv_bench_subject *s,
                                const struct srv_bench_setting *setting,
                                enum rf_activity_level level, struct rf_error *err)
{
    const struct srv_config *config = setting->config;
    const struct rf_model_options options = srv_offline_options(config, level);
    struct rf_shape shapes[SRV_MAX_LIST];
    size_t session_bytes;
    enum rf_status rc = srv_model_load(&s->model, config->args.item[0], &options, err);
    if (rc)
        return rc;
    const size_t n = s->model->io.n_inputs;
    if (n > SRV_MAX_LIST || !srv_model_shapes(s->model->model, setting->batch, shapes))
        return rf_fail(err, RF_UNSUPPORTED, "%s: shapes follow from an input's elements",
                       s->model->name);
    rc = make_inputs(s, shapes, err);
    if (!rc)
        rc = rf_session_new(&s->session, s->model->model, setting->pool, err);
    if (!rc)
        rc = rf_session_prepare(s->session, shapes, NULL, n, err);
    if (!rc)
        rc = rf_model_inspect(s->model->model, shapes, n, note_step, s, &session_bytes, err);
    if (!rc && config->layers)
        rf_session_watch(s->session, time_step, s);
    return rc;
}

/* ---- runs ---- */

static enum rf_status run_once(struct srv_bench_subject *s, double *ms, struct rf_error *err)
{
    const uint64_t start = srv_now();
    s->last = start;
    const enum rf_status rc =
        rf_session_run(s->session, (const void *const *)s->in, s->model->io.n_inputs, s->out,
                       s->model->io.n_outputs, true, err);
    *ms = (double)(srv_now() - start) * 1e-6;
    for (size_t i = 0; i < s->n_layers; i++) {
        struct srv_bench_layer *l = &s->layers[i];
        if (l->ms > 0)
            s->no_memory |= !add_time(&l->times, l->ms);
        l->ms = 0;
    }
    return rc;
}

/* Runs take turns, so that all levels see the same moods of the machine. */
static enum rf_status measure(struct srv_bench_subject *s, size_t n, uint64_t seconds,
                              struct rf_error *err)
{
    enum rf_status rc = RF_OK;
    double ms, first = 0;
    for (size_t i = 0; i < n * WARM_UPS && !rc; i++)
        rc = run_once(&s[i % n], &ms, err);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s[i].n_layers; k++)
            s[i].layers[k].times.n = 0;
    const uint64_t end = srv_now() + seconds * SRV_SECOND;
    while (!rc && (srv_now() < end || s->times.n < LEAST_RUNS)) {
        for (size_t i = 0; i < n && !rc; i++) {
            rc = run_once(&s[i], &ms, err);
            first = i ? first : ms;
            s[i].no_memory |= !add_time(&s[i].times, ms) || !add_time(&s[i].ratios, ms / first);
        }
    }
    return rc;
}

struct measuring {
    struct srv_bench_subject *subjects;
    size_t n;
    uint64_t seconds;
    struct rf_error *err;
    enum rf_status rc;
};

static void measure_all(void *arg)
{
    struct measuring *m = arg;
    m->rc = measure(m->subjects, m->n, m->seconds, m->err);
}

enum rf_status srv_bench_measure(struct srv_bench_subject *subjects, size_t n,
                                 const struct srv_bench_setting *setting, struct rf_error *err)
{
    struct measuring m = {
        .subjects = subjects, .n = n, .seconds = setting->config->seconds, .err = err};
    rf_pool_call(setting->pool, measure_all, &m);
    for (size_t i = 0; i < n && !m.rc; i++)
        if (subjects[i].no_memory)
            m.rc = rf_fail_nomem(err, "the report", 0);
    return m.rc;
}
