/* What works along one axis, Softmax and its kin, ArgMax and ArgMin, against plain loops. */
#include "tests/unit/axes_test.h"

/* ---- ArgMax, ArgMin ---- */

static int64_t searched(const struct test_operand *in, int64_t at, int64_t step, int64_t n,
                        bool smallest, bool last)
{
    int64_t best = 0;

    for (int64_t k = 1; k < n; k++) {
        const double a = element(in->dtype, in->data, at + best * step);
        const double v = element(in->dtype, in->data, at + k * step);

        if ((smallest ? v < a : v > a) || (last && v == a))
            best = k;
    }
    return best;
}

START_TEST(searches)
{
    uint64_t seed = (uint64_t)_i + 1;
    const enum rf_dtype dtype = (enum rf_dtype[]){RF_F32, RF_I32, RF_I64}[_i % 3];
    const struct rf_shape shape = random_shape(&seed, _i % 10 ? 6 : 15);
    const int axis = (int)test_random_int(&seed, 0, shape.rank - 1);
    const bool keeps = _i & 1, smallest = _i & 2, last = _i & 4;
    const struct test_one t = {.op = smallest ? "ArgMin" : "ArgMax",
                               .opset = 12 + _i % 3,
                               .in = {operand(dtype, shape)},
                               .n_in = 1,
                               .n_out = 1,
                               .attr = {{"axis", 'i', .i = _i & 8 ? axis : axis - shape.rank},
                                        {"keepdims", 'i', .i = keeps},
                                        {"select_last_index", 'i', .i = last}}};
    const struct rf_shape want = without(&shape, 1u << axis, keeps);
    int64_t step = 1;
    struct rf_tensor y;

    if (rf_numel(&shape) > MANY)
        return;
    fill(seed);
    for (int i = 0; i < MANY; i++)
        values[i] = truncf(values[i] * 5); /* some are equal */
    for (int i = axis + 1; i < shape.rank; i++)
        step *= shape.dim[i];
    for (int how = 0; how < TEST_N_HOW; how++) {
        if (how == TEST_NHWC && (!has_pixels(&shape) || dtype != RF_F32))
            continue;
        test_one_runs(&t, (enum test_how)how, &y);
        ck_assert(rf_shape_equal(&y.shape, &want));
        ck_assert_int_eq(y.dtype, RF_I64);
        for (int64_t i = 0; i < rf_numel(&want); i++)
            ck_assert_int_eq(((int64_t *)y.data)[i],
                             searched(&t.in[0], i / step * step * shape.dim[axis] + i % step, step,
                                      shape.dim[axis], smallest, last));
        free(y.data);
    }
}
END_TEST

/* Bit 0: the smallest; bit 1: the last of equals. */
START_TEST(searches_find_nan)
{
    static const float cases[] = {1, NAN, 3, NAN, -5};
    const struct test_one t = {.op = _i & 1 ? "ArgMin" : "ArgMax",
                               .opset = 13,
                               .in = {{.dtype = RF_F32, .shape = SHAPE(5), .data = cases}},
                               .n_in = 1,
                               .n_out = 1,
                               .attr = {{"select_last_index", 'i', .i = _i >> 1}}};
    struct rf_tensor y;

    test_one_runs(&t, TEST_GIVEN, &y);
    ck_assert_int_eq(*(int64_t *)y.data, _i >> 1 ? 3 : 1);
    free(y.data);
}
END_TEST

START_TEST(searches_say_what_does_not_fit)
{
    struct test_one t = {.op = "ArgMax",
                         .opset = 13,
                         .in = {operand(RF_F32, SHAPE(2, 0))},
                         .n_in = 1,
                         .n_out = 1,
                         .attr = {{"axis", 'i', .i = 1}}};

    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "input [2,0] has nothing along axis 1");
    t.attr[0].i = 2;
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "axis 2 lies outside of rank 2");
    t.in[0].dtype = RF_BOOL;
    test_one_fails(&t, TEST_GIVEN, RF_UNSUPPORTED, "input 0 is BOOL");
}
END_TEST

/* ---- Softmax, LogSoftmax, Hardmax ---- */

/* The lines of opsets before 13 end where the tensor does. */
static struct rf_shape seen(struct rf_shape shape, int axis, bool flat)
{
    for (int i = axis + 1; i < shape.rank && flat; i++) {
        shape.dim[axis] *= shape.dim[i];
        shape.dim[i] = 1;
    }
    return shape;
}

START_TEST(softmaxes)
{
    static const char *const ops[] = {"Softmax", "LogSoftmax", "Hardmax"};
    const int kind = _i % 3;
    const bool flat = _i & 1, usual = _i % 8 == 7;
    uint64_t seed = (uint64_t)_i + 1;
    struct rf_shape shape = random_shape(&seed, 7);
    struct rf_tensor y;

    if (shape.rank < 2)
        shape = SHAPE(3, 5);
    const int axis =
        usual ? flat ? 1 : shape.rank - 1 : (int)test_random_int(&seed, 0, shape.rank - 1);
    const struct rf_shape lines = seen(shape, axis, flat);
    struct test_one t = {.op = ops[kind],
                         .opset = flat ? 11 : 13,
                         .in = {operand(RF_F32, shape)},
                         .n_in = 1,
                         .n_out = 1};
    static double sum[MANY], top[MANY];

    if (!usual)
        t.attr[0] = (struct test_attr){"axis", 'i', .i = _i & 2 ? axis : axis - shape.rank};
    fill(seed);
    for (int64_t i = 0; i < rf_numel(&shape); i++) {
        const int64_t at = place(&lines, 1u << axis, i);

        sum[at] = 0;
        top[at] = -INFINITY;
    }
    for (int64_t i = 0; i < rf_numel(&shape); i++) {
        const int64_t at = place(&lines, 1u << axis, i);

        sum[at] += exp((double)values[i]);
        top[at] = fmax(top[at], (double)values[i]);
    }
    for (int how = 0; how < TEST_N_HOW; how++) {
        if (how == TEST_NHWC && !has_pixels(&shape))
            continue;
        test_one_runs(&t, (enum test_how)how, &y);
        ck_assert(rf_shape_equal(&y.shape, &shape));
        for (int64_t i = 0; i < rf_numel(&shape); i++) {
            const int64_t at = place(&lines, 1u << axis, i);
            const double v = (double)values[i], soft = exp(v) / sum[at];

            ck_assert_double_eq_tol((double)((float *)y.data)[i],
                                    kind == 0   ? soft
                                    : kind == 1 ? log(soft)
                                                : v == top[at],
                                    1e-6);
        }
        free(y.data);
    }
}
END_TEST

START_TEST(hardmax_takes_the_first)
{
    static const float cases[] = {1, 3, 3, 2};
    const struct test_one t = {.op = "Hardmax",
                               .opset = 13,
                               .in = {{.dtype = RF_F32, .shape = SHAPE(4), .data = cases}},
                               .n_in = 1,
                               .n_out = 1};
    static const float want[] = {0, 1, 0, 0};
    struct rf_tensor y;

    test_one_runs(&t, TEST_GIVEN, &y);
    ck_assert_mem_eq(y.data, want, sizeof(want));
    free(y.data);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("softmax");
    TCase *const tc = tcase_create("softmax");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, searches, 0, 120);
    tcase_add_loop_test(tc, searches_find_nan, 0, 4);
    tcase_add_test(tc, searches_say_what_does_not_fit);
    tcase_add_loop_test(tc, softmaxes, 0, 96);
    tcase_add_test(tc, hardmax_takes_the_first);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
