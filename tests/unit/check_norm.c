/* Normalisations against plain loops in double precision, on random shapes in both layouts, run and
 * folded; and what they refuse. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/one_op.h"

enum { MANY = 8000 };

static float values[TEST_MAX_OPERANDS][MANY];

/* Far from 0, where a variance is easily lost. */
static void fill(uint64_t seed, float offset)
{
    for (int i = 0; i < TEST_MAX_OPERANDS; i++)
        test_random_fill(&seed, values[i], MANY);
    for (int i = 0; i < MANY; i++) {
        values[0][i] += offset;
        values[4][i] = values[4][i] * values[4][i] + 0.1f; /* a variance */
    }
}

static struct test_operand operand(int i, struct rf_shape shape)
{
    return (struct test_operand){.dtype = RF_F32, .shape = shape, .data = values[i]};
}

static struct rf_shape random_shape(uint64_t *seed, int lowest, int highest)
{
    struct rf_shape shape = {.rank = (int)test_random_int(seed, lowest, highest)};

    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = test_random_int(seed, 1, 6);
    return shape;
}

static bool has_pixels(const struct rf_shape *shape)
{
    return shape->rank == 3 || shape->rank == 4;
}

/* The index of element i's coordinate along an axis. */
static int64_t coordinate(const struct rf_shape *shape, int axis, int64_t i)
{
    for (int k = shape->rank - 1; k > axis; k--)
        i /= shape->dim[k];
    return i % shape->dim[axis];
}

/* Elements i and j share a group: they differ along these axes at most. */
static bool together(const struct rf_shape *shape, uint32_t axes, int64_t i, int64_t j)
{
    for (int k = 0; k < shape->rank; k++)
        if (!(axes >> k & 1) && coordinate(shape, k, i) != coordinate(shape, k, j))
            return false;
    return true;
}

struct moments {
    double n, mean, variance, absolutes, squares;
};

static struct moments moments_of(const struct rf_shape *shape, uint32_t axes, int64_t i)
{
    const int64_t n = rf_numel(shape);
    struct moments m = {0};

    for (int64_t j = 0; j < n; j++) {
        const double v = (double)values[0][j];

        if (!together(shape, axes, i, j))
            continue;
        m.n++;
        m.mean += v;
        m.absolutes += fabs(v);
        m.squares += v * v;
    }
    m.mean /= m.n;
    for (int64_t j = 0; j < n; j++)
        if (together(shape, axes, i, j))
            m.variance += ((double)values[0][j] - m.mean) * ((double)values[0][j] - m.mean) / m.n;
    return m;
}

typedef double expect_fn(const void *arg, const struct rf_shape *shape, int64_t i);

/* However it is made, output 0 is what `expect` says. */
static void check(const struct test_one *t, expect_fn *expect, const void *arg)
{
    const struct rf_shape *const shape = &t->in[0].shape;
    const size_t n = (size_t)rf_numel(shape);
    float *const want = malloc((n + 1) * sizeof(*want));
    struct rf_tensor y[3];

    for (size_t i = 0; i < n; i++)
        want[i] = (float)expect(arg, shape, (int64_t)i);
    for (int how = 0; how < TEST_N_HOW; how++) {
        if (how == TEST_NHWC && !has_pixels(shape))
            continue;
        test_one_runs(t, (enum test_how)how, y);
        ck_assert(rf_shape_equal(&y[0].shape, shape));
        ck_assert_double_le(test_error(y[0].data, want, n), 2e-6);
        for (int k = 0; k < t->n_out; k++)
            free(y[k].data);
    }
    free(want);
}

/* ---- BatchNormalization ---- */

/* arg: whether the statistics are one a channel. */
static double batch_norm(const void *arg, const struct rf_shape *shape, int64_t i)
{
    const bool spatial = *(const bool *)arg;
    const int64_t sample = rf_numel(shape) / shape->dim[0];
    const int64_t c = !spatial ? i % sample : shape->rank == 1 ? 0 : coordinate(shape, 1, i);
    const double factor = (double)values[1][c] / sqrt((double)values[4][c] + 1e-3);

    return ((double)values[0][i] - (double)values[3][c]) * factor + (double)values[2][c];
}

