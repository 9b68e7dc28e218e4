/*
 * `rectifier serve`: brings the server up, waits for a signal, and takes it down in the order that
 * loses no request: not ready, port closed, requests answered, connections ended, threads joined.
 */
#include <malloc.h>
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
#include "server/loader.h"
#include "server/log.h"
#include "server/notify.h"
#include "server/server.h"
#include "server/sink.h"
#include "server/sync.h"

/* Descriptors beside the connections': files, epoll, lingering sockets, the C library. */
#define SPARE_FDS 128
/* What is larger than this is the system's again once it is freed, and grows without being copied.
 * The allocator raises its own threshold to 32 MiB by and by, and keeps what is below. */
#define LARGE_BLOCK (4 << 20)
/* Keep-alive connections may send one more request, whose reply closes them, for so long. */
#define IDLE_GRACE (500 * SRV_MS)
/* For what those clients had sent when the grace ended. */
#define LAST_GRACE SRV_SECOND
#define TICK (2 * SRV_MS)
/* Between two looks with --wait-for-model. */
#define WAIT_INTERVAL (500 * SRV_MS)

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

static enum rf_status load_models(struct srv_server *s, struct rf_error *err)
{
    enum rf_status rc = srv_sync_start(s->sync, err);
    if (!rc && s->config->model_control != SRV_CONTROL_NONE)
        rc = srv_loader_start(s->loader, err);
    atomic_store(&s->loaded, !rc);
    return rc;
}

static enum rf_status bring_up(struct srv_server *s, struct rf_error *err)
{
    const struct srv_config *config = s->config;
    const int threads = srv_cpus_threads(&s->cpus, config->threads);
    const uint64_t poll = config->model_control == SRV_CONTROL_POLL ? config->poll_interval : 0;
    enum rf_status rc = srv_listener_new(&s->listener, s, err);
    if (!rc)
        rc = rf_pool_new(&s->pool, threads, srv_cpus_may_spin(&s->cpus, threads), err);
    if (!rc)
        s->batch_bytes = batch_bytes(s);
    if (!rc)
        rc = srv_dispatch_init(&s->dispatch, s->pool, config->max_delay, s->batch_bytes, err);
    if (!rc)
        rc = srv_sync_new(&s->sync, s, err);
    if (!rc)
        rc = srv_loader_new(&s->loader, s->sync, poll, err);
    if (!rc && !config->wait_for_model)
        rc = load_models(s, err);
    srv_conns_init(&s->conns, srv_listener_linger, s->listener);
    if (!rc)
        rc = srv_http_start(&s->http, s, err);
    srv_sink_flush(); /* what there was to say so far stands in the log when requests come */
    atomic_store(&s->ready, !rc && !config->wait_for_model);
    if (!rc)
        rc = srv_listener_start(s->listener, err);
    return rc;
}

static void bring_down(struct srv_server *s)
{
    srv_http_stop(s->http);
    srv_listener_free(s->listener);
    srv_loader_stop(s->loader);
    rf_pool_free(s->pool);
    srv_dispatch_release(&s->dispatch);
    srv_repository_release(&s->repository);
    srv_loader_free(s->loader);
    srv_sync_free(s->sync);
    srv_conns_release(&s->conns);
}

/* The models served, separated by commas. */
static void list_models(struct srv_server *s, char *text, size_t size)
{
    struct srv_listing listing;
    size_t n = 0;
    *text = '\0';
    srv_repository_list(&s->repository, &listing);
    for (size_t i = 0; i < listing.n && n < size; i++)
        if (listing.items[i].is_first)
            n += (size_t)snprintf(text + n, size - n, "%s%s", n ? "," : "", listing.items[i].name);
    srv_listing_release(&listing);
}

