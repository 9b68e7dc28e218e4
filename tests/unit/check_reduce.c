/* Reductions against plain loops in double precision, on random shapes and axes, in both layouts,
 * run and folded. */
#include "tests/unit/axes_test.h"

/* ---- Reduce* ---- */

enum kind { SUM, MEAN, MAX, MIN, PROD, L1, L2, SUM_SQUARE, LOG_SUM, LOG_SUM_EXP, N_KINDS };

static const char *const names[] = {
    "ReduceSum", "ReduceMean", "ReduceMax",       "ReduceMin",    "ReduceProd",
    "ReduceL1",  "ReduceL2",   "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};

static double combined(enum kind kind, double a, double v)
{
    switch (kind) {
    case MAX:
        return fmax(a, v);
    case MIN:
        return fmin(a, v);
    case PROD:
        return a * v;
    case L1:
        return a + fabs(v);
    case L2:
    case SUM_SQUARE:
        return a + v * v;
    case LOG_SUM_EXP:
        return a + exp(v);
    default:
        return a + v;
    }
}

static double ended(enum kind kind, double a, double n)
{
    switch (kind) {
    case MEAN:
        return a / n;
    case L2:
        return sqrt(a);
    case LOG_SUM:
    case LOG_SUM_EXP:
        return log(a);
    default:
        return a;
    }
}

static double begun(enum kind kind)
{
    return kind == MAX ? -INFINITY : kind == MIN ? INFINITY : kind == PROD;
}
/* Of `n` results, malloc'ed. */
static double *reduced(enum kind kind, const struct test_operand *in, uint32_t axes, size_t n)
{
    const int64_t numel = rf_numel(&in->shape);
    double *const want = malloc((n + 1) * sizeof(*want));

    for (size_t i = 0; i < n; i++)
        want[i] = begun(kind);
    for (int64_t i = 0; i < numel; i++) {
        double *const to = &want[place(&in->shape, axes, i)];

        *to = combined(kind, *to, element(in->dtype, in->data, i));
    }
    for (size_t i = 0; i < n; i++)
        want[i] = ended(kind, want[i], (double)numel / (double)n);
    return want;
}

static void check_reduced(enum kind kind, const struct test_operand *in, uint32_t axes, bool keeps,
                          const struct rf_tensor *y)
{
    const struct rf_shape shape = without(&in->shape, axes, keeps);
    const size_t n = (size_t)rf_numel(&shape);
    double *const want = reduced(kind, in, axes, n), scale = 1;

    ck_assert(rf_shape_equal(&y->shape, &shape));
    ck_assert_int_eq(y->dtype, in->dtype);
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs(want[i]));
    for (size_t i = 0; i < n; i++) {
        const double got = element(y->dtype, y->data, (int64_t)i);

        if (in->dtype == RF_F32)
            ck_assert_double_eq_tol(got, want[i], 1e-6 * scale);
        else
            ck_assert_double_eq(got, trunc(want[i]));
    }
    free(want);
}

/* Some axes, in any order and counted from either end; none of them means all. */
static size_t random_axes(uint64_t *seed, int rank, int64_t *v, uint32_t *axes)
{
    size_t n = 0;

    *axes = 0;
    for (int i = rank - 1; i >= 0; i--) {
        if (test_random(seed) & 1)
            continue;
        *axes |= 1u << i;
        v[n++] = test_random(seed) & 1 ? i : i - rank;
    }
    if (!n)
        *axes = (1u << rank) - 1;
    return n;
}

