/* The compute threads. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/pool.h"

struct counted {
    struct rf_task task; /* first */
    struct rf_pool *pool;
    atomic_int *runs;
    int n_parts;
    atomic_int parts[64];
};

static void mark(void *arg, int part)
{
    struct counted *const c = arg;

    atomic_fetch_add(&c->parts[part], 1);
}

static void lead(struct rf_task *task)
{
    struct counted *const c = (struct counted *)task;

    rf_pool_parallel(c->pool, mark, c, c->n_parts);
    for (int i = 0; i < c->n_parts; i++)
        if (atomic_load(&c->parts[i]) != 1)
            abort();
    atomic_fetch_add(c->runs, 1);
}

/* Every task runs once, every part of each once, and freeing the pool waits for all of them. */
START_TEST(every_part_runs_once)
{
    enum { N = 500 };
    struct counted *const tasks = calloc(N, sizeof(*tasks));
    struct rf_pool *pool;
    atomic_int runs = 0;

    ck_assert_int_eq(rf_pool_new(&pool, 1 + _i / 2, _i % 2, NULL), RF_OK);
    ck_assert_int_eq(rf_pool_threads(pool), 1 + _i / 2);
    for (int i = 0; i < N; i++) {
        tasks[i].task.run = lead;
        tasks[i].pool = pool;
        tasks[i].runs = &runs;
        tasks[i].n_parts = i % 64;
        rf_pool_submit(pool, &tasks[i].task);
    }
    rf_pool_free(pool);
    ck_assert_int_eq(atomic_load(&runs), N);
    free(tasks);
}
END_TEST

/* A caller from outside leads as well, and without a pool does everything itself. */
START_TEST(callers_lead)
{
    struct counted c = {.n_parts = 64};
    struct rf_pool *pool;

    ck_assert_int_eq(rf_pool_new(&pool, 3, true, NULL), RF_OK);
    for (int i = 0; i < 200; i++) {
        rf_pool_parallel(pool, mark, &c, 64);
        rf_pool_parallel(NULL, mark, &c, 64);
    }
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(atomic_load(&c.parts[i]), 400);
    rf_pool_free(pool);
}
END_TEST

static void note_thread(void *arg)
{
    *(pthread_t *)arg = pthread_self();
}

/* A call runs in one of the threads, without a pool in the caller's, and is done on return. */
START_TEST(calls_are_led_inside)
{
    const pthread_t here = pthread_self();
    struct rf_pool *pool;
    pthread_t there;

    ck_assert_int_eq(rf_pool_new(&pool, 2, _i, NULL), RF_OK);
    for (int i = 0; i < 200; i++) {
        there = here;
        rf_pool_call(pool, note_thread, &there);
        ck_assert(!pthread_equal(there, here));
        rf_pool_call(NULL, note_thread, &there);
        ck_assert(pthread_equal(there, here));
    }
    rf_pool_free(pool);
}
END_TEST

START_TEST(no_threads_is_an_error)
{
    struct rf_pool *pool;

    ck_assert_int_eq(rf_pool_new(&pool, 0, true, NULL), RF_INVALID);
    ck_assert_ptr_null(pool);
    rf_pool_free(NULL);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("pool");
    TCase *const tc = tcase_create("pool");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_part_runs_once, 0, 6);
    tcase_add_test(tc, callers_lead);
    tcase_add_loop_test(tc, calls_are_led_inside, 0, 2);
    tcase_add_test(tc, no_threads_is_an_error);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
