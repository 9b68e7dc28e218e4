/*
 * JSON of 150,528 floats (an image of 3x224x224), in both directions, beside jansson: a whole body
 * of the Open Inference Protocol to a tensor and back. Runs alternate; medians are printed. Fails
 * when the two disagree about a number.
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/infer.h"

enum { N = 3 * 224 * 224, RUNS = 25 };

static const struct rf_io input = {
    .name = "x", .dtype = RF_F32, .shape = {.rank = 4, .dim = {-1, 3, 224, 224}}};
static const struct rf_io output = {
    .name = "y", .dtype = RF_F32, .shape = {.rank = 4, .dim = {-1, 3, 224, 224}}};
static const struct rf_model_io io = {.name = "m",
                                      .version = "1",
                                      .inputs = &input,
                                      .outputs = &output,
                                      .n_inputs = 1,
                                      .n_outputs = 1};
static float values[N], theirs[N];

static void stop(const char *why)
{
    fprintf(stderr, "bench_json: %s\n", why);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *ms)
{
    qsort(ms, RUNS, sizeof *ms, ascending);
    return ms[RUNS / 2];
}

static void report(const char *what, double bytes, double *ours, double *jansson)
{
    const double a = median(ours), b = median(jansson);
    printf("%-30s %6.2f MB %9.3f ms %9.3f ms %8.1f %10.1f\n", what, bytes * 1e-6, a, b, a * 1e6 / N,
           b / a);
}

static struct rf_infer_request decode(const char *body, size_t len)
{
    static const struct rf_decode_options options = {.raw_dtype = RF_F32, .max_bytes = 1 << 26};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_infer_request request;
    if (rf_infer_decode(&request, RF_BODY_JSON, &io, &options, body, len, &err) != RF_OK)
        stop(err.text);
    return request;
}

static void decode_by_jansson(const char *body, size_t len)
{
    json_t *const root = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *const data =
        json_object_get(json_array_get(json_object_get(root, "inputs"), 0), "data");
    if (json_array_size(data) != N)
        stop("jansson does not find the data");
    for (size_t i = 0; i < N; i++)
        theirs[i] = (float)json_number_value(json_array_get(data, i));
    json_decref(root);
}

static void bench_reading(const char *what, int digits)
{
    static char body[N * 32];
    double ours[RUNS], jansson[RUNS];
    size_t len = (size_t)sprintf(
        body,
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,3,224,224],\"datatype\":\"FP32\",\"data\":[");
    for (size_t i = 0; i < N; i++) {
        len += (size_t)sprintf(body + len, "%.*g", digits, (double)values[i]);
        body[len++] = ',';
    }
    len += (size_t)sprintf(body + len - 1, "]}]}") - 1;
    for (int run = 0; run < RUNS; run++) {
        double start = now();
        struct rf_infer_request request = decode(body, len);
        ours[run] = now() - start;
        start = now();
        decode_by_jansson(body, len);
        jansson[run] = now() - start;
        if (memcmp(request.inputs[0].data, theirs, sizeof theirs) != 0)
            stop("jansson reads other numbers");
        rf_infer_request_release(&request);
    }
    report(what, (double)len, ours, jansson);
}

static char *encode_by_jansson(void)
{
    json_t *const data = json_array();
    for (size_t i = 0; i < N; i++)
        json_array_append_new(data, json_real((double)values[i]));
    json_t *const root = json_pack("{s:s, s:s, s:[{s:s, s:s, s:[iiii], s:o}]}", "model_name", "m",
                                   "model_version", "1", "outputs", "name", "y", "datatype", "FP32",
                                   "shape", 1, 3, 224, 224, "data", data);
    char *const text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!text)
        stop("jansson does not write");
    return text;
}

static void check_reply(const char *text, size_t len)
{
    json_t *const root = json_loadb(text, len, 0, NULL);
    const json_t *const data =
        json_object_get(json_array_get(json_object_get(root, "outputs"), 0), "data");
    if (json_array_size(data) != N)
        stop("the reply lacks data");
    for (size_t i = 0; i < N; i++)
        if ((float)json_number_value(json_array_get(data, i)) != values[i])
            stop("the reply has other numbers");
    json_decref(root);
}

static void bench_writing(const char *what)
{
    struct rf_wanted only[] = {{.index = 0}};
    size_t len = 0;
    double ours[RUNS], jansson[RUNS];
    const struct rf_infer_request request = {.outputs = only, .n_outputs = 1, .rows = 1};
    const struct rf_tensor y = {
        .dtype = RF_F32, .shape = {.rank = 4, .dim = {1, 3, 224, 224}}, .data = values};
    for (int run = 0; run < RUNS; run++) {
        struct rf_error err = RF_ERROR_INIT;
        struct rf_buf reply;
        double start = now();
        rf_buf_init(&reply, SIZE_MAX);
        if (rf_infer_encode(&reply, RF_BODY_JSON, &io, &request, &y, NULL, &err) != RF_OK)
            stop(err.text);
        ours[run] = now() - start;
        start = now();
        char *const text = encode_by_jansson();
        jansson[run] = now() - start;
        if (run == 0)
            check_reply(reply.data, reply.len);
        len = reply.len;
        free(text);
        rf_buf_release(&reply);
    }
    report(what, (double)len, ours, jansson);
}

int main(void)
{
    uint64_t state = 1;
    printf("rectifier %s, jansson %s, medians of %d runs that alternate, %d numbers\n", RF_VERSION,
           jansson_version_str(), RUNS, N);
    printf("%-30s %9s %12s %12s %8s %10s\n", "", "body", "ours", "jansson", "ns each", "times");
    for (size_t i = 0; i < N; i++) { /* a normalised image: +-2.6 */
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        values[i] = (float)(int32_t)(state >> 32) / (float)(1 << 30) * 1.3f;
    }
    bench_reading("read, 9 digits", 9);
    bench_reading("read, Python's doubles", 17);
    bench_writing("write, shortest");
    for (size_t i = 0; i < N; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        values[i] = (float)(state >> 56);
    }
    bench_reading("read, pixels from 0 to 255", 9);
    bench_writing("write, pixels from 0 to 255");
    return 0;
}
