/* Each rewrite does what it says, and no result changes: what rounding can do in so many layers is
 * below 4e-6 of the output's scale. */
#include "core/kernels/kernels.h"
#include "core/op.h"
#include "tests/unit/passes_test.h"

/* A network with everything that passes look for: norms before and after activations, residuals,
 * shared values, branches that meet, parameters a channel. */
static struct rf_graph *everything(uint64_t seed, const char *act)
{
    struct rf_graph *const g = test_graph();
    const struct test_conv c = {.spatial = 2,
                                .out = 13,
                                .in = 13,
                                .groups = 1,
                                .kernel = {3, 3},
                                .stride = {1, 1},
                                .dilation = {1, 1},
                                .pads = {1, 1, 1, 1}};
    struct rf_node *node;
    rf_value_id w, b;
    const rf_value_id x = test_input(g, SHAPE(-1, 13, 7, 9));
    rf_value_id y = test_op(g, "Identity", "same", &x, 1, NULL);

    y = test_conv(g, &seed, "c1", y, &c, &w, &b);
    y = test_norm(g, &seed, "n1", y, 13);
    y = test_op(g, act, "a1", &y, 1, NULL);
    y = test_norm(g, &seed, "n2", y, 13);
    const rf_value_id trunk = y;
    y = test_conv(g, &seed, "c2", y, &c, &w, &b);
    y = test_norm(g, &seed, "n3", y, 13);
    rf_value_id both[] = {y, trunk};
    y = test_op(g, "Add", "add1", both, 2, NULL);
    y = test_op(g, act, "a2", &y, 1, NULL);
    rf_value_id left = test_conv(g, &seed, "c3", y, &c, &w, &b);
    rf_value_id right = test_conv(g, &seed, "c4", y, &c, &w, &b);
    right = test_norm(g, &seed, "n4", right, 13);
    const rf_value_id slope = test_weights(g, &seed, SHAPE(13, 1, 1), 0.5f);
    const rf_value_id prelu[] = {right, slope};
    right = test_op(g, "PRelu", "a3", prelu, 2, NULL);
    both[0] = left;
    both[1] = right;
    y = test_op(g, "Add", "add2", both, 2, NULL);
    y = test_op(g, act, "a4", &y, 1, NULL);
    const rf_value_id twice[] = {y, y};
    y = test_op(g, "Add", "add3", twice, 2, NULL);
    y = test_op(g, "Concat", "cat", (rf_value_id[]){y, left, trunk}, 3, &node);
    test_int(g, node, "axis", 1);
    y = test_op(g, "Flatten", "flat", &y, 1, NULL);
    const rf_value_id fc[] = {y, test_weights(g, &seed, SHAPE(39 * 63, 10), 0.03f)};
    y = test_op(g, "Gemm", "fc", fc, 2, NULL);
    y = test_norm(g, &seed, "n5", y, 10);
    y = test_op(g, act, "a5", &y, 1, NULL);
    y = test_op(g, "Softmax", "probabilities", &y, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    return g;
}

static void run_everything(struct rf_model *model, float **out, struct rf_pool *pool)
{
    const struct rf_shape shape = SHAPE(5, 13, 7, 9);
    struct rf_session *s;
    uint64_t seed = 99;
    static float x[5 * 13 * 63];

    test_random_fill(&seed, x, sizeof(x) / sizeof(*x));
    ck_assert_int_eq(rf_session_new(&s, model, pool, NULL), RF_OK);
    for (int i = 0; i < 2; i++) { /* a second run finds a used slab */
        test_run(s, &shape, x, true, out, NULL, rf_model_n_outputs(model));
        if (i == 0)
            for (size_t k = 0; k < rf_model_n_outputs(model); k++)
                free(out[k]);
    }
    rf_session_free(s);
}

static void check_passes_off(const char *act, uint32_t passes_off, const float *want)
{
    const struct rf_model_options options = {.passes_off = passes_off,
                                             .activity = RF_ACTIVITY_CHANNEL};
    struct rf_model *const model = test_model(everything(1, act), &options);
    float *got;

    run_everything(model, &got, NULL);
    ck_assert_double_le(test_error(got, want, 50), 4e-6);
    free(got);
    rf_model_unref(model);
}

/* Whichever pass is left out, or none. */
START_TEST(fusion_changes_no_result)
{
    static const char *const acts[] = {"Relu", "LeakyRelu", "Elu", "Gelu", "HardSwish", "Sigmoid"};
    const struct rf_model_options plain = {.passes_off = RF_PASSES_ALL,
                                           .activity = RF_ACTIVITY_CHANNEL};
    float *want;

    if (!test_use_isa(_i % RF_N_ISA))
        return;
    const char *const act = acts[_i / RF_N_ISA];
    struct rf_model *const whole = test_model(everything(1, act), &plain);

    run_everything(whole, &want, NULL);
    check_passes_off(act, 0, want);
    for (int pass = 0; pass < RF_N_PASS; pass++)
        check_passes_off(act, 1u << pass, want);
    free(want);
    rf_model_unref(whole);
}
END_TEST

START_TEST(fusion_changes_no_parameter)
{
    const struct rf_model_options plain = {.passes_off = RF_PASSES_ALL};
    struct rf_model *const fused = test_model(everything(1, "Relu"), NULL);
    struct rf_model *const whole = test_model(everything(1, "Relu"), &plain);

    ck_assert_int_eq(rf_model_parameters(fused), rf_model_parameters(whole));
    rf_model_unref(fused);
    rf_model_unref(whole);
}
END_TEST

/* The same layers with the same counts, whether fused or not. */
START_TEST(fusion_changes_no_count)
{
    const struct rf_model_options plain = {.passes_off = RF_PASSES_ALL,
                                           .activity = RF_ACTIVITY_CHANNEL};
    struct rf_activity *activity[2];
    float *out;

    for (int k = 0; k < 2; k++) {
        struct rf_model *const model = test_model(everything(4, "Relu"), k ? &plain : NULL);

        run_everything(model, &out, NULL);
        free(out);
        ck_assert_int_eq(rf_activity_read(model, &activity[k], NULL), RF_OK);
        rf_model_unref(model);
    }
    ck_assert_uint_eq(activity[0]->n_layers, 5);
    ck_assert_uint_eq(activity[1]->n_layers, 5);
    ck_assert_uint_eq(activity[0]->inputs, 10);
    rf_activity_free(activity[0]);
    rf_activity_free(activity[1]);
}
END_TEST

static struct rf_graph *settled(const char *activation)
{
    struct rf_graph *const g = everything(1, activation);

