#include "core/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/gemm.h"

/* A leader's offer, on its stack; in the pool's list while parts are left to take. */
struct offer {
    void (*fn)(void *arg, int part);
    void *arg;
    int n_parts;
    atomic_int next_part;
    int helpers; /* threads inside; under the lock */
    struct offer *next;
};

struct rf_pool {
    pthread_mutex_t lock;
    pthread_cond_t work, left; /* something to do; a helper left an offer */
    struct rf_task *first, **last;
    struct offer *offers;
    bool stopping;
    int n_threads;
    pthread_t threads[];
};

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
    o->helpers++;
    pthread_mutex_unlock(&pool->lock);
    take_parts(o);
    pthread_mutex_lock(&pool->lock);
    if (--o->helpers == 0)
        pthread_cond_broadcast(&pool->left);
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
            pthread_cond_wait(&pool->work, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

enum rf_status rf_pool_new(struct rf_pool **out, int n_threads, struct rf_error *err)
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
    pthread_cond_broadcast(&pool->work);
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

void rf_pool_submit(struct rf_pool *pool, struct rf_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&pool->lock);
    *pool->last = task;
    pool->last = &task->next;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

static void withdraw(struct rf_pool *pool, struct offer *o)
{
    struct offer **at = &pool->offers;

    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    while (o->helpers)
        pthread_cond_wait(&pool->left, &pool->lock);
}

void rf_pool_parallel(struct rf_pool *pool, void (*fn)(void *arg, int part), void *arg, int n_parts)
{
    struct offer o = {.fn = fn, .arg = arg, .n_parts = n_parts};

    if (!pool || n_parts < 2) {
        take_parts(&o);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    o.next = pool->offers;
    /* cppcheck-suppress autoVariables ; withdrawn before this function returns */
    pool->offers = &o;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    take_parts(&o);
    pthread_mutex_lock(&pool->lock);
    withdraw(pool, &o);
    pthread_mutex_unlock(&pool->lock);
}
