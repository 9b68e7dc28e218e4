/* Large convolutions and pools. Random ones are in check_sweep_conv.c and check_sweep_pool.c. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "tests/support/net.h"

/* Large enough to be split, with fused ReLU and counters: parts agree with one piece. */
START_TEST(parts_agree_with_one_piece)
{
    static const struct test_conv geometry[] = {
        {.spatial = 2,
         .out = 65,
         .in = 33,
         .groups = 1,
         .kernel = {3, 3},
         .stride = {1, 1},
         .dilation = {1, 1},
         .pads = {1, 1, 1, 1},
         .bias = true},
        {.spatial = 2,
         .out = 96,
         .in = 96,
         .groups = 96,
         .kernel = {3, 3},
         .stride = {2, 2},
         .dilation = {1, 1},
         .pads = {1, 1, 1, 1},
         .bias = true},
        {.spatial = 2,
         .out = 128,
         .in = 64,
         .groups = 1,
         .kernel = {1, 1},
         .stride = {1, 1},
         .dilation = {1, 1},
         .bias = false},
    };
    const struct test_conv *const c = &geometry[_i];
    const struct rf_shape in = SHAPE(3, c->in, 47, 61);
    struct rf_activity *activity[2];
    struct rf_session *session[2];
    struct rf_shape shape;
    struct rf_pool *pool;
    float *out[2];

    ck_assert_int_eq(rf_pool_new(&pool, 3, true, NULL), RF_OK);
    float *const x = malloc((size_t)rf_numel(&in) * sizeof(*x));
    for (int k = 0; k < 2; k++) {
        uint64_t seed = 5;
        rf_value_id w, b;
        struct rf_graph *const g = test_graph();
        rf_value_id y = test_conv(g, &seed, "conv", test_input(g, in), c, &w, &b);

        y = test_op(g, "Relu", "relu", &y, 1, NULL);
        test_random_fill(&seed, x, (size_t)rf_numel(&in));
        ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
        struct rf_model *const model = test_model(g, NULL);
        ck_assert_int_eq(rf_session_new(&session[k], model, k ? pool : NULL, NULL), RF_OK);
        test_run(session[k], &in, x, true, &out[k], &shape, 1);
        ck_assert_int_eq(rf_activity_read(model, &activity[k], NULL), RF_OK);
        rf_session_free(session[k]);
        rf_model_unref(model);
    }
    ck_assert_double_le(test_error(out[1], out[0], (size_t)rf_numel(&shape)), 1e-6);
    for (size_t i = 0; i < activity[0]->layers[0].n_channels; i++) {
        const struct rf_channel_activity *const a = &activity[0]->layers[0].channels[i];
        const struct rf_channel_activity *const b = &activity[1]->layers[0].channels[i];

        ck_assert_uint_eq(a->values, b->values);
        ck_assert_uint_eq(a->fired_inputs, b->fired_inputs);
        ck_assert_double_eq_tol(a->sum, b->sum, 1e-4 * fabs(a->sum) + 1e-3);
    }
    for (int k = 0; k < 2; k++) {
        rf_activity_free(activity[k]);
        free(out[k]);
    }
    rf_pool_free(pool);
    free(x);
}
END_TEST

/* A mean over 300 x 300 pixels keeps its precision. */
START_TEST(global_mean_of_a_large_image)
{
    const struct rf_shape in = SHAPE(1, 3, 300, 300);
    struct rf_graph *const g = test_graph();
    const rf_value_id x_id = test_input(g, in);
    const rf_value_id mean = test_op(g, "GlobalAveragePool", "mean", &x_id, 1, NULL);
    const rf_value_id max = test_op(g, "GlobalMaxPool", "max", &x_id, 1, NULL);
    float *const x = malloc((size_t)rf_numel(&in) * sizeof(*x)), *out[2];
    struct rf_session *session;
    uint64_t seed = 9;

    for (int64_t i = 0; i < rf_numel(&in); i++)
        x[i] = 1000 + test_random_float(&seed);
    ck_assert_int_eq(rf_graph_output(g, mean, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_output(g, max, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    test_run(session, &in, x, true, out, NULL, 2);
    for (int c = 0; c < 3; c++) {
        double sum = 0, top = 0;

        for (int i = 0; i < 90000; i++) {
            sum += (double)x[c * 90000 + i];
            top = fmax(top, (double)x[c * 90000 + i]);
        }
        ck_assert_double_eq_tol((double)out[0][c], sum / 90000, 1e-3);
        ck_assert_double_eq((double)out[1][c], top);
    }
    rf_session_free(session);
    rf_model_unref(model);
    free(x);
    free(out[0]);
    free(out[1]);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("conv");
    TCase *const tc = tcase_create("windows");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, parts_agree_with_one_piece, 0, 3);
    tcase_add_test(tc, global_mean_of_a_large_image);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