START_TEST(batch_norms)
{
    static const int opsets[] = {6, 7, 9, 14, 15};
    const int opset = opsets[_i % 5];
    uint64_t seed = (uint64_t)_i + 1;
    const struct rf_shape shape = random_shape(&seed, 1, 5);
    const bool spatial = opset >= 9 || shape.rank == 1 || test_random(&seed) % 2;
    struct rf_shape each = SHAPE(shape.rank > 1 ? shape.dim[1] : 1);
    struct test_one t = {.op = "BatchNormalization",
                         .opset = opset,
                         .in = {operand(0, shape)},
                         .n_in = 5,
                         .n_out = 1,
                         .attr = {{"epsilon", 'f', .f = 1e-3f}, {"momentum", 'f', .f = 0.5f}}};

    if (!spatial) {
        each = shape;
        each.rank--;
        memmove(each.dim, shape.dim + 1, (size_t)each.rank * sizeof(*each.dim));
    }
    for (int i = 1; i < 5; i++)
        t.in[i] = operand(i, each);
    if (opset < 9)
        t.attr[2] = (struct test_attr){"spatial", 'i', .i = spatial};
    if (opset == 6)
        t.attr[3] = (struct test_attr){"is_test", 'i', .i = _i & 1};
    if (opset >= 14)
        t.attr[2] = (struct test_attr){"training_mode", 'i', .i = 0};
    fill(seed, 0);
    check(&t, batch_norm, &spatial);
}
END_TEST

START_TEST(batch_norm_says_what_does_not_fit)
{
    struct test_one t = {.op = "BatchNormalization",
                         .opset = 15,
                         .in = {operand(0, SHAPE(2, 3, 4))},
                         .n_in = 5,
                         .n_out = 1,
                         .attr = {{"training_mode", 'i', .i = 1}}};

    for (int i = 1; i < 5; i++)
        t.in[i] = operand(i, SHAPE(3));
    test_one_fails(&t, TEST_GIVEN, RF_INVALID, "attribute training_mode is 1, expected 0 to 0");
    test_one_fails(&t, TEST_WEIGHTS, RF_INVALID, "attribute training_mode is 1, expected 0 to 0");
    t.attr[0].name = "spatial";
    test_one_fails(&t, TEST_GIVEN, RF_UNSUPPORTED, "BatchNormalization has no attribute spatial");
    t.attr[0].type = 0;
    t.in[3].shape = SHAPE(4);
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "mean has shape [4], expected 3 elements");
    test_one_fails(&t, TEST_WEIGHTS, RF_SHAPE, "has shape [4], expected [3]");
    t.in[3].shape = SHAPE(3);
    t.in[0].dtype = RF_I32;
    test_one_fails(&t, TEST_WEIGHTS, RF_UNSUPPORTED, "input 0 is INT32");
}
END_TEST

/* ---- InstanceNormalization ---- */

static double instance_norm(const void *arg, const struct rf_shape *shape, int64_t i)
{
    const struct moments m = moments_of(shape, ~3u, i);
    const int64_t c = coordinate(shape, 1, i);

    (void)arg;
    return ((double)values[0][i] - m.mean) / sqrt(m.variance + 1e-5) * (double)values[1][c] +
           (double)values[2][c];
}

START_TEST(instance_norms)
{
    uint64_t seed = (uint64_t)_i + 1;
    const struct rf_shape shape = random_shape(&seed, 3, 5);
    const struct test_one t = {
        .op = "InstanceNormalization",
        .opset = _i % 2 ? 6 : 22,
        .in = {operand(0, shape), operand(1, SHAPE(shape.dim[1])), operand(2, SHAPE(shape.dim[1]))},
        .n_in = 3,
        .n_out = 1};

    fill(seed, _i % 3 ? 0 : 3);
    check(&t, instance_norm, NULL);
}
END_TEST

START_TEST(instance_norm_says_what_does_not_fit)
{
    struct test_one t = {
        .op = "InstanceNormalization",
        .opset = 13,
        .in = {operand(0, SHAPE(2, 3, 4)), operand(1, SHAPE(3)), operand(2, SHAPE(1, 3))},
        .n_in = 3,
        .n_out = 1};

    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "B has shape [1,3], expected [3]");
    t.in[1].shape = SHAPE(2);
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "scale has shape [2], expected [3]");
    t.in[0].shape = SHAPE(2, 3);
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "input has shape [2,3], expected [N,C,..]");
}
END_TEST

/* ---- LayerNormalization ---- */

struct layer_norm {
    int axis;
    bool bias, one_scale;
};

static uint32_t from_axis(int axis)
{
    return ~0u << axis;
}

static double layer_norm(const void *arg, const struct rf_shape *shape, int64_t i)
{
    const struct layer_norm *const s = arg;
    const struct moments m = moments_of(shape, from_axis(s->axis), i);
    int64_t line = 1;

    for (int k = s->axis; k < shape->rank; k++)
        line *= shape->dim[k];
    return ((double)values[0][i] - m.mean) / sqrt(m.variance + 1e-5) *
               (double)values[1][s->one_scale ? 0 : i % line] +
           (s->bias ? (double)values[2][i % line] : 0);
}

