/* Residuals and activations go into the epilogue of what is before them, where that is the same. */
#include "tests/unit/passes_test.h"

static rf_value_id conv(struct rf_graph *g, uint64_t *seed, rf_value_id x)
{
    return op2(g, "Conv", x, test_weights(g, seed, SHAPE(4, 4, 1, 1), 0.5f));
}

static rf_value_id linear(struct rf_graph *g, uint64_t *seed, rf_value_id x, int64_t n)
{
    return op2(g, "MatMul", x, test_weights(g, seed, SHAPE(n, n), 0.5f));
}

/* ---- what is fused ---- */

enum {
    RESIDUAL_LEFT,
    RESIDUAL_RIGHT,
    RESIDUAL_RELU,
    RESIDUAL_IS_INPUT,
    NORM_RELU,
    LINEAR_GELU,
    LINEAR_BIAS_RESIDUAL,
    ADD_RELU,
    LINEAR_SLOPE,
    N_FORMS
};

static const char *const paths[N_FORMS] = {"Conv+Add",       "Conv+Add",       "Conv+Add+Relu",
                                           "Conv+Add",       "BatchNorm+Relu", "MatMul+Add+Gelu",
                                           "MatMul+Add+Add", "Add+Relu",       "MatMul+PRelu"};

static bool has_rows(int form)
{
    return form == LINEAR_GELU || form == LINEAR_BIAS_RESIDUAL || form == LINEAR_SLOPE;
}

/* A Tanh has no epilogue and takes no part in the fusion. */
static struct rf_graph *fused(int form)
{
    struct rf_graph *const g = test_graph();
    uint64_t seed = (uint64_t)form;
    const int64_t batch = form == ADD_RELU ? 2 : -1;
    const rf_value_id x = test_input(g, has_rows(form) ? SHAPE(-1, 5, 4) : SHAPE(batch, 4, 3, 5));
    const rf_value_id y = op1(g, "Tanh", x);
    rf_value_id z;

    switch (form) {
    case RESIDUAL_LEFT:
        output(g, op2(g, "Add", y, conv(g, &seed, y)));
        break;
    case RESIDUAL_RIGHT:
        output(g, op2(g, "Add", conv(g, &seed, y), y));
        break;
    case RESIDUAL_RELU:
        output(g, op1(g, "Relu", op2(g, "Add", conv(g, &seed, y), y)));
        break;
    case RESIDUAL_IS_INPUT:
        output(g, op2(g, "Add", conv(g, &seed, y), x));
        break;
    case NORM_RELU:
        output(g, op1(g, "Relu", test_norm(g, &seed, "norm", y, 4)));
        break;
    case LINEAR_GELU:
        z = op2(g, "Add", linear(g, &seed, y, 4), test_weights(g, &seed, SHAPE(4), 1));
        output(g, op1(g, "Gelu", z));
        break;
    case LINEAR_BIAS_RESIDUAL:
        z = op2(g, "Add", linear(g, &seed, y, 4), test_weights(g, &seed, SHAPE(1, 4), 1));
        output(g, op2(g, "Add", y, z));
        break;
    case ADD_RELU:
        output(g, op1(g, "Relu", op2(g, "Add", x, y)));
        break;
    default:
        z = linear(g, &seed, y, 4);
        output(g, op2(g, "PRelu", z, test_constant(g, SHAPE(1), (float[]){0.5f})));
    }
    return g;
}

/* As a model is made; see core/model.c. */
static void fuse(struct rf_graph *g)
{
    settle(g);
    ck_assert_int_eq(rf_pass_linear(g, NULL), RF_OK);
    ck_assert_int_eq(rf_pass_fold_norm(g, NULL), RF_OK);
    for (size_t i = 0; i < g->n_nodes; i++)
        g->nodes[i]->op = rf_select(g, g->nodes[i]);
    ck_assert_int_eq(rf_pass_fuse_residual(g, NULL), RF_OK);
    ck_assert_int_eq(rf_pass_fuse_activation(g, NULL), RF_OK);
}

START_TEST(is_fused)
{
    struct rf_graph *const g = fused(_i);

    fuse(g);
    ck_assert_uint_eq(g->n_nodes, 2);
    ck_assert_str_eq(g->nodes[1]->path, paths[_i]);
    rf_graph_free(g);
}
END_TEST

START_TEST(results_stay)
{
    same_without(fused, _i, has_rows(_i) ? SHAPE(2, 5, 4) : SHAPE(2, 4, 3, 5));
}
END_TEST

/* ---- what is left alone ---- */

enum {
    READ_TWICE,
    AN_OUTPUT,
    TERM_IS_AN_OUTPUT,
    OTHER_BATCH,
    BROADCASTS,
    IS_BROADCAST,
    BEHIND_ACTIVATION,
    SLOPE_A_ROW,
    SLOPE_OF_SUM,
    COMPUTED_BEFORE,
    N_NEGATIVES
};

