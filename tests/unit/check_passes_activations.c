/* Activations that exporters spell out are found in every order they come in; what only looks like
 * one is left alone. */
#include "tests/unit/passes_test.h"

#define SQRT_1_2 0.70710678f
#define SQRT_2_PI 0.79788456f

static rf_value_id hard_sigmoid(struct rf_graph *g, rf_value_id x, float alpha)
{
    struct rf_node *node;
    const rf_value_id y = test_op(g, "HardSigmoid", "hard", &x, 1, &node);

    ck_assert_int_eq(rf_node_set_float(g, node, "alpha", alpha, NULL), RF_OK);
    return y;
}

static rf_value_id clip(struct rf_graph *g, rf_value_id x, float lo, float hi)
{
    const rf_value_id in[] = {x, number(g, lo), number(g, hi)};

    return test_op(g, "Clip", "clip", in, 3, NULL);
}

static rf_value_id mul(struct rf_graph *g, rf_value_id a, rf_value_id b)
{
    return op2(g, "Mul", a, b);
}

static rf_value_id scaled(struct rf_graph *g, rf_value_id a, float by)
{
    return mul(g, a, number(g, by));
}

static rf_value_id plus(struct rf_graph *g, rf_value_id a, float term)
{
    return op2(g, "Add", a, number(g, term));
}

static rf_value_id over(struct rf_graph *g, rf_value_id a, float by)
{
    return op2(g, "Div", a, number(g, by));
}

/* 1 + erf(x / sqrt 2) */
static rf_value_id erf_part(struct rf_graph *g, rf_value_id x, bool divide)
{
    const rf_value_id u = divide ? over(g, x, 1.41421354f) : scaled(g, x, SQRT_1_2);

    return plus(g, op1(g, "Erf", u), 1);
}

/* 1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)) */
static rf_value_id tanh_part(struct rf_graph *g, rf_value_id x, int form)
{
    rf_value_id inner;

    if (form == 0) {
        inner = scaled(g, op2(g, "Pow", x, number(g, 3)), 0.044715f);
        inner = scaled(g, op2(g, "Add", x, inner), SQRT_2_PI);
    } else if (form == 1) {
        inner = mul(g, number(g, 0.044715f), mul(g, x, mul(g, x, x)));
        inner = mul(g, number(g, SQRT_2_PI), op2(g, "Add", inner, x));
    } else {
        inner = plus(g, mul(g, scaled(g, x, 0.044715f), x), 1);
        inner = mul(g, scaled(g, x, SQRT_2_PI), inner);
    }
    return plus(g, op1(g, "Tanh", inner), 1);
}

enum form {
    SILU,
    SILU_COMMUTED,
    MISH,
    HARD_SWISH,
    HARD_SWISH_COMMUTED,
    HARD_SWISH_CLIP,
    HARD_SWISH_CLIP_FIRST,
    HARD_SWISH_CLIP_SIXTH,
    GELU_TORCH,
    GELU_HALF_FIRST,
    GELU_HALF_RIGHT,
    GELU_MULTIPLIES,
    TANH_POW,
    TANH_CUBE,
    TANH_SQUARE,
    HARD_SWISH_FP16, /* the last: FP16 has rounded a constant */
    N_FORMS
};

static const char *const ops[N_FORMS] = {
    "Silu", "Silu", "Mish", "HardSwish", "HardSwish", "HardSwish", "HardSwish", "HardSwish",
    "Gelu", "Gelu", "Gelu", "Gelu",      "GeluTanh",  "GeluTanh",  "GeluTanh",  "HardSwish"};