static void check_statistics(const struct test_one *t, enum test_how how, int axis)
{
    const struct rf_shape *const shape = &t->in[0].shape;
    struct rf_shape want = *shape;
    struct rf_tensor y[3];

    for (int k = axis; k < shape->rank; k++)
        want.dim[k] = 1;
    const int64_t n = rf_numel(&want), line = rf_numel(shape) / n;

    test_one_runs(t, how, y);
    for (int k = 1; k < 3; k++)
        ck_assert(rf_shape_equal(&y[k].shape, &want));
    for (int64_t i = 0; i < n; i++) {
        const struct moments m = moments_of(shape, from_axis(axis), i * line);
        const double inverse = 1 / sqrt(m.variance + 1e-5);

        ck_assert_double_eq_tol((double)((float *)y[1].data)[i], m.mean, 1e-6 * 4);
        ck_assert_double_eq_tol((double)((float *)y[2].data)[i], inverse, 1e-6 * inverse);
    }
    for (int k = 0; k < 3; k++)
        free(y[k].data);
}

START_TEST(layer_norms)
{
    uint64_t seed = (uint64_t)_i + 1;
    const struct rf_shape shape = random_shape(&seed, 1, 5);
    const struct layer_norm s = {.axis = (int)test_random_int(&seed, 0, shape.rank - 1),
                                 .bias = _i & 1,
                                 .one_scale = _i % 7 == 0};
    const bool usual = s.axis == shape.rank - 1;
    struct rf_shape line = {.rank = shape.rank - s.axis};
    const struct rf_shape single = SHAPE(1);

    memcpy(line.dim, shape.dim + s.axis, (size_t)line.rank * sizeof(*line.dim));
    const struct test_one t = {
        .op = "LayerNormalization",
        .opset = 17,
        .in = {operand(0, shape), operand(1, s.one_scale ? single : line), operand(2, line)},
        .n_in = s.bias ? 3 : 2,
        .n_out = (int)test_random_int(&seed, 1, 3),
        .attr = {
            {"stash_type", 'i', .i = 1},
            {usual ? NULL : "axis", usual ? 0 : 'i', .i = s.axis - (_i & 2 ? 0 : shape.rank)}}};

    fill(seed, _i % 3 ? 0 : 3);
    check(&t, layer_norm, &s);
    for (int how = 0; how < TEST_N_HOW && t.n_out == 3; how++)
        if (how != TEST_NHWC || has_pixels(&shape))
            check_statistics(&t, (enum test_how)how, s.axis);
}
END_TEST

START_TEST(layer_norm_says_what_does_not_fit)
{
    struct test_one t = {
        .op = "LayerNormalization",
        .opset = 17,
        .in = {operand(0, SHAPE(2, 3)), operand(1, SHAPE(2)), operand(2, SHAPE(3))},
        .n_in = 3,
        .n_out = 1};

    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "Scale has shape [2], its input [2,3]");
    t.in[1].shape = SHAPE(3);
    t.in[2].shape = SHAPE(1, 2, 3);
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "B has shape [1,2,3], its input [2,3]");
    t.attr[0] = (struct test_attr){"axis", 'i', .i = -3};
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "axis -3 lies outside of rank 2");
}
END_TEST

/* ---- MeanVarianceNormalization, LpNormalization ---- */

static double mean_variance(const void *arg, const struct rf_shape *shape, int64_t i)
{
    const struct moments m = moments_of(shape, *(const uint32_t *)arg, i);

    return ((double)values[0][i] - m.mean) / (sqrt(m.variance) + 1e-9);
}

START_TEST(mean_variance_norms)
{
    uint64_t seed = (uint64_t)_i + 1;
    struct rf_shape shape = random_shape(&seed, 4, 4);
    uint32_t axes = 1u << 0 | 1u << 2 | 1u << 3;
    struct test_one t = {.op = "MeanVarianceNormalization", .opset = 13, .n_in = 1, .n_out = 1};

    shape.dim[2] += 2; /* what is alone has no variance */
    t.in[0] = operand(0, shape);
    if (_i % 2) {
        t.attr[0] = (struct test_attr){"axes", 'v', .v = {-2, 1}, .n = 2};
        axes = 1u << 1 | 1u << 2;
    }
    fill(seed, _i % 3 ? 0 : 3);
    check(&t, mean_variance, &axes);
}
END_TEST

struct lp {
    int axis, p;
};

static double lp_norm(const void *arg, const struct rf_shape *shape, int64_t i)
{
    const struct lp *const s = arg;
    const struct moments m = moments_of(shape, 1u << s->axis, i);
    const double norm = s->p == 1 ? m.absolutes : sqrt(m.squares);

    return norm == 0 ? 0 : (double)values[0][i] / norm;
}