static struct rf_graph *misleading(int form)
{
    struct rf_graph *const g = test_graph();
    uint64_t seed = (uint64_t)form;
    const rf_value_id x = op1(g, "Tanh", test_input(g, SHAPE(-1, 4, 4, 4)));
    rf_value_id y = RF_NO_VALUE, z;

    switch (form) {
    case READ_TWICE:
        y = conv(g, &seed, x);
        output(g, op2(g, "Mul", op1(g, "Relu", y), op2(g, "Mul", x, y)));
        break;
    case AN_OUTPUT:
        y = conv(g, &seed, x);
        output(g, op1(g, "Relu", y));
        output(g, y);
        break;
    case TERM_IS_AN_OUTPUT:
        y = conv(g, &seed, x);
        output(g, op2(g, "Add", y, x));
        output(g, y);
        break;
    case OTHER_BATCH: { /* of one image, whatever the batch */
        const rf_value_id in[] = {x, integers(g, (const int64_t[]){0}, 1),
                                  integers(g, (const int64_t[]){1}, 1),
                                  integers(g, (const int64_t[]){0}, 1)};

        z = test_op(g, "Slice", "first", in, 4, NULL);
        output(g, op2(g, "Add", conv(g, &seed, x), z));
        break;
    }
    case BROADCASTS:
        output(g, op2(g, "Add", conv(g, &seed, x), op1(g, "GlobalMaxPool", x)));
        break;
    case IS_BROADCAST:
        output(g, op2(g, "Add", conv(g, &seed, op1(g, "GlobalMaxPool", x)), x));
        break;
    case BEHIND_ACTIVATION:
        output(g, op2(g, "Mul", x, op1(g, "Relu", op1(g, "Tanh", conv(g, &seed, x)))));
        break;
    case SLOPE_A_ROW: /* of dimension 2 of 4: not the channels that the rows have */
        y = linear(g, &seed, x, 4);
        output(g, op2(g, "PRelu", y, test_weights(g, &seed, SHAPE(4, 1, 1), 1)));
        break;
    case SLOPE_OF_SUM: /* the same of a sum of such rows */
        y = linear(g, &seed, x, 4);
        y = op2(g, "Add", y, y);
        output(g, op2(g, "PRelu", y, test_weights(g, &seed, SHAPE(4, 1, 1), 1)));
        break;
    default:
        y = test_weights(g, &seed, SHAPE(1, 4, 4, 4), 1);
        output(g, op2(g, "Add", x, op1(g, "Relu", conv(g, &seed, y))));
    }
    return g;
}

/* The convolution, the linear layer: nothing has been put into it. */
START_TEST(is_left_alone)
{
    struct rf_graph *const g = misleading(_i);

    fuse(g);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct rf_node *const node = g->nodes[i];
        const bool first = rf_node_is(node, "Conv") || rf_node_is(node, "rectifier.Linear");

        ck_assert(!first || node->residual < 0);
        ck_assert(!first || !node->activation || _i == BEHIND_ACTIVATION);
        ck_assert(!first || _i != BEHIND_ACTIVATION || rf_node_is(node->activation, "Tanh"));
    }
    rf_graph_free(g);
}
END_TEST

START_TEST(what_is_left_alone_runs)
{
    same_without(misleading, _i, SHAPE(2, 4, 4, 4));
}
END_TEST

/* Layers have the same counts, fused or not. */
START_TEST(activity_stays)
{
    struct rf_activity *a[2];

    for (int k = 0; k < 2; k++) {
        const struct rf_model_options options = {.passes_off = k ? RF_PASSES_ALL : 0,
                                                 .activity = RF_ACTIVITY_CHANNEL};
        struct rf_model *const model = test_model(fused(RESIDUAL_RELU), &options);
        const struct rf_shape shape = SHAPE(2, 4, 3, 5);
        struct rf_session *s;
        float x[2 * 4 * 15], *out;
        uint64_t seed = 3;

        test_random_fill(&seed, x, sizeof(x) / sizeof(*x));
        ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
        test_run(s, &shape, x, true, &out, NULL, 1);
        free(out);
        rf_session_free(s);
        ck_assert_int_eq(rf_activity_read(model, &a[k], NULL), RF_OK);
        rf_model_unref(model);
        ck_assert_uint_eq(a[k]->n_layers, 1);
        ck_assert_uint_eq(a[k]->layers[0].total.values, sizeof(x) / sizeof(*x));
    }
    ck_assert_uint_eq(a[0]->layers[0].total.fired, a[1]->layers[0].total.fired);
    rf_activity_free(a[0]);
    rf_activity_free(a[1]);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("passes: fuse");
    TCase *const tc = tcase_create("fuse");

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, is_fused, 0, N_FORMS);
    tcase_add_loop_test(tc, results_stay, 0, N_FORMS);
    tcase_add_loop_test(tc, is_left_alone, 0, N_NEGATIVES);
    tcase_add_loop_test(tc, what_is_left_alone_runs, 0, N_NEGATIVES);
    tcase_add_test(tc, activity_stays);
    return run_suite(suite);
}
