/* The window of newest inputs is what was added last, however it was added and whatever came
 * before. */
#include <check.h>
#include <stdlib.h>

#include "core/recent.h"
#include "tests/support/net.h"

enum { FEATURES = RF_N_INPUT_VECTORS, CLASSES = 3, ADDED = 400 };

static struct rf_feature_layer input = {
    .name = "input", .n_channels = 1, .n_vectors = RF_N_INPUT_VECTORS};
static const struct rf_feature_map map = {.layers = &input,
                                          .n_layers = 1,
                                          .n_features = FEATURES,
                                          .n_classes = CLASSES,
                                          .has_input = true};
static uint64_t seed;
static struct rf_recent recent;
static struct rf_feature_sum added[ADDED];

/* Of 200 inputs. */
static struct rf_baseline *usual(void)
{
    struct rf_baseline *b;

    ck_assert_int_eq(rf_baseline_new(&b, &map, true, NULL), RF_OK);
    b->inputs = 200;
    for (size_t f = 0; f < FEATURES; f++) {
        b->mean[f] = 1.5;
        b->variance[f] = 1.0 / 3;
    }
    return b;
}

static void start(void)
{
    seed = 5;
    ck_assert_int_eq(rf_recent_init(&recent, &map, NULL), RF_OK);
    rf_recent_compare(&recent, usual());
}

static void end(void)
{
    rf_recent_release(&recent);
}

/* n inputs, whose features are about `scale` times 1.5. */
static void add(struct rf_feature_sum *sum, size_t n, double scale, uint64_t nonfinite)
{
    const struct rf_tally no_layers = {.n_layers = 0};

    ck_assert_int_eq(rf_feature_sum_init(sum, &map, NULL), RF_OK);
    sum->inputs = n;
    for (size_t i = 0; i < n; i++) {
        sum->classes[test_random_int(&seed, 0, CLASSES - 1)]++;
        for (size_t f = 0; f < FEATURES; f++)
            sum->sum[f] += scale * (1.5 + (double)test_random_float(&seed));
    }
    const struct rf_inputs in = {.n = n,
                                 .nonfinite = nonfinite,
                                 .features = sum->sum,
                                 .classes = sum->classes,
                                 .n_features = FEATURES,
                                 .n_classes = CLASSES};
    rf_recent_add(&recent, NULL, &no_layers, 1, &in);
}

/* The window is of the newest blocks of the first n that were added. */
static void check_window(size_t n)
{
    size_t starts[ADDED + 1] = {0}, blocks = 0; /* of each block; one more is open */
    uint64_t open = 0;
    struct rf_feature_sum want;

    for (size_t i = 0; i < n; i++) {
        open += added[i].inputs;
        if (open < RF_BLOCK_INPUTS)
            continue;
        starts[++blocks] = i + 1;
        open = 0;
    }
    ck_assert_int_eq(rf_feature_sum_init(&want, &map, NULL), RF_OK);
    for (; blocks > 0 && want.inputs < RF_DRIFT_WINDOW; blocks--)
        for (size_t i = starts[blocks - 1]; i < starts[blocks]; i++)
            rf_feature_sum_add(&want, &added[i], &map);
    ck_assert_uint_eq(recent.window.inputs, want.inputs);
    ck_assert_uint_eq(recent.drift.inputs, want.inputs);
    ck_assert_mem_eq(recent.window.classes, want.classes, CLASSES * sizeof(*want.classes));
    for (size_t f = 0; f < FEATURES; f++)
        ck_assert_double_eq_tol(recent.window.sum[f], want.sum[f], 1e-12 * (1 + want.sum[f]));
    rf_feature_sum_release(&want);
}

static const struct {
    int64_t least, most; /* inputs added at a time */
} sizes[] = {{1, 1}, {1, 19}, {20, 20}, {21, 64}, {1, 700}, {300, 300}, {500, 4000}};

START_TEST(it_is_what_came_last)
{
    for (size_t i = 0; i < ADDED; i++) {
        const size_t inputs = (size_t)test_random_int(&seed, sizes[_i].least, sizes[_i].most);

        add(&added[i], inputs, i % 37 ? 1 : 1e30, 0);
        check_window(i + 1);
    }
    for (size_t i = 0; i < ADDED; i++)
        rf_feature_sum_release(&added[i]);
}
END_TEST

/* Also when the inputs that would fill the block do not come. */
START_TEST(what_is_not_finite_alarms_at_once)
{
    struct rf_feature_sum sum;

    add(&sum, 1, 1, 1);
    rf_feature_sum_release(&sum);
    ck_assert_int_eq(recent.drift.state, RF_DRIFT_ALARM);
    ck_assert_uint_eq(recent.drift.inputs, 0);
    rf_recent_compare(&recent, usual());
    ck_assert_int_eq(recent.drift.state, RF_DRIFT_OK);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("recent");
    TCase *const tc = tcase_create("recent");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, start, end);
    tcase_add_loop_test(tc, it_is_what_came_last, 0, sizeof(sizes) / sizeof(*sizes));
    tcase_add_test(tc, what_is_not_finite_alarms_at_once);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
