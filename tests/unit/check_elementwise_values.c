/* Elementwise operators of several inputs: what only some of them have, and what they refuse. */
#include "tests/support/elementwise.h"

/* ---- one list of values ---- */

#define COUNT(...) (sizeof((double[]){__VA_ARGS__}) / sizeof(double))
#define LIST(...) (const double[]){__VA_ARGS__}, COUNT(__VA_ARGS__)

static void check_pair(struct net net, enum rf_dtype a_type, const double *a, size_t n,
                       enum rf_dtype b_type, const double *b, size_t n_b, const double *want)
{
    struct operand o[2];

    fill(&o[0], a_type, SHAPE((int64_t)n), a);
    fill(&o[1], b_type, n_b == 1 ? (struct rf_shape){0} : SHAPE((int64_t)n_b), b);
    expect(net, o, 2, a_type, &o[0].shape, want);
    release(o, 2);
}

static void check_one(struct net net, enum rf_dtype type, const double *x, size_t n,
                      enum rf_dtype out, const double *want)
{
    struct operand o;

    fill(&o, type, SHAPE((int64_t)n), x);
    expect(net, &o, 1, out, &o.shape, want);
    release(&o, 1);
}

START_TEST(test_division)
{
    const double smallest32 = INT32_MIN;

    check_pair((struct net){.op = "Div"}, RF_I32, LIST(7, -7, 5, smallest32), RF_I32,
               LIST(2, 2, 0, -1), (const double[]){3, -3, 0, smallest32});
    check_pair((struct net){.op = "Div"}, RF_I64, LIST(-7, 0x1p63 * -1), RF_I64, LIST(0, -1),
               (const double[]){0, 0x1p63 * -1});
    check_pair((struct net){.op = "Mod"}, RF_I32, LIST(7, -7, 5, smallest32), RF_I32,
               LIST(-3, 3, 0, -1), (const double[]){-2, 2, 0, 0});
    check_pair((struct net){.op = "Mod", .int_name = "fmod", .int_value = 1}, RF_I64, LIST(7, -7),
               RF_I64, LIST(-3, 3), (const double[]){1, -1});
    check_pair((struct net){.op = "Mod", .int_name = "fmod", .int_value = 1}, RF_F32,
               LIST(7.5, -7.5), RF_F32, LIST(-3, 3), (const double[]){1.5, -1.5});
}
END_TEST

START_TEST(test_pow)
{
    check_pair((struct net){.op = "Pow"}, RF_F32, LIST(2, -3, 0.25), RF_F32, LIST(3, 2, 0.5),
               (const double[]){8, 9, 0.5});
    check_pair((struct net){.op = "Pow"}, RF_F32, LIST(2, -3, 0.25), RF_F32, LIST(2),
               (const double[]){4, 9, 0.0625});
    check_pair((struct net){.op = "Pow"}, RF_F32, LIST(2, -3), RF_I64, LIST(3),
               (const double[]){8, -27});
    check_pair((struct net){.op = "Pow"}, RF_I32, LIST(2, -1, 3, 0), RF_I32, LIST(10, -3, -1, 0),
               (const double[]){1024, -1, 0, 1});
    check_pair((struct net){.op = "Pow"}, RF_I64, LIST(10, 9, 0), RF_F32, LIST(30, 0.5, -1),
               (const double[]){0x1p63, 3, 0x1p63});
}
END_TEST

START_TEST(test_nan)
{
    check_pair((struct net){.op = "Max"}, RF_F32, LIST(NAN, 1, -1), RF_F32, LIST(1, NAN, 2),
               (const double[]){NAN, NAN, 2});
    check_pair((struct net){.op = "Min"}, RF_F32, LIST(NAN, 1, -1), RF_F32, LIST(1, NAN, 2),
               (const double[]){NAN, NAN, -1});
    check_one((struct net){.op = "Max"}, RF_F32, LIST(NAN, 1), RF_F32, (const double[]){NAN, 1});
}
END_TEST

START_TEST(test_unary_dtypes)
{
    check_one((struct net){.op = "Abs"}, RF_I32, LIST(-5, 5, INT32_MIN), RF_I32,
              (const double[]){5, 5, INT32_MIN});
    check_one((struct net){.op = "Neg"}, RF_I64, LIST(-5, 5), RF_I64, (const double[]){5, -5});
    check_one((struct net){.op = "Sign"}, RF_I64, LIST(-5, 0, 7), RF_I64,
              (const double[]){-1, 0, 1});
    check_one((struct net){.op = "Identity"}, RF_BOOL, LIST(1, 0), RF_BOOL, (const double[]){1, 0});
    check_one((struct net){.op = "Not"}, RF_BOOL, LIST(1, 0), RF_BOOL, (const double[]){0, 1});
    check_one((struct net){.op = "Relu"}, RF_F32, LIST(-1, 2), RF_F32, (const double[]){0, 2});
    check_one((struct net){.op = "Gelu", .string_name = "approximate", .string_value = "tanh"},
              RF_F32, LIST(1), RF_F32, (const double[]){0.84119199060827676});
    check_one((struct net){.op = "Gelu"}, RF_F32, LIST(1), RF_F32,
              (const double[]){0.84134474606854293});
}
END_TEST

