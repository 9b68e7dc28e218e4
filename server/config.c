/* The table of options. --help prints the groups in the order in which they appear here. */
#include "server/config.h"

#include <stdio.h>
#include <string.h>

#include "server/clock.h"

#define AT(field) offsetof(struct srv_config, field)
#define SERVE SRV_CMD_SERVE
#define COMPUTE (SRV_CMD_SERVE | SRV_CMD_INFER | SRV_CMD_INSPECT | SRV_CMD_BENCH | SRV_CMD_AUDIT)
#define ALL (COMPUTE | SRV_CMD_INIT | SRV_CMD_HEALTH)

#define MS SRV_MS
#define SECOND SRV_SECOND
#define HOUR (3600 * SECOND)
#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)

/* clang-format off */
const struct srv_option srv_options[] = {
    /* the commands' own */
    {"json", 0, SRV_CMD_INSPECT | SRV_CMD_BENCH | SRV_CMD_AUDIT, SRV_OPT_FLAG, AT(json), "off", NULL, 0, 0, NULL,
     "print JSON instead of a table"},
    {"dot", 0, SRV_CMD_INSPECT, SRV_OPT_FLAG, AT(dot), "off", NULL, 0, 0, NULL,
     "print the network as it runs in Graphviz's language: | dot -Tsvg"},
    {"batch", 0, SRV_CMD_BENCH, SRV_OPT_STRING, AT(batches), "1", "N,...", 0, 0, NULL,
     "samples in one run"},
    {"threads", 0, SRV_CMD_BENCH, SRV_OPT_STRING, AT(thread_counts), "1", "N,...", 0, 0, NULL,
     "compute threads"},
    {"seconds", 0, SRV_CMD_BENCH, SRV_OPT_UINT, AT(seconds), "2", "N", 1, 3600, NULL,
     "to measure each combination"},
    {"activity", 0, SRV_CMD_BENCH, SRV_OPT_STRING, AT(levels), "unit", "LEVEL,...", 0, 0, NULL,
     "how closely to watch the activations: off, layer, channel, unit; several take turns, run by "
     "run, and are compared with the first"},
    {"layers", 0, SRV_CMD_BENCH, SRV_OPT_FLAG, AT(layers), "off", NULL, 0, 0, NULL,
     "time every layer"},
    {"batch", 0, SRV_CMD_INSPECT, SRV_OPT_UINT, AT(batch), "1", "N", 1, 65536, NULL,
     "samples in one run"},
    {"shape", 0, SRV_CMD_INSPECT, SRV_OPT_MULTI, AT(shapes), "", "NAME=SIZES", 0, 0, NULL,
     "take the input NAME in this shape, as image=1,3,224,224; else open sizes are 224, or what "
     "else the network takes (repeatable)"},
    {"output", 'o', SRV_CMD_INFER, SRV_OPT_STRING, AT(output), "", "DIR", 0, 0, NULL,
     "write DIR/OUTPUT.npy, '/' in names as '_', instead of JSON; DIR is made if missing"},
    {"activity", 0, SRV_CMD_INFER, SRV_OPT_FLAG, AT(show_activity), "off", NULL, 0, 0, NULL,
     "print the activity of the layers after the run"},
    {"keep", 0, SRV_CMD_INFER, SRV_OPT_MULTI, AT(keep), "", "NAME", 0, 0, NULL,
     "output this value or layer, too; `activations` keeps every activation layer's (repeatable)"},
    {"batch", 0, SRV_CMD_AUDIT, SRV_OPT_UINT, AT(rows), "32", "N", 1, 65536, NULL,
     "inputs computed in one run, where the network leaves that open"},
    {"fail-on", 0, SRV_CMD_AUDIT, SRV_OPT_MULTI, AT(fail_on), "", "RULE", 0, 0, NULL,
     "exit with 3 when a layer is `dying`, or has more zeros than `sparsity=0.9` (repeatable)"},
    {"write-baseline", 0, SRV_CMD_AUDIT, SRV_OPT_STRING, AT(write_baseline), "", "FILE", 0, 0, NULL,
     "write what the activations look like on these data, for serve --baseline"},
    {"from-training", 0, SRV_CMD_AUDIT, SRV_OPT_FLAG, AT(from_training), "off", NULL, 0, 0, NULL,
     "the data are those the network was trained on: a baseline without classes"},
    {"merge", 0, SRV_CMD_AUDIT, SRV_OPT_FLAG, AT(merge), "off", NULL, 0, 0, NULL,
     "instead of MODEL and data, take what replicas have counted: http://HOST:PORT/v2/models/NAME, "
     "or files saved from .../activity?channels=1"},
    {"seed", 0, SRV_CMD_INIT, SRV_OPT_UINT, AT(seed), "1", "N", 0, UINT64_MAX, NULL,
     "of the random numbers"},

    {"model", 0, SERVE, SRV_OPT_MULTI, AT(models), "", "[NAME=]PATH", 0, 0, "Models",
     "serve this model (repeatable; in the environment separated by commas)"},
    {"default-model", 0, SERVE, SRV_OPT_STRING, AT(default_model), "", "NAME", 0, 0, "Models",
     "the model of /infer; else the only one, else the first one named"},
    {"version-policy", 0, SERVE, SRV_OPT_STRING, AT(version_policy), "latest:1", "POLICY", 0, 0, "Models",
     "which versions of a model to serve: latest:N, all, or numbers separated by commas"},
    {"model-control", 0, SERVE, SRV_OPT_CHOICE, AT(model_control), "none", "none|poll|api", 0, 0, "Models",
     "after the start: poll loads what is new or changed on disk, api what POST /v2/repository asks for"},
    {"poll-interval", 0, SERVE, SRV_OPT_DURATION, AT(poll_interval), "5s", "TIME", 10 * MS, HOUR, "Models",
     "between two looks at the disk; what both saw alike is loaded"},
    {"wait-for-model", 0, SERVE, SRV_OPT_DURATION, AT(wait_for_model), "0s", "TIME", 0, 24 * HOUR, "Models",
     "let models arrive for so long, alive but not ready meanwhile"},

    {"host", 0, SERVE, SRV_OPT_STRING, AT(host), "127.0.0.1", "ADDRESS", 0, 0, "Address",
     "listen here; 0.0.0.0 or :: for every interface"},
    {"host", 0, SRV_CMD_HEALTH, SRV_OPT_STRING, AT(host), "127.0.0.1", "ADDRESS", 0, 0, "Address",
     "ask the server here, unless URL is given"},
    {"port", 0, SERVE, SRV_OPT_UINT, AT(port), "8080", "N", 0, 65535, "Address",
     "0 takes a free one, named in the log"},
    {"admin-port", 0, SERVE, SRV_OPT_UINT, AT(admin_port), "0", "N", 0, 65535, "Address",
     "a second port, which alone has /metrics and the page; 0: none"},
    {"page", 0, SERVE, SRV_OPT_CHOICE, AT(page), "on", "on|off", 0, 0, "Address",
     "serve the page that shows the network at work at /"},
    {"page-dir", 0, SERVE, SRV_OPT_STRING, AT(page_dir), "", "DIR", 0, 0, "Address",
     "serve the page's files from here, for work on them; what is missing comes from the program"},
    {"port", 0, SRV_CMD_HEALTH, SRV_OPT_UINT, AT(port), "8080", "N", 1, 65535, "Address",
     "the server's"},
    {"allowed-hosts", 0, SERVE, SRV_OPT_STRING, AT(allowed_hosts), "", "NAME,...", 0, 0, "Address",
     "names by which this server is asked, .NAME with all below it; others are answered 421, but "
     "localhost and addresses; none given: any"},
    {"cors-origin", 0, SERVE, SRV_OPT_STRING, AT(cors_origin), "", "ORIGIN", 0, 0, "Address",
     "let scripts of pages from there read replies, as https://example.org; *: from anywhere"},
    {"http-threads", 0, SERVE, SRV_OPT_UINT, AT(http_threads), "2", "N", 1, 64, "Address",
     "threads that read requests and send replies"},
    {"max-connections", 0, SERVE, SRV_OPT_UINT, AT(max_connections), "1024", "N", 1, 1000000,
     "Address", "more are answered 503 at once"},
    {"max-body", 0, SERVE, SRV_OPT_SIZE, AT(max_body), "64MiB", "SIZE", 1, 16 * GIB, "Address",
     "longest request body; more is answered 413"},
    {"request-timeout", 0, SERVE, SRV_OPT_DURATION, AT(request_timeout), "30s", "TIME", MS,
     24 * HOUR, "Address",
     "for a request to arrive (else 408) and to leave the queue (else 504)"},
    {"idle-timeout", 0, SERVE, SRV_OPT_DURATION, AT(idle_timeout), "75s", "TIME", SECOND, 24 * HOUR,
     "Address", "close a connection that sends no further request"},

    {"threads", 0, COMPUTE & ~SRV_CMD_BENCH, SRV_OPT_UINT, AT(threads), "0", "N", 0, 1024, "Computing",
     "compute threads; 0: as many as the CPU quota and affinity allow"},
    {"queue-size", 0, SERVE, SRV_OPT_UINT, AT(queue_size), "256", "N", 1, 1000000, "Computing",
     "requests waiting for a model; more are answered 503"},
    {"max-batch", 0, SERVE | SRV_CMD_INSPECT, SRV_OPT_UINT, AT(max_batch), "32", "N", 1, 65536, "Computing",
     "rows computed in one run, of one request or several; a request of more takes several runs"},
    {"max-delay", 0, SERVE, SRV_OPT_DURATION, AT(max_delay), "0us", "TIME", 0, 10 * SECOND, "Computing",
     "how long a request may wait for others to share its run, while all compute threads are busy"},
    {"memory", 0, SERVE | SRV_CMD_INSPECT, SRV_OPT_SIZE, AT(memory), "0", "SIZE", 0, UINT64_MAX, "Computing",
     "request bodies may hold a quarter, batches a quarter; 0: half of what the machine or cgroup has"},
    {"isa", 0, COMPUTE | SRV_CMD_INIT, SRV_OPT_CHOICE, AT(isa), "auto", "auto|base|avx2|avx512", 0,
     0, "Computing", "highest instruction set to use"},
    {"gemm", 0, COMPUTE, SRV_OPT_CHOICE, AT(gemm), "auto", "auto|openblas", 0, 0, "Computing",
     "auto: weights in panels of our own where these are faster than OpenBLAS"},
    {"conv", 0, COMPUTE, SRV_OPT_CHOICE, AT(conv), "auto", "auto|accurate|direct", 0, 0, "Computing",
     "auto: Winograd's algorithm where it is faster; accurate: only its exact form; direct: never"},
    {"weights", 0, COMPUTE, SRV_OPT_CHOICE, AT(weights), "full", "full|compact", 0, 0, "Computing",
     "full: large ones of linear layers are kept twice, to leave out a single input's zeros; compact: once"},

    {"activity", 0, SERVE, SRV_OPT_CHOICE, AT(activity), "unit", "off|layer|channel|unit", 0, 0,
     "Activity", "how closely to watch the activations"},
    {"activity-window", 0, SERVE, SRV_OPT_DURATION, AT(activity_window), "5m", "TIME", 3 * SECOND,
     24 * HOUR, "Activity", "longest window of time to keep counters of, in 30 slots"},
    {"activity-min-inputs", 0, SERVE | SRV_CMD_INFER | SRV_CMD_AUDIT, SRV_OPT_UINT, AT(activity_min_inputs), "300",
     "N", 1, UINT64_MAX, "Activity", "no verdict on channels before so many inputs, and so many different ones"},
    {"dead-threshold", 0, SERVE | SRV_CMD_INFER | SRV_CMD_AUDIT, SRV_OPT_REAL, AT(dead_threshold), "0", "Y", 0, 0, "Activity",
     "a channel is dead when it was never above this"},
    {"near-dead", 0, SERVE | SRV_CMD_INFER | SRV_CMD_AUDIT, SRV_OPT_REAL, AT(near_dead), "0.01", "SHARE", 0, 1, "Activity",
     "a channel that fires in a smaller share of the inputs is nearly dead"},
    {"dying", 0, SERVE | SRV_CMD_INFER | SRV_CMD_AUDIT, SRV_OPT_REAL, AT(dying), "0.5", "SHARE", 0, 1, "Activity",
     "a layer with a larger share of dead channels is dying"},
    {"high-sparsity", 0, SERVE | SRV_CMD_INFER | SRV_CMD_AUDIT, SRV_OPT_REAL, AT(high_sparsity), "0.7", "SHARE", 0, 1, "Activity",
     "a larger share of zeros in a layer is worth a note"},
    {"baseline", 0, SERVE, SRV_OPT_MULTI, AT(baselines), "", "NAME=FILE", 0, 0, "Activity",
     "compare the traffic of the model NAME with this; else with baseline.json in its folder, "
     "NAME.baseline.json beside NAME.onnx (repeatable)"},
    {"metrics-detail", 0, SERVE, SRV_OPT_CHOICE, AT(metrics_detail), "layer", "model|layer|channel", 0, 0,
     "Activity", "what has activation series of its own in /metrics"},
    {"novel-inputs", 0, SERVE, SRV_OPT_UINT, AT(novel_inputs), "0", "K", 0, 4096, "Activity",
     "keep the K inputs that are farthest from the baseline, for whoever operates the server"},

    {"log-format", 0, SERVE, SRV_OPT_CHOICE, AT(log_format), "auto", "auto|text|json", 0, 0, "Log",
     "auto: text on a terminal, else JSON lines"},
    {"log-level", 0, SERVE, SRV_OPT_CHOICE, AT(log_level), "info", "error|warn|info|debug", 0, 0,
     "Log", "least important line to write"},
    {"access-log", 0, SERVE, SRV_OPT_CHOICE, AT(access_log), "errors", "errors|all|off", 0, 0, "Log",
     "requests to log"},

    {"drain-delay", 0, SERVE, SRV_OPT_DURATION, AT(drain_delay), "0s", "TIME", 0, HOUR, "Stopping",
     "on SIGTERM report not ready for so long before closing the port"},
    {"exit-timeout", 0, SERVE, SRV_OPT_DURATION, AT(exit_timeout), "30s", "TIME", MS, 24 * HOUR,
     "Stopping", "exit (with 1) even if requests are unanswered, so long after closing the port"},

    {"help", 'h', ALL, SRV_OPT_FLAG, AT(help), "off", NULL, 0, 0, NULL, "this text"},
    {"print-config", 0, ALL, SRV_OPT_FLAG, AT(print_config), "off", NULL, 0, 0, NULL,
     "print every setting and where it comes from, and exit"},
};
/* clang-format on */
const size_t srv_n_options = sizeof srv_options / sizeof *srv_options;
_Static_assert(sizeof srv_options / sizeof *srv_options <= SRV_MAX_OPTIONS,
               "room for each one's origin");

int srv_choice_find(const char *values, const char *word)
{
    const size_t len = strlen(word);
    int i = 0;
    for (const char *p = values; *p; i++) {
        const size_t n = strcspn(p, "|");
        if (n == len && memcmp(p, word, n) == 0)
            return i;
        p += n + (p[n] == '|');
    }
    return -1;
}

const char *srv_option_env(const struct srv_option *o, char name[SRV_ENV_NAME])
{
    snprintf(name, SRV_ENV_NAME, "RECTIFIER_%s", o->name);
    for (char *p = name; *p; p++)
        *p = *p == '-' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    return name;
}
