/* Baselines, drift, novelty and the mix of classes: what must hold whatever the numbers. That the
 * numbers are those of the definitions is test_drift.py's to show. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "core/drift.h"
#include "tests/support/net.h"

enum { CHANNELS = 8, FEATURES = 2 * CHANNELS, CLASSES = 4 };

static struct rf_feature_layer layer = {
    .name = "relu", .n_channels = CHANNELS, .n_vectors = RF_N_LAYER_VECTORS};
static const struct rf_feature_map map = {
    .layers = &layer, .n_layers = 1, .n_features = FEATURES, .n_classes = CLASSES};
static uint64_t seed;

/* ---- traffic ---- */

static double gauss(void)
{
    double sum = 0;

    for (int i = 0; i < 12; i++)
        sum += test_random_float(&seed);
    return sum / 2; /* of 12 numbers with a variance of 1/3 each */
}

/* How inputs are made: `shift` is in deviations, `scale` multiplies all features. */
struct traffic {
    double shift, scale;
    int class; /* -1: any */
};

static const struct traffic usual = {.scale = 1, .class = -1};

/* Feature f of class k is about (f + k) / 10, with a deviation of 0.1; feature 0 never changes. */
static void add_input(struct rf_feature_sum *sum, const struct traffic *t)
{
    const int class = t->class < 0 ? (int)test_random_int(&seed, 0, CLASSES - 1) : t->class;

    sum->inputs++;
    sum->classes[class]++;
    sum->sum[0] += t->scale / 4;
    for (int f = 1; f < FEATURES; f++)
        sum->sum[f] += t->scale * (0.1 * (f + class) + 0.1 * (gauss() + t->shift));
}

static struct rf_feature_sum window_of(size_t inputs, const struct traffic *t)
{
    struct rf_feature_sum sum;

    ck_assert_int_eq(rf_feature_sum_init(&sum, &map, NULL), RF_OK);
    for (size_t i = 0; i < inputs; i++)
        add_input(&sum, t);
    return sum;
}

static struct rf_baseline *baseline_of(size_t blocks, size_t inputs, const struct traffic *t,
                                       bool plain)
{
    struct rf_baseline_builder *builder;
    struct rf_baseline *b;

    ck_assert_int_eq(rf_baseline_builder_new(&builder, &map, RF_BASELINE_SUB_WINDOWS, NULL), RF_OK);
    for (size_t i = 0; i < blocks; i++) {
        struct rf_feature_sum sum = window_of(inputs, t);

        ck_assert_int_eq(rf_baseline_builder_add(builder, &sum, NULL), RF_OK);
        rf_feature_sum_release(&sum);
    }
    ck_assert_int_eq(rf_baseline_builder_finish(builder, plain, &b, NULL), RF_OK);
    rf_baseline_builder_free(builder);
    return b;
}

static double score_of(const struct rf_baseline *b, size_t inputs, const struct traffic *t)
{
    struct rf_feature_sum window = window_of(inputs, t);
    double of_layer;
    const double score = rf_drift_score(&map, b, &window, &of_layer);

    ck_assert(score == of_layer);
    rf_feature_sum_release(&window);
    return score;
}

static void start(void)
{
    seed = 7;
}

/* ---- scores ---- */

/* Inputs like the baseline's are near 0 whatever the window, and nearer without the noise of few
 * inputs; what a class shifts is not drift, what shifts within classes is its own size. */
START_TEST(score_is_in_deviations)
{
    struct rf_baseline *const b = baseline_of(1000, 1, &usual, false);
    const struct traffic one = {.scale = 1, .class = 2};

    for (int i = 0; i < 50; i++) {
        ck_assert(score_of(b, 200, &usual) < 0.15);
        ck_assert(score_of(b, 1000, &usual) < 0.1);
        ck_assert(score_of(b, 300, &one) < 0.2);
    }
    for (double shift = 0.5; shift < 100; shift *= 3) {
        const struct traffic moved = {.shift = shift, .scale = 1, .class = -1};
        const double want = shift * sqrt((FEATURES / 2) / (double)CHANNELS);

        ck_assert_double_eq_tol(score_of(b, 1000, &moved), want, 0.1 + 0.1 * want);
    }
    ck_assert(b->sub_window_max < 0.15);
    rf_baseline_free(b);
}
END_TEST

