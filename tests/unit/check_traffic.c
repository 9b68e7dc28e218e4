/* Baselines of a model's own traffic: which blocks they are made of, and that they know classes. */
#include <check.h>
#include <stdlib.h>

#include "core/recent.h"
#include "tests/support/net.h"

enum { CHANNELS = 16, FEATURES = 2 * CHANNELS, CLASSES = 10 };

static struct rf_feature_layer layer = {
    .name = "relu", .n_channels = CHANNELS, .n_vectors = RF_N_LAYER_VECTORS};
static const struct rf_feature_map map = {
    .layers = &layer, .n_layers = 1, .n_features = FEATURES, .n_classes = CLASSES};
static uint64_t seed;
static double class_mean[CLASSES][FEATURES];

/* Of 100 first digits; there is no 0. */
static const int benford[CLASSES] = {0, 30, 18, 12, 10, 8, 7, 6, 5, 4};
static const int as_many[CLASSES] = {10, 10, 10, 10, 10, 10, 10, 10, 10, 10};

static int draw(const int *shares)
{
    int class = 0;

    for (int at = (int)test_random_int(&seed, 0, 99); at >= shares[class]; class ++)
        at -= shares[class];
    return class;
}

/* Classes lie further apart than inputs of one do. */
static struct rf_feature_sum block_of(size_t inputs, const int *shares, double shift)
{
    struct rf_feature_sum sum;

    ck_assert_int_eq(rf_feature_sum_init(&sum, &map, NULL), RF_OK);
    for (size_t i = 0; i < inputs; i++) {
        const int class = draw(shares);

        sum.inputs++;
        sum.classes[class]++;
        for (int f = 0; f < FEATURES; f++)
            sum.sum[f] += class_mean[class][f] + shift + (double)test_random_float(&seed);
    }
    return sum;
}

static void add(struct rf_traffic *t, size_t blocks, double shift)
{
    for (size_t i = 0; i < blocks; i++) {
        struct rf_feature_sum block = block_of(RF_BLOCK_INPUTS, as_many, shift);

        if (!rf_traffic_wants(t))
            rf_traffic_roll(t);
        rf_traffic_add(t, &block);
        rf_feature_sum_release(&block);
    }
}

static double usual_mean(int f)
{
    double sum = 0;

    for (int k = 0; k < CLASSES; k++)
        sum += class_mean[k][f];
    return sum / CLASSES;
}

static struct rf_baseline *baseline_of(const struct rf_traffic *t)
{
    struct rf_baseline *b;

    ck_assert_int_eq(rf_traffic_baseline(t, &b, NULL), RF_OK);
    return b;
}

static struct rf_traffic traffic;

static void start(void)
{
    seed = 3;
    for (int k = 0; k < CLASSES; k++)
        for (int f = 0; f < FEATURES; f++)
            class_mean[k][f] = 3 * (double)test_random_float(&seed);
    ck_assert_int_eq(rf_traffic_init(&traffic, &map, NULL), RF_OK);
}

static void end(void)
{
    rf_traffic_release(&traffic);
}

/* Another mix of classes is no drift. The same inputs in blocks of 200 are too few blocks to know.
 */
START_TEST(another_mix_does_not_drift)
{
    add(&traffic, RF_TRAFFIC_BLOCKS / 2, 0);
    struct rf_baseline *const b = baseline_of(&traffic);

    ck_assert_uint_eq(b->inputs, RF_TRAFFIC_BLOCKS / 2 * RF_BLOCK_INPUTS);
    for (int i = 0; i < 50; i++) {
        struct rf_feature_sum window = block_of(RF_DRIFT_WINDOW, benford, 0);

        ck_assert_double_lt(rf_drift_score(&map, b, &window, NULL), 0.12);
        ck_assert(rf_class_mix(b, &window).notice);
        rf_feature_sum_release(&window);
    }
    rf_baseline_free(b);
}
END_TEST

/* However long there were others before. */
START_TEST(it_is_of_the_newest)
{
    const size_t half = RF_TRAFFIC_BLOCKS / 2;

    for (size_t n = 1; n <= 5; n++) {
        add(&traffic, half - 1, (double)n);
        if (n > 1) {
            struct rf_baseline *const b = baseline_of(&traffic);

            ck_assert_uint_eq(b->inputs, (2 * half - 1) * RF_BLOCK_INPUTS);
            ck_assert_double_eq_tol(b->mean[0], usual_mean(0) + (double)n - 0.5, 0.2);
            ck_assert_double_gt(b->sub_window_max, 0);
            rf_baseline_free(b);
        }
        add(&traffic, 1, (double)n);
        struct rf_baseline *const b = baseline_of(&traffic);

        ck_assert_uint_eq(b->inputs, half * RF_BLOCK_INPUTS);
        for (int f = 0; f < FEATURES; f++)
            ck_assert_double_eq_tol(b->mean[f], usual_mean(f) + (double)n, 0.2);
        rf_baseline_free(b);
    }
}
END_TEST

START_TEST(a_slot_gives_no_more_than_its_share)
{
    for (size_t i = 0; i < RF_TRAFFIC_SLOT; i++) {
        ck_assert(rf_traffic_wants(&traffic));
        add(&traffic, 1, 0);
    }
    ck_assert(!rf_traffic_wants(&traffic));
    rf_traffic_roll(&traffic);
    ck_assert(rf_traffic_wants(&traffic));
}
END_TEST

START_TEST(what_is_not_finite_is_left_out)
{
    struct rf_feature_sum block = block_of(RF_BLOCK_INPUTS, as_many, 0);
    struct rf_error err = RF_ERROR_INIT;
    struct rf_baseline *b;

    block.nonfinite = 1;
    add(&traffic, RF_BASELINE_MIN_BLOCKS - 1, 0);
    rf_traffic_add(&traffic, &block);
    ck_assert_int_eq(rf_traffic_baseline(&traffic, &b, &err), RF_INVALID);
    ck_assert_str_eq(err.text,
                     "a baseline needs at least 200 inputs in 20 blocks; there are 380 in 19");
    block.nonfinite = 0;
    rf_traffic_add(&traffic, &block);
    rf_baseline_free(baseline_of(&traffic));
    rf_feature_sum_release(&block);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("traffic");
    TCase *const tc = tcase_create("traffic");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, start, end);
    tcase_add_test(tc, another_mix_does_not_drift);
    tcase_add_test(tc, it_is_of_the_newest);
    tcase_add_test(tc, a_slot_gives_no_more_than_its_share);
    tcase_add_test(tc, what_is_not_finite_is_left_out);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
