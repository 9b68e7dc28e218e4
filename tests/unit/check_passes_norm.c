/* What scales and shifts channels goes into the weights before it, and into no others. */
#include <math.h>

#include "tests/unit/passes_test.h"

#define C 6 /* output channels */

/* ---- what has weights ---- */

enum {
    CONV,
    CONV_GROUPS,
    CONV_1D,
    TRANSPOSED,
    TRANSPOSED_GROUPS,
    GEMM,
    GEMM_TRANS_B,
    LINEAR_2,
    LINEAR_3,
    NORM,
    N_TARGETS
};

static const struct rf_shape inputs[N_TARGETS] = {
    {.rank = 4, .dim = {2, 4, 5, 7}}, {.rank = 4, .dim = {2, 4, 5, 7}},
    {.rank = 3, .dim = {2, 4, 9}},    {.rank = 4, .dim = {2, 4, 5, 7}},
    {.rank = 4, .dim = {2, 4, 5, 7}}, {.rank = 2, .dim = {3, 4}},
    {.rank = 2, .dim = {3, 4}},       {.rank = 2, .dim = {3, 4}},
    {.rank = 3, .dim = {2, 3, 4}},    {.rank = 4, .dim = {2, C, 5, 7}}};

static rf_value_id conv(struct rf_graph *g, uint64_t *seed, rf_value_id x, int target)
{
    const struct test_conv c = {.spatial = target == CONV_1D ? 1 : 2,
                                .out = C,
                                .in = 4,
                                .groups = target == CONV_GROUPS ? 2 : 1,
                                .kernel = {3, 3},
                                .stride = {1, 1},
                                .dilation = {1, 1},
                                .pads = {1, 1, 1, 1},
                                .bias = target != CONV};
    rf_value_id w, b;

    return test_conv(g, seed, "target", x, &c, &w, &b);
}

static rf_value_id transposed(struct rf_graph *g, uint64_t *seed, rf_value_id x, int64_t groups)
{
    const rf_value_id in[] = {x, test_weights(g, seed, SHAPE(4, C / groups, 3, 2), 0.5f),
                              test_weights(g, seed, SHAPE(C), 0.5f)};
    struct rf_node *node;
    const rf_value_id y = test_op(g, "ConvTranspose", "target", in, groups == 1 ? 2 : 3, &node);

    test_ints(g, node, "strides", (const int64_t[]){2, 1}, 2);
    test_int(g, node, "group", groups);
    return y;
}

static rf_value_id gemm(struct rf_graph *g, uint64_t *seed, rf_value_id x, bool trans_b)
{
    const struct rf_shape shape = trans_b ? SHAPE(C, 4) : SHAPE(4, C);
    const rf_value_id in[] = {x, test_weights(g, seed, shape, 0.5f),
                              test_weights(g, seed, SHAPE(C), 0.5f)};
    struct rf_node *node;
    const rf_value_id y = test_op(g, "Gemm", "target", in, trans_b ? 3 : 2, &node);

    test_int(g, node, "transB", trans_b);
    ck_assert_int_eq(rf_node_set_float(g, node, "alpha", 0.75f, NULL), RF_OK);
    return y;
}

static rf_value_id target_of(struct rf_graph *g, uint64_t *seed, rf_value_id x, int target)
{
    switch (target) {
    case CONV:
    case CONV_GROUPS:
    case CONV_1D:
        return conv(g, seed, x, target);
    case TRANSPOSED:
        return transposed(g, seed, x, 1);
    case TRANSPOSED_GROUPS:
        return transposed(g, seed, x, 2);
    case GEMM:
    case GEMM_TRANS_B:
        return gemm(g, seed, x, target == GEMM_TRANS_B);
    case NORM:
        return test_norm(g, seed, "target", x, C);
    default:
        return op2(g, "MatMul", x, test_weights(g, seed, SHAPE(4, C), 0.5f));
    }
}

/* ---- what follows ---- */

enum { BATCH_NORM, MUL, ADD, MUL_ADD, CAFFE2, ONE_NUMBER, N_FORMS };

/* One number a channel, of the value's own rank or as short as broadcasting allows. */
static rf_value_id per_channel(struct rf_graph *g, uint64_t *seed, const struct rf_shape *x,
                               int axis, bool full)
{
    struct rf_shape shape = {.rank = full ? x->rank : x->rank - axis};

    for (int k = 0; k < shape.rank; k++)
        shape.dim[k] = k == shape.rank - (x->rank - axis) ? C : 1;
    return test_weights(g, seed, shape, 2);
}