/* Both multiplied by a number: the same score, as long as no variance is at its floor. */
START_TEST(score_has_no_unit)
{
    double scores[2];

    for (int i = 0; i < 2; i++) {
        const double scale = i ? 1000 : 1;
        const struct traffic traffic = {.scale = scale, .class = -1},
                             moved = {.shift = 2, .scale = scale, .class = -1};
        struct rf_feature_sum window;

        start();
        struct rf_baseline *const b = baseline_of(500, 1, &traffic, false);
        window = window_of(300, &moved);
        window.sum[0] = (double)window.inputs * b->mean[0];
        scores[i] = rf_drift_score(&map, b, &window, NULL);
        rf_feature_sum_release(&window);
        rf_baseline_free(b);
    }
    ck_assert_double_eq_tol(scores[0], scores[1], 1e-9 * scores[0]);
}
END_TEST

/* A channel that never changed has the variance of one that would hardly be seen to. */
START_TEST(floor_of_variance)
{
    struct rf_baseline *const b = baseline_of(400, 1, &usual, false);

    ck_assert(b->variance[0] == 0.25 / 400);
    ck_assert(b->variance[0] == rf_baseline_floor(400));
    struct rf_feature_sum window = window_of(300, &usual);
    window.sum[0] += 300; /* it never fired, and now always does */
    ck_assert_double_eq_tol(rf_drift_score(&map, b, &window, NULL), sqrt(1600. / CHANNELS), 0.1);
    rf_feature_sum_release(&window);
    rf_baseline_free(b);
}
END_TEST

/* Without class means one class alone is drift; with them it is not. */
START_TEST(plain_or_by_class)
{
    struct rf_baseline *const plain = baseline_of(1000, 1, &usual, true);
    struct rf_baseline *const by_class = baseline_of(1000, 1, &usual, false);
    const struct traffic one = {.scale = 1, .class = 0};

    ck_assert_ptr_null(plain->class_mean);
    ck_assert(score_of(plain, 300, &usual) < 0.15);
    ck_assert(score_of(plain, 300, &one) > 0.5);
    ck_assert(score_of(by_class, 300, &one) < 0.2);
    ck_assert_double_eq_tol(plain->variance[5], by_class->variance[5] + 0.01 * 1.25, 0.003);
    rf_baseline_free(plain);
    rf_baseline_free(by_class);
}
END_TEST

/* A class with n inputs counts as n of n + 2 parts of its mean; one that never came is the overall
 * mean. */
START_TEST(means_are_shrunk)
{
    struct rf_baseline_builder *builder;
    struct rf_baseline *b;

    ck_assert_int_eq(rf_baseline_builder_new(&builder, &map, RF_BASELINE_SUB_WINDOWS, NULL), RF_OK);
    for (int i = 0; i < 206; i++) {
        uint64_t classes[CLASSES] = {0};
        double features[FEATURES] = {0};
        const struct rf_feature_sum one = {.inputs = 1, .classes = classes, .sum = features};

        classes[i < 6] = 1;
        features[3] = i < 6 ? 10.3 : 0;
        ck_assert_int_eq(rf_baseline_builder_add(builder, &one, NULL), RF_OK);
    }
    ck_assert_int_eq(rf_baseline_builder_finish(builder, false, &b, NULL), RF_OK);
    ck_assert_uint_eq(b->classes[1], 6);
    ck_assert_double_eq_tol(b->mean[3], 0.3, 1e-12);
    ck_assert_double_eq_tol(b->class_mean[1 * FEATURES + 3], 0.3 + 10 * 6 / 8., 1e-9);
    ck_assert_double_eq_tol(b->class_mean[2 * FEATURES + 3], 0.3, 1e-12);
    ck_assert_double_eq_tol(b->class_error[1 * CLASSES + 1], 1 / 8., 1e-12);
    ck_assert_double_eq_tol(b->class_error[2 * CLASSES + 2], 1 / 2., 1e-12);
    rf_baseline_builder_free(builder);
    rf_baseline_free(b);
}
END_TEST

/* Sums of 20 inputs tell nearly what single inputs do. */
START_TEST(blocks_are_as_good_as_inputs)
{
    struct rf_baseline *const b = baseline_of(200, 20, &usual, false);
    const struct traffic moved = {.shift = 1, .scale = 1, .class = -1};

    for (int f = 1; f < FEATURES; f++) {
        ck_assert_double_eq_tol(b->mean[f], 0.1 * (f + 1.5), 0.01);
        ck_assert_double_eq_tol(b->variance[f], 0.01, 0.005);
    }
    ck_assert(score_of(b, 300, &usual) < 0.15);
    ck_assert_double_eq_tol(score_of(b, 300, &moved), 1, 0.2);
    rf_baseline_free(b);
}
END_TEST

