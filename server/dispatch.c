/* Workers go around the queues. */
#include "server/dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "server/clock.h"
#include "server/job.h"
#include "server/models.h"

/* Handing a request to a worker and back takes some 40 us. An HTTP thread that computes keeps its
 * other connections waiting, so this is all that it may do itself. */
#define QUICK_NS (200 * SRV_MS / 1000)
#define QUICK_BYTES (16 * 1024)

/* ---- queues with something in them; all under the lock ---- */

static void append(struct srv_dispatch *d, struct srv_queue *q)
{
    q->next = NULL;
    *(d->last ? &d->last->next : &d->first) = q;
    d->last = q;
}

static struct srv_queue *take_first(struct srv_dispatch *d)
{
    struct srv_queue *q = d->first;
    d->first = q->next;
    if (!d->first)
        d->last = NULL;
    return q;
}

static void put_back(struct srv_dispatch *d, struct srv_queue *q)
{
    if (!srv_queue_is_empty(q))
        append(d, q);
}

/* ---- what to do next; under the lock ---- */

/* One job to decode, or several to run together. */
struct piece {
    struct srv_waiting *decode, *run;
};

/* Waiting for more rows pays only when no other worker could compute meanwhile. */
static uint64_t ripe(const struct srv_dispatch *d, const struct srv_queue *q)
{
    return d->idle || d->n_waiting ? 0 : srv_queue_ripe(q, d->max_delay);
}

/* Goes around the queues once. False: there is nothing to do before `*wake`. */
static bool find_piece(struct srv_dispatch *d, struct piece *p, uint64_t *wake)
{
    const struct srv_queue *const end = d->last;
    const struct srv_queue *q = NULL;
    *p = (struct piece){NULL, NULL};
    *wake = UINT64_MAX;
    while (d->first && q != end) {
        struct srv_queue *const at = take_first(d);
        const uint64_t when = at->arrived.first ? 0 : ripe(d, at);
        q = at;
        if (at->arrived.first)
            p->decode = srv_queue_take_arrived(at);
        else if (when == 0 || when <= srv_now())
            p->run = srv_queue_take_batch(at);
        else if (when < *wake)
            *wake = when;
        put_back(d, at);
        if (p->decode || p->run)
            return true;
    }
    return false;
}

static void wait_until(struct srv_dispatch *d, uint64_t wake)
{
    const struct timespec t = srv_timespec(wake);
    d->n_waiting++;
    pthread_cond_timedwait(&d->came, &d->lock, &t);
    d->n_waiting--;
}

static void become_idle(struct srv_worker *w)
{
    w->next_idle = w->dispatch->idle;
    w->dispatch->idle = w;
    w->dispatch->n_idle++;
}

static struct srv_worker *take_idle(struct srv_dispatch *d)
{
    struct srv_worker *const w = d->idle;
    if (w) {
        d->idle = w->next_idle;
        d->n_idle--;
    }
    return w;
}

/* False when there is nothing: the worker is idle then. */
static bool next_piece(struct srv_worker *w, struct piece *p)
{
    struct srv_dispatch *const d = w->dispatch;
    uint64_t wake;
    pthread_mutex_lock(&d->lock);
    while (!find_piece(d, p, &wake) && wake != UINT64_MAX)
        wait_until(d, wake);
    const bool found = p->decode || p->run;
    if (!found)
        become_idle(w);
    pthread_mutex_unlock(&d->lock);
    return found;
}

/* Behind every run the thread goes back to the pool, where others may wait for it. */
static void go_back(struct srv_worker *w)
{
    struct srv_dispatch *const d = w->dispatch;
    pthread_mutex_lock(&d->lock);
    const bool more = d->first != NULL;
    if (!more)
        become_idle(w);
    pthread_mutex_unlock(&d->lock);
    if (more)
        rf_pool_submit(d->pool, &w->task);
}

/* ---- workers ---- */

static void insert(struct srv_dispatch *d, struct srv_request *r)
{
    struct srv_queue *const q = &r->job.model->queue;
    pthread_mutex_lock(&d->lock);
    const bool was_empty = srv_queue_is_empty(q);
    srv_queue_insert(q, &r->job.waiting);
    if (was_empty)
        append(d, q);
    pthread_mutex_unlock(&d->lock);
}