static rf_value_id follow(struct rf_graph *g, uint64_t *seed, rf_value_id y, int target, int form)
{
    const struct rf_shape *const shape = &inputs[target];
    const int axis = target == LINEAR_3 ? 2 : 1;

    if (form == ONE_NUMBER)
        return op2(g, "Add", op2(g, "Mul", number(g, 1.5f), y), number(g, -0.25f));
    if (form == BATCH_NORM || form == CAFFE2)
        y = test_norm(g, seed, "norm", y, C);
    if (form == MUL || form == MUL_ADD || form == CAFFE2)
        y = op2(g, "Mul", y, per_channel(g, seed, shape, axis, form != MUL));
    if (form == ADD || form == MUL_ADD || form == CAFFE2)
        y = op2(g, "Add", per_channel(g, seed, shape, axis, form == ADD), y);
    return y;
}

/* A norm's channels are dimension 1; those of a linear layer on more than rows are the last. */
static bool has_form(int target, int form)
{
    return target != LINEAR_3 || (form != BATCH_NORM && form != CAFFE2);
}

static struct rf_graph *network(int i)
{
    const int target = i / N_FORMS;
    struct rf_graph *const g = test_graph();
    struct rf_shape shape = inputs[target];
    uint64_t seed = (uint64_t)i;

    shape.dim[0] = -1;
    const rf_value_id y = target_of(g, &seed, test_input(g, shape), target);
    output(g, follow(g, &seed, y, target, i % N_FORMS));
    return g;
}

