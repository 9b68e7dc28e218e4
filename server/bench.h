/* What `rectifier bench` times: a network at several levels of activity, run by run in turn. */
#ifndef SRV_BENCH_H
#define SRV_BENCH_H

#include "server/config.h"
#include "server/models.h"

/* Milliseconds, or ratios of them. */
struct srv_times {
    double *list;
    size_t n, cap;
};

double srv_times_median(struct srv_times *times); /* sorts them; 0 when there are none */
/* Of sorted times. */
double srv_times_quantile(const struct srv_times *times, double q);

struct srv_bench_layer {
    char *name; /* NULL: a step that has nothing to do */
    const char *algorithm;
    int64_t macs, parameters;
    struct rf_shape output;
    double ms; /* in the run at hand */
    struct srv_times times;
};

/* One level of activity. */
struct srv_bench_subject {
    const char *level;
    struct srv_model *model;
    struct rf_session *session;
    void **in;
    struct rf_tensor *out;
    int64_t macs;
    struct srv_times times, ratios; /* of runs; to the first subject's next to it */
    struct srv_bench_layer *layers; /* one a step */
    size_t n_layers;
    uint64_t last;  /* time of the step before */
    bool no_memory; /* something is missing */
};

/* What all subjects have in common. */
struct srv_bench_setting {
    const struct srv_config *config;
    int64_t batch, threads;
    struct rf_pool *pool; /* or NULL */
};

/* Loads the network into a zeroed subject, and gives it random inputs. Release it in any case. */
enum rf_status srv_bench_set_up(struct srv_bench_subject *subject,
                                const struct srv_bench_setting *setting,
                                enum rf_activity_level level, struct rf_error *err) RF_CHECKED;
void srv_bench_release(struct srv_bench_subject *subject);

/* Runs n subjects for --seconds, and five times at least. */
enum rf_status srv_bench_measure(struct srv_bench_subject *subjects, size_t n,
                                 const struct srv_bench_setting *setting,
                                 struct rf_error *err) RF_CHECKED;

/* Prints what came out for one subject, as text or with --json. */
enum rf_status srv_bench_report(struct srv_bench_subject *subject,
                                const struct srv_bench_setting *setting,
                                struct rf_error *err) RF_CHECKED;

#endif
