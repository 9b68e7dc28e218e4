/*
 * `rectifier serve`: brings the server up, waits for a signal, and takes it down in the order that
 * loses no request: not ready, port closed, requests answered, connections ended, threads joined.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/cli.h"
#include "server/clock.h"
#include "server/commands.h"
#include "server/http.h"
#include "server/listen.h"
#include "server/log.h"
#include "server/server.h"
#include "server/sink.h"

/* Descriptors beside the connections': files, epoll, lingering sockets, the C library. */
#define SPARE_FDS 128
/* Keep-alive connections may send one more request, whose reply closes them, for so long. */
#define IDLE_GRACE (500 * SRV_MS)
/* For what those clients had sent when the grace ended. */
#define LAST_GRACE SRV_SECOND
#define TICK (2 * SRV_MS)

/* ---- up ---- */

static void raise_fd_limit(uint64_t max_connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < max_connections + SPARE_FDS)
        srv_log(SRV_WARN, "the limit of %llu open files is below --max-connections %llu",
                (unsigned long long)limit.rlim_cur, (unsigned long long)max_connections);
}

static size_t batch_bytes(const struct srv_server *s)
{
    return srv_rows_memory(s->memory, (uint64_t)rf_pool_threads(s->pool));
}

static void log_batch(const struct srv_model *m, uint64_t limit)
{
    if (m->max_batch == 0)
        srv_log(SRV_INFO, "model %s: requests share no run, its rows are not independent", m->name);
    else if ((uint64_t)m->max_batch < limit)
        srv_log(SRV_INFO, "model %s: %" PRId64 " rows in one run, for more there is no --memory",
                m->name, m->max_batch);
}

static enum rf_status add_model(struct srv_server *s, const char *spec,
                                const struct rf_model_options *options, struct rf_error *err)
{
    struct srv_model *m;
    if (s->models.n == SRV_MAX_LIST)
        return rf_fail(err, RF_LIMIT, "more than %d models", SRV_MAX_LIST);
    enum rf_status rc = srv_model_load(&m, spec, options, err);
    if (rc)
        return rc;
    if (srv_models_find(&s->models, m->name)) {
        rc = rf_fail(err, RF_INVALID,
                     "two models are called '%s'; give one another name: NAME=PATH", m->name);
        srv_model_free(m);
        return rc;
    }
    s->models.list[s->models.n++] = m;
    if (*m->network.note)
        srv_log(SRV_INFO, "model %s: %s", m->name, m->network.note);
    rc = srv_model_warm_up(m, s->pool, (int64_t)s->config->max_batch, batch_bytes(s), err);
    if (!rc)
        log_batch(m, s->config->max_batch);
    return rc;
}

static enum rf_status load_models(struct srv_server *s, struct rf_error *err)
{
    const struct srv_config *config = s->config;
    const struct rf_model_options options = {
        .activity = (enum rf_activity_level)config->activity,
        .compact = config->weights == SRV_WEIGHTS_COMPACT,
        .max_session_bytes = s->memory / 2 / (uint64_t)rf_pool_threads(s->pool),
    };
    enum rf_status rc = RF_OK;
    for (size_t i = 0; !rc && i < config->args.n; i++)
        rc = add_model(s, config->args.item[i], &options, err);
    for (size_t i = 0; !rc && i < config->models.n; i++)
        rc = add_model(s, config->models.item[i], &options, err);
    if (!rc && s->models.n == 0)
        rc = add_model(s, NULL, &options, err);
    if (rc)
        return rc;
    s->default_model = s->models.list[0];
    if (*config->default_model)
        s->default_model = srv_models_find(&s->models, config->default_model);
    return s->default_model ? RF_OK
                            : rf_fail(err, RF_INVALID, "--default-model: no model is called '%s'",
                                      config->default_model);
}