START_TEST(is_folded)
{
    if (!has_form(_i / N_FORMS, _i % N_FORMS))
        return;
    struct rf_graph *const g = network(_i);

    settle(g);
    ck_assert_int_eq(rf_pass_linear(g, NULL), RF_OK);
    ck_assert_int_eq(rf_pass_fold_norm(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 1);
    rf_graph_free(g);
}
END_TEST

START_TEST(results_stay)
{
    if (has_form(_i / N_FORMS, _i % N_FORMS))
        same_without(network, _i, inputs[_i / N_FORMS]);
}
END_TEST

START_TEST(path_tells_what_was_folded)
{
    struct rf_graph *const g = network(CONV * N_FORMS + CAFFE2);

    settle(g);
    ck_assert_int_eq(rf_pass_fold_norm(g, NULL), RF_OK);
    ck_assert_str_eq(g->nodes[0]->path, "Conv+BatchNorm+Mul+Add");
    ck_assert_str_eq(g->nodes[0]->name, "target");
    rf_graph_free(g);
}
END_TEST

/* ---- what is left alone ---- */

enum {
    READ_TWICE,
    AN_OUTPUT,
    COMPUTED_FACTOR,
    ALONG_WIDTH,
    PER_PIXEL,
    HIGHER_RANK,
    INFINITE,
    ZERO_VARIANCE,
    COMPUTED_WEIGHTS,
    NORM_OF_ROWS,
    BETA,
    N_NEGATIVES
};

static rf_value_id vector(struct rf_graph *g, float value)
{
    const float v[C] = {1, 1, value, 1, 1, 1};

    return test_constant(g, SHAPE(C, 1, 1), v);
}

/* As wide as it has channels: the two could be mistaken for each other. */
static rf_value_id mislead(struct rf_graph *g, uint64_t *seed, rf_value_id x, int form)
{
    const rf_value_id y =
        op2(g, "Conv", x,
            form == COMPUTED_WEIGHTS
                ? test_op(g, "Neg", "weights",
                          (rf_value_id[]){test_weights(g, seed, SHAPE(C, C, 1, 1), 1)}, 1, NULL)
                : test_weights(g, seed, SHAPE(C, C, 1, 1), 1));
    const float zeros[C] = {0}, ones[C] = {1, 1, 1, 1, 1, 1};
    struct rf_node *node;

    switch (form) {
    case READ_TWICE:
        return op2(g, "Add", op2(g, "Mul", y, vector(g, 2)), y);
    case AN_OUTPUT:
        output(g, y);
        return op2(g, "Mul", y, vector(g, 2));
    case COMPUTED_FACTOR:
        return op2(g, "Mul", y, op1(g, "Abs", x));
    case ALONG_WIDTH:
        return op2(g, "Mul", y, test_constant(g, SHAPE(C), ones));
    case PER_PIXEL:
        return op2(g, "Add", y, test_weights(g, seed, SHAPE(C, C, C), 1));
    case HIGHER_RANK:
        return op2(g, "Add", y, test_weights(g, seed, SHAPE(1, 1, C, 1, 1), 1));
    case INFINITE:
        return op2(g, "Mul", y, vector(g, INFINITY));
    case ZERO_VARIANCE: {
        const rf_value_id z = test_constant(g, SHAPE(C), zeros);
        const rf_value_id o = test_constant(g, SHAPE(C), ones);
        const rf_value_id norm =
            test_op(g, "BatchNormalization", "norm", (rf_value_id[]){y, o, z, z, z}, 5, &node);

        ck_assert_int_eq(rf_node_set_float(g, node, "epsilon", 0, NULL), RF_OK);
        return norm;
    }
    case COMPUTED_WEIGHTS:
        return op2(g, "Mul", y, vector(g, 2));
    case NORM_OF_ROWS: {
        const rf_value_id shape = integers(g, (const int64_t[]){0, C, C * C}, 3);
        const rf_value_id rows = op2(g, "Reshape", y, shape);
        const rf_value_id w = test_weights(g, seed, SHAPE(C * C, C), 1);

        return test_norm(g, seed, "norm", op2(g, "MatMul", rows, w), C);
    }
    default: {
        const rf_value_id flat = op1(g, "GlobalMaxPool", y);
        const rf_value_id in[] = {op1(g, "Flatten", flat), test_weights(g, seed, SHAPE(C, C), 1),
                                  test_weights(g, seed, SHAPE(C), 1)};
        const rf_value_id z = test_op(g, "Gemm", "gemm", in, 3, &node);

        ck_assert_int_eq(rf_node_set_float(g, node, "beta", 0.5f, NULL), RF_OK);
        return test_norm(g, seed, "norm", z, C);
    }
    }
}

static struct rf_graph *misleading(int form)
{
    struct rf_graph *const g = test_graph();
    uint64_t seed = (uint64_t)form;

    output(g, mislead(g, &seed, test_input(g, SHAPE(-1, C, C, C)), form));
    return g;
}

START_TEST(is_left_alone)
{
    struct rf_graph *const g = misleading(_i);

    settle(g);
    const size_t n = g->n_nodes;
    ck_assert_int_eq(rf_pass_linear(g, NULL), RF_OK);
    ck_assert_int_eq(rf_pass_fold_norm(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, n);
    rf_graph_free(g);
}
END_TEST

START_TEST(what_is_left_alone_runs)
{
    same_without(misleading, _i, SHAPE(2, C, C, C));
}
END_TEST

/* Weights that are also an output keep their values. */
START_TEST(weights_that_leave_are_copied)
{
    struct rf_graph *const g = test_graph();
    uint64_t seed = 1;
    const rf_value_id w = test_weights(g, &seed, SHAPE(C, C, 1, 1), 1);
    const rf_value_id y = op2(g, "Conv", test_input(g, SHAPE(1, C, 2, 2)), w);
    float before[C * C], *out;

    memcpy(before, g->values[w].constant, sizeof(before));
    output(g, w);
    output(g, test_norm(g, &seed, "norm", y, C));
    ck_assert_uint_eq(run_with(g, 0, SHAPE(1, C, 2, 2), &out), C * C);
    ck_assert_mem_eq(out, before, sizeof(before));
    free(out);
}
END_TEST

/* Thousands of factors behind one layer: no more than a few times through its weights. */
START_TEST(long_chains_are_bounded)
{
    struct rf_graph *const g = test_graph();
    uint64_t seed = 1;
    rf_value_id y = op2(g, "Conv", test_input(g, SHAPE(1, C, 2, 2)),
                        test_weights(g, &seed, SHAPE(C, C, 1, 1), 1));

    for (int i = 0; i < 1000; i++)
        y = op2(g, "Mul", y, number(g, 1));
    output(g, y);
    settle(g);
    ck_assert_int_eq(rf_pass_fold_norm(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 1 + 1000 - 8);
    rf_graph_free(g);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("passes: norm");
    TCase *const tc = tcase_create("norm");

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, is_folded, 0, N_TARGETS * N_FORMS);
    tcase_add_loop_test(tc, results_stay, 0, N_TARGETS * N_FORMS);
    tcase_add_test(tc, path_tells_what_was_folded);
    tcase_add_loop_test(tc, is_left_alone, 0, N_NEGATIVES);
    tcase_add_loop_test(tc, what_is_left_alone_runs, 0, N_NEGATIVES);
    tcase_add_test(tc, weights_that_leave_are_copied);
    tcase_add_test(tc, long_chains_are_bounded);
    return run_suite(suite);
}
