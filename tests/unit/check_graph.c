/* The builder, the order of nodes, what a model refuses, plans and sessions. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/net.h"

/* Makes a model and expects a refusal whose message holds `text`. */
static void refused(struct rf_graph *g, enum rf_status status, const char *text)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_model *model;
    const enum rf_status rc = rf_model_new(&model, g, NULL, &err);

    ck_assert_msg(rc == status, "status %d, expected %d: %s", rc, status, err.text);
    ck_assert_ptr_null(model);
    ck_assert_msg(strstr(err.text, text) != NULL, "\"%s\" does not say \"%s\"", err.text, text);
}

START_TEST(unknown_operators_are_named)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_graph *const g = test_graph();
    rf_value_id x = test_input(g, SHAPE(1, 4)), y;

    ck_assert_int_eq(rf_graph_op(g, "Swizzle", "n1", &x, 1, &y, NULL, &err), RF_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "node n1: unknown operator Swizzle (opset 22)"));
    err = (struct rf_error)RF_ERROR_INIT;
    g->opset = 10;
    ck_assert_int_eq(rf_graph_op(g, "HardSwish", "n2", &x, 1, &y, NULL, &err), RF_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "HardSwish is not defined in opset 10"));
    err = (struct rf_error)RF_ERROR_INIT;
    ck_assert_int_eq(rf_graph_op(g, "Conv", "n3", &x, 1, &y, NULL, &err), RF_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "node n3 (Conv): takes 2 to 3 inputs, has 1"));
    rf_graph_free(g);
}
END_TEST

START_TEST(unread_attributes_are_errors)
{
    struct rf_graph *const g = test_graph();
    struct rf_node *node;
    const rf_value_id x = test_input(g, SHAPE(1, 4));
    const rf_value_id y = test_op(g, "Softmax", "soft", &x, 1, &node);

    test_int(g, node, "axes", 1);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    refused(g, RF_UNSUPPORTED, "node soft (Softmax): Softmax has no attribute axes");
}
END_TEST

START_TEST(attributes_of_the_wrong_type_are_errors)
{
    struct rf_graph *const g = test_graph();
    struct rf_node *node;
    const int64_t ints[] = {1};
    const rf_value_id x = test_input(g, SHAPE(1, 4));
    const rf_value_id y = test_op(g, "Softmax", "soft", &x, 1, &node);

    test_ints(g, node, "axis", ints, 1);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    refused(g, RF_INVALID, "attribute axis has the wrong type");
}
END_TEST