/* ---- Clip, PRelu, Dropout, opset 6 ---- */

static void check_clip(enum rf_dtype type)
{
    struct operand o[3];

    fill(&o[0], type, SHAPE(1, 2, 1, 2), (const double[]){-3, 0, 2, 5});
    fill(&o[1], type, (struct rf_shape){0}, (const double[]){-1});
    fill(&o[2], type, SHAPE(1), (const double[]){3});
    expect((struct net){.op = "Clip"}, o, 3, type, &o[0].shape, (const double[]){-1, 0, 2, 3});
    expect((struct net){.op = "Clip"}, o, 2, type, &o[0].shape, (const double[]){-1, 0, 2, 5});
    expect((struct net){.op = "Clip"}, o, 1, type, &o[0].shape, (const double[]){-3, 0, 2, 5});
    release(o, 3);
}

START_TEST(test_clip)
{
    check_clip(RF_F32);
    check_clip(RF_I32);
    check_clip(RF_I64);
}
END_TEST

static void check_prelu(int opset, struct rf_shape x, struct rf_shape slope, int axis)
{
    struct operand o[2];
    double want[512];

    fill(&o[0], RF_F32, x, NULL);
    fill(&o[1], RF_F32, slope, NULL);
    struct rf_shape padded = slope;
    while (axis >= 0 && slope.rank && rf_numel(&slope) > 1 && padded.rank + axis < x.rank)
        padded.dim[padded.rank++] = 1;
    for (int64_t i = 0; i < rf_numel(&x); i++)
        want[i] = o[0].v[i] > 0 ? o[0].v[i] : o[0].v[i] * o[1].v[place_of(&padded, &x, i)];
    expect((struct net){.op = "PRelu", .opset = opset}, o, 2, RF_F32, &x, want);
    release(o, 2);
}

START_TEST(test_prelu)
{
    check_prelu(16, SHAPE(2, 3, 4, 5), SHAPE(3, 1, 1), -1);
    check_prelu(16, SHAPE(2, 3, 4, 5), SHAPE(5), -1);
    check_prelu(16, SHAPE(2, 5, 4, 5), SHAPE(5), -1); /* by the column, not the channel */
    check_prelu(16, SHAPE(2, 3, 4, 5), SHAPE(1, 3, 1, 1), -1);
    check_prelu(9, SHAPE(2, 3, 4, 5), SHAPE(2, 1, 4, 1), -1);
    check_prelu(16, SHAPE(2, 3, 4, 5), SHAPE(1), -1);
    check_prelu(16, SHAPE(2, 3), SHAPE(3), -1);
    check_prelu(16, SHAPE(7), SHAPE(7), -1);
    check_prelu(16, SHAPE(2, 3, 2, 2, 2), SHAPE(3, 1, 1, 1), -1);
    check_prelu(6, SHAPE(2, 5, 4, 5), SHAPE(5), 1);
    check_prelu(6, SHAPE(2, 3, 2, 2, 2), SHAPE(3), 1);
    check_prelu(6, SHAPE(2, 3, 4, 5), SHAPE(1), 1);
}
END_TEST

START_TEST(test_dropout)
{
    static const double ones[] = {1, 1, 1, 1};
    struct operand o[3];

    fill(&o[0], RF_F32, SHAPE(1, 2, 1, 2), NULL);
    fill(&o[1], RF_F32, (struct rf_shape){0}, NULL);
    fill(&o[2], RF_BOOL, (struct rf_shape){0}, (const double[]){0});
    expect((struct net){.op = "Dropout"}, o, 3, RF_F32, &o[0].shape, o[0].v);
    expect((struct net){.op = "Dropout", .opset = 10}, o, 1, RF_F32, &o[0].shape, o[0].v);
    expect((struct net){.op = "Dropout", .n_out = 2}, o, 1, RF_BOOL, &o[0].shape, ones);
    release(o, 3);
}
END_TEST

