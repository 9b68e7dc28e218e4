/* `rectifier bench`: times a network, its layers, and what watching its activations costs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/init.h"
#include "server/cli.h"
#include "server/clock.h"
#include "server/commands.h"
#include "server/cpus.h"
#include "server/models.h"
#include "server/units.h"

#define MAX_NUMBERS 16
#define MAX_LEVELS 4
#define WARM_UPS 3
#define LEAST_RUNS 5

/* ---- samples ---- */

struct samples {
    double *ms;
    size_t n, cap;
};

static bool add_sample(struct samples *s, double ms)
{
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 256;
        double *more = reallocarray(s->ms, cap, sizeof *more);
        if (!more)
            return false;
        s->ms = more;
        s->cap = cap;
    }
    s->ms[s->n++] = ms;
    return true;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted samples. */
static double quantile(const struct samples *s, double q)
{
    return s->n ? s->ms[(size_t)(q * (double)(s->n - 1) + 0.5)] : 0;
}

static double median(struct samples *s)
{
    qsort(s->ms, s->n, sizeof *s->ms, ascending);
    return quantile(s, 0.5);
}

/* ---- one network at one level of activity ---- */

struct layer {
    char *name;
    const char *algorithm;
    int64_t macs, parameters;
    struct rf_shape output;
    double ms; /* in this run */
    struct samples samples;
};

struct subject {
    const char *level;
    struct srv_model *model;
    struct rf_session *session;
    void **in;
    struct rf_tensor *out;
    int64_t macs;
    struct samples samples, ratios; /* ms of a run; to the first subject's next to it */
    struct layer *layers;           /* one a step */
    size_t n_layers;
    uint64_t last; /* time of the step before */
    bool no_memory;
};

static void subject_release(struct subject *s)
{
    for (size_t i = 0; s->in && s->model && i < s->model->io.n_inputs; i++)
        free(s->in[i]);
    for (size_t i = 0; i < s->n_layers; i++) {
        free(s->layers[i].name);
        free(s->layers[i].samples.ms);
    }
    free(s->layers);
    free(s->in);
    free(s->out);
    free(s->samples.ms);
    free(s->ratios.ms);
    rf_session_free(s->session);
    srv_model_unref(s->model);
}

static void note_step(void *arg, const struct rf_step_info *info)
{
    struct subject *s = arg;
    s->macs += info->macs;
    if (info->step >= s->n_layers) {
        struct layer *more = reallocarray(s->layers, info->step + 1, sizeof *more);
        if (!more) {
            s->no_memory = true;
            return;
        }
        memset(more + s->n_layers, 0, (info->step + 1 - s->n_layers) * sizeof *more);
        s->layers = more;
        s->n_layers = info->step + 1;
    }
    struct layer *l = &s->layers[info->step];
    l->name = strdup(info->name);
    l->algorithm = info->algorithm;
    l->macs = info->macs;
    l->parameters = info->parameters;
    l->output = info->output;
    s->no_memory |= !l->name;
}

static void time_step(void *arg, size_t step)
{
    struct subject *s = arg;
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

static enum rf_status set_up(struct subject *s, const struct srv_config *config, int level,
                             int64_t batch, struct rf_pool *pool, struct rf_error *err)
{
    const struct rf_model_options options = {.activity = (enum rf_activity_level)level,
                                             .compact = config->weights == SRV_WEIGHTS_COMPACT};
    enum rf_status rc = srv_model_load(&s->model, config->args.item[0], &options, err);
    if (rc)
        return rc;
    const size_t n = s->model->io.n_inputs;
    struct rf_shape shapes[SRV_MAX_LIST];
    size_t session_bytes;
    if (n > SRV_MAX_LIST || !srv_model_shapes(s->model->model, batch, shapes))
        return rf_fail(err, RF_UNSUPPORTED, "%s: shapes follow from an input's elements",
                       s->model->name);
    s->in = calloc(n + 1, sizeof *s->in);
    s->out = calloc(s->model->io.n_outputs + 1, sizeof *s->out);
    for (size_t i = 0; s->in && i < n; i++)
        if (!(s->in[i] = random_input(&shapes[i], s->model->io.inputs[i].dtype)))
            return rf_fail_nomem(err, "inputs", (unsigned long long)rf_numel(&shapes[i]));
    if (!s->in || !s->out)
        return rf_fail_nomem(err, "inputs and outputs", n * sizeof *s->in);
    rc = rf_session_new(&s->session, s->model->model, pool, err);
    if (!rc)
        rc = rf_session_prepare(s->session, shapes, NULL, n, err);
    if (!rc)
        rc = rf_model_inspect(s->model->model, shapes, n, note_step, s, &session_bytes, err);
    if (!rc && config->layers)
        rf_session_watch(s->session, time_step, s);
    return rc;
}

static enum rf_status run_once(struct subject *s, double *ms, struct rf_error *err)
{
    const uint64_t start = srv_now();
    s->last = start;
    const enum rf_status rc =
        rf_session_run(s->session, (const void *const *)s->in, s->model->io.n_inputs, s->out,
                       s->model->io.n_outputs, true, err);
    *ms = (double)(srv_now() - start) * 1e-6;
    for (size_t i = 0; i < s->n_layers; i++) {
        struct layer *l = &s->layers[i];
        if (l->ms > 0)
            s->no_memory |= !add_sample(&l->samples, l->ms);
        l->ms = 0;
    }
    return rc;
}

/* Runs take turns, so that all levels see the same moods of the machine. */
static enum rf_status measure(struct subject *s, size_t n, uint64_t seconds, struct rf_error *err)
{
    enum rf_status rc = RF_OK;
    double ms, first = 0;
    for (size_t i = 0; i < n * WARM_UPS && !rc; i++)
        rc = run_once(&s[i % n], &ms, err);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s[i].n_layers; k++)
            s[i].layers[k].samples.n = 0;
    const uint64_t end = srv_now() + seconds * SRV_SECOND;
    while (!rc && (srv_now() < end || s->samples.n < LEAST_RUNS)) {
        for (size_t i = 0; i < n && !rc; i++) {
            rc = run_once(&s[i], &ms, err);
            first = i ? first : ms;
            s[i].no_memory |=
                !add_sample(&s[i].samples, ms) || !add_sample(&s[i].ratios, ms / first);
        }
    }
    return rc;
}