static void work(struct rf_task *task)
{
    struct srv_worker *const w = (struct srv_worker *)task;
    struct piece p;
    while (next_piece(w, &p)) {
        if (p.run) {
            srv_batch_run(&w->gather, p.run);
            go_back(w);
            return;
        }
        struct srv_request *const r = srv_waiting_request(p.decode);
        if (srv_job_decode(r))
            insert(w->dispatch, r);
    }
}

/* A body holds no more rows than a byte for each element allows. */
static bool is_quick(const struct srv_request *r)
{
    const struct srv_rows *rows = &r->job.model->rows;
    if (!rows->independent || r->guard.compressed || r->body_len > QUICK_BYTES ||
        rows->ns > QUICK_NS)
        return false;
    return rows->ns * (1 + r->body_len / (1 + rows->elements)) <= QUICK_NS;
}

bool srv_dispatch_run_here(struct srv_dispatch *d, struct srv_request *r)
{
    struct srv_worker *w = NULL;
    if (!is_quick(r))
        return false;
    pthread_mutex_lock(&d->lock);
    const bool waits = d->max_delay > 0 && d->n_workers == 1; /* for company */
    if (!waits && !d->first && d->n_idle == d->n_workers)
        w = take_idle(d);
    pthread_mutex_unlock(&d->lock);
    if (!w)
        return false;
    if (srv_job_decode(r))
        srv_batch_run(&w->gather, &r->job.waiting);
    go_back(w);
    return true;
}

void srv_dispatch_submit(struct srv_dispatch *d, struct srv_request *r)
{
    struct srv_queue *const q = &r->job.model->queue;
    pthread_mutex_lock(&d->lock);
    struct srv_worker *const w = take_idle(d);
    const bool was_empty = srv_queue_is_empty(q);
    r->job.waited = !w && !d->n_waiting;
    srv_queue_arrive(q, &r->job.waiting);
    if (was_empty)
        append(d, q);
    if (!w && d->n_waiting)
        pthread_cond_signal(&d->came);
    pthread_mutex_unlock(&d->lock);
    if (w)
        rf_pool_submit(d->pool, &w->task);
}

void srv_dispatch_sweep(struct srv_dispatch *d)
{
    const uint64_t now = srv_now();
    struct srv_waiting *over = NULL;
    pthread_mutex_lock(&d->lock);
    struct srv_queue *q = d->first, *next;
    d->first = d->last = NULL;
    for (; q; q = next) {
        next = q->next;
        struct srv_waiting *w = srv_queue_drop(q, srv_job_is_over, now), *after;
        for (; w; w = after) {
            after = w->next;
            w->next = over;
            over = w;
        }
        put_back(d, q);
    }
    pthread_mutex_unlock(&d->lock);
    for (struct srv_waiting *w = over, *after; w; w = after) {
        after = w->next;
        srv_job_end_over(srv_waiting_request(w), now);
    }
}

/* ---- beginning and end ---- */

enum rf_status srv_dispatch_init(struct srv_dispatch *d, struct rf_pool *pool, uint64_t max_delay,
                                 size_t max_gather, struct rf_error *err)
{
    const size_t n = (size_t)rf_pool_threads(pool);
    struct srv_worker *workers = calloc(n, sizeof *workers);
    if (!workers)
        return rf_fail_nomem(err, "workers", n * sizeof *workers);
    *d = (struct srv_dispatch){
        .pool = pool, .max_delay = max_delay, .workers = workers, .n_workers = n};
    for (size_t i = 0; i < n; i++) {
        workers[i] = (struct srv_worker){
            .task = {.run = work}, .dispatch = d, .gather = {.max = max_gather}};
        become_idle(&workers[i]);
    }
    pthread_mutex_init(&d->lock, NULL);
    srv_cond_init(&d->came);
    return RF_OK;
}

void srv_dispatch_release(struct srv_dispatch *d)
{
    if (!d->workers)
        return;
    for (size_t i = 0; i < d->n_workers; i++)
        free(d->workers[i].gather.data);
    free(d->workers);
    pthread_cond_destroy(&d->came);
    pthread_mutex_destroy(&d->lock);
    memset(d, 0, sizeof *d);
}
