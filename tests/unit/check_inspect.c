/* What rf_model_inspect tells of a plan: steps, the values between them, memory. */
#include <check.h>
#include <string.h>

#include "tests/support/net.h"

enum { MAX_STEPS = 16, SIDE = 8, CHANNELS = 4 };

struct seen {
    struct rf_step_info step[MAX_STEPS]; /* lists as below, names the model's */
    struct rf_step_value inputs[MAX_STEPS][4], outputs[MAX_STEPS][4];
    size_t n;
};

static void note(void *arg, const struct rf_step_info *info)
{
    struct seen *const seen = arg;
    const size_t i = seen->n++;

    ck_assert_uint_lt(i, MAX_STEPS);
    ck_assert_uint_le(info->n_inputs, 4);
    ck_assert_uint_le(info->n_outputs, 4);
    seen->step[i] = *info;
    memcpy(seen->inputs[i], info->inputs, info->n_inputs * sizeof(*info->inputs));
    memcpy(seen->outputs[i], info->outputs, info->n_outputs * sizeof(*info->outputs));
}

/* x -> conv a -> relu -> conv b -> + relu's output -> relu */
static struct rf_model *residual(void)
{
    const struct test_conv conv = test_conv_3x3(CHANNELS, CHANNELS, true);
    struct rf_graph *const g = test_graph();
    struct rf_error err = RF_ERROR_INIT;
    uint64_t seed = 1;
    rf_value_id w, b;
    const rf_value_id x = test_input(g, SHAPE(-1, CHANNELS, SIDE, SIDE));
    const rf_value_id a = test_conv(g, &seed, "a", x, &conv, &w, &b);
    const rf_value_id first = test_op(g, "Relu", "first", &a, 1, NULL);
    const rf_value_id two[2] = {test_conv(g, &seed, "b", first, &conv, &w, &b), first};
    const rf_value_id sum = test_op(g, "Add", "sum", two, 2, NULL);
    const rf_value_id last = test_op(g, "Relu", "last", &sum, 1, NULL);

    ck_assert_int_eq(rf_graph_output(g, last, &err), RF_OK);
    return test_model(g, NULL);
}

static void look(struct rf_model *model, int64_t batch, struct seen *seen, size_t *bytes)
{
    const struct rf_shape shape = SHAPE(batch, CHANNELS, SIDE, SIDE);
    struct rf_error err = RF_ERROR_INIT;

    seen->n = 0;
    ck_assert_int_eq(rf_model_inspect(model, &shape, 1, note, seen, bytes, &err), RF_OK);
}

/* Each value that is read was the network's input or written before; weights are not listed. */
START_TEST(values_connect_the_steps)
{
    static struct seen seen;
    struct rf_model *const model = residual();
    size_t bytes, n_inputs = 0, n_outputs = 0, widest = 0;

    look(model, 1, &seen, &bytes);
    for (size_t i = 0; i < seen.n; i++) {
        ck_assert_uint_eq(seen.step[i].n_outputs, 1);
        n_outputs += seen.outputs[i][0].is_output;
        widest = seen.step[i].n_inputs > widest ? seen.step[i].n_inputs : widest;
        for (size_t k = 0; k < seen.step[i].n_inputs; k++) {
            bool written = false;

            for (size_t j = 0; j < i; j++)
                written |= seen.outputs[j][0].id == seen.inputs[i][k].id;
            if (written)
                continue;
            n_inputs++;
            ck_assert_str_eq(seen.inputs[i][k].name, "x");
        }
    }
    ck_assert_uint_eq(n_inputs, 1);
    ck_assert_uint_eq(n_outputs, 1);
    ck_assert_uint_eq(widest, 2); /* the second convolution adds what the first one gave */
    ck_assert_str_eq(seen.outputs[seen.n - 1][0].name, "last");
    rf_model_unref(model);
}
END_TEST

START_TEST(sums_follow_the_batch)
{
    static struct seen seen;
    struct rf_model *const model = residual();
    int64_t macs[2] = {0}, parameters = 0;
    size_t bytes[2];

    for (int k = 0; k < 2; k++) {
        look(model, k + 1, &seen, &bytes[k]);
        for (size_t i = 0; i < seen.n; i++)
            macs[k] += seen.step[i].macs;
    }
    for (size_t i = 0; i < seen.n; i++)
        parameters += seen.step[i].parameters;
    ck_assert_int_eq(parameters, rf_model_parameters(model));
    ck_assert_int_eq(parameters, 2 * (CHANNELS * CHANNELS * 9 + CHANNELS));
    ck_assert_int_eq(macs[0], 2 * CHANNELS * CHANNELS * 9 * SIDE * SIDE);
    ck_assert_int_eq(macs[1], 2 * macs[0]);
    ck_assert_uint_gt(bytes[1], bytes[0]);
    ck_assert_uint_ge(rf_model_bytes(model), (size_t)parameters * sizeof(float));
    rf_model_unref(model);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("inspect");
    TCase *const tc = tcase_create("inspect");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, values_connect_the_steps);
    tcase_add_test(tc, sums_follow_the_batch);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed ? 1 : 0;
}
