/* MatMul, Gemm in all its forms and rectifier.Linear against plain sums in double precision. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/activity.h"
#include "tests/support/one_op.h"

enum { MANY = 4096 };

static float values[3][MANY];

static void fill(uint64_t seed)
{
    for (int i = 0; i < 3; i++)
        test_random_fill(&seed, values[i], MANY);
}

static struct test_operand floats(int i, struct rf_shape shape)
{
    return (struct test_operand){.dtype = RF_F32, .shape = shape, .data = values[i]};
}

/* ---- Gemm ---- */

struct gemm {
    int64_t m, k, n, trans_a, trans_b;
    float alpha, beta;
    struct rf_shape c;
};

/* C's element for row r and column o; its shape has rank 0 to 2. */
static double addend(const struct rf_shape *c, int64_t r, int64_t o)
{
    const int64_t columns = c->rank ? c->dim[c->rank - 1] : 1, rows = c->rank > 1 ? c->dim[0] : 1;

    return (double)values[2][(rows > 1 ? r * columns : 0) + (columns > 1 ? o : 0)];
}

static void check_gemm(const struct gemm *s, bool has_c, const struct rf_tensor *y)
{
    const struct rf_shape want = SHAPE(s->m, s->n);
    const float *const got = y->data;

    ck_assert(rf_shape_equal(&y->shape, &want));
    for (int64_t r = 0; r < s->m; r++) {
        for (int64_t o = 0; o < s->n; o++) {
            double sum = 0;

            for (int64_t i = 0; i < s->k; i++)
                sum += (double)values[0][s->trans_a ? i * s->m + r : r * s->k + i] *
                       (double)values[1][s->trans_b ? o * s->k + i : i * s->n + o];
            sum *= (double)s->alpha;
            if (has_c)
                sum += (double)s->beta * addend(&s->c, r, o);
            ck_assert_double_eq_tol((double)got[r * s->n + o], sum, 1e-5);
        }
    }
}

static struct rf_shape shape_of_c(int64_t kind, int64_t m, int64_t n)
{
    switch (kind) {
    case 0:
        return (struct rf_shape){.rank = 0};
    case 1:
        return SHAPE(1);
    case 2:
        return SHAPE(n);
    case 3:
        return SHAPE(1, n);
    case 4:
        return SHAPE(m, 1);
    default:
        return SHAPE(m, n);
    }
}

START_TEST(gemm_of_every_form)
{
    uint64_t seed = (uint64_t)_i;
    struct gemm s = {.m = test_random_int(&seed, 1, 9),
                     .k = test_random_int(&seed, 0, 20),
                     .n = test_random_int(&seed, 1, 70),
                     .trans_a = _i & 1,
                     .trans_b = _i >> 1 & 1,
                     .alpha = _i % 3 ? 0.5f : 1,
                     .beta = _i % 5 ? 1 : -2};
    const int64_t kind = test_random_int(&seed, 0, 6);
    struct rf_tensor y;

    fill(seed);
    s.c = shape_of_c(kind, s.m, s.n);
    const struct test_one t = {.op = "Gemm",
                               .opset = _i % 2 ? 6 : 13,
                               .in = {floats(0, s.trans_a ? SHAPE(s.k, s.m) : SHAPE(s.m, s.k)),
                                      floats(1, s.trans_b ? SHAPE(s.n, s.k) : SHAPE(s.k, s.n)),
                                      floats(2, s.c)},
                               .n_in = kind == 6 ? 2 : 3,
                               .n_out = 1,
                               .attr = {{"transA", 'i', .i = s.trans_a},
                                        {"transB", 'i', .i = s.trans_b},
                                        {"alpha", 'f', .f = s.alpha},
                                        {"beta", 'f', .f = s.beta},
                                        {_i % 2 ? "broadcast" : NULL, _i % 2 ? 'i' : 0, .i = 1}}};

    for (int how = 0; how < TEST_N_HOW; how++) {
        if (how == TEST_NHWC)
            continue;
        test_one_runs(&t, (enum test_how)how, &y);
        check_gemm(&s, kind != 6, &y);
        free(y.data);
    }
}
END_TEST