START_TEST(test_opset_6)
{
    struct operand o[2];
    double want[24];

    fill(&o[0], RF_F32, SHAPE(2, 3, 2, 2), NULL);
    fill(&o[1], RF_F32, SHAPE(3), NULL);
    for (int i = 0; i < 24; i++)
        want[i] = o[0].v[i] + o[1].v[i / 4 % 3];
    for (int mix = 0; mix < 9; mix++) {
        struct rf_error err = RF_ERROR_INIT;
        struct net net = {.op = "Add", .opset = 6, .int_name = "broadcast", .int_value = 1};
        struct rf_graph *g;
        struct rf_model *model;

        o[0].place = (enum place)(mix % 3);
        o[1].place = (enum place)(mix / 3);
        g = build(&net, o, 2);
        test_int(g, g->nodes[g->n_nodes - 1], "axis", 1);
        ck_assert_msg(rf_model_new(&model, g, NULL, &err) == RF_OK, "%s", err.text);
        struct rf_session *session;
        struct rf_tensor y;
        struct rf_shape shapes[2];
        const void *in[2];
        size_t n = 0;
        for (int i = 0; i < 2; i++) {
            if (o[i].place == CONSTANT)
                continue;
            shapes[n] = o[i].shape;
            in[n++] = o[i].data;
        }
        ck_assert_int_eq(rf_session_new(&session, model, NULL, &err), RF_OK);
        ck_assert_int_eq(rf_session_prepare(session, shapes, in, n, &err), RF_OK);
        ck_assert_int_eq(rf_session_run(session, in, n, &y, 1, false, &err), RF_OK);
        for (int i = 0; i < 24; i++)
            ck_assert_msg(fabs(get(y.data, RF_F32, i) - want[i]) < 1e-6, "mix %d, element %d", mix,
                          i);
        rf_session_free(session);
        rf_model_unref(model);
    }
    release(o, 2);
}
END_TEST

/* Two inputs whose batch is open: equal at load, one of them 1 in a run, a Relu fused behind. */
START_TEST(test_open_shapes)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_graph *g = test_graph();
    const struct rf_shape any = SHAPE(-1, 3), shapes[] = {SHAPE(2, 3), SHAPE(1, 3)};
    const float a[] = {1, -2, 3, -4, 5, -6}, b[] = {-2, 1, 1}, want[] = {0, 0, 4, 0, 6, 0};
    const void *const in[] = {a, b};
    struct rf_model *model;
    struct rf_session *session;
    struct rf_tensor y;
    rf_value_id ids[2];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(rf_graph_input(g, i ? "b" : "a", RF_F32, &any, &ids[i], &err), RF_OK);
    rf_value_id out = test_op(g, "Add", "add", ids, 2, NULL);
    out = test_op(g, "Relu", "relu", &out, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, out, &err), RF_OK);
    ck_assert_int_eq(rf_model_new(&model, g, NULL, &err), RF_OK);
    ck_assert_int_eq(rf_session_new(&session, model, NULL, &err), RF_OK);
    ck_assert_msg(rf_session_prepare(session, shapes, NULL, 2, &err) == RF_OK, "%s", err.text);
    ck_assert_int_eq(rf_session_run(session, in, 2, &y, 1, false, &err), RF_OK);
    ck_assert_int_eq(y.shape.dim[0], 2);
    ck_assert_mem_eq(y.data, want, sizeof(want));
    rf_session_free(session);
    rf_model_unref(model);
}
END_TEST

/* ---- Cast ---- */

static void check_cast(enum rf_dtype from, int64_t to, enum rf_dtype out, const double *x, size_t n,
                       const double *want)
{
    check_one((struct net){.op = "Cast", .int_name = "to", .int_value = to}, from, x, n, out, want);
}

START_TEST(test_cast)
{
    enum { FLOAT = 1, UINT8 = 2, INT32 = 6, INT64 = 7, BOOL = 9, FLOAT16 = 10, BFLOAT16 = 16 };
    const double wild[] = {1.9, -1.9, NAN, INFINITY, -INFINITY, 3e9, -3e9, 300};

    check_cast(RF_F32, INT32, RF_I32, wild, 8,
               (const double[]){1, -1, 0, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 300});
    check_cast(RF_F32, INT64, RF_I64, wild, 8,
               (const double[]){1, -1, 0, 0x1p63, -0x1p63, 3e9, -3e9, 300});
    check_cast(RF_F32, UINT8, RF_U8, wild, 8, (const double[]){1, 0, 0, 255, 0, 255, 0, 255});
    check_cast(RF_F32, BOOL, RF_BOOL, LIST(0, -0.0, 0.5, NAN), (const double[]){0, 0, 1, 1});
    check_cast(RF_F32, FLOAT16, RF_F32, LIST(1.0009, 70000),
               (const double[]){1.0009765625, INFINITY});
    check_cast(RF_F32, BFLOAT16, RF_F32, LIST(1.01), (const double[]){1.0078125});
    check_cast(RF_I64, UINT8, RF_U8, LIST(-1, 257), (const double[]){255, 1});
    check_cast(RF_I64, BOOL, RF_BOOL, LIST(256, 0), (const double[]){1, 0});
    check_cast(RF_I64, FLOAT, RF_F32, LIST(16777217, -3), (const double[]){16777216, -3});
    check_cast(RF_BOOL, FLOAT, RF_F32, LIST(1, 0), (const double[]){1, 0});
}
END_TEST

