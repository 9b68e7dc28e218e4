/* What follows from constants is computed at load, within a bound; the rest is not touched. */
#include "tests/unit/passes_test.h"

static enum rf_status fold(struct rf_graph *g, size_t max_bytes, struct rf_error *err)
{
    ck_assert_int_eq(rf_graph_sort(g, NULL), RF_OK);
    g->max_constant_bytes = max_bytes;
    return rf_pass_fold_constants(g, err);
}

/* Neg and Abs of a constant, added to the input. */
static struct rf_graph *chain(int form)
{
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(2, 3));
    const rf_value_id w = test_constant(g, SHAPE(2, 3), (float[]){1, -2, 3, -4, 5, -6});

    (void)form;
    output(g, op2(g, "Add", x, op1(g, "Neg", op1(g, "Abs", w))));
    return g;
}

START_TEST(a_chain_is_computed)
{
    static const float want[] = {-1, -2, -3, -4, -5, -6};
    struct rf_graph *const g = chain(0);

    ck_assert_uint_eq(g->n_nodes, 3);
    ck_assert_int_eq(fold(g, 1000, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 1);
    ck_assert(rf_node_is(g->nodes[0], "Add"));
    const float *const w = rf_constant_in(g, g->nodes[0], 1, RF_F32);

    ck_assert_mem_eq(w, want, sizeof(want));
    rf_graph_free(g);
    same_without(chain, 0, SHAPE(2, 3));
}
END_TEST

/* Both halves of a constant, one of which is an output of the network. */
static struct rf_graph *halves(int form)
{
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(2, 2));
    const rf_value_id w = test_constant(g, SHAPE(2, 4), (float[]){1, 2, 3, 4, 5, 6, 7, 8});
    rf_value_id out[2];
    struct rf_node *node;

    (void)form;
    ck_assert_int_eq(rf_graph_value(g, "left", &out[0], NULL), RF_OK);
    ck_assert_int_eq(rf_graph_value(g, "right", &out[1], NULL), RF_OK);
    const rf_value_id in[] = {w, integers(g, (const int64_t[]){2, 2}, 2)};
    ck_assert_int_eq(rf_graph_node(g, "Split", "split", in, 2, out, 2, &node, NULL), RF_OK);
    test_int(g, node, "axis", 1);
    output(g, op2(g, "Add", x, out[0]));
    output(g, out[1]);
    return g;
}

START_TEST(every_output_is_computed)
{
    static const float left[] = {1, 2, 5, 6}, right[] = {3, 4, 7, 8};
    struct rf_graph *const g = halves(0);

    ck_assert_int_eq(fold(g, 1000, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 1);
    ck_assert_mem_eq(rf_constant_in(g, g->nodes[0], 1, RF_F32), left, sizeof(left));
    ck_assert_mem_eq(g->values[g->outputs[1]].constant, right, sizeof(right));
    rf_graph_free(g);
    same_without(halves, 0, SHAPE(2, 2));
}
END_TEST

START_TEST(an_output_may_be_computed)
{
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(1));
    float *out;

    output(g, op1(g, "Neg", test_constant(g, SHAPE(2), (float[]){3, -4})));
    output(g, op1(g, "Relu", x));
    ck_assert_uint_eq(run_with(g, 0, SHAPE(1), &out), 2);
    ck_assert_float_eq(out[0], -3);
    ck_assert_float_eq(out[1], 4);
    free(out);
}
END_TEST

START_TEST(what_an_input_makes_stays)
{
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(2, 3));

    output(g, op2(g, "Add", op1(g, "Neg", x), op1(g, "Abs", x)));
    ck_assert_int_eq(fold(g, 1000, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 3);
    rf_graph_free(g);
}
END_TEST

/* A small file that asks for much memory: 4 KiB doubled a hundred times over. */
START_TEST(too_much_is_refused)
{
    struct rf_graph *const g = test_graph();
    struct rf_error err = RF_ERROR_INIT;
    uint64_t seed = 1;
    const rf_value_id x = test_input(g, SHAPE(1));
    rf_value_id w = test_weights(g, &seed, SHAPE(1, 1024), 1);

    for (int i = 0; i < 100; i++) {
        struct rf_node *node;

        w = test_op(g, "Concat", "twice", (rf_value_id[]){w, w}, 2, &node);
        test_int(g, node, "axis", 0);
    }
    output(g, w);
    output(g, op1(g, "Relu", x));
    ck_assert_int_eq(fold(g, 1 << 20, &err), RF_LIMIT);
    ck_assert_msg(strstr(err.text, "node twice (Concat): ") && strstr(err.text, "1048576"), "%s",
                  err.text);
    rf_graph_free(g);
}
END_TEST

START_TEST(errors_name_the_node)
{
    struct rf_graph *const g = test_graph();
    struct rf_error err = RF_ERROR_INIT;
    const rf_value_id x = test_input(g, SHAPE(2, 3));
    struct rf_node *node;
    rf_value_id w = test_constant(g, SHAPE(1), (float[]){1});

    w = test_op(g, "Flatten", "wrong", &w, 1, &node);
    test_int(g, node, "axis", 5);
    output(g, op2(g, "Add", x, w));
    ck_assert_int_eq(fold(g, 1000, &err), RF_SHAPE);
    ck_assert_msg(strstr(err.text, "node wrong (Flatten): "), "%s", err.text);
    rf_graph_free(g);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("passes: constants");
    TCase *const tc = tcase_create("constants");

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_chain_is_computed);
    tcase_add_test(tc, every_output_is_computed);
    tcase_add_test(tc, an_output_may_be_computed);
    tcase_add_test(tc, what_an_input_makes_stays);
    tcase_add_test(tc, too_much_is_refused);
    tcase_add_test(tc, errors_name_the_node);
    return run_suite(suite);
}
