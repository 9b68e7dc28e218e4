/* Sizes of a run that loading did not see: what only agreed by chance, and ranks that follow. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/activity.h"
#include "tests/support/net.h"

static rf_value_id ints(struct rf_graph *g, int64_t v)
{
    rf_value_id id;
    void *data;

    ck_assert_int_eq(rf_graph_constant(g, "ints", RF_I64, &SHAPE(1), &id, &data, NULL), RF_OK);
    *(int64_t *)data = v;
    return id;
}

static struct rf_model *model; /* of the test */

static struct rf_session *session_of(struct rf_graph *g, rf_value_id out)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL};
    struct rf_session *session;

    ck_assert_int_eq(rf_graph_output(g, out, NULL), RF_OK);
    model = test_model(g, &options);
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    return session;
}

static void release(struct rf_session *s)
{
    rf_session_free(s);
    rf_model_unref(model);
}

/* Ones were counted, so many in all layers. */
static void check_counted(size_t n_layers, uint64_t values)
{
    struct rf_activity *a;
    uint64_t fired = 0;
    double sum = 0;

    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->n_layers, n_layers);
    for (size_t i = 0; i < a->n_layers; i++) {
        fired += a->layers[i].total.fired;
        sum += a->layers[i].total.sum;
    }
    ck_assert_uint_eq(fired, values);
    ck_assert_double_eq(sum, (double)values);
    rf_activity_free(a);
}

/* Ones of this shape through a network of Relu and moves. */
static void check_ones(struct rf_session *s, struct rf_shape shape, struct rf_shape want)
{
    const size_t n = (size_t)rf_numel(&shape), n_out = (size_t)rf_numel(&want);
    float *const x = malloc(n * sizeof(*x)), *y;
    struct rf_shape got;

    for (size_t i = 0; i < n; i++)
        x[i] = 1;
    test_run(s, &shape, x, true, &y, &got, 1);
    ck_assert(rf_shape_equal(&got, &want));
    for (size_t i = 0; i < n_out; i++)
        ck_assert_float_eq(y[i], 1);
    free(x);
    free(y);
}

/* Of one sample the batch goes, too: what follows has another rank, and nothing that counts. */
START_TEST(a_rank_follows_the_batch)
{
    struct rf_graph *const g = test_graph();
    rf_value_id x = test_input(g, SHAPE(-1, 40, 1, 3));

    x = test_op(g, "Squeeze", "squeeze", &x, 1, NULL);
    struct rf_session *const s = session_of(g, test_op(g, "Relu", "relu", &x, 1, NULL));

    check_ones(s, SHAPE(1, 40, 1, 3), SHAPE(40, 3));
    check_ones(s, SHAPE(70, 40, 1, 3), SHAPE(70, 40, 3));
    check_counted(0, 0);
    release(s);
}
END_TEST

START_TEST(a_rank_that_loading_did_not_see_is_refused)
{
    struct rf_graph *const g = test_graph();
    rf_value_id x = test_input(g, SHAPE(2, 3, -1, 4));
    struct rf_error err = RF_ERROR_INIT;

    x = test_op(g, "Squeeze", "squeeze", &x, 1, NULL);
    struct rf_session *const s = session_of(g, test_op(g, "Relu", "relu", &x, 1, NULL));

    check_ones(s, SHAPE(2, 3, 5, 4), SHAPE(2, 3, 5, 4));
    ck_assert_int_eq(rf_session_prepare(s, &SHAPE(2, 3, 1, 4), NULL, 1, &err), RF_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "node squeeze (Squeeze): output of shape [2,3,4]"));
    release(s);
}
END_TEST

/* x[:, :F % 64]: 32 channels at both sizes that loading looks at, 63 in a run. */
START_TEST(channels_may_agree_by_chance)
{
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(-1, -1));
    const rf_value_id shape = test_op(g, "Shape", "shape", &x, 1, NULL);
    const rf_value_id features =
        test_op(g, "Gather", "features", (rf_value_id[]){shape, ints(g, 1)}, 2, NULL);
    const rf_value_id end =
        test_op(g, "Mod", "end", (rf_value_id[]){features, ints(g, 64)}, 2, NULL);
    const rf_value_id in[] = {x, ints(g, 0), end, ints(g, 1)};
    const rf_value_id slice = test_op(g, "Slice", "slice", in, 4, NULL);
    struct rf_session *const s = session_of(g, test_op(g, "Relu", "relu", &slice, 1, NULL));

    check_ones(s, SHAPE(50, 63), SHAPE(50, 63)); /* not counted */
    check_ones(s, SHAPE(50, 96), SHAPE(50, 32));
    check_counted(1, (uint64_t)50 * 32);
    release(s);
}
END_TEST

static rf_value_id pointwise(struct rf_graph *g, const char *name, rf_value_id x)
{
    const float weights[] = {1, 0, 0, 1};
    const rf_value_id in[] = {x, test_constant(g, SHAPE(2, 2, 1, 1), weights)};

    return test_op(g, "Conv", name, in, 2, NULL);
}

/* Two inputs of any batch each: what is added in one epilogue at load broadcasts in a run. */
START_TEST(batches_of_two_inputs_are_their_own)
{
    struct rf_graph *const g = test_graph();
    const struct rf_shape shapes[] = {SHAPE(2, 2, 1, 1), SHAPE(1, 2, 1, 1)};
    const float a[] = {1, 2, 3, 4}, b[] = {10, 20}, want[] = {11, 22, 13, 24};
    const void *const data[2][2] = {{a, b}, {b, a}};
    struct rf_error err = RF_ERROR_INIT;
    rf_value_id both[2];
    struct rf_tensor y;

    for (int i = 0; i < 2; i++)
        both[i] = pointwise(g, i ? "b" : "a", test_input(g, SHAPE(-1, 2, 1, 1)));
    struct rf_session *const s = session_of(g, test_op(g, "Add", "sum", both, 2, NULL));

    for (int i = 0; i < 2; i++) {
        const struct rf_shape given[] = {shapes[i], shapes[1 - i]};

        ck_assert_msg(!rf_session_prepare(s, given, NULL, 2, &err), "%s", err.text);
        ck_assert_msg(!rf_session_run(s, data[i], 2, &y, 1, true, &err), "%s", err.text);
        ck_assert_mem_eq(y.data, want, sizeof(want));
    }
    release(s);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("open");
    TCase *const tc = tcase_create("open");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_rank_follows_the_batch);
    tcase_add_test(tc, a_rank_that_loading_did_not_see_is_refused);
    tcase_add_test(tc, channels_may_agree_by_chance);
    tcase_add_test(tc, batches_of_two_inputs_are_their_own);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