/* Half of a baseline, moved against the other half, is as far from the whole's view of it as from a
 * baseline of the other half alone. */
START_TEST(parts_of_a_baseline)
{
    const struct traffic moved = {.shift = 0.8, .scale = 1, .class = -1};
    struct rf_baseline_builder *whole, *half;
    struct rf_baseline *b, *other;
    struct rf_feature_sum part = window_of(0, &usual);

    ck_assert_int_eq(rf_baseline_builder_new(&whole, &map, RF_BASELINE_SUB_WINDOWS, NULL), RF_OK);
    ck_assert_int_eq(rf_baseline_builder_new(&half, &map, RF_BASELINE_SUB_WINDOWS, NULL), RF_OK);
    for (int i = 0; i < 600; i++) {
        struct rf_feature_sum one = window_of(1, i < 300 ? &moved : &usual);

        ck_assert_int_eq(rf_baseline_builder_add(whole, &one, NULL), RF_OK);
        if (i < 300)
            rf_feature_sum_add(&part, &one, &map);
        else
            ck_assert_int_eq(rf_baseline_builder_add(half, &one, NULL), RF_OK);
        rf_feature_sum_release(&one);
    }
    ck_assert_int_eq(rf_baseline_builder_finish(whole, false, &b, NULL), RF_OK);
    ck_assert_int_eq(rf_baseline_builder_finish(half, false, &other, NULL), RF_OK);
    const double want = rf_drift_score(&map, other, &part, NULL);
    const double got = rf_drift_own_score(&map, b, &part);
    ck_assert_double_eq_tol(got, want, 0.15 * want);
    ck_assert(b->sub_window_max >= got);
    ck_assert(other->sub_window_max == 0); /* nothing is left to compare with */
    rf_baseline_free(b);
    rf_baseline_free(other);
    rf_feature_sum_release(&part);
    rf_baseline_builder_free(whole);
    rf_baseline_builder_free(half);
}
END_TEST

START_TEST(novelty_is_about_one)
{
    struct rf_baseline *const b = baseline_of(1000, 1, &usual, false);
    const struct traffic far = {.shift = 5, .scale = 1, .class = 1};
    double mean = 0;

    for (int i = 0; i < 200; i++) {
        const struct traffic one = {.scale = 1, .class = i % CLASSES};
        struct rf_feature_sum input = window_of(1, &one);

        mean += rf_novelty(b, input.sum, one.class) / 200;
        rf_feature_sum_release(&input);
    }
    ck_assert_double_eq_tol(mean, 1, 0.15);
    struct rf_feature_sum input = window_of(1, &far);
    ck_assert(rf_novelty(b, input.sum, far.class) > 10);
    ck_assert(rf_novelty(b, b->mean, -1) == 0);
    ck_assert(rf_novelty(b, b->class_mean + FEATURES, 1) < 1e-20);
    rf_feature_sum_release(&input);
    rf_baseline_free(b);
}
END_TEST

START_TEST(what_no_baseline_can_be)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_baseline_builder *builder;
    struct rf_baseline *b;
    struct rf_feature_sum sum = window_of(500, &usual);

    ck_assert_int_eq(rf_baseline_builder_new(&builder, &map, RF_BASELINE_SUB_WINDOWS, NULL), RF_OK);
    ck_assert_int_eq(rf_baseline_builder_add(builder, &sum, NULL), RF_OK);
    ck_assert_int_eq(rf_baseline_builder_finish(builder, false, &b, &err), RF_INVALID);
    ck_assert_str_eq(err.text,
                     "a baseline needs at least 200 inputs in 20 blocks; there are 500 in 1");
    sum.nonfinite = 3;
    err = (struct rf_error)RF_ERROR_INIT;
    ck_assert_int_eq(rf_baseline_builder_add(builder, &sum, &err), RF_INVALID);
    ck_assert_str_eq(err.text,
                     "a baseline needs finite values; 3 were not, in inputs or activations");
    rf_feature_sum_release(&sum);
    rf_baseline_builder_free(builder);
}
END_TEST

/* ---- the mix of classes ---- */