START_TEST(gemm_says_what_does_not_fit)
{
    struct test_one t = {.op = "Gemm",
                         .opset = 13,
                         .in = {floats(0, SHAPE(2, 3)), floats(1, SHAPE(4, 5))},
                         .n_in = 2,
                         .n_out = 1};

    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "node it (Gemm): multiplies [2,3] by [4,5]");
    test_one_fails(&t, TEST_WEIGHTS, RF_SHAPE, "expects 4 features, its input has shape [2,3]");
    t.attr[0] = (struct test_attr){"transA", 'i', .i = 1};
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "multiplies [2,3] transposed by [4,5]");
    t.attr[0].i = 0;
    t.in[1].shape = SHAPE(3, 5);
    t.in[2] = floats(2, SHAPE(4));
    t.n_in = 3;
    test_one_fails(&t, TEST_WEIGHTS, RF_SHAPE, "adds C of shape [4] to [2,5]");
    t.in[2].shape = SHAPE(1, 2, 5);
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "adds C of shape [1,2,5] to [2,5]");
    t.in[2].dtype = RF_I32;
    test_one_fails(&t, TEST_GIVEN, RF_UNSUPPORTED, "input 2 is INT32");
    t.n_in = 2;
    t.attr[0] = (struct test_attr){"broadcast", 'i', .i = 1};
    test_one_fails(&t, TEST_GIVEN, RF_UNSUPPORTED, "Gemm has no attribute broadcast");
}
END_TEST

/* ---- MatMul ---- */

/* Index in a tensor of `shape` of the matrix number `at` of `batch`. */
static int64_t matrix(const struct rf_shape *shape, const struct rf_shape *batch, int64_t at)
{
    const int own = shape->rank > 2 ? shape->rank - 2 : 0;
    int64_t index = 0, step = 1;

    for (int i = 1; i <= batch->rank; i++) {
        const int64_t here = at % batch->dim[batch->rank - i];

        at /= batch->dim[batch->rank - i];
        if (i <= own) {
            index += shape->dim[own - i] == 1 ? 0 : here * step;
            step *= shape->dim[own - i];
        }
    }
    return index;
}

struct matmul {
    struct rf_shape a, b, batch;
    int64_t m, k, n;
};

/* Shapes of ranks 1 to 5 that broadcast to each other. */
static struct matmul random_matmul(uint64_t *seed)
{
    struct matmul s = {.m = test_random_int(seed, 1, 5),
                       .k = test_random_int(seed, 0, 7),
                       .n = test_random_int(seed, 1, 6)};
    const int ra = (int)test_random_int(seed, 1, 5), rb = (int)test_random_int(seed, 1, 5);
    const int batch = (ra > rb ? ra : rb) - 2;
    int64_t dims[3];

    for (int i = 0; i < 3; i++)
        dims[i] = test_random_int(seed, 1, 3);
    s.a.rank = ra;
    s.b.rank = rb;
    s.batch.rank = batch < 0 ? 0 : batch;
    for (int i = 1; i <= s.batch.rank; i++) {
        const bool in_a = i <= ra - 2, in_b = i <= rb - 2, shared = in_a && in_b;
        const int64_t thin = shared ? test_random_int(seed, 0, 2) : 0;

        if (in_a)
            s.a.dim[ra - 2 - i] = thin == 1 ? 1 : dims[i - 1];
        if (in_b)
            s.b.dim[rb - 2 - i] = thin == 2 ? 1 : dims[i - 1];
        s.batch.dim[s.batch.rank - i] = dims[i - 1];
    }
    if (ra > 1)
        s.a.dim[ra - 2] = s.m;
    else
        s.m = 1;
    s.a.dim[ra - 1] = s.k;
    s.b.dim[rb > 1 ? rb - 2 : 0] = s.k;
    if (rb > 1)
        s.b.dim[rb - 1] = s.n;
    else
        s.n = 1;
    return s;
}

static void check_shape(const struct matmul *s, const struct rf_tensor *y)
{
    struct rf_shape want = s->batch;

    if (s->a.rank > 1)
        want.dim[want.rank++] = s->m;
    if (s->b.rank > 1)
        want.dim[want.rank++] = s->n;
    ck_assert(rf_shape_equal(&y->shape, &want));
}

START_TEST(matmul_of_any_rank)
{
    uint64_t seed = (uint64_t)_i;
    const struct matmul s = random_matmul(&seed);
    struct rf_tensor y;

    fill(seed);
    const struct test_one t = {
        .op = "MatMul", .opset = 13, .in = {floats(0, s.a), floats(1, s.b)}, .n_in = 2, .n_out = 1};

    for (int how = 0; how < TEST_N_HOW; how++) {
        if (how == TEST_NHWC && (s.a.rank < 3 || s.a.rank > 4 || !s.k))
            continue;
        test_one_runs(&t, (enum test_how)how, &y);
        check_shape(&s, &y);
        for (int64_t i = 0; i < rf_numel(&y.shape); i++) {
            const int64_t at = i / (s.m * s.n), r = i / s.n % s.m, c = i % s.n;
            const float *const a = values[0] + matrix(&s.a, &s.batch, at) * s.m * s.k + r * s.k;
            const float *const b = values[1] + matrix(&s.b, &s.batch, at) * s.k * s.n + c;
            double sum = 0;

            for (int64_t k = 0; k < s.k; k++)
                sum += (double)a[k] * (double)b[k * s.n];
            ck_assert_double_eq_tol((double)((float *)y.data)[i], sum, 1e-5);
        }
        free(y.data);
    }
}
END_TEST

