#include "core/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "core/gemm.h"

/* A thread that sleeps takes tens of microseconds to come back, longer than what mostly lies
 * between two steps of a run. So one without work looks on for a while before it sleeps: for as
 * long in a run, and behind the last one, which may be followed by the next. */
#define SPIN_NS 5000
#define SPIN_IN_A_RUN_NS 50000

/* A leader's offer, on its stack; in the pool's list while parts are left to take. */
struct offer {
    void (*fn)(void *arg, int part);
    void *arg;
    int n_parts;
    atomic_int next_part;
    atomic_uint helpers; /* threads inside; grows under the lock */
    struct offer *next;
};

struct rf_pool {
    pthread_mutex_t lock;
    pthread_cond_t work,
        left; /* something to do; the last helper left an offer, or a call is done */
    struct rf_task *first, **last;
    struct offer *offers;
    atomic_uint news; /* tasks and offers that came; grows under the lock */
    atomic_int runs;  /* that are likely to make offers */
    int spinning;     /* threads that look for news, awake */
    bool stopping, spins;
    int n_threads;
    pthread_t threads[];
};

/* ---- waiting ---- */

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void relax(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

/* Whether the number changed while it was worth looking at. */
static bool spin_while(struct rf_pool *pool, atomic_uint *number, unsigned value)
{
    const int64_t start = now();
    int64_t t, in_a_run = start;

    do {
        for (int i = 0; i < 16; i++, relax())
            if (atomic_load_explicit(number, memory_order_acquire) != value)
                return true;
        t = now();
        if (atomic_load(&pool->runs))
            in_a_run = t;
    } while (pool->spins && t - start < SPIN_IN_A_RUN_NS && t - in_a_run < SPIN_NS);
    return false;
}

/* Under the lock, which is given up meanwhile: until something new may be there. */
static void wait_for_news(struct rf_pool *pool)
{
    const unsigned seen = atomic_load(&pool->news);

    pool->spinning++;
    pthread_mutex_unlock(&pool->lock);
    spin_while(pool, &pool->news, seen);
    pthread_mutex_lock(&pool->lock);
    if (atomic_load(&pool->news) != seen)
        return;
    pool->spinning--;
    pthread_cond_wait(&pool->work, &pool->lock);
}

/* Under the lock: something for up to `n` threads. Those that are awake all notice. */
static void announce(struct rf_pool *pool, int n)
{
    atomic_fetch_add(&pool->news, 1);
    for (int i = pool->spinning; i < n && i < pool->n_threads; i++)
        pthread_cond_signal(&pool->work);
    pool->spinning = 0;
}

/* ---- the threads ---- */

static void take_parts(struct offer *o)
{
    for (int part; (part = atomic_fetch_add(&o->next_part, 1)) < o->n_parts;)
        o->fn(o->arg, part);
}

static bool has_parts(struct offer *o)
{
    return atomic_load(&o->next_part) < o->n_parts;
}

static struct offer *open_offer(struct rf_pool *pool)
{
    for (struct offer *o = pool->offers; o; o = o->next)
        if (has_parts(o))
            return o;
    return NULL;
}

/* Under the lock, which is given up meanwhile. */
static void help(struct rf_pool *pool, struct offer *o)
{
    atomic_fetch_add(&o->helpers, 1);
    pthread_mutex_unlock(&pool->lock);
    take_parts(o);
    if (atomic_fetch_sub(&o->helpers, 1) == 1) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->left);
    } else {
        pthread_mutex_lock(&pool->lock);
    }
}

static struct rf_task *pop(struct rf_pool *pool)
{
    struct rf_task *const task = pool->first;

    if (task) {
        pool->first = task->next;
        if (!pool->first)
            pool->last = &pool->first;
    }
    return task;
}

