/*
 * Settings: one table drives the command line, the RECTIFIER_ environment, validation, --help and
 * --print-config. A row says where its value lives in struct srv_config.
 */
#ifndef SRV_CONFIG_H
#define SRV_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Commands, as bits: an option belongs to one or several. */
enum srv_command {
    SRV_CMD_SERVE = 1,
    SRV_CMD_INSPECT = 2,
    SRV_CMD_INFER = 4,
    SRV_CMD_INIT = 8,
    SRV_CMD_HEALTH = 16,
    SRV_CMD_BENCH = 32,
    SRV_CMD_AUDIT = 64,
};

enum srv_option_type {
    SRV_OPT_FLAG,     /* bool */
    SRV_OPT_UINT,     /* uint64_t */
    SRV_OPT_DURATION, /* uint64_t, nanoseconds */
    SRV_OPT_SIZE,     /* uint64_t, bytes */
    SRV_OPT_REAL,     /* double, 0 or more */
    SRV_OPT_STRING,   /* const char *, borrowed from argv, the environment or the table */
    SRV_OPT_CHOICE,   /* int: the choice's place in `values` */
    SRV_OPT_MULTI,    /* struct srv_list */
};

#define SRV_MAX_LIST 64

/* A repeatable option's values, or the arguments that are no options; borrowed. */
struct srv_list {
    size_t n;
    const char *item[SRV_MAX_LIST];
};

struct srv_option {
    const char *name;
    char letter;       /* "-o", or 0 */
    unsigned commands; /* enum srv_command bits */
    enum srv_option_type type;
    size_t offset;        /* of the value in struct srv_config */
    const char *fallback; /* the default, as a user would write it */
    const char *values;   /* CHOICE: "off|layer|channel"; others: the placeholder, "SIZE" */
    uint64_t min, max;    /* UINT, DURATION, SIZE; REAL, where max is not 0 */
    const char *group;    /* heading in --help; NULL: the command's own option, without a twin in
                             the environment */
    const char *help;
};

#define SRV_MAX_OPTIONS 96
extern const struct srv_option srv_options[];
extern const size_t srv_n_options; /* at most SRV_MAX_OPTIONS */

/* The place of `word` in "a|b|c", or -1. */
int srv_choice_find(const char *values, const char *word);

#define SRV_ENV_NAME 64
/* The option's environment variable: "max-body" -> "RECTIFIER_MAX_BODY". Returns `name`. */
const char *srv_option_env(const struct srv_option *o, char name[SRV_ENV_NAME]);

enum srv_isa { SRV_ISA_AUTO, SRV_ISA_BASE, SRV_ISA_AVX2, SRV_ISA_AVX512 };
enum srv_weights { SRV_WEIGHTS_FULL, SRV_WEIGHTS_COMPACT };
enum srv_model_control { SRV_CONTROL_NONE, SRV_CONTROL_POLL, SRV_CONTROL_API };
enum srv_metrics_detail { SRV_DETAIL_MODEL, SRV_DETAIL_LAYER, SRV_DETAIL_CHANNEL };
enum srv_log_format { SRV_LOG_AUTO, SRV_LOG_TEXT, SRV_LOG_JSON };
enum srv_page { SRV_PAGE_ON, SRV_PAGE_OFF };
enum srv_access_log { SRV_ACCESS_ERRORS, SRV_ACCESS_ALL, SRV_ACCESS_OFF };

struct srv_config {
    /* address and connections */
    const char *host;
    const char *allowed_hosts, *cors_origin, *page_dir;
    int page;
    uint64_t port, admin_port, http_threads, max_connections, max_body;
    uint64_t request_timeout, idle_timeout;
    /* models */
    struct srv_list models;
    const char *default_model, *version_policy;
    int model_control;
    uint64_t poll_interval, wait_for_model;
    /* computing */
    uint64_t threads, queue_size, max_batch, max_delay, memory;
    int isa, gemm, conv, weights;
    /* activity */
    int activity, metrics_detail;
    uint64_t activity_window, activity_min_inputs, novel_inputs;
    double dead_threshold, near_dead, dying, high_sparsity;
    struct srv_list baselines;
    /* log */
    int log_format, log_level, access_log;
    /* stopping */
    uint64_t drain_delay, exit_timeout;
    /* of single commands */
    bool json, dot, show_activity, layers, from_training, merge;
    const char *batches, *thread_counts, *levels;
    uint64_t seconds;
    const char *output, *write_baseline;
    struct srv_list keep, shapes, fail_on;
    uint64_t seed, batch, rows;
    bool help, print_config;
    /* what is no option: MODEL, FILE, URL */
    struct srv_list args;
};

#endif
