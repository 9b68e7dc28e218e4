/* One thread, a queue of tasks, and a clock for polling. */
#include "server/loader.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/clock.h"
#include "server/sync.h"

struct srv_loader {
    struct srv_sync *sync;
    uint64_t poll_ns;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct rf_task *first, **last;
    bool running, stopping;
    pthread_t thread;
};

/* Under the lock: until there is a task, a reason to stop, or the time has come. */
static void wait_for_work(struct srv_loader *l, uint64_t until)
{
    const struct timespec t = srv_timespec(until);
    int rc = 0;
    while (!l->first && !l->stopping && !rc)
        rc = l->poll_ns ? pthread_cond_timedwait(&l->work, &l->lock, &t)
                        : pthread_cond_wait(&l->work, &l->lock);
}

static struct rf_task *pop(struct srv_loader *l)
{
    struct rf_task *const task = l->first;
    if (task)
        l->first = task->next;
    if (!l->first)
        l->last = &l->first;
    return task;
}

static void *work(void *arg)
{
    struct srv_loader *const l = arg;
    uint64_t poll_at = srv_now() + l->poll_ns;
    pthread_mutex_lock(&l->lock);
    while (!l->stopping || l->first) {
        wait_for_work(l, poll_at);
        struct rf_task *const task = pop(l);
        const bool polls = l->poll_ns && !l->stopping && srv_now() >= poll_at;
        pthread_mutex_unlock(&l->lock);
        if (task)
            task->run(task);
        if (polls) {
            srv_sync_poll(l->sync);
            poll_at = srv_now() + l->poll_ns;
        }
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

enum rf_status srv_loader_new(struct srv_loader **out, struct srv_sync *sync, uint64_t poll_ns,
                              struct rf_error *err)
{
    struct srv_loader *const l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l)
        return rf_fail_nomem(err, "the loader", sizeof *l);
    l->sync = sync;
    l->poll_ns = poll_ns;
    l->last = &l->first;
    pthread_mutex_init(&l->lock, NULL);
    srv_cond_init(&l->work);
    *out = l;
    return RF_OK;
}

enum rf_status srv_loader_start(struct srv_loader *loader, struct rf_error *err)
{
    pthread_mutex_lock(&loader->lock); /* who looks at `running` looks at `thread`, too */
    loader->running = pthread_create(&loader->thread, NULL, work, loader) == 0;
    pthread_mutex_unlock(&loader->lock);
    return loader->running ? RF_OK
                           : rf_fail(err, RF_NOMEM, "cannot start the thread that loads models");
}

void srv_loader_stop(struct srv_loader *loader)
{
    if (!loader || !loader->running)
        return;
    pthread_mutex_lock(&loader->lock);
    loader->stopping = true;
    pthread_cond_signal(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    pthread_join(loader->thread, NULL);
    loader->running = false;
}

void srv_loader_free(struct srv_loader *loader)
{
    if (!loader)
        return;
    srv_loader_stop(loader);
    pthread_cond_destroy(&loader->work);
    pthread_mutex_destroy(&loader->lock);
    free(loader);
}

void srv_loader_submit(struct srv_loader *loader, struct rf_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&loader->lock);
    const bool at_once = !loader->running || pthread_equal(loader->thread, pthread_self());
    if (!at_once) {
        *loader->last = task;
        loader->last = &task->next;
        pthread_cond_signal(&loader->work);
    }
    pthread_mutex_unlock(&loader->lock);
    if (at_once)
        task->run(task);
}