static enum rf_status bring_up(struct srv_server *s, struct rf_error *err)
{
    const struct srv_config *config = s->config;
    const int threads = config->threads ? (int)config->threads : s->cpus.threads;
    enum rf_status rc = srv_listener_new(&s->listener, s, err);
    if (!rc)
        rc = rf_pool_new(&s->pool, threads, srv_cpus_may_spin(&s->cpus, threads), err);
    if (!rc)
        rc = srv_dispatch_init(&s->dispatch, s->pool, config->max_delay, batch_bytes(s), err);
    if (!rc)
        rc = load_models(s, err);
    srv_conns_init(&s->conns, srv_listener_linger, s->listener);
    if (!rc)
        rc = srv_http_start(&s->http, s, err);
    atomic_store(&s->ready, !rc);
    if (!rc)
        rc = srv_listener_start(s->listener, err);
    return rc;
}

static void bring_down(struct srv_server *s)
{
    srv_http_stop(s->http);
    srv_listener_free(s->listener);
    rf_pool_free(s->pool);
    srv_dispatch_release(&s->dispatch);
    for (size_t i = 0; i < s->models.n; i++)
        srv_model_free(s->models.list[i]);
    srv_conns_release(&s->conns);
}

static void log_start(const struct srv_server *s)
{
    struct srv_line line;
    char models[512] = "";
    size_t n = 0;
    for (size_t i = 0; i < s->models.n && n < sizeof models; i++)
        n += (size_t)snprintf(models + n, sizeof models - n, "%s%s", i ? "," : "",
                              s->models.list[i]->name);
    srv_line_begin(&line, SRV_INFO, "serving");
    srv_line_text(&line, "version", RF_VERSION);
    srv_line_text(&line, "address", srv_listener_address(s->listener, SRV_PORT_MAIN));
    if (s->config->admin_port)
        srv_line_text(&line, "admin_address", srv_listener_address(s->listener, SRV_PORT_ADMIN));
    srv_line_text(&line, "models", models);
    srv_line_text(&line, "isa", rf_engine_isa());
    srv_line_text(&line, "gemm", rf_engine_gemm());
    srv_line_text(&line, "blas", rf_engine_blas());
    srv_line_uint(&line, "threads", (uint64_t)rf_pool_threads(s->pool));
    srv_line_text(&line, "threads_from", s->config->threads ? "--threads" : s->cpus.why);
    srv_line_end(&line);
}

/* ---- down ---- */

static sigset_t stop_signals;

static uint64_t exit_by;
static atomic_bool stopped; /* the watchdog is not needed any more */

/* A second signal, or the time that --exit-timeout grants, ends the process as it is. */
static void *watch(void *arg)
{
    int signal = -1;
    (void)arg;
    for (uint64_t now = srv_now(); signal < 0 && now < exit_by; now = srv_now()) {
        const uint64_t left = exit_by - now;
        const struct timespec wait = {(time_t)(left / SRV_SECOND), (long)(left % SRV_SECOND)};
        signal = sigtimedwait(&stop_signals, NULL, &wait);
    }
    if (atomic_load(&stopped))
        return NULL;
    srv_log(SRV_ERROR, signal > 0 ? "second signal: exiting with requests unanswered"
                                  : "exit timeout: exiting with requests unanswered");
    srv_sink_flush();
    _exit(SRV_EXIT_FAILURE);
}

static void wait_until(const struct srv_conns *conns, bool (*reached)(const struct srv_conns *),
                       uint64_t until)
{
    while (!reached(conns) && srv_now() < until)
        srv_sleep(TICK);
}

static bool nothing_open(const struct srv_conns *conns)
{
    return srv_conns_open(conns) == 0;
}

static bool nothing_in_flight(const struct srv_conns *conns)
{
    return atomic_load(&conns->in_flight) == 0;
}

static bool all_seen(const struct srv_conns *conns)
{
    return atomic_load(&conns->started) >= atomic_load(&conns->handed);
}

/* Waits, without an end but the watchdog's, until no request is in flight, and a little longer for
 * connections whose clients have not hung up yet. */
