/* Products by many callers at once: the library's work buffers are shared between threads. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/gemm.h"
#include "tests/support/net.h"

enum { THREADS = 4, ROUNDS = 20000, ROWS = 64, N_IN = 144, N_OUT = 64 };

struct shared {
    struct rf_gemm gemm;
    float *a;
    float want[ROWS * N_OUT];
    int rows;
    atomic_int wrong;
};

static void *hammer(void *arg)
{
    struct shared *const s = arg;
    float *const y = malloc(sizeof(s->want));

    for (int i = 0; i < ROUNDS && y; i++) {
        rf_gemm_run(&s->gemm, s->a, N_IN, (size_t)s->rows, y, N_OUT, 0, N_OUT);
        for (int k = 0; k < s->rows * N_OUT; k++) {
            if (y[k] != s->want[k]) {
                atomic_fetch_add(&s->wrong, 1);
                break;
            }
        }
    }
    free(y);
    return NULL;
}

/* _i: 1 is a matrix-vector product, else a matrix product. */
START_TEST(callers_do_not_disturb_each_other)
{
    struct shared *const s = calloc(1, sizeof(*s));
    float *const weights = calloc((size_t)N_IN * N_OUT, sizeof(*weights));
    pthread_t threads[THREADS];
    uint64_t seed = 1;

    s->a = calloc((size_t)ROWS * N_IN, sizeof(*s->a));
    s->rows = _i ? 1 : ROWS;
    test_random_fill(&seed, weights, (size_t)N_IN * N_OUT);
    test_random_fill(&seed, s->a, (size_t)ROWS * N_IN);
    s->gemm = (struct rf_gemm){
        .backend = &rf_gemm_openblas, .weights = weights, .n_in = N_IN, .n_out = N_OUT};
    rf_gemm_run(&s->gemm, s->a, N_IN, (size_t)s->rows, s->want, N_OUT, 0, N_OUT);
    for (int r = 0; r < s->rows; r++) {
        for (int c = 0; c < N_OUT; c++) {
            double sum = 0;

            for (int k = 0; k < N_IN; k++)
                sum += (double)s->a[r * N_IN + k] * (double)weights[k * N_OUT + c];
            ck_assert_double_eq_tol((double)s->want[r * N_OUT + c], sum, 1e-4);
        }
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, s), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&s->wrong), 0);
    free(s->a);
    free(s);
    free(weights);
}
END_TEST

/* Any range of columns, at any pitch, without touching what lies beside it. */
START_TEST(columns_come_by_the_range)
{
    enum { IN = 7, OUT = 33, N = 5, PITCH = 40 };
    float weights[IN * OUT], a[N * IN], y[N * PITCH];
    const struct rf_gemm g = {
        .backend = &rf_gemm_openblas, .weights = weights, .n_in = IN, .n_out = OUT};
    uint64_t seed = 2;

    test_random_fill(&seed, weights, IN * OUT);
    test_random_fill(&seed, a, N * IN);
    for (size_t rows = 1; rows <= N; rows++) {
        for (size_t c0 = 0; c0 < OUT; c0 += 5) {
            const size_t c1 = c0 + 9 < OUT ? c0 + 9 : OUT;

            for (size_t i = 0; i < N * PITCH; i++)
                y[i] = 1e9f;
            rf_gemm_run(&g, a, IN, rows, y, PITCH, c0, c1);
            for (size_t i = 0; i < N * PITCH; i++) {
                const size_t r = i / PITCH, c = i % PITCH;
                double sum = 1e9;

                if (r < rows && c < c1 - c0) {
                    sum = 0;
                    for (size_t k = 0; k < IN; k++)
                        sum += (double)a[r * IN + k] * (double)weights[k * OUT + c0 + c];
                }
                ck_assert_double_eq_tol((double)y[i], sum, 1e-5);
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("gemm");
    TCase *const tc = tcase_create("gemm");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, callers_do_not_disturb_each_other, 0, 2);
    tcase_add_test(tc, columns_come_by_the_range);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