START_TEST(reductions)
{
    const enum kind kind = (enum kind)(_i % N_KINDS);
    uint64_t seed = (uint64_t)_i + 1;
    const bool floats = kind >= L2 && kind != SUM_SQUARE, by_input = test_random(&seed) & 1;
    const enum rf_dtype dtypes[] = {RF_F32, RF_F32, RF_I32, RF_I64};
    const enum rf_dtype dtype = floats ? RF_F32 : dtypes[test_random(&seed) % 4];
    const struct rf_shape shape = random_shape(&seed, kind == PROD ? 3 : 7);
    const bool keeps = test_random(&seed) & 1;
    int64_t v[RF_MAX_RANK];
    uint32_t axes;
    struct rf_tensor y;

    fill(seed);
    for (int i = 0; i < MANY && kind == LOG_SUM; i++)
        values[i] = fabsf(values[i]) + 0.01f;
    const size_t n = random_axes(&seed, shape.rank, v, &axes);
    struct test_one t = {.op = names[kind],
                         .opset = by_input      ? 18
                                  : kind == SUM ? 11
                                                : 13,
                         .in = {operand(dtype, shape)},
                         .n_in = 1,
                         .n_out = 1,
                         .attr = {{"keepdims", 'i', .i = keeps}}};

    if (by_input && n) {
        t.in[1] = (struct test_operand){
            .dtype = RF_I64, .shape = SHAPE((int64_t)n), .data = v, .constant = true};
        t.n_in = 2;
    } else if (n) {
        t.attr[1] = (struct test_attr){"axes", 'v', .n = n};
        memcpy(t.attr[1].v, v, n * sizeof(*v));
    }
    for (int how = 0; how < TEST_N_HOW; how++) {
        if (how == TEST_NHWC && (!has_pixels(&shape) || dtype != RF_F32))
            continue;
        test_one_runs(&t, (enum test_how)how, &y);
        check_reduced(kind, &t.in[0], axes, keeps, &y);
        free(y.data);
    }
}
END_TEST

/* Long ones: what single precision would lose shows. _i: the axes of an image that go. */
START_TEST(long_reductions_are_precise)
{
    enum { C = 40, H = 131, W = 129 };
    static float image[C * H * W];
    const struct test_operand in = {.dtype = RF_F32, .shape = SHAPE(1, C, H, W), .data = image};
    const uint32_t axes = (uint32_t)_i << 1;
    struct test_one t = {.op = "ReduceMean",
                         .opset = 13,
                         .in = {in},
                         .n_in = 1,
                         .n_out = 1,
                         .attr = {{"axes", 'v', .n = 0}}};
    uint64_t seed = 3;
    struct rf_tensor y;

    for (size_t i = 0; i < C * H * W; i++)
        image[i] = 1 + test_random_float(&seed) / 16;
    for (int i = 1; i < 4; i++)
        if (axes >> i & 1)
            t.attr[0].v[t.attr[0].n++] = i;
    for (int how = TEST_WEIGHTS; how <= TEST_NHWC; how++) {
        test_one_runs(&t, (enum test_how)how, &y);
        check_reduced(MEAN, &in, axes, true, &y);
        free(y.data);
    }
}
END_TEST

START_TEST(no_axes_can_mean_none)
{
    static const struct rf_shape shape = {.rank = 4, .dim = {2, 3, 4, 5}};
    const struct test_one t = {.op = "ReduceSum",
                               .opset = 13,
                               .in = {operand(RF_F32, shape)},
                               .n_in = 1,
                               .n_out = 1,
                               .attr = {{"noop_with_empty_axes", 'i', .i = 1}}};
    struct rf_tensor y;

    fill(1);
    for (int how = 0; how < TEST_N_HOW; how++) {
        test_one_runs(&t, (enum test_how)how, &y);
        ck_assert(rf_shape_equal(&y.shape, &shape));
        ck_assert_mem_eq(y.data, values, 120 * sizeof(float));
        free(y.data);
    }
}
END_TEST

START_TEST(nothing_to_reduce)
{
    static const struct {
        const char *op;
        double want;
    } cases[] = {{"ReduceSum", 0},
                 {"ReduceProd", 1},
                 {"ReduceMax", -INFINITY},
                 {"ReduceMin", INFINITY},
                 {"ReduceL2", 0},
                 {"ReduceLogSum", -INFINITY},
                 {"ReduceMean", (double)NAN},
                 {"ReduceLogSumExp", -INFINITY}};
    struct test_one t = {.op = cases[_i].op,
                         .opset = 11,
                         .in = {operand(RF_F32, SHAPE(2, 0, 3))},
                         .n_in = 1,
                         .n_out = 1,
                         .attr = {{"axes", 'v', .v = {1}, .n = 1}}};
    struct rf_tensor y;

    test_one_runs(&t, TEST_GIVEN, &y);
    ck_assert_int_eq(rf_numel(&y.shape), 6);
    for (int i = 0; i < 6; i++) {
        const double got = (double)((float *)y.data)[i];

        ck_assert(isnan(cases[_i].want) ? isnan(got) : got == cases[_i].want);
    }
    free(y.data);
    t.attr[0].v[0] = 2;
    test_one_runs(&t, TEST_GIVEN, &y);
    ck_assert_int_eq(rf_numel(&y.shape), 0);
    free(y.data);
}
END_TEST