static void drain(struct srv_server *s)
{
    struct srv_conns *conns = &s->conns;
    atomic_store(&s->draining, true);
    srv_listener_close(s->listener);
    wait_until(conns, all_seen, srv_now() + LAST_GRACE);
    wait_until(conns, nothing_open, srv_now() + IDLE_GRACE);
    const uint64_t last = srv_now() + LAST_GRACE;
    do {
        srv_conns_end_idle(conns);
        wait_until(conns, nothing_in_flight, UINT64_MAX);
        srv_sleep(TICK);
    } while (!nothing_open(conns) && (!nothing_in_flight(conns) || srv_now() < last));
}

static void stop(struct srv_server *s, int signal)
{
    pthread_t thread;
    srv_log(SRV_INFO, "%s: not ready any more; draining", strsignal(signal));
    atomic_store(&s->ready, false);
    exit_by = srv_now() + s->config->drain_delay + s->config->exit_timeout;
    if (pthread_create(&thread, NULL, watch, NULL) == 0)
        pthread_detach(thread);
    if (s->config->drain_delay)
        srv_sleep(s->config->drain_delay);
    drain(s);
}

/* ---- the command ---- */

static bool log_as_json(const struct srv_config *config)
{
    return config->log_format == SRV_LOG_JSON ||
           (config->log_format == SRV_LOG_AUTO && !isatty(STDERR_FILENO));
}

/* For someone at a terminal: something to paste. */
static void print_hint(const struct srv_server *s)
{
    const char *at = srv_listener_address(s->listener, SRV_PORT_MAIN);
    if (!isatty(STDOUT_FILENO))
        return;
    if (s->config->args.n == 0 && s->config->models.n == 0)
        printf("\nTry a hand-drawn 3; the answer holds \"label\":\"3\":\n\n"
               "curl -s http://%s/infer -d '[\n"
               "0,0,0,1,1,1,0,0,\n"
               "0,0,1,1,1,1,0,0,\n"
               "0,0,0,0,1,1,0,0,\n"
               "0,0,0,0,1,1,0,0,\n"
               "0,0,0,0,0,1,1,0,\n"
               "0,0,0,0,0,1,0,0,\n"
               "0,0,1,0,1,0,0,0,\n"
               "0,0,1,1,0,0,0,0]'\n",
               at);
    printf("\nWhich neurons were awake:\n\ncurl -s http://%s/v2/models/%s/activity\n\n"
           "Ctrl-C stops.\n\n",
           at, s->default_model->name);
    fflush(stdout);
}

static void set_up(struct srv_server *s, const struct srv_config *config)
{
    s->config = config;
    srv_cpus_read(&s->cpus);
    s->memory = srv_memory(config->memory);
    s->budget.limit = s->memory / 4;
    s->reply_limit = s->memory / 4;
    /* Blocked in every thread: sigwait takes them, and no system call is interrupted. */
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGTERM);
    sigaddset(&stop_signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    srv_sink_start(); /* with the signals blocked */
}

int srv_cmd_serve(const struct srv_config *config)
{
    struct rf_error err = RF_ERROR_INIT;
    struct srv_server *s = calloc(1, sizeof *s);
    int signal = 0;
    if (!s)
        return srv_fail("out of memory");
    srv_log_configure(log_as_json(config), (enum srv_level)config->log_level);
    set_up(s, config);
    raise_fd_limit(config->max_connections);
    const enum rf_status rc = bring_up(s, &err);
    if (rc) {
        srv_fail("%s", err.text);
    } else {
        log_start(s);
        print_hint(s);
        while (sigwait(&stop_signals, &signal) != 0)
            ;
        stop(s, signal);
    }
    bring_down(s);
    free(s);
    atomic_store(&stopped, true);
    if (!rc)
        srv_log(SRV_INFO, "stopped");
    srv_sink_flush();
    return rc ? SRV_EXIT_FAILURE : SRV_EXIT_OK;
}