START_TEST(lp_norms)
{
    uint64_t seed = (uint64_t)_i + 1;
    const struct rf_shape shape = random_shape(&seed, 1, 5);
    const struct lp s = {.axis = (int)test_random_int(&seed, 0, shape.rank - 1), .p = 1 + _i % 2};
    const struct test_one t = {
        .op = "LpNormalization",
        .opset = 13,
        .in = {operand(0, shape)},
        .n_in = 1,
        .n_out = 1,
        .attr = {{"axis", 'i', .i = s.axis - (_i & 2 ? shape.rank : 0)}, {"p", 'i', .i = s.p}}};

    fill(seed, 0);
    if (_i % 5 == 0)
        memset(values[0], 0, sizeof(values[0]) / 100);
    check(&t, lp_norm, &s);
}
END_TEST

START_TEST(axes_that_are_not_there)
{
    struct test_one t = {.op = "MeanVarianceNormalization",
                         .opset = 13,
                         .in = {operand(0, SHAPE(2, 3))},
                         .n_in = 1,
                         .n_out = 1};

    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "an axis lies outside of rank 2, or is there twice");
    t.op = "LpNormalization";
    t.attr[0] = (struct test_attr){"axis", 'i', .i = 2};
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "axis 2 lies outside of rank 2");
    t.attr[0] = (struct test_attr){"p", 'i', .i = 3};
    test_one_fails(&t, TEST_GIVEN, RF_INVALID, "attribute p is 3, expected 1 to 2");
}
END_TEST

/* ---- LRN ---- */

struct lrn {
    int64_t size;
    float alpha, beta, bias;
};

static double lrn(const void *arg, const struct rf_shape *shape, int64_t i)
{
    const struct lrn *const s = arg;
    int64_t inner = 1;
    double sum = 0;

    for (int k = 2; k < shape->rank; k++)
        inner *= shape->dim[k];
    const int64_t c = coordinate(shape, 1, i);

    for (int64_t k = c - (s->size - 1) / 2; k <= c + s->size / 2; k++) {
        if (k < 0 || k >= shape->dim[1])
            continue;
        const double v = (double)values[0][i + (k - c) * inner];

        sum += v * v;
    }
    return (double)values[0][i] /
           pow((double)s->bias + (double)s->alpha / (double)s->size * sum, (double)s->beta);
}

START_TEST(lrns)
{
    uint64_t seed = (uint64_t)_i + 1;
    struct rf_shape shape = random_shape(&seed, 2, 5);
    const struct lrn s = {.size = test_random_int(&seed, 1, 7),
                          .alpha = _i % 2 ? 1e-4f : 0.3f,
                          .beta = _i % 3 ? 0.75f : 0.5f,
                          .bias = _i % 2 ? 1 : 2};
    struct test_one t = {.op = "LRN",
                         .opset = 13,
                         .n_in = 1,
                         .n_out = 1,
                         .attr = {{"size", 'i', .i = s.size},
                                  {"beta", 'f', .f = s.beta},
                                  {"alpha", 'f', .f = s.alpha},
                                  {"bias", 'f', .f = s.bias}}};

    shape.dim[1] += 3;
    t.in[0] = operand(0, shape);
    fill(seed, 0);
    check(&t, lrn, &s);
}
END_TEST

START_TEST(lrn_says_what_does_not_fit)
{
    struct test_one t = {
        .op = "LRN", .opset = 13, .in = {operand(0, SHAPE(2, 3))}, .n_in = 1, .n_out = 1};

    test_one_fails(&t, TEST_GIVEN, RF_INVALID, "attribute size is 0, expected 1 to");
    t.attr[0] = (struct test_attr){"size", 'i', .i = 3};
    t.in[0].shape = SHAPE(3);
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "input has shape [3], expected [N,C,..]");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("norm");
    TCase *const tc = tcase_create("norm");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, batch_norms, 0, 80);
    tcase_add_test(tc, batch_norm_says_what_does_not_fit);
    tcase_add_loop_test(tc, instance_norms, 0, 30);
    tcase_add_test(tc, instance_norm_says_what_does_not_fit);
    tcase_add_loop_test(tc, layer_norms, 0, 80);
    tcase_add_test(tc, layer_norm_says_what_does_not_fit);
    tcase_add_loop_test(tc, mean_variance_norms, 0, 20);
    tcase_add_loop_test(tc, lp_norms, 0, 40);
    tcase_add_test(tc, axes_that_are_not_there);
    tcase_add_loop_test(tc, lrns, 0, 60);
    tcase_add_test(tc, lrn_says_what_does_not_fit);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