struct measuring {
    struct subject *subjects;
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

/* ---- what came out ---- */

static double peak_gflops(void)
{
    double best = 0;
    for (int i = 0; i < 20; i++) {
        const uint64_t start = srv_now();
        const int64_t macs = rf_engine_exercise();
        const double gflops = 2.0 * (double)macs / (double)(srv_now() - start);
        best = gflops > best ? gflops : best;
    }
    return best;
}

static double gflops(int64_t macs, double ms)
{
    return ms > 0 ? 2e-6 * (double)macs / ms : 0;
}

/* Parameters and outputs. */
static int64_t layer_bytes(const struct layer *l)
{
    return 4 * (l->parameters + rf_numel(&l->output));
}

static void print_layers(struct subject *s)
{
    const double peak = peak_gflops();
    char text[RF_SHAPE_TEXT];
    printf("%-32s %-22s %-20s %9s %9s %6s %10s\n", "layer", "algorithm", "output shape", "ms",
           "GFLOP/s", "peak", "KiB");
    for (size_t i = 0; i < s->n_layers; i++) {
        struct layer *l = &s->layers[i];
        if (!l->name || !l->samples.n)
            continue;
        const double ms = median(&l->samples), speed = gflops(l->macs, ms);
        printf("%-32.32s %-22s %-20s %9.4f %9.1f %5.0f%% %10" PRId64 "\n", l->name,
               l->algorithm ? l->algorithm : "", rf_shape_text(&l->output, text, sizeof text), ms,
               speed, 100 * speed / peak, layer_bytes(l) / 1024);
    }
    printf("peak of one core: %.1f GFLOP/s (%s)\n", peak, rf_engine_isa());
}

static void json_layers(struct rf_buf *b, struct subject *s)
{
    char text[RF_SHAPE_TEXT];
    const char *separator = "";
    rf_buf_printf(b, ",\"peak_gflops\":%.1f,\"layers\":[", peak_gflops());
    for (size_t i = 0; i < s->n_layers; i++) {
        struct layer *l = &s->layers[i];
        if (!l->name || !l->samples.n)
            continue;
        const double ms = median(&l->samples);
        rf_buf_text(b, separator);
        rf_buf_json_member(b, "{", "name", l->name);
        rf_buf_json_member(b, ",", "algorithm", l->algorithm ? l->algorithm : "");
        rf_buf_printf(b, ",\"shape\":%s,\"median_ms\":%.6f,\"gflops\":%.2f,\"bytes\":%" PRId64 "}",
                      rf_shape_text(&l->output, text, sizeof text), ms, gflops(l->macs, ms),
                      layer_bytes(l));
        separator = ",";
    }
    rf_buf_text(b, "]");
}

static enum rf_status print_json(const struct srv_config *config, struct subject *s, int64_t batch,
                                 int64_t threads, double ms, double overhead)
{
    struct rf_buf b;
    rf_buf_init(&b, SIZE_MAX);
    rf_buf_json_member(&b, "{", "model", s->model->name);
    rf_buf_printf(&b,
                  ",\"batch\":%" PRId64 ",\"threads\":%" PRId64
                  ",\"isa\":\"%s\",\"gemm\":\"%s\",\"activity\":\"%s\",\"runs\":%zu,"
                  "\"median_ms\":%.6f,\"p10_ms\":%.6f,\"p90_ms\":%.6f,\"gflops\":%.2f,"
                  "\"overhead_pct\":%.2f",
                  batch, threads, rf_engine_isa(), rf_engine_gemm(), s->level, s->samples.n, ms,
                  quantile(&s->samples, 0.1), quantile(&s->samples, 0.9), gflops(s->macs, ms),
                  overhead);
    if (config->layers)
        json_layers(&b, s);
    rf_buf_text(&b, "}\n");
    const enum rf_status rc = b.status;
    if (!rc)
        fwrite(b.data, 1, b.len, stdout);
    rf_buf_release(&b);
    return rc;
}

static enum rf_status report(const struct srv_config *config, struct subject *s, int64_t batch,
                             int64_t threads, struct rf_error *err)
{
    const double ms = median(&s->samples), overhead = 100 * (median(&s->ratios) - 1);
    if (config->json) {
        if (print_json(config, s, batch, threads, ms, overhead))
            return rf_fail_nomem(err, "the report", 0);
    } else {
        printf(
            "%s  batch %" PRId64 "  threads %" PRId64
            "  activity %-8s %6zu runs  median %10.4f ms  p10 %10.4f  p90 %10.4f  %7.1f GFLOP/s  "
            "overhead %+.2f %%\n",
            s->model->name, batch, threads, s->level, s->samples.n, ms, quantile(&s->samples, 0.1),
            quantile(&s->samples, 0.9), gflops(s->macs, ms), overhead);
        if (config->layers)
            print_layers(s);
    }
    fflush(stdout);
    return RF_OK;
}

/* ---- the command ---- */

static const char *const level_names[] = {"off", "layer", "channel", "unit"};
#define N_LEVELS ((int)(sizeof level_names / sizeof *level_names))

/* "1,8" -> numbers; false unless each is at least 1. */
static bool parse_numbers(const char *text, int64_t *numbers, size_t *n)
{
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word; (word = strsep(&rest, ","));) {
        uint64_t v;
        if (*n == MAX_NUMBERS || !srv_parse_uint(word, &v) || v < 1 || v > 65536)
            return false;
        numbers[(*n)++] = (int64_t)v;
    }
    return true;
}