START_TEST(integers_of_nothing_have_limits)
{
    struct test_one t = {.op = _i & 1 ? "ReduceMin" : "ReduceMax",
                         .opset = 11,
                         .in = {operand(_i & 2 ? RF_I64 : RF_I32, SHAPE(0))},
                         .n_in = 1,
                         .n_out = 1};
    const int64_t limits[] = {INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX};
    struct rf_tensor y;

    test_one_runs(&t, TEST_GIVEN, &y);
    ck_assert(_i & 2 ? *(int64_t *)y.data == limits[_i] : *(int32_t *)y.data == limits[_i]);
    free(y.data);
}
END_TEST

START_TEST(nan_wins)
{
    static const char *const ops[] = {"ReduceMax", "ReduceMin", "ReduceLogSumExp"};
    struct test_one t = {
        .op = ops[_i], .opset = 11, .in = {operand(RF_F32, SHAPE(9))}, .n_in = 1, .n_out = 1};
    struct rf_tensor y;

    fill(1);
    values[4] = NAN;
    test_one_runs(&t, TEST_GIVEN, &y);
    ck_assert(isnan(*(float *)y.data));
    free(y.data);
}
END_TEST

/* Exponents that overflow, and infinities. */
START_TEST(logarithms_of_sums_are_stable)
{
    static const float cases[][3] = {
        {1000, 1000, -1e30f}, {-1000, -1001, -1002}, {INFINITY, 1, 2}, {-INFINITY, -INFINITY, 1}};
    static const double want[] = {1000 + 0.6931471805599453, -1000 + 0.40760596444438, INFINITY, 1};
    const struct test_one t = {.op = "ReduceLogSumExp",
                               .opset = 13,
                               .in = {{.dtype = RF_F32, .shape = SHAPE(3), .data = cases[_i]}},
                               .n_in = 1,
                               .n_out = 1};
    struct rf_tensor y;

    test_one_runs(&t, TEST_GIVEN, &y);
    const double got = (double)*(float *)y.data;
    ck_assert(got == want[_i] || fabs(got - want[_i]) < 1e-4);
    free(y.data);
}
END_TEST

START_TEST(reductions_say_what_does_not_fit)
{
    static const int64_t far[] = {3}, many[] = {0, 1, 2, 0, 1, 2, 0, 1, 2};
    struct test_one t = {.op = "ReduceMean",
                         .opset = 13,
                         .in = {operand(RF_F32, SHAPE(2, 3, 4))},
                         .n_in = 1,
                         .n_out = 1,
                         .attr = {{"axes", 'v', .v = {1, -2}, .n = 2}}};

    test_one_fails(&t, TEST_GIVEN, RF_SHAPE,
                   "node it (ReduceMean): an axis lies outside of rank 3, or is there twice");
    t.attr[0].v[0] = 3;
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "outside of rank 3");
    t.attr[0].v[0] = INT64_MAX;
    test_one_fails(&t, TEST_GIVEN, RF_INVALID, "attribute axes[0] is 9223372036854775807");
    t.opset = 18;
    test_one_fails(&t, TEST_GIVEN, RF_UNSUPPORTED, "ReduceMean has no attribute axes");
    t.attr[0].type = 0;
    t.in[1] =
        (struct test_operand){.dtype = RF_I64, .shape = SHAPE(1), .data = far, .constant = true};
    t.n_in = 2;
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "outside of rank 3");
    t.in[1].data = many;
    t.in[1].shape = SHAPE(9);
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "axes has shape [9], expected at most 8 elements");
    t.n_in = 1;
    t.op = "ReduceL2";
    t.in[0] = operand(RF_I64, SHAPE(2));
    test_one_fails(&t, TEST_GIVEN, RF_UNSUPPORTED, "input 0 is INT64");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("reduce");
    TCase *const tc = tcase_create("reduce");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, reductions, 0, 300);
    tcase_add_loop_test(tc, long_reductions_are_precise, 1, 8);
    tcase_add_test(tc, no_axes_can_mean_none);
    tcase_add_loop_test(tc, nothing_to_reduce, 0, 8);
    tcase_add_loop_test(tc, integers_of_nothing_have_limits, 0, 4);
    tcase_add_loop_test(tc, nan_wins, 0, 3);
    tcase_add_loop_test(tc, logarithms_of_sums_are_stable, 0, 4);
    tcase_add_test(tc, reductions_say_what_does_not_fit);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