static rf_value_id spell(struct rf_graph *g, rf_value_id x, int form)
{
    switch ((enum form)form) {
    case SILU:
        return mul(g, x, op1(g, "Sigmoid", x));
    case SILU_COMMUTED:
        return mul(g, op1(g, "Sigmoid", x), x);
    case MISH:
        return mul(g, x, op1(g, "Tanh", op1(g, "Softplus", x)));
    case HARD_SWISH:
        return mul(g, x, hard_sigmoid(g, x, 1 / 6.f));
    case HARD_SWISH_COMMUTED:
        return mul(g, hard_sigmoid(g, x, 1 / 6.f), x);
    case HARD_SWISH_FP16:
        return mul(g, x, hard_sigmoid(g, x, 0.16662598f));
    case HARD_SWISH_CLIP:
        return over(g, mul(g, x, clip(g, plus(g, x, 3), 0, 6)), 6);
    case HARD_SWISH_CLIP_FIRST:
        return mul(g, over(g, clip(g, plus(g, x, 3), 0, 6), 6), x);
    case HARD_SWISH_CLIP_SIXTH:
        return mul(g, x, scaled(g, clip(g, op2(g, "Add", number(g, 3), x), 0, 6), 1 / 6.f));
    case GELU_TORCH:
        return scaled(g, mul(g, x, erf_part(g, x, true)), 0.5f);
    case GELU_HALF_FIRST:
        return mul(g, scaled(g, x, 0.5f), erf_part(g, x, true));
    case GELU_HALF_RIGHT:
        return mul(g, x, mul(g, number(g, 0.5f), erf_part(g, x, false)));
    case GELU_MULTIPLIES:
        return over(g, mul(g, erf_part(g, x, false), x), 2);
    case TANH_POW:
        return mul(g, scaled(g, x, 0.5f), tanh_part(g, x, 0));
    case TANH_CUBE:
        return scaled(g, mul(g, x, tanh_part(g, x, 1)), 0.5f);
    case TANH_SQUARE:
        return mul(g, mul(g, number(g, 0.5f), tanh_part(g, x, 2)), x);
    default:
        return RF_NO_VALUE;
    }
}

/* Behind a convolution whose norm is folded: the value has one producer, many readers. */
static struct rf_graph *spelt(int form)
{
    const struct test_conv c = {.spatial = 2,
                                .out = 6,
                                .in = 3,
                                .groups = 1,
                                .kernel = {3, 3},
                                .stride = {1, 1},
                                .dilation = {1, 1},
                                .pads = {1, 1, 1, 1}};
    struct rf_graph *const g = test_graph();
    uint64_t seed = 5;
    rf_value_id w, b;
    rf_value_id y = test_conv(g, &seed, "conv", test_input(g, SHAPE(-1, 3, -1, -1)), &c, &w, &b);

    y = spell(g, test_norm(g, &seed, "norm", y, 6), form);
    output(g, y);
    return g;
}