static bool parse_levels(const char *text, int *levels, size_t *n)
{
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word; (word = strsep(&rest, ","));) {
        int level = 0;
        while (level < N_LEVELS && strcmp(word, level_names[level]) != 0)
            level++;
        if (*n == MAX_LEVELS || level == N_LEVELS)
            return false;
        levels[(*n)++] = level;
    }
    return true;
}

static enum rf_status bench(const struct srv_config *config, const int *levels, size_t n_levels,
                            int64_t batch, int64_t threads, struct rf_error *err)
{
    struct subject subjects[MAX_LEVELS] = {{0}};
    struct rf_pool *pool = NULL;
    struct srv_cpus cpus;
    srv_cpus_read(&cpus);
    const bool spins = srv_cpus_may_spin(&cpus, (int)threads);
    enum rf_status rc = threads > 1 ? rf_pool_new(&pool, (int)threads, spins, err) : RF_OK;
    for (size_t i = 0; i < n_levels && !rc; i++) {
        subjects[i].level = level_names[levels[i]];
        rc = set_up(&subjects[i], config, levels[i], batch, pool, err);
    }
    struct measuring m = {
        .subjects = subjects, .n = n_levels, .seconds = config->seconds, .err = err, .rc = rc};
    if (!rc)
        rf_pool_call(pool, measure_all, &m);
    rc = m.rc;
    for (size_t i = 0; i < n_levels && !rc; i++) {
        if (subjects[i].no_memory)
            rc = rf_fail_nomem(err, "the report", 0);
        else
            rc = report(config, &subjects[i], batch, threads, err);
    }
    for (size_t i = 0; i < n_levels; i++)
        subject_release(&subjects[i]);
    rf_pool_free(pool);
    return rc;
}

int srv_cmd_bench(const struct srv_config *config)
{
    int64_t batches[MAX_NUMBERS], threads[MAX_NUMBERS];
    size_t n_batches = 0, n_threads = 0, n_levels = 0;
    int levels[MAX_LEVELS];
    struct rf_error err = RF_ERROR_INIT;
    enum rf_status rc = RF_OK;
    if (config->args.n != 1)
        return srv_usage("bench: expected one MODEL, got %zu arguments", config->args.n);
    if (!parse_numbers(config->batches, batches, &n_batches))
        return srv_usage("--batch: expected up to %d numbers as 1,8, got '%.100s'", MAX_NUMBERS,
                         config->batches);
    if (!parse_numbers(config->thread_counts, threads, &n_threads))
        return srv_usage("--threads: expected up to %d numbers as 1,2, got '%.100s'", MAX_NUMBERS,
                         config->thread_counts);
    if (!parse_levels(config->levels, levels, &n_levels))
        return srv_usage("--activity: expected off, layer, channel, unit or several of them as "
                         "off,unit, got '%.100s'",
                         config->levels);
    for (size_t b = 0; b < n_batches && !rc; b++)
        for (size_t t = 0; t < n_threads && !rc; t++)
            rc = bench(config, levels, n_levels, batches[b], threads[t], &err);
    return rc ? srv_fail("%s", err.text) : SRV_EXIT_OK;
}