START_TEST(mix_of_classes)
{
    struct rf_baseline *const b = baseline_of(1000, 1, &usual, false);
    const struct traffic one = {.scale = 1, .class = 3};
    struct rf_feature_sum same = window_of(300, &usual), other = window_of(300, &one),
                          few = window_of(4, &one), none = window_of(0, &usual);
    struct rf_mix mix = rf_class_mix(b, &same);

    ck_assert(mix.psi < 0.1 && mix.p > 1e-4 && mix.p <= 1 && !mix.notice);
    mix = rf_class_mix(b, &other);
    ck_assert(mix.psi > 1 && mix.p >= 0 && mix.p < 1e-12 && mix.notice);
    mix = rf_class_mix(b, &few); /* far off, and no proof of anything */
    ck_assert(mix.psi > 0.25 && mix.p > 1e-6 && !mix.notice);
    mix = rf_class_mix(b, &none);
    ck_assert(mix.psi == 0 && mix.p == 1 && !mix.notice);
    rf_feature_sum_release(&same);
    rf_feature_sum_release(&other);
    rf_feature_sum_release(&few);
    rf_feature_sum_release(&none);
    rf_baseline_free(b);
}
END_TEST

/* ---- the watch ---- */

/* Steps of 20 inputs over windows of 300, at one score. */
static enum rf_drift_state steps(struct rf_drift_watch *w, double score, int n, uint64_t *seen)
{
    const struct rf_feature_sum window = {.inputs = 300};
    enum rf_drift_state state = w->state;

    for (int i = 0; i < n; i++) {
        *seen += 20;
        state = rf_drift_watch_step(w, &window, score, *seen);
    }
    return state;
}

START_TEST(watch_has_hysteresis)
{
    const struct rf_baseline b = {.sub_window_max = 0.05};
    struct rf_drift_watch w;
    uint64_t seen = 300;

    rf_drift_watch_init(&w, &b);
    ck_assert_int_eq(steps(&w, 0.24, 100, &seen), RF_DRIFT_OK);
    ck_assert_int_eq(steps(&w, 0.26, 1, &seen), RF_DRIFT_WARN);
    ck_assert_int_eq(steps(&w, 0.16, 100, &seen), RF_DRIFT_WARN);
    ck_assert_int_eq(steps(&w, 0.14, 1, &seen), RF_DRIFT_OK);
    ck_assert_int_eq(steps(&w, 0.49, 100, &seen), RF_DRIFT_WARN);
    ck_assert_int_eq(steps(&w, 1.01, 1, &seen), RF_DRIFT_ALARM);
    ck_assert_int_eq(steps(&w, 0.16, 100, &seen), RF_DRIFT_ALARM);
    ck_assert_int_eq(steps(&w, 0, 1, &seen), RF_DRIFT_OK);
    ck_assert_str_eq(rf_drift_state_text(RF_DRIFT_WARN), "warn");
}
END_TEST

/* Two windows above 0.5 that share an input are one. */
START_TEST(watch_wants_disjoint_windows)
{
    const struct rf_baseline b = {.sub_window_max = 0};
    struct rf_drift_watch w;
    uint64_t seen = 300;

    rf_drift_watch_init(&w, &b);
    ck_assert_int_eq(steps(&w, 0.6, 15, &seen), RF_DRIFT_WARN);
    ck_assert_int_eq(steps(&w, 0.6, 1, &seen), RF_DRIFT_ALARM);
    rf_drift_watch_init(&w, &b);
    ck_assert_int_eq(steps(&w, 0.6, 1, &seen), RF_DRIFT_WARN);
    ck_assert_int_eq(steps(&w, 0.1, 20, &seen), RF_DRIFT_OK); /* forgotten */
    ck_assert_int_eq(steps(&w, 0.6, 15, &seen), RF_DRIFT_WARN);
    rf_drift_watch_init(&w, &b);
    ck_assert_int_eq(steps(&w, 0.6, 1, &seen), RF_DRIFT_WARN);
    ck_assert_int_eq(steps(&w, 0.4, 20, &seen), RF_DRIFT_WARN);
    ck_assert_int_eq(steps(&w, 0.6, 1, &seen), RF_DRIFT_ALARM);
}
END_TEST

/* A baseline whose own sub-windows differ asks for more, and is satisfied with less. */
START_TEST(watch_knows_the_baseline)
{
    const struct rf_baseline b = {.sub_window_max = 0.6};
    struct rf_drift_watch w;
    uint64_t seen = 300;

    rf_drift_watch_init(&w, &b);
    ck_assert_int_eq(steps(&w, 1.19, 100, &seen), RF_DRIFT_OK);
    ck_assert_int_eq(steps(&w, 1.21, 1, &seen), RF_DRIFT_ALARM);
    ck_assert_int_eq(steps(&w, 0.59, 1, &seen), RF_DRIFT_OK);
}
END_TEST