    settle(g);
    return g;
}

START_TEST(each_pass_does_its_part)
{
    struct rf_graph *const g = settled("Relu");

    ck_assert_int_eq(count_ops(g, "Identity"), 1);
    ck_assert_int_eq(rf_pass_identity(g, NULL), RF_OK);
    ck_assert_int_eq(count_ops(g, "Identity"), 0);
    ck_assert_int_eq(count_ops(g, "BatchNormalization"), 5);
    ck_assert_int_eq(rf_pass_fold_norm(g, NULL), RF_OK);
    ck_assert_int_eq(count_ops(g, "BatchNormalization"), 1); /* the one behind an activation */
    ck_assert_int_eq(count_ops(g, "Add"), 3);
    ck_assert_int_eq(rf_pass_fuse_residual(g, NULL), RF_OK);
    ck_assert_int_eq(count_ops(g, "Add"), 2); /* c3 is read twice, c4 ends in a PRelu */
    ck_assert_int_eq(rf_pass_fuse_activation(g, NULL), RF_OK);
    ck_assert_int_eq(count_ops(g, "Relu"), 0);
    ck_assert_int_eq(count_ops(g, "PRelu"), 0);
    rf_graph_free(g);
}
END_TEST

START_TEST(paths_tell_what_was_fused)
{
    struct rf_graph *const g = settled("Relu");
    bool found = false;

    ck_assert_int_eq(rf_pass_fold_norm(g, NULL), RF_OK);
    ck_assert_int_eq(rf_pass_fuse_residual(g, NULL), RF_OK);
    ck_assert_int_eq(rf_pass_fuse_activation(g, NULL), RF_OK);
    for (size_t i = 0; i < g->n_nodes; i++)
        found |= !strcmp(g->nodes[i]->path, "Conv+BatchNorm+Add+Relu");
    ck_assert(found);
    rf_graph_free(g);
}
END_TEST

/* Kept values are not fused away, and hold what the unfused network computes. */
START_TEST(kept_values_are_the_unfused_ones)
{
    const char *const keep[] = {"c1", "n2", "add2", "flat"};
    const struct rf_model_options options = {.keep = keep, .n_keep = 4};
    const struct rf_model_options plain = {.keep = keep, .n_keep = 4, .passes_off = RF_PASSES_ALL};
    float *a[5], *b[5];
    struct rf_model *const fused = test_model(everything(2, "Relu"), &options);
    struct rf_model *const whole = test_model(everything(2, "Relu"), &plain);

    ck_assert_uint_eq(rf_model_n_outputs(fused), 5);
    run_everything(fused, a, NULL);
    run_everything(whole, b, NULL);
    for (size_t i = 0; i < 5; i++) {
        const struct rf_shape *const shape = &rf_model_output(fused, i)->shape;
        size_t n = 5;

        if (i)
            ck_assert_str_eq(rf_model_output(fused, i)->name, keep[i - 1]);
        for (int k = 1; k < shape->rank; k++)
            n *= (size_t)shape->dim[k];
        ck_assert_double_le(test_error(a[i], b[i], n), 4e-6);
        free(a[i]);
        free(b[i]);
    }
    rf_model_unref(fused);
    rf_model_unref(whole);
}
END_TEST

START_TEST(keeping_what_is_not_there_is_an_error)
{
    const char *const keep[] = {"nothing"};
    const struct rf_model_options options = {.keep = keep, .n_keep = 1};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_model *model;

    ck_assert_int_eq(rf_model_new(&model, everything(2, "Relu"), &options, &err), RF_NOT_FOUND);
    ck_assert_str_eq(err.text, "no value or layer is called nothing");
}
END_TEST

/* Two convolutions share their weights, one is followed by a norm: the other keeps its weights. */
START_TEST(shared_weights_are_folded_apart)
{
    const struct rf_model_options plain = {.passes_off = RF_PASSES_ALL};
    float *out[2][2], x[3 * 25];
    const struct rf_shape shape = SHAPE(1, 3, 5, 5);

    for (int k = 0; k < 2; k++) {
        struct rf_graph *const g = test_graph();
        uint64_t seed = 3;
        struct rf_session *s;
        const rf_value_id in = test_input(g, shape),
                          w = test_weights(g, &seed, SHAPE(3, 3, 1, 1), 1);
        const rf_value_id ids[] = {in, w};
        const rf_value_id bare = test_op(g, "Conv", "bare", ids, 2, NULL);
        rf_value_id normed = test_op(g, "Conv", "normed", ids, 2, NULL);

        normed = test_norm(g, &seed, "norm", normed, 3);
        test_random_fill(&seed, x, sizeof(x) / sizeof(*x));
        ck_assert_int_eq(rf_graph_output(g, bare, NULL), RF_OK);
        ck_assert_int_eq(rf_graph_output(g, normed, NULL), RF_OK);
        struct rf_model *const model = test_model(g, k ? &plain : NULL);
        ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
        test_run(s, &shape, x, true, out[k], NULL, 2);
        rf_session_free(s);
        rf_model_unref(model);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_double_le(test_error(out[0][i], out[1][i], 75), 4e-6);
        free(out[0][i]);
        free(out[1][i]);
    }
}
END_TEST

/* Input straight to output, and one value as two outputs. */
START_TEST(outputs_may_be_inputs)
{
    struct rf_graph *const g = test_graph();
    const struct rf_shape shape = SHAPE(2, 3, 2, 2);
    const rf_value_id x = test_input(g, shape);
    const rf_value_id flat = test_op(g, "Flatten", "flat", &x, 1, NULL);
    const rf_value_id same = test_op(g, "Identity", "same", &x, 1, NULL);
    struct rf_session *s;
    float in[24], *out[3];
    uint64_t seed = 1;

    test_random_fill(&seed, in, 24);
    ck_assert_int_eq(rf_graph_output(g, x, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_output(g, flat, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_output(g, same, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);
    ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
    test_run(s, &shape, in, true, out, NULL, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_mem_eq(out[i], in, sizeof(in));
        free(out[i]);
    }
    rf_session_free(s);
    rf_model_unref(model);
}
END_TEST

/* One that trains stays and is refused; so does one whose mask is read. */
START_TEST(dropout_is_an_identity)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_graph *const g = test_graph();
    const struct rf_shape scalar = {0}, shape = SHAPE(2, 3);
    rf_value_id y = test_input(g, shape), flag[2], out[2];
    void *data;

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(rf_graph_constant(g, "flag", RF_BOOL, &scalar, &flag[i], &data, &err),
                         RF_OK);
        *(bool *)data = i;
    }
    y = test_op(g, "Dropout", "plain", &y, 1, NULL);
    y = test_op(g, "Dropout", "off", (rf_value_id[]){y, RF_NO_VALUE, flag[0]}, 3, NULL);
    y = test_op(g, "Dropout", "on", (rf_value_id[]){y, RF_NO_VALUE, flag[1]}, 3, NULL);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(rf_graph_value(g, i ? "mask" : "masked", &out[i], &err), RF_OK);
    ck_assert_int_eq(rf_graph_node(g, "Dropout", "masked", &y, 1, out, 2, NULL, &err), RF_OK);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(rf_graph_output(g, out[i], &err), RF_OK);
    ck_assert_int_eq(rf_graph_sort(g, &err), RF_OK);
    rf_graph_tidy(g);
    ck_assert_int_eq(rf_pass_identity(g, &err), RF_OK);
    ck_assert_int_eq((int)g->n_nodes, 2);
    ck_assert_str_eq(g->nodes[0]->name, "on");
    ck_assert_str_eq(g->nodes[1]->name, "masked");
    rf_graph_free(g);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("passes");
    TCase *const tc = tcase_create("passes");

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, fusion_changes_no_result, 0, 6 * RF_N_ISA);
    tcase_add_test(tc, fusion_changes_no_parameter);
    tcase_add_test(tc, fusion_changes_no_count);
    tcase_add_test(tc, each_pass_does_its_part);
    tcase_add_test(tc, paths_tell_what_was_fused);
    tcase_add_test(tc, kept_values_are_the_unfused_ones);
    tcase_add_test(tc, keeping_what_is_not_there_is_an_error);
    tcase_add_test(tc, shared_weights_are_folded_apart);
    tcase_add_test(tc, outputs_may_be_inputs);
    tcase_add_test(tc, dropout_is_an_identity);
    return run_suite(suite);
}