static void log_start(struct srv_server *s)
{
    struct srv_line line;
    char models[512];
    list_models(s, models, sizeof models);
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
        const struct timespec wait = srv_timespec(exit_by - now);
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
    srv_notify("STOPPING=1\nSTATUS=Draining");
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

/* Where the page is; who works over SSH opens it on the machine in front. */
static void print_page(struct srv_server *s)
{
    const bool has_port = s->config->admin_port != 0;
    const char *at = srv_listener_address(s->listener, has_port ? SRV_PORT_ADMIN : SRV_PORT_MAIN);
    const char *port = strrchr(at, ':');
    char host[256] = "";
    if (s->config->page == SRV_PAGE_OFF || !port)
        return;
    printf("\nThe network at work: http://%s\n", at);
    if (getenv("SSH_CONNECTION") && gethostname(host, sizeof host - 1) == 0)
        printf("(from your own machine, after: ssh -L %s:%s %s)\n", port + 1, at, host);
}

/* For someone at a terminal: something to paste. */
static void print_hint(struct srv_server *s)
{
    char name[SRV_MAX_MODEL_NAME + 1];
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
    if (*s->config->default_model)
        snprintf(name, sizeof name, "%s", s->config->default_model);
    if (*s->config->default_model || srv_repository_default(&s->repository, name, sizeof name))
        printf("\nWhich neurons were awake:\n\ncurl -s http://%s/v2/models/%s/activity\n", at,
               name);
    print_page(s);
    printf("\nCtrl-C stops.\n\n");
    fflush(stdout);
}

static void set_up(struct srv_server *s, const struct srv_config *config)
{
    s->config = config;
    srv_repository_init(&s->repository);
    srv_cpus_read(&s->cpus);
    s->memory = srv_memory(config->memory);
    s->budget.limit = s->memory / 4;
    s->reply_limit = s->memory / 4;
    /* Blocked in every thread: sigwait takes them, and no system call is interrupted. */
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGTERM);
    sigaddset(&stop_signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
    /* Ended by mistake would be a server that was asked to reopen its log, say. */
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    srv_sink_start(); /* with the signals blocked */
}

/* Looks again and again until every MODEL is there and two looks saw the same. A signal ends it:
 * `*signal` is not 0 then. */
static enum rf_status wait_for_models(struct srv_server *s, int *signal, struct rf_error *err)
{
    const struct timespec pause = srv_timespec(WAIT_INTERVAL);
    const uint64_t until = srv_now() + s->config->wait_for_model;
    bool settled = false;
    enum rf_status rc = srv_sync_look(s->sync, &settled, err);
    srv_log(SRV_INFO, "waiting for the models");
    srv_notify("STATUS=Waiting for the models");
    while (!rc && !settled) {
        const int got = sigtimedwait(&stop_signals, NULL, &pause);
        if (got > 0) {
            *signal = got;
            return RF_OK;
        }
        if (srv_now() > until)
            return rf_fail(err, RF_NOT_FOUND,
                           "the models were not there, whole and at rest, within --wait-for-model");
        rc = srv_sync_look(s->sync, &settled, err);
    }
    return rc;
}

/* With --wait-for-model, what is left to do once the port is open. */
static enum rf_status wait_and_load(struct srv_server *s, int *signal, struct rf_error *err)
{
    enum rf_status rc = wait_for_models(s, signal, err);
    if (!rc && !*signal)
        rc = load_models(s, err);
    if (rc)
        drain(s);
    else if (!*signal)
        atomic_store(&s->ready, true);
    return rc;
}

static void serve(struct srv_server *s, int signal)
{
    if (!signal) {
        log_start(s);
        print_hint(s);
        srv_notify("READY=1\nSTATUS=Serving on %s",
                   srv_listener_address(s->listener, SRV_PORT_MAIN));
    }
    while (!signal && sigwait(&stop_signals, &signal) != 0)
        ;
    stop(s, signal);
}

static void give_large_blocks_back(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
}

/* What the table of options cannot know. False after a message. */
static bool take_options(struct srv_server *s, const struct srv_config *config)
{
    if (!srv_policy_parse(&s->policy, config->version_policy)) {
        srv_fail(
            "--version-policy: expected latest:N, all or numbers separated by commas, got '%s'",
            config->version_policy);
        return false;
    }
    for (size_t i = 0; i < config->baselines.n; i++) {
        const char *item = config->baselines.item[i], *is = strchr(item, '=');
        if (!is || is == item || !is[1]) {
            srv_fail("--baseline: expected NAME=FILE, got '%.64s'", item);
            return false;
        }
    }
    if (config->baselines.n && config->activity < RF_ACTIVITY_CHANNEL) {
        srv_fail("--baseline: drift is looked at with --activity channel or unit only");
        return false;
    }
    return true;
}

int srv_cmd_serve(const struct srv_config *config)
{
    struct rf_error err = RF_ERROR_INIT;
    struct srv_server *s = calloc(1, sizeof *s);
    int signal = 0;
    if (!s)
        return srv_fail("out of memory");
    srv_log_configure(log_as_json(config), (enum srv_level)config->log_level);
    if (!take_options(s, config)) {
        free(s);
        return SRV_EXIT_USAGE;
    }
    give_large_blocks_back();
    set_up(s, config);
    raise_fd_limit(config->max_connections);
    enum rf_status rc = bring_up(s, &err);
    if (!rc && config->wait_for_model)
        rc = wait_and_load(s, &signal, &err);
    if (rc)
        srv_fail("%s", err.text);
    else
        serve(s, signal);
    bring_down(s);
    free(s);
    atomic_store(&stopped, true);
    if (!rc)
        srv_log(SRV_INFO, "stopped");
    srv_sink_flush();
    return rc ? SRV_EXIT_FAILURE : SRV_EXIT_OK;
}