START_TEST(a_celu_needs_an_alpha)
{
    struct rf_graph *const g = test_graph();
    struct rf_node *node;
    const rf_value_id x = test_input(g, SHAPE(1, 4));
    const rf_value_id y = test_op(g, "Celu", "celu", &x, 1, &node);

    ck_assert_int_eq(rf_node_set_float(g, node, "alpha", 0, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    refused(g, RF_INVALID, "node celu (Celu): alpha is 0");
}
END_TEST

START_TEST(cycles_are_refused)
{
    struct rf_graph *const g = test_graph();
    rf_value_id a, b;

    test_input(g, SHAPE(1, 4));
    ck_assert_int_eq(rf_graph_value(g, "a", &a, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_value(g, "b", &b, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_node(g, "Relu", "r1", &a, 1, &b, 1, NULL, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_node(g, "Relu", "r2", &b, 1, &a, 1, NULL, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_output(g, a, NULL), RF_OK);
    refused(g, RF_FORMAT, "depends on itself");
}
END_TEST

START_TEST(values_without_a_producer_are_refused)
{
    struct rf_graph *const g = test_graph();
    rf_value_id a;

    ck_assert_int_eq(rf_graph_value(g, "ghost", &a, NULL), RF_OK);
    const rf_value_id y = test_op(g, "Relu", "r", &a, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    refused(g, RF_FORMAT, "nothing produces its input ghost");
}
END_TEST

START_TEST(values_have_one_producer)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(1, 4));
    const rf_value_id y = test_op(g, "Relu", "r", &x, 1, NULL);

    ck_assert_int_eq(rf_graph_node(g, "Relu", "again", &x, 1, &y, 1, NULL, &err), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "value r is produced twice"));
    rf_graph_free(g);
}
END_TEST

START_TEST(shapes_that_do_not_fit_are_named)
{
    uint64_t seed = 1;
    struct rf_graph *const g = test_graph();
    const struct test_conv c = {.spatial = 2,
                                .out = 4,
                                .in = 5,
                                .groups = 1,
                                .kernel = {3, 3},
                                .stride = {1, 1},
                                .dilation = {1, 1}};
    rf_value_id w, b;
    const rf_value_id y = test_conv(g, &seed, "c1", test_input(g, SHAPE(-1, 3, 8, 8)), &c, &w, &b);

    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    refused(g, RF_SHAPE, "node c1 (Conv): expects 5 input channels, its input has shape [1,3,8,8]");
}
END_TEST

/* The longest chain there may be needs no deep stack. */
START_TEST(long_chains_sort)
{
    struct rf_graph *const g = test_graph();
    rf_value_id x = test_input(g, SHAPE(1, 4));

    for (int i = 0; i < RF_MAX_NODES; i++)
        x = test_op(g, "Relu", "r", &x, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, x, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_sort(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, RF_MAX_NODES);
    rf_graph_free(g);
}
END_TEST

START_TEST(nodes_nobody_needs_are_left_out)
{
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(1, 4));
    const rf_value_id y = test_op(g, "Relu", "used", &x, 1, NULL);

    test_op(g, "Relu", "unused", &x, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_sort(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 1);
    rf_graph_free(g);
}
END_TEST

/* ---- sessions ---- */

static struct rf_model *small_model(uint64_t seed, const struct rf_model_options *options)
{
    struct rf_graph *const g = test_graph();
    const struct test_conv c = {.spatial = 2,
                                .out = 9,
                                .in = 3,
                                .groups = 1,
                                .kernel = {3, 3},
                                .stride = {1, 1},
                                .dilation = {1, 1},
                                .pads = {1, 1, 1, 1}};
    rf_value_id w, b;
    rf_value_id y = test_conv(g, &seed, "conv", test_input(g, SHAPE(-1, 3, -1, -1)), &c, &w, &b);

    y = test_norm(g, &seed, "norm", y, 9);
    y = test_op(g, "Relu", "relu", &y, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    return test_model(g, options);
}

START_TEST(sessions_refuse_other_shapes)
{
    struct rf_model *const model = small_model(1, NULL);
    struct rf_error err = RF_ERROR_INIT;
    struct rf_session *s;
    const struct rf_shape wrong = SHAPE(1, 4, 8, 8), rank = SHAPE(1, 3, 8),
                          good = SHAPE(1, 3, 8, 8);

    ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
    ck_assert_int_eq(rf_session_run(s, NULL, 0, NULL, 0, true, &err), RF_INVALID);
    err = (struct rf_error)RF_ERROR_INIT;
    ck_assert_int_eq(rf_session_prepare(s, &wrong, NULL, 1, &err), RF_SHAPE);
    ck_assert_str_eq(err.text, "input x: expected shape [-1,3,-1,-1], got [1,4,8,8]");
    ck_assert_int_eq(rf_session_prepare(s, &rank, NULL, 1, NULL), RF_SHAPE);
    ck_assert_int_eq(rf_session_prepare(s, &good, NULL, 2, NULL), RF_INVALID);
    ck_assert_int_eq(rf_session_prepare(s, &good, NULL, 1, NULL), RF_OK);
    rf_session_free(s);
    rf_model_unref(model);
}
END_TEST

/* More shapes than plans are kept, again and again: the same answers. */
START_TEST(plans_come_and_go)
{
    struct rf_model *const model = small_model(1, NULL);
    struct rf_session *s;
    uint64_t seed = 2;
    float x[3 * 40 * 6], *first[40];

    test_random_fill(&seed, x, sizeof(x) / sizeof(*x));
    ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
    for (int round = 0; round < 3; round++) {
        for (int h = 1; h <= 40; h++) {
            const struct rf_shape shape = SHAPE(1, 3, h, 6);
            struct rf_shape out_shape;
            float *out;

            test_run(s, &shape, x, true, &out, &out_shape, 1);
            ck_assert_int_eq(rf_numel(&out_shape), 9 * h * 6);
            if (round == 0) {
                first[h - 1] = out;
                continue;
            }
            ck_assert_mem_eq(out, first[h - 1], (size_t)(9 * h * 6) * sizeof(float));
            free(out);
        }
    }
    for (int h = 0; h < 40; h++)
        free(first[h]);
    rf_session_free(s);
    rf_model_unref(model);
}
END_TEST

START_TEST(memory_over_the_limit_is_refused)
{
    const struct rf_model_options options = {.max_session_bytes = 1 << 20};
    struct rf_model *const model = small_model(1, &options);
    struct rf_error err = RF_ERROR_INIT;
    struct rf_session *s;
    const struct rf_shape big = SHAPE(1, 3, 1000, 1000), huge = SHAPE(1, 3, INT32_MAX, INT32_MAX),
                          absurd = SHAPE(INT64_MAX / 64, 3, 2, 2);

    ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
    ck_assert_int_eq(rf_session_prepare(s, &big, NULL, 1, &err), RF_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "the limit is 1048576"));
    ck_assert_int_eq(rf_session_prepare(s, &huge, NULL, 1, NULL), RF_LIMIT);
    ck_assert_int_ne(rf_session_prepare(s, &absurd, NULL, 1, NULL), RF_OK);
    rf_session_free(s);
    rf_model_unref(model);
}
END_TEST

static void ignore(void *arg, const struct rf_step_info *info)
{
    (void)arg;
    (void)info;
}

START_TEST(more_positions_than_can_be_counted_are_refused)
{
    const struct rf_model_options options = {.max_session_bytes = (size_t)1 << 40,
                                             .activity = RF_ACTIVITY_CHANNEL};
    const struct rf_shape most = SHAPE(INT64_C(1) << 31, 1), more = SHAPE(most.dim[0] + 1, 1);
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(-1, 1));
    struct rf_error err = RF_ERROR_INIT;
    size_t bytes;

    ck_assert_int_eq(rf_graph_output(g, test_op(g, "Relu", "relu", &x, 1, NULL), NULL), RF_OK);
    struct rf_model *const model = test_model(g, &options);

    ck_assert_int_eq(rf_model_inspect(model, &most, 1, ignore, NULL, &bytes, NULL), RF_OK);
    ck_assert_int_eq(rf_model_inspect(model, &more, 1, ignore, NULL, &bytes, &err), RF_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "2147483649 positions"));
    rf_model_unref(model);
}
END_TEST

START_TEST(an_empty_batch_has_an_empty_answer)
{
    struct rf_model *const model = small_model(1, NULL);
    const struct rf_shape none = SHAPE(0, 3, 5, 5);
    struct rf_activity *activity;
    struct rf_session *s;
    struct rf_shape shape;
    float x[1] = {0}, *out;

    ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
    test_run(s, &none, x, true, &out, &shape, 1);
    ck_assert_int_eq(shape.dim[0], 0);
    ck_assert_int_eq(rf_activity_read(model, &activity, NULL), RF_OK);
    ck_assert_uint_eq(activity->inputs, 0);
    rf_activity_free(activity);
    free(out);
    rf_session_free(s);
    rf_model_unref(model);
}
END_TEST

START_TEST(declared_shapes_keep_what_is_open)
{
    struct rf_model *const model = small_model(1, NULL);
    const struct rf_shape want = SHAPE(-1, 3, -1, -1);

    ck_assert(rf_shape_equal(&rf_model_input(model, 0)->shape, &want));
    ck_assert_int_eq(rf_model_output(model, 0)->shape.dim[0], -1);
    ck_assert_int_eq(rf_model_output(model, 0)->shape.dim[1], 9);
    ck_assert_str_eq(rf_model_output(model, 0)->name, "relu");
    ck_assert_int_eq(rf_model_parameters(model), 9 * 27 + 2 * 9);
    rf_model_unref(model);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("graph");
    TCase *const tc = tcase_create("graph"), *const sessions = tcase_create("sessions");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, sessions);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, unknown_operators_are_named);
    tcase_add_test(tc, unread_attributes_are_errors);
    tcase_add_test(tc, attributes_of_the_wrong_type_are_errors);
    tcase_add_test(tc, a_celu_needs_an_alpha);
    tcase_add_test(tc, cycles_are_refused);
    tcase_add_test(tc, values_without_a_producer_are_refused);
    tcase_add_test(tc, values_have_one_producer);
    tcase_add_test(tc, shapes_that_do_not_fit_are_named);
    tcase_add_test(tc, long_chains_sort);
    tcase_add_test(tc, nodes_nobody_needs_are_left_out);
    tcase_add_test(sessions, sessions_refuse_other_shapes);
    tcase_add_test(sessions, plans_come_and_go);
    tcase_add_test(sessions, memory_over_the_limit_is_refused);
    tcase_add_test(sessions, more_positions_than_can_be_counted_are_refused);
    tcase_add_test(sessions, an_empty_batch_has_an_empty_answer);
    tcase_add_test(sessions, declared_shapes_keep_what_is_open);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