/* ---- errors ---- */

static void expect_error(struct net net, enum rf_dtype a, struct rf_shape a_shape, enum rf_dtype b,
                         struct rf_shape b_shape, int n, const char *part)
{
    struct operand o[2];
    struct rf_tensor y;
    char text[RF_ERROR_TEXT];

    fill(&o[0], a, a_shape, NULL);
    fill(&o[1], b, b_shape, NULL);
    void *const data = run(&net, o, n, &y, text);
    ck_assert_msg(!data && strstr(text, part), "%s: \"%s\", expected \"%s\"", net.op, text, part);
    release(o, 2);
}

START_TEST(test_errors)
{
    expect_error((struct net){.op = "Add"}, RF_F32, SHAPE(2, 3), RF_F32, SHAPE(2), 2,
                 "node node (Add): input 1 of shape [2] does not broadcast to [2,3]");
    expect_error((struct net){.op = "Mul"}, RF_F32, SHAPE(2), RF_I64, SHAPE(2), 2,
                 "input 1 is INT64, input 0 is FP32");
    expect_error((struct net){.op = "Add"}, RF_BOOL, SHAPE(2), RF_BOOL, SHAPE(2), 2,
                 "node node (Add): input 0 is BOOL");
    expect_error((struct net){.op = "Relu"}, RF_I64, SHAPE(2), RF_F32, SHAPE(2), 1,
                 "node node (Relu): input 0 is INT64");
    expect_error((struct net){.op = "PRelu"}, RF_F32, SHAPE(3), RF_F32, SHAPE(2, 3), 2,
                 "does not broadcast to [3]");
    expect_error((struct net){.op = "Add", .opset = 6}, RF_F32, SHAPE(2, 3), RF_F32, SHAPE(3), 2,
                 "input 1 of shape [3] does not broadcast to [2,3]");
    expect_error((struct net){.op = "Clip"}, RF_F32, SHAPE(3), RF_F32, SHAPE(2), 2,
                 "min has shape [2], expected one element");
    expect_error((struct net){.op = "Cast", .int_name = "to", .int_value = 8}, RF_F32, SHAPE(3),
                 RF_F32, SHAPE(2), 1, "(STRING)");
    expect_error(
        (struct net){.op = "Gelu", .string_name = "approximate", .string_value = "roughly"}, RF_F32,
        SHAPE(3), RF_F32, SHAPE(2), 1, "approximate is \"roughly\", expected none or tanh");
    expect_error((struct net){.op = "Mod"}, RF_F32, SHAPE(3), RF_F32, SHAPE(3), 2,
                 "attribute fmod is 0");
}
END_TEST

START_TEST(test_training)
{
    struct operand o[3];
    struct rf_tensor y;
    char text[RF_ERROR_TEXT];

    fill(&o[0], RF_F32, SHAPE(2), NULL);
    fill(&o[1], RF_F32, (struct rf_shape){0}, NULL);
    fill(&o[2], RF_BOOL, (struct rf_shape){0}, (const double[]){1});
    for (int place = DENSE; place <= CONSTANT; place += CONSTANT) {
        o[2].place = (enum place)place;
        ck_assert_ptr_null(run(&(struct net){.op = "Dropout"}, o, 3, &y, text));
        ck_assert_msg(strstr(text, "training mode is not offered"), "%s", text);
    }
    release(o, 3);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("elementwise_values");
    TCase *const tests = tcase_create("elementwise_values");

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_division);
    tcase_add_test(tests, test_pow);
    tcase_add_test(tests, test_nan);
    tcase_add_test(tests, test_unary_dtypes);
    tcase_add_test(tests, test_clip);
    tcase_add_test(tests, test_prelu);
    tcase_add_test(tests, test_dropout);
    tcase_add_test(tests, test_opset_6);
    tcase_add_test(tests, test_open_shapes);
    tcase_add_test(tests, test_cast);
    tcase_add_test(tests, test_errors);
    tcase_add_test(tests, test_training);
    suite_add_tcase(suite, tests);
    SRunner *const runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