START_TEST(watch_takes_what_is_not_finite_at_once)
{
    const struct rf_baseline b = {.sub_window_max = 0};
    const struct rf_feature_sum few = {.inputs = 199}, wrong = {.inputs = 1, .nonfinite = 1};
    struct rf_drift_watch w;
    uint64_t seen = 300;

    rf_drift_watch_init(&w, &b);
    ck_assert_int_eq(rf_drift_watch_step(&w, &few, 50, 199), RF_DRIFT_OK);
    ck_assert_int_eq(rf_drift_watch_step(&w, &wrong, 0, 200), RF_DRIFT_ALARM);
    ck_assert_int_eq(rf_drift_watch_step(&w, &few, 0, 399), RF_DRIFT_ALARM);
    ck_assert_int_eq(steps(&w, 0, 1, &seen), RF_DRIFT_OK);
}
END_TEST

/* ---- features ---- */

/* Conv -> ReLU -> [flatten, gemm] of 3 classes, or without them. */
static struct rf_model *network(bool classes)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL};
    const struct test_conv geometry = {.spatial = 2,
                                       .out = 5,
                                       .in = 2,
                                       .groups = 1,
                                       .kernel = {3, 3},
                                       .stride = {1, 1},
                                       .dilation = {1, 1},
                                       .bias = false};
    struct rf_graph *const g = test_graph();
    rf_value_id w, b;
    rf_value_id y =
        test_conv(g, &seed, "conv", test_input(g, SHAPE(-1, 2, 4, 4)), &geometry, &w, &b);

    y = test_op(g, "Relu", "relu", &y, 1, NULL);
    if (classes) {
        y = test_op(g, "Flatten", "flat", &y, 1, NULL);
        const rf_value_id in[] = {y, test_weights(g, &seed, SHAPE(20, 3), 0.1f)};
        y = test_op(g, "Gemm", "fc", in, 2, NULL);
    }
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    return test_model(g, &options);
}

START_TEST(features_of_a_model)
{
    for (int classes = 0; classes < 2; classes++) {
        struct rf_model *const model = network(classes);
        struct rf_feature_map m;

        ck_assert_int_eq(rf_feature_map_init(&m, model, NULL), RF_OK);
        ck_assert_uint_eq(m.n_classes, classes ? 3 : 0);
        ck_assert(m.has_input);
        ck_assert_uint_eq(m.n_layers, 2);
        ck_assert_str_eq(m.layers[0].name, "input");
        ck_assert_uint_eq(m.layers[0].n_channels, 2);
        ck_assert_str_eq(m.layers[1].name, "relu");
        ck_assert_uint_eq(m.layers[1].first, 6);
        ck_assert_uint_eq(m.n_features, 6 + 2 * 5);
        ck_assert_str_eq(rf_feature_vector_name(&m.layers[0], RF_FEATURE_RANGE), "range");
        ck_assert_str_eq(rf_feature_vector_name(&m.layers[1], RF_FEATURE_FIRING), "firing");
        rf_feature_map_release(&m);
        rf_model_unref(model);
    }
}
END_TEST

START_TEST(class_of_a_row)
{
    const float rows[][3] = {{1, 3, 2}, {5, 5, 5}, {-2, -3, -1}, {1, NAN, 2}, {NAN, 1, 2}};
    const int want[] = {1, 0, 2, -1, -1};

    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(rf_feature_class(rows[i], 3), want[i]);
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("drift");
    TCase *const tc = tcase_create("drift");

    tcase_add_checked_fixture(tc, start, NULL);
    tcase_add_test(tc, score_is_in_deviations);
    tcase_add_test(tc, score_has_no_unit);
    tcase_add_test(tc, floor_of_variance);
    tcase_add_test(tc, plain_or_by_class);
    tcase_add_test(tc, means_are_shrunk);
    tcase_add_test(tc, blocks_are_as_good_as_inputs);
    tcase_add_test(tc, parts_of_a_baseline);
    tcase_add_test(tc, novelty_is_about_one);
    tcase_add_test(tc, what_no_baseline_can_be);
    tcase_add_test(tc, mix_of_classes);
    tcase_add_test(tc, watch_has_hysteresis);
    tcase_add_test(tc, watch_wants_disjoint_windows);
    tcase_add_test(tc, watch_knows_the_baseline);
    tcase_add_test(tc, watch_takes_what_is_not_finite_at_once);
    tcase_add_test(tc, features_of_a_model);
    tcase_add_test(tc, class_of_a_row);
    suite_add_tcase(s, tc);
    SRunner *const runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