/* A waiting request is led before a running one is helped: that is the better throughput. */
static void *work(void *arg)
{
    struct rf_pool *const pool = arg;

    rf_gemm_warm_up();
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct rf_task *const task = pop(pool);
        struct offer *const offer = task ? NULL : open_offer(pool);

        if (task) {
            pthread_mutex_unlock(&pool->lock);
            task->run(task);
            pthread_mutex_lock(&pool->lock);
        } else if (offer) {
            help(pool, offer);
        } else if (pool->stopping) {
            break;
        } else {
            wait_for_news(pool);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

enum rf_status rf_pool_new(struct rf_pool **out, int n_threads, bool spins, struct rf_error *err)
{
    *out = NULL;
    if (n_threads < 1)
        return rf_fail(err, RF_INVALID, "pool of %d threads", n_threads);
    struct rf_pool *const pool =
        calloc(1, sizeof(*pool) + (size_t)n_threads * sizeof(pool->threads[0]));
    if (!pool)
        return rf_fail_nomem(err, "pool", (size_t)n_threads * sizeof(pool->threads[0]));
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->left, NULL);
    pool->last = &pool->first;
    pool->spins = spins;
    while (pool->n_threads < n_threads) {
        if (pthread_create(&pool->threads[pool->n_threads], NULL, work, pool)) {
            const int started = pool->n_threads;

            rf_pool_free(pool);
            return rf_fail(err, RF_NOMEM, "cannot start compute thread %d of %d", started + 1,
                           n_threads);
        }
        pool->n_threads++;
    }
    *out = pool;
    return RF_OK;
}

void rf_pool_free(struct rf_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    announce(pool, pool->n_threads);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->left);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int rf_pool_threads(const struct rf_pool *pool)
{
    return pool->n_threads;
}

bool rf_pool_spins(const struct rf_pool *pool)
{
    return pool->spins;
}

/* ---- what they are given ---- */

void rf_pool_submit(struct rf_pool *pool, struct rf_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&pool->lock);
    *pool->last = task;
    pool->last = &task->next;
    announce(pool, 1);
    pthread_mutex_unlock(&pool->lock);
}

struct call {
    struct rf_task task; /* first */
    struct rf_pool *pool;
    void (*fn)(void *arg);
    void *arg;
    bool done; /* under the lock */
};

static void run_call(struct rf_task *task)
{
    struct call *const c = (struct call *)task;
    struct rf_pool *const pool = c->pool;

    c->fn(c->arg);
    pthread_mutex_lock(&pool->lock);
    c->done = true;
    pthread_cond_broadcast(&pool->left);
    pthread_mutex_unlock(&pool->lock);
}

void rf_pool_call(struct rf_pool *pool, void (*fn)(void *arg), void *arg)
{
    struct call c = {.task.run = run_call, .pool = pool, .fn = fn, .arg = arg};

    if (!pool) {
        fn(arg);
        return;
    }
    rf_pool_submit(pool, &c.task);
    pthread_mutex_lock(&pool->lock);
    while (!c.done)
        pthread_cond_wait(&pool->left, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void rf_pool_enter(struct rf_pool *pool, int n_parts)
{
    atomic_fetch_add(&pool->runs, 1);
    if (!pool->spins)
        return;
    pthread_mutex_lock(&pool->lock);
    announce(pool, n_parts - 1);
    pthread_mutex_unlock(&pool->lock);
}

void rf_pool_leave(struct rf_pool *pool)
{
    atomic_fetch_sub(&pool->runs, 1);
}

static void make_offer(struct rf_pool *pool, struct offer *o)
{
    pthread_mutex_lock(&pool->lock);
    o->next = pool->offers;
    pool->offers = o;
    announce(pool, o->n_parts - 1);
    pthread_mutex_unlock(&pool->lock);
}

/* Nobody comes any more; returns when those inside have left. */
static void withdraw(struct rf_pool *pool, struct offer *o)
{
    struct offer **at = &pool->offers;
    unsigned inside;

    pthread_mutex_lock(&pool->lock);
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    pthread_mutex_unlock(&pool->lock);
    while ((inside = atomic_load(&o->helpers)) && spin_while(pool, &o->helpers, inside))
        ;
    if (!inside)
        return;
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&o->helpers))
        pthread_cond_wait(&pool->left, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

void rf_pool_parallel(struct rf_pool *pool, void (*fn)(void *arg, int part), void *arg, int n_parts)
{
    struct offer o = {.fn = fn, .arg = arg, .n_parts = n_parts};

    if (pool && n_parts > 1)
        make_offer(pool, &o);
    take_parts(&o);
    if (pool && n_parts > 1)
        withdraw(pool, &o);
}