START_TEST(is_found)
{
    struct rf_graph *const g = spelt(_i);
    const char *const last = g->nodes[g->n_nodes - 1]->name;

    settle(g);
    ck_assert_int_eq(rf_pass_find_activations(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 3);
    ck_assert_ptr_nonnull(find_op(g, ops[_i]));
    ck_assert_str_eq(find_op(g, ops[_i])->name, last);
    ck_assert_str_eq(find_op(g, ops[_i])->path, ops[_i]);
    rf_graph_free(g);
}
END_TEST

START_TEST(is_the_same_function)
{
    same_without(spelt, _i, SHAPE(2, 3, 7, 5));
}
END_TEST

START_TEST(is_one_fused_layer)
{
    struct rf_model *const model = test_model(spelt(_i), NULL);
    struct rf_activity *activity;

    ck_assert_int_eq(rf_activity_read(model, &activity, NULL), RF_OK);
    ck_assert_uint_eq(activity->n_layers, 1);
    ck_assert_str_eq(activity->layers[0].type, ops[_i]);
    rf_activity_free(activity);
    rf_model_unref(model);
}
END_TEST

START_TEST(is_kept_as_a_layer)
{
    static const struct rf_model_options options = {.keep_activations = true};
    struct rf_graph *const g = test_graph();
    const rf_value_id x = op1(g, "Abs", test_input(g, SHAPE(-1, 2)));
    const rf_value_id y = mul(g, x, test_op(g, "Sigmoid", "inner", &x, 1, NULL));

    output(g, op1(g, "Neg", y));
    struct rf_model *const model = test_model(g, &options);

    ck_assert_uint_eq(rf_model_n_outputs(model), 2);
    ck_assert_str_eq(rf_model_output(model, 1)->name, "Mul");
    rf_model_unref(model);
}
END_TEST

/* ---- what is none ---- */

enum {
    OTHER_SIGMOID,
    READ_TWICE,
    AN_OUTPUT,
    WRONG_ALPHA,
    WRONG_LIMIT,
    WRONG_SHIFT,
    WRONG_SIXTH,
    WRONG_HALF,
    WRONG_ROOT,
    WRONG_ONE,
    FACTOR_IS_COMPUTED,
    NUMBER_IS_A_VECTOR,
    RANK_GROWS,
    WRONG_POWER,
    WRONG_CUBIC,
    N_NEGATIVES
};

static rf_value_id mislead(struct rf_graph *g, rf_value_id x, int form)
{
    const rf_value_id y = op1(g, "Neg", x);
    rf_value_id u;

    switch (form) {
    case OTHER_SIGMOID:
        return mul(g, x, op1(g, "Sigmoid", y));
    case READ_TWICE:
        u = op1(g, "Sigmoid", x);
        return op2(g, "Add", mul(g, x, u), u);
    case AN_OUTPUT:
        u = op1(g, "Sigmoid", x);
        output(g, u);
        return mul(g, x, u);
    case WRONG_ALPHA:
        return mul(g, x, hard_sigmoid(g, x, 0.2f));
    case WRONG_LIMIT:
        return over(g, mul(g, x, clip(g, plus(g, x, 3), 0, 5)), 6);
    case WRONG_SHIFT:
        return over(g, mul(g, x, clip(g, plus(g, x, 2), 0, 6)), 6);
    case WRONG_SIXTH:
        return over(g, mul(g, x, clip(g, plus(g, x, 3), 0, 6)), 5);
    case WRONG_HALF:
        return scaled(g, mul(g, x, erf_part(g, x, true)), 0.5002f);
    case WRONG_ROOT:
        return scaled(g, mul(g, x, plus(g, op1(g, "Erf", over(g, x, 1.5f)), 1)), 0.5f);
    case WRONG_ONE:
        return scaled(g, mul(g, x, plus(g, op1(g, "Erf", over(g, x, 1.41421354f)), 2)), 0.5f);
    case FACTOR_IS_COMPUTED:
        return mul(g, mul(g, x, erf_part(g, x, true)), y);
    case NUMBER_IS_A_VECTOR:
        u = test_constant(g, SHAPE(2, 1, 1), (float[]){0.5f, 0.5f});
        return mul(g, mul(g, x, erf_part(g, x, true)), u);
    case RANK_GROWS:
        u = test_constant(g, SHAPE(1, 1, 1, 1, 1), (float[]){0.5f});
        return mul(g, mul(g, x, erf_part(g, x, true)), u);
    case WRONG_POWER:
        u = scaled(g, op2(g, "Pow", x, number(g, 2)), 0.044715f);
        u = scaled(g, op2(g, "Add", x, u), SQRT_2_PI);
        return scaled(g, mul(g, x, plus(g, op1(g, "Tanh", u), 1)), 0.5f);
    default:
        u = scaled(g, mul(g, mul(g, x, x), x), 0.05f);
        u = scaled(g, op2(g, "Add", x, u), SQRT_2_PI);
        return scaled(g, mul(g, x, plus(g, op1(g, "Tanh", u), 1)), 0.5f);
    }
}

static struct rf_graph *misleading(int form)
{
    struct rf_graph *const g = test_graph();
    const rf_value_id x = op1(g, "Abs", test_input(g, SHAPE(-1, 2, 3, 4)));

    output(g, mislead(g, x, form));
    return g;
}

START_TEST(is_left_alone)
{
    struct rf_graph *const g = misleading(_i);

    settle(g);
    const size_t n = g->n_nodes;
    ck_assert_int_eq(rf_pass_find_activations(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, n);
    for (int k = 0; k < N_FORMS; k++)
        ck_assert_ptr_null(find_op(g, ops[k]));
    rf_graph_free(g);
}
END_TEST

/* Thousands of factors: no product is read whole, and no node is lost. */
START_TEST(long_products_are_bounded)
{
    struct rf_graph *const g = test_graph();
    rf_value_id x = test_input(g, SHAPE(2, 2));
    const rf_value_id one = number(g, 1);

    for (int i = 0; i < 16000; i++)
        x = mul(g, x, one);
    output(g, x);
    settle(g);
    ck_assert_int_eq(rf_pass_find_activations(g, NULL), RF_OK);
    ck_assert_uint_eq(g->n_nodes, 16000);
    rf_graph_free(g);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("passes: activations");
    TCase *const tc = tcase_create("activations");

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, is_found, 0, N_FORMS);
    tcase_add_loop_test(tc, is_the_same_function, 0, HARD_SWISH_FP16);
    tcase_add_loop_test(tc, is_one_fused_layer, 0, N_FORMS);
    tcase_add_test(tc, is_kept_as_a_layer);
    tcase_add_loop_test(tc, is_left_alone, 0, N_NEGATIVES);
    tcase_add_test(tc, long_products_are_bounded);
    return run_suite(suite);
}
