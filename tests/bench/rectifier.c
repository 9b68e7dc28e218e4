/* Rectifier as one of the engines that tests/bench/run.py measures; README.md has the protocol. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rectifier.h"
#include "proto/load.h"

#define MAX_RUNS 1000000

struct engine {
    struct rf_model *model;
    struct rf_pool *pool;
    struct rf_session *session;
    float *input; /* as many samples as the file has */
    struct rf_tensor output;
    double *ms; /* of a slice's runs */
    enum rf_status status;
    struct rf_error *err;
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static float *read_all(const char *path)
{
    FILE *const file = fopen(path, "rb");
    float *data = NULL;
    if (file && !fseek(file, 0, SEEK_END)) {
        const long size = ftell(file);
        rewind(file);
        data = size > 0 ? malloc((size_t)size) : NULL;
        if (data && fread(data, 1, (size_t)size, file) != (size_t)size) {
            free(data);
            data = NULL;
        }
    }
    if (file)
        fclose(file);
    return data;
}

static enum rf_status load(struct engine *e, const char *path, int threads, struct rf_error *err)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL};
    struct rf_network network;
    enum rf_status rc = rf_network_load(&network, path, err);
    if (rc)
        return rc;
    rc = rf_model_new(&e->model, network.graph, &options, err);
    network.graph = NULL;
    rf_network_release(&network);
    if (!rc && threads > 1)
        rc = rf_pool_new(&e->pool, threads, true, err);
    return rc ? rc : rf_session_new(&e->session, e->model, e->pool, err);
}

static enum rf_status prepare(struct engine *e, int64_t batch, struct rf_error *err)
{
    struct rf_shape shape = rf_model_input(e->model, 0)->nominal;
    shape.dim[0] = batch;
    return rf_session_prepare(e->session, &shape, NULL, 1, err);
}

static enum rf_status run(struct engine *e, struct rf_error *err)
{
    const void *const in[] = {e->input};
    return rf_session_run(e->session, in, 1, &e->output, 1, true, err);
}

/* run BATCH FILE */
static enum rf_status answer_run(struct engine *e, int64_t batch, const char *path,
                                 struct rf_error *err)
{
    enum rf_status rc = prepare(e, batch, err);
    if (!rc)
        rc = run(e, err);
    if (rc)
        return rc;
    FILE *const file = fopen(path, "wb");
    const size_t n = (size_t)rf_numel(&e->output.shape);
    const bool whole = file && fwrite(e->output.data, sizeof(float), n, file) == n;
    if (file && (fclose(file) || !whole))
        return rf_fail(err, RF_IO, "%s: not written", path);
    puts("{}");
    return file ? RF_OK : rf_fail(err, RF_IO, "%s: not opened", path);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* time BATCH SECONDS: the first run finds another engine's data in the caches and its threads still
 * looking out for work; it does not count. */
static enum rf_status answer_time(struct engine *e, int64_t batch, double seconds,
                                  struct rf_error *err)
{
    size_t n = 0;
    enum rf_status rc = prepare(e, batch, err);
    if (!rc)
        rc = run(e, err);
    double t = now_ms();
    for (const double end = t + 1e3 * seconds; !rc && n < MAX_RUNS && (!n || t < end); n++) {
        const double start = t;
        rc = run(e, err);
        t = now_ms();
        e->ms[n] = t - start;
    }
    if (rc)
        return rc;
    qsort(e->ms, n, sizeof *e->ms, ascending);
    printf("{\"runs\":%zu,\"ms\":%.6f}\n", n, e->ms[n / 2]);
    return RF_OK;
}

/* peak: GFLOP/s of one core */
static void answer_peak(void)
{
    double best = 0;
    for (int i = 0; i < 50; i++) {
        const double start = now_ms();
        const int64_t macs = rf_engine_exercise();
        const double gflops = 2e-6 * (double)macs / (now_ms() - start);
        best = gflops > best ? gflops : best;
    }
    printf("{\"gflops\":%.1f}\n", best);
}

static enum rf_status answer(struct engine *e, char *line, struct rf_error *err)
{
    char *rest = line;
    const char *const verb = strsep(&rest, " "), *const batch = strsep(&rest, " ");
    if (!strcmp(verb, "peak")) {
        answer_peak();
        return RF_OK;
    }
    if (!batch || !rest || atoi(batch) < 1)
        return rf_fail(err, RF_INVALID, "no such command: %s", verb);
    return !strcmp(verb, "run") ? answer_run(e, atoi(batch), rest, err)
                                : answer_time(e, atoi(batch), atof(rest), err);
}

static void answer_all(void *arg)
{
    struct engine *const e = arg;
    char line[4096];
    while (!e->status && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        e->status = answer(e, line, e->err);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct rf_error err = RF_ERROR_INIT;
    struct engine e = {.err = &err};
    if (argc != 5) /* the sample's shape is in the model */
        return fputs("usage: rectifier MODEL INPUT SHAPE THREADS\n", stderr), 2;
    const double start = now_ms();
    e.status = load(&e, argv[1], atoi(argv[4]), &err);
    e.input = read_all(argv[2]);
    e.ms = calloc(MAX_RUNS, sizeof *e.ms);
    if (!e.status && (!e.input || !e.ms))
        e.status = rf_fail(&err, RF_IO, "%s: not read", argv[2]);
    if (!e.status)
        printf("{\"version\":\"%s\",\"isa\":\"%s\",\"gemm\":\"%s\",\"blas\":\"%s\",\"load_ms\":%."
               "3f}\n",
               RF_VERSION, rf_engine_isa(), rf_engine_gemm(), rf_engine_blas(), now_ms() - start);
    fflush(stdout);
    rf_pool_call(e.pool, answer_all, &e);
    if (e.status)
        fprintf(stderr, "%s\n", err.text);
    rf_session_free(e.session);
    rf_pool_free(e.pool);
    rf_model_unref(e.model);
    free(e.input);
    free(e.ms);
    return e.status ? 1 : 0;
}
