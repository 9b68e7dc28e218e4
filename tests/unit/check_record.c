/* What a model has counted: windows, features of inputs and activations, single runs, drift. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/recent.h"
#include "tests/support/net.h"

#define PIXELS 24 /* 2 channels of 4 x 3 */
#define CLASSES 3

/* conv -> relu -> fc -> relu -> fc, with the activations as outputs 1 and 2. */
struct net {
    struct rf_model *model;
    struct rf_session *session;
};

static void net_init(struct net *net, size_t n_slots)
{
    const char *const keep[] = {"act1", "act2"};
    const struct rf_model_options options = {
        .activity = RF_ACTIVITY_UNIT, .keep = keep, .n_keep = 2, .n_slots = n_slots};
    const struct test_conv geometry = test_conv_3x3(5, 2, true);
    struct rf_graph *const g = test_graph();
    uint64_t seed = 11;
    rf_value_id w, b;
    rf_value_id y =
        test_conv(g, &seed, "conv", test_input(g, SHAPE(-1, 2, 4, 3)), &geometry, &w, &b);

    y = test_op(g, "Relu", "act1", &y, 1, NULL);
    y = test_op(g, "Flatten", "flat", &y, 1, NULL);
    const rf_value_id fc[] = {y, test_weights(g, &seed, SHAPE(60, 7), 0.3f)};
    y = test_op(g, "Gemm", "fc", fc, 2, NULL);
    y = test_op(g, "Relu", "act2", &y, 1, NULL);
    const rf_value_id last[] = {y, test_weights(g, &seed, SHAPE(7, CLASSES), 1)};
    y = test_op(g, "Gemm", "last", last, 2, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    net->model = test_model(g, &options);
    ck_assert_int_eq(rf_session_new(&net->session, net->model, NULL, NULL), RF_OK);
}

static void net_release(struct net *net)
{
    rf_session_free(net->session);
    rf_model_unref(net->model);
}

/* ---- a recount of features ---- */

/* Adds channels [n][c][area] of activations. */
static void add_activation(const struct rf_feature_layer *l, double *features, const float *y,
                           size_t n, size_t area)
{
    for (size_t i = 0; i < n * l->n_channels * area; i++) {
        const size_t c = i / area % l->n_channels;

        features[l->first + c] += (y[i] > 0) / (double)area;
        features[l->first + l->n_channels + c] += (double)y[i] / (double)area;
    }
}

static void add_input(const struct rf_feature_layer *l, double *features, const float *x, size_t n)
{
    const size_t area = PIXELS / 2;

    for (size_t i = 0; i < 2 * n; i++, x += area) {
        double sum = 0, squares = 0, min = INFINITY, max = -INFINITY;

        for (size_t k = 0; k < area; k++) {
            sum += (double)x[k];
            min = fmin(min, (double)x[k]);
            max = fmax(max, (double)x[k]);
        }
        for (size_t k = 0; k < area; k++)
            squares += pow((double)x[k] - sum / (double)area, 2);
        features[l->first + i % 2] += sum / (double)area;
        features[l->first + 2 + i % 2] += sqrt(squares / (double)area);
        features[l->first + 4 + i % 2] += max - min;
    }
}

/* Runs n inputs; adds what they are to `sum` (may be NULL). Returns the last one's class. */
static int run(struct net *net, const float *x, size_t n, struct rf_feature_sum *sum)
{
    const struct rf_feature_map *const map = rf_model_features(net->model);
    const struct rf_shape shape = SHAPE((int64_t)n, 2, 4, 3);
    float *out[3];
    size_t best = 0;

    test_run(net->session, &shape, x, true, out, NULL, 3);
    for (size_t i = 0; i < n; i++) {
        best = 0;
        for (size_t k = 1; k < CLASSES; k++)
            best = out[0][i * CLASSES + k] > out[0][i * CLASSES + best] ? k : best;
        if (sum)
            sum->classes[best]++;
    }
    if (sum) {
        sum->inputs += n;
        add_input(&map->layers[0], sum->sum, x, n);
        add_activation(&map->layers[1], sum->sum, out[1], n, 12);
        add_activation(&map->layers[2], sum->sum, out[2], n, 1);
    }
    for (size_t i = 0; i < 3; i++)
        free(out[i]);
    return (int)best;
}

static void expect_same(const struct rf_feature_map *map, const struct rf_feature_sum *got,
                        const struct rf_feature_sum *want)
{
    ck_assert_uint_eq(got->inputs, want->inputs);
    ck_assert_uint_eq(got->nonfinite, want->nonfinite);
    for (size_t k = 0; k < CLASSES; k++)
        ck_assert_uint_eq(got->classes[k], want->classes[k]);
    for (size_t f = 0; f < map->n_features; f++)
        ck_assert_msg(fabs(got->sum[f] - want->sum[f]) <= 1e-5 * (fabs(want->sum[f]) + 1),
                      "feature %zu: %.9g, want %.9g", f, got->sum[f], want->sum[f]);
}

/* ---- windows ---- */

/* Slots of different numbers of inputs; of four that were closed, three are kept. */
START_TEST(windows_are_of_their_slots)
{
    static const size_t n[] = {3, 1, 25, 7, 2};
    struct rf_feature_sum want, got, part;
    float x[25 * PIXELS];
    struct net net;
    uint64_t seed = 5, values[5], all = 0;

    net_init(&net, 3);
    const struct rf_feature_map *const map = rf_model_features(net.model);
    ck_assert_int_eq(rf_feature_sum_init(&want, map, NULL), RF_OK);
    ck_assert_int_eq(rf_feature_sum_init(&got, map, NULL), RF_OK);
    ck_assert_int_eq(rf_feature_sum_init(&part, map, NULL), RF_OK);
    for (size_t i = 0; i < 5; i++) {
        if (i)
            rf_activity_roll(net.model);
        test_random_fill(&seed, x, n[i] * PIXELS);
        rf_feature_sum_clear(&part, map);
        run(&net, x, n[i], &part);
        rf_activity_features(net.model, 0, 1, &got);
        expect_same(map, &got, &part);
        if (i >= 2)
            rf_feature_sum_add(&want, &part, map);
        values[i] = n[i];
        all += n[i];
    }
    rf_activity_features(net.model, 0, 3, &got);
    expect_same(map, &got, &want);
    rf_activity_features(net.model, 3, 99, &got);
    ck_assert_uint_eq(got.inputs, n[1]);
    for (size_t slots = 0; slots < 6; slots++) {
        const size_t closed = slots < 3 ? slots : 3;
        struct rf_activity *a;
        uint64_t inputs = 0;

        ck_assert_int_eq(rf_activity_read_window(net.model, slots, &a, NULL), RF_OK);
        for (size_t i = 4 - closed; i < 5; i++)
            inputs += values[i];
        ck_assert_uint_eq(a->n_slots, closed);
        ck_assert_uint_eq(a->inputs, inputs);
        ck_assert_uint_eq(a->distinct_inputs, inputs);
        ck_assert_uint_eq(a->layers[0].total.values, inputs * 60);
        ck_assert_uint_eq(a->layers[1].total.values, inputs * 7);
        rf_activity_free(a);
    }
    struct rf_activity *load;
    ck_assert_int_eq(rf_activity_read(net.model, &load, NULL), RF_OK);
    ck_assert_uint_eq(load->inputs, all);
    ck_assert_uint_eq(load->layers[0].total.values, all * 60);
    rf_activity_free(load);
    rf_feature_sum_release(&want);
    rf_feature_sum_release(&got);
    rf_feature_sum_release(&part);
    net_release(&net);
}
END_TEST

/* The same inputs again are no others, whatever batch they come in; those of a slot that is gone
 * are not of the window. */
START_TEST(inputs_are_told_apart)
{
    float x[9 * PIXELS];
    struct rf_activity *a;
    struct net net;
    uint64_t seed = 5;

    net_init(&net, 3);
    test_random_fill(&seed, x, 9 * PIXELS);
    run(&net, x, 9, NULL);
    for (size_t i = 0; i < 60; i++)
        run(&net, x + i % 9 * PIXELS, 1, NULL);
    ck_assert_int_eq(rf_activity_read(net.model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->inputs, 69);
    ck_assert_uint_eq(a->distinct_inputs, 9);
    rf_activity_free(a);
    rf_activity_roll(net.model);
    run(&net, x, 4, NULL);
    ck_assert_int_eq(rf_activity_read_window(net.model, 0, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->distinct_inputs, 4);
    rf_activity_free(a);
    for (size_t i = 0; i < RF_DISTINCT_INPUTS; i++)
        run(&net, x, 1, NULL);
    ck_assert_int_eq(rf_activity_read(net.model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->distinct_inputs, 1);
    rf_activity_free(a);
    net_release(&net);
}
END_TEST

/* ---- while runs go on ---- */

static void read_inputs(void *arg, size_t step)
{
    uint64_t *const inputs = arg;
    struct rf_model *const model = (struct rf_model *)(uintptr_t)inputs[1];
    struct rf_activity *a;

    (void)step;
    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    inputs[0] = a->inputs;
    rf_activity_free(a);
}

/* Who reads in the middle of a run sees what was moved before: 20 inputs at a time. */
START_TEST(a_busy_session_is_seen_in_parts)
{
    float x[PIXELS];
    struct net net;
    uint64_t seed = 5, seen[2] = {0, 0};

    net_init(&net, 3);
    test_random_fill(&seed, x, PIXELS);
    seen[1] = (uint64_t)(uintptr_t)net.model;
    rf_session_watch(net.session, read_inputs, seen);
    for (size_t i = 0; i < 50; i++) {
        run(&net, x, 1, NULL);
        ck_assert_uint_eq(seen[0], i / 20 * 20);
    }
    rf_session_watch(net.session, NULL, NULL);
    read_inputs(seen, 0);
    ck_assert_uint_eq(seen[0], 50);
    net_release(&net);
}
END_TEST

START_TEST(an_observed_run_is_known_by_itself)
{
    struct rf_feature_sum want;
    struct rf_activity *a;
    float x[4 * PIXELS];
    double features[64];
    struct net net;
    uint64_t seed = 5;

    net_init(&net, 3);
    const struct rf_feature_map *const map = rf_model_features(net.model);
    ck_assert_uint_le(map->n_features, 64);
    ck_assert_int_eq(rf_feature_sum_init(&want, map, NULL), RF_OK);
    test_random_fill(&seed, x, 4 * PIXELS);
    run(&net, x, 4, NULL);
    rf_session_observe(net.session, true);
    for (size_t i = 0; i < 4; i++) {
        rf_feature_sum_clear(&want, map);
        const int class = run(&net, x + i * PIXELS, 1, &want);

        ck_assert_int_eq(rf_session_features(net.session, features), class);
        for (size_t f = 0; f < map->n_features; f++)
            ck_assert_double_eq_tol(features[f], want.sum[f], 1e-5);
        ck_assert_int_eq(rf_session_activity(net.session, &a, NULL), RF_OK);
        ck_assert_uint_eq(a->inputs, 1);
        ck_assert_uint_eq(a->layers[0].total.values, 60);
        rf_activity_free(a);
        ck_assert_int_eq(rf_activity_read(net.model, &a, NULL), RF_OK);
        ck_assert_uint_eq(a->inputs, 4 + i); /* the last one is still apart */
        rf_activity_free(a);
    }
    run(&net, x, 4, NULL);
    ck_assert_int_eq(rf_session_features(net.session, features), -1);
    rf_session_observe(net.session, false);
    ck_assert_int_eq(rf_activity_read(net.model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->inputs, 12);
    rf_activity_free(a);
    run(&net, x, 1, NULL);
    ck_assert_int_eq(rf_activity_read(net.model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->inputs, 13);
    rf_activity_free(a);
    rf_feature_sum_release(&want);
    net_release(&net);
}
END_TEST

/* ---- drift ---- */

/* Inputs of the baseline's kind, or 1 larger. */
static void serve(struct net *net, uint64_t *seed, size_t n, float more)
{
    float x[PIXELS];

    for (size_t i = 0; i < n; i++) {
        test_random_fill(seed, x, PIXELS);
        for (size_t k = 0; k < PIXELS; k++)
            x[k] += more;
        run(net, x, 1, NULL);
    }
}

static struct rf_baseline *make_baseline(struct net *net, uint64_t *seed)
{
    const struct rf_feature_map *const map = rf_model_features(net->model);
    struct rf_baseline_builder *builder;
    struct rf_baseline *baseline;
    struct rf_feature_sum one;

    ck_assert_int_eq(rf_baseline_builder_new(&builder, map, RF_BASELINE_SUB_WINDOWS, NULL), RF_OK);
    ck_assert_int_eq(rf_feature_sum_init(&one, map, NULL), RF_OK);
    for (int i = 0; i < 500; i++) {
        serve(net, seed, 1, 0);
        rf_activity_features(net->model, 0, 1, &one);
        ck_assert_int_eq(rf_baseline_builder_add(builder, &one, NULL), RF_OK);
        rf_activity_roll(net->model);
    }
    ck_assert_int_eq(rf_baseline_builder_finish(builder, false, &baseline, NULL), RF_OK);
    rf_feature_sum_release(&one);
    rf_baseline_builder_free(builder);
    return baseline;
}

static void count_baseline(void *arg, const struct rf_baseline *baseline)
{
    *(uint64_t *)arg = baseline ? baseline->inputs : 0;
}

START_TEST(drift_is_of_the_newest_inputs)
{
    struct rf_drift drift;
    double layers[3];
    struct net net;
    uint64_t seed = 5, n = 1;

    net_init(&net, 3);
    ck_assert(!rf_activity_drift(net.model, &drift, layers));
    rf_model_use_baseline(net.model, count_baseline, &n);
    ck_assert_uint_eq(n, 0);
    rf_model_set_baseline(net.model, make_baseline(&net, &seed));
    rf_model_use_baseline(net.model, count_baseline, &n);
    ck_assert_uint_eq(n, 500);
    ck_assert(rf_activity_drift(net.model, &drift, NULL));
    ck_assert_uint_eq(drift.inputs, 0);
    ck_assert_uint_eq(drift.baseline_inputs, 500);
    serve(&net, &seed, 1000, 0);
    ck_assert(rf_activity_drift(net.model, &drift, layers));
    ck_assert_uint_ge(drift.inputs, RF_DRIFT_WINDOW);
    ck_assert_uint_lt(drift.inputs, RF_DRIFT_WINDOW + 40);
    ck_assert_int_eq(drift.state, RF_DRIFT_OK);
    ck_assert_double_lt(drift.score, 0.25);
    serve(&net, &seed, 340, 1);
    ck_assert(rf_activity_drift(net.model, &drift, layers));
    ck_assert_int_eq(drift.state, RF_DRIFT_ALARM);
    ck_assert_double_gt(layers[0], 1);
    ck_assert_double_ge(drift.score, layers[0]);
    rf_model_set_baseline(net.model, NULL);
    ck_assert(!rf_activity_drift(net.model, &drift, layers));
    net_release(&net);
}
END_TEST

/* Of each slot as many blocks as rf_traffic takes, with a baseline or without; a new one does not
 * forget what is seen. */
START_TEST(traffic_makes_a_baseline)
{
    const uint64_t of_slot = RF_TRAFFIC_SLOT * RF_BLOCK_INPUTS;
    struct rf_baseline *b;
    struct rf_drift drift;
    struct net net;
    uint64_t seed = 5;

    net_init(&net, 3);
    serve(&net, &seed, of_slot - 1, 0);
    ck_assert_int_eq(rf_activity_baseline(net.model, &b, NULL), RF_INVALID);
    serve(&net, &seed, 100, 0);
    for (uint64_t slots = 1; slots < 4; slots++) {
        ck_assert_int_eq(rf_activity_baseline(net.model, &b, NULL), RF_OK);
        ck_assert_uint_ge(b->inputs, slots * of_slot);
        ck_assert_uint_lt(b->inputs, slots * (of_slot + RF_BLOCK_INPUTS)); /* a look cuts one */
        ck_assert_ptr_nonnull(b->class_mean);
        rf_model_set_baseline(net.model, b);
        rf_activity_roll(net.model);
        serve(&net, &seed, of_slot + 100, 0);
        ck_assert(rf_activity_drift(net.model, &drift, NULL));
        ck_assert_double_lt(drift.score, 0.25);
        ck_assert_int_eq(drift.state, RF_DRIFT_OK);
    }
    net_release(&net);
}
END_TEST

/* NaN is an alarm with the block that it is in, and in no sum. */
START_TEST(what_is_not_finite_alarms)
{
    struct rf_feature_sum sum;
    struct rf_drift drift;
    float x[PIXELS] = {0};
    struct net net;
    uint64_t seed = 5;

    net_init(&net, 3);
    rf_model_set_baseline(net.model, make_baseline(&net, &seed));
    serve(&net, &seed, 400, 0);
    rf_activity_roll(net.model);
    x[7] = NAN;
    run(&net, x, 1, NULL);
    serve(&net, &seed, 40, 0);
    ck_assert(rf_activity_drift(net.model, &drift, NULL));
    ck_assert_int_eq(drift.state, RF_DRIFT_ALARM);
    ck_assert(isfinite(drift.score));
    ck_assert_int_eq(rf_feature_sum_init(&sum, rf_model_features(net.model), NULL), RF_OK);
    rf_activity_features(net.model, 0, 1, &sum);
    ck_assert_uint_gt(sum.nonfinite, 1);
    for (size_t f = 0; f < rf_model_features(net.model)->n_features; f++)
        ck_assert(isfinite(sum.sum[f]));
    rf_feature_sum_release(&sum);
    net_release(&net);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("record");
    TCase *const tc = tcase_create("record");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, windows_are_of_their_slots);
    tcase_add_test(tc, inputs_are_told_apart);
    tcase_add_test(tc, a_busy_session_is_seen_in_parts);
    tcase_add_test(tc, an_observed_run_is_known_by_itself);
    tcase_add_test(tc, drift_is_of_the_newest_inputs);
    tcase_add_test(tc, traffic_makes_a_baseline);
    tcase_add_test(tc, what_is_not_finite_alarms);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