START_TEST(matmul_of_integers_wraps)
{
    static const int32_t a[] = {1, -2, INT32_MAX, 3}, b[] = {4, 5, 2, -6};
    static const int64_t c[] = {1, -2, INT64_MAX, 3}, d[] = {4, 5, 2, -6};
    struct test_one t = {.op = "MatMul",
                         .opset = 9,
                         .in = {{.dtype = RF_I32, .shape = SHAPE(2, 2), .data = a},
                                {.dtype = RF_I32, .shape = SHAPE(2, 2), .data = b}},
                         .n_in = 2,
                         .n_out = 1};
    struct rf_tensor y;

    for (int how = 0; how < TEST_N_HOW; how++) {
        if (how == TEST_NHWC)
            continue;
        test_one_runs(&t, (enum test_how)how, &y);
        ck_assert_int_eq(y.dtype, RF_I32);
        ck_assert_int_eq(((int32_t *)y.data)[1], 17);
        ck_assert_int_eq(((int32_t *)y.data)[2], 2); /* 4 * INT32_MAX + 6 */
        free(y.data);
    }
    t.in[0] = (struct test_operand){.dtype = RF_I64, .shape = SHAPE(2, 2), .data = c};
    t.in[1] = (struct test_operand){.dtype = RF_I64, .shape = SHAPE(2, 2), .data = d};
    test_one_runs(&t, TEST_GIVEN, &y);
    ck_assert_int_eq(((int64_t *)y.data)[1], 17);
    ck_assert_int_eq(((int64_t *)y.data)[2], 2);
    free(y.data);
}
END_TEST

START_TEST(matmul_says_what_does_not_fit)
{
    struct test_one t = {.op = "MatMul",
                         .opset = 13,
                         .in = {floats(0, SHAPE(2, 3)), floats(1, SHAPE(4, 5))},
                         .n_in = 2,
                         .n_out = 1};

    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "node it (MatMul): multiplies [2,3] by [4,5]");
    t.in[0].shape = SHAPE(2, 3, 4);
    t.in[1].shape = SHAPE(3, 4, 4);
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "multiplies [2,3,4] by [3,4,4]");
    t.in[1].shape = (struct rf_shape){.rank = 0};
    test_one_fails(&t, TEST_GIVEN, RF_SHAPE, "multiplies [2,3,4] by []");
    t.in[1] = (struct test_operand){.dtype = RF_I64, .shape = SHAPE(4, 4), .data = values[1]};
    test_one_fails(&t, TEST_GIVEN, RF_UNSUPPORTED, "multiplies FP32 by INT64");
    t.in[0].dtype = RF_BOOL;
    test_one_fails(&t, TEST_GIVEN, RF_UNSUPPORTED, "input 0 is BOOL");
}
END_TEST

/* ---- rectifier.Linear ---- */

enum { K = 5, N = 70 };

/* x of the given rank through Linear, with a residual and a Relu if so wanted. */
static struct rf_model *linear_model(struct rf_shape x, bool bias, bool residual, bool relu)
{
    struct rf_graph *const g = test_graph();
    const rf_value_id in = test_input(g, x);
    const rf_value_id ids[] = {in, test_constant(g, SHAPE(K, N), values[1]),
                               test_constant(g, SHAPE(N), values[2])};
    rf_value_id y = test_op(g, "rectifier.Linear", "fc", ids, bias ? 3 : 2, NULL);

    if (residual) {
        /* Of the same shape, and nothing says that its channels come last. */
        const rf_value_id other[] = {in, test_constant(g, SHAPE(K, N), values[1] + K * N)};
        rf_value_id both[] = {y, test_op(g, "MatMul", "mm", other, 2, NULL)};
        struct rf_node *copy;

        both[1] = test_op(g, "ReduceSum", "copy", &both[1], 1, &copy);
        test_int(g, copy, "noop_with_empty_axes", 1);
        y = test_op(g, "Add", "sum", both, 2, NULL);
    }
    if (relu)
        y = test_op(g, "Relu", "relu", &y, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    return test_model(g, NULL);
}

static double linear(int64_t row, int64_t c, bool bias, bool residual, bool relu)
{
    double sum = bias ? (double)values[2][c] : 0;

    for (int64_t k = 0; k < K; k++) {
        const double w = (double)values[1][k * N + c];
        const double other = residual ? (double)values[1][K * N + k * N + c] : 0;

        sum += (double)values[0][row * K + k] * (w + other);
    }
    return relu && sum < 0 ? 0 : sum;
}

static void check_counts(struct rf_model *model, const float *y, int64_t rows)
{
    struct rf_activity *activity;

    ck_assert_int_eq(rf_activity_read(model, &activity, NULL), RF_OK);
    ck_assert_uint_eq(activity->n_layers, 1);
    ck_assert_uint_eq(activity->layers[0].n_channels, N);
    for (int64_t c = 0; c < N; c++) {
        uint64_t fired = 0;

        for (int64_t r = 0; r < rows; r++)
            fired += y[r * N + c] > 0;
        ck_assert_uint_eq(activity->layers[0].channels[c].fired, fired);
    }
    rf_activity_free(activity);
}

START_TEST(linear_of_any_rank)
{
    static const struct rf_shape shapes[] = {
        {.rank = 2, .dim = {3, K}},       {.rank = 3, .dim = {2, 7, K}},
        {.rank = 4, .dim = {2, 3, 4, K}}, {.rank = 5, .dim = {1, 2, 2, 3, K}},
        {.rank = 3, .dim = {2, 0, K}},
    };
    const struct rf_shape shape = shapes[_i / 8];
    const bool bias = _i & 1, residual = _i & 2, relu = _i & 4;
    const int64_t rows = rf_numel(&shape) / K;
    struct rf_session *session;
    struct rf_shape want = shape, got;
    float *y;

    fill((uint64_t)_i);
    struct rf_model *const model = linear_model(shape, bias, residual, relu);

    want.dim[want.rank - 1] = N;
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    test_run(session, &shape, values[0], true, &y, &got, 1);
    ck_assert(rf_shape_equal(&got, &want));
    for (int64_t i = 0; i < rows * N; i++)
        ck_assert_double_eq_tol((double)y[i], linear(i / N, i % N, bias, residual, relu), 1e-5);
    rf_session_free(session);
    if (relu)
        check_counts(model, y, rows);
    free(y);
    rf_model_unref(model);
}
END_TEST

/* Enough rows to be split between parts, and tiles that do not fill up. */
START_TEST(linear_in_parts)
{
    enum { ROWS = 26000 };
    const struct rf_shape shape = SHAPE(2, ROWS / 2, K);
    float *const x = malloc(ROWS * K * sizeof(*x)), *y[2];
    struct rf_pool *pool;
    uint64_t seed = 5;

    fill(5);
    test_random_fill(&seed, x, ROWS * K);
    ck_assert_int_eq(rf_pool_new(&pool, 3, true, NULL), RF_OK);
    for (int i = 0; i < 2; i++) {
        struct rf_model *const model = linear_model(shape, true, true, true);
        struct rf_session *session;

        ck_assert_int_eq(rf_session_new(&session, model, i ? pool : NULL, NULL), RF_OK);
        test_run(session, &shape, x, true, &y[i], NULL, 1);
        rf_session_free(session);
        check_counts(model, y[i], ROWS);
        rf_model_unref(model);
    }
    ck_assert_double_le(test_error(y[0], y[1], ROWS * N), 1e-6);
    memcpy(values[0], x + (ROWS - 100) * K, 100 * K * sizeof(*x));
    for (int64_t i = 0; i < 100 * N; i++)
        ck_assert_double_eq_tol((double)y[1][(ROWS - 100) * N + i],
                                linear(i / N, i % N, true, true, true), 1e-5);
    rf_pool_free(pool);
    free(x);
    free(y[0]);
    free(y[1]);
}
END_TEST

START_TEST(linear_says_what_does_not_fit)
{
    struct test_one t = {.op = "rectifier.Linear",
                         .opset = 13,
                         .in = {floats(0, SHAPE(2, 3)), floats(1, SHAPE(4, 5))},
                         .n_in = 2,
                         .n_out = 1};

    test_one_fails(&t, TEST_WEIGHTS, RF_SHAPE, "expects 4 features, its input has shape [2,3]");
    t.in[0].shape = SHAPE(4);
    test_one_fails(&t, TEST_WEIGHTS, RF_SHAPE, "input has shape [4], expected [N,..,4]");
    t.in[1].shape = SHAPE(4, 5, 1);
    test_one_fails(&t, TEST_WEIGHTS, RF_SHAPE, "expected two dimensions");
    test_one_fails(&t, TEST_GIVEN, RF_UNSUPPORTED, "weight must be a constant");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("matmul");
    TCase *const tc = tcase_create("matmul");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, gemm_of_every_form, 0, 60);
    tcase_add_test(tc, gemm_says_what_does_not_fit);
    tcase_add_loop_test(tc, matmul_of_any_rank, 0, 100);
    tcase_add_test(tc, matmul_of_integers_wraps);
    tcase_add_test(tc, matmul_says_what_does_not_fit);
    tcase_add_loop_test(tc, linear_of_any_rank, 0, 40);
    tcase_add_test(tc, linear_in_parts);
    tcase_add_test(tc, linear_says_what_does_not_fit);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
