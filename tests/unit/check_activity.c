/* Activation statistics against a recount of the engine's own outputs, value by value. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "tests/support/net.h"
#include "tests/unit/recount_test.h"

static const struct act_case {
    const char *op;
    float top, bottom;
} acts[] = {
    {"Relu", INFINITY, 0}, {"LeakyRelu", INFINITY, 0}, {"Clip", 0.5f, 0},      {"Elu", INFINITY, 0},
    {"Gelu", INFINITY, 0}, {"HardSwish", INFINITY, 0}, {"Clip", 0.5f, -0.25f}, {"Clip", 0, 0},
    {"Clip", -0.125f, 0},  {"Mish", INFINITY, 0}};
#define N_ACTS (sizeof(acts) / sizeof(*acts))

static rf_value_id activation(struct rf_graph *g, const struct act_case *c, const char *name,
                              rf_value_id x)
{
    const float limits[] = {c->bottom, c->top};

    if (strcmp(c->op, "Clip") != 0)
        return test_op(g, c->op, name, &x, 1, NULL);
    const rf_value_id in[] = {x, test_constant(g, (struct rf_shape){0}, &limits[0]),
                              test_constant(g, (struct rf_shape){0}, &limits[1])};
    return test_op(g, "Clip", name, in, 3, NULL);
}

/* conv -> activation (fused), -> norm -> activation (alone) -> linear -> activation, with odd
 * channel counts; the values before and after each activation are kept. */
static struct rf_model *network(uint64_t seed, const struct act_case *c, bool fused)
{
    const char *const keep[] = {"conv", "act1", "norm", "act2", "fc", "act3"};
    const struct rf_model_options options = {
        .keep = keep, .n_keep = 6, .activity = RF_ACTIVITY_UNIT};
    const struct rf_model_options alone = {.activity = RF_ACTIVITY_UNIT};
    const struct test_conv geometry = test_conv_3x3(19, 3, true);
    struct rf_graph *const g = test_graph();
    rf_value_id w, b;
    rf_value_id y =
        test_conv(g, &seed, "conv", test_input(g, SHAPE(-1, 3, 6, 5)), &geometry, &w, &b);

    y = activation(g, c, "act1", y);
    y = test_norm(g, &seed, "norm", y, 19);
    y = activation(g, c, "act2", y);
    y = test_op(g, "Flatten", "flat", &y, 1, NULL);
    const rf_value_id fc[] = {y, test_weights(g, &seed, SHAPE(19 * 30, 21), 0.1f)};
    y = test_op(g, "Gemm", "fc", fc, 2, NULL);
    y = activation(g, c, "act3", y);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    return test_model(g, fused ? &alone : &options);
}

static float *images(uint64_t seed, size_t n)
{
    float *const x = malloc(n * 90 * sizeof(*x));

    test_random_fill(&seed, x, n * 90);
    return x;
}

static void run(struct rf_model *model, struct rf_pool *pool, const float *x, int64_t n,
                float **out, struct rf_shape *shapes, bool count)
{
    const struct rf_shape shape = SHAPE(n, 3, 6, 5);
    struct rf_session *s;

    ck_assert_int_eq(rf_session_new(&s, model, pool, NULL), RF_OK);
    test_run(s, &shape, x, count, out, shapes, rf_model_n_outputs(model));
    rf_session_free(s);
}

static void free_all(float **out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(out[i]);
}

/* Output 0 is act3; then conv, act1, norm, act2, fc. */
static const int before[] = {1, 3, 5}, after[] = {2, 4, 0};

/* A unit is an element of one input's output; it is dead where that is never above 0. */
static void check_units(struct rf_model *model, size_t layer, const struct rf_layer_activity *a,
                        const float *y, const struct rf_shape *shape)
{
    const size_t units = (size_t)(rf_numel(shape) / shape->dim[0]);
    uint8_t *const ages = malloc(units);
    size_t dead = 0;

    ck_assert_uint_eq(a->n_units, units);
    ck_assert(rf_activity_unit_ages(model, layer, ages));
    for (size_t u = 0; u < units; u++) {
        bool fired = false;

        for (int64_t i = 0; i < shape->dim[0]; i++)
            fired |= y[(size_t)i * units + u] > 0;
        ck_assert_msg(ages[u] == (fired ? 0 : RF_NEVER_FIRED), "layer %zu, unit %zu: age %d", layer,
                      u, ages[u]);
        dead += !fired;
    }
    ck_assert_uint_eq(a->dead_units, dead);
    free(ages);
}

static void check_recount(struct rf_model *kept, struct rf_model *fused, struct rf_pool *pool,
                          const struct act_case *c, float *x, int64_t n)
{
    struct rf_activity *a, *b;
    struct rf_shape shapes[6];
    float *out[6], *last;

    run(kept, pool, x, n, out, shapes, true);
    run(fused, pool, x, n, &last, NULL, true);
    ck_assert_int_eq(rf_activity_read(kept, &a, NULL), RF_OK);
    ck_assert_int_eq(rf_activity_read(fused, &b, NULL), RF_OK);
    ck_assert_uint_eq(a->n_layers, 3);
    ck_assert_uint_eq(b->n_layers, 3);
    ck_assert_uint_eq(a->inputs, (uint64_t)n);
    for (size_t i = 0; i < 3; i++) {
        struct rf_channel_activity want, sum = {0};

        for (size_t k = 0; k < a->layers[i].n_channels; k++) {
            want = (struct rf_channel_activity){.max = -INFINITY};
            recount(out[after[i]], out[before[i]], &shapes[after[i]], 1, (int64_t)k, c->top, &want);
            const char *const wrong =
                recount_differs(&a->layers[i].channels[k], &want, a->layers[i].kind);
            ck_assert_msg(!wrong, "layer %zu, channel %zu: %s", i, k, wrong);
            sum.zeros += want.zeros;
        }
        ck_assert_uint_eq(a->layers[i].total.zeros, sum.zeros);
        ck_assert_str_eq(a->layers[i].type, c->op);
        check_units(kept, i, &a->layers[i], out[after[i]], &shapes[after[i]]);
    }
    /* Fused, only the rounding of the values may differ: the first layer has none of it. */
    for (size_t k = 0; k < b->layers[0].n_channels; k++)
        ck_assert_uint_eq(b->layers[0].channels[k].fired, a->layers[0].channels[k].fired);
    rf_activity_free(a);
    rf_activity_free(b);
    free_all(out, 6);
    free(last);
}

/* Every activation, instruction set, backend of products, and number of threads. */
#define N_WAYS (N_ACTS * RF_N_ISA * 2 * 2)

static struct rf_pool *use_way(int i)
{
    const int way = i / (int)(N_ACTS * RF_N_ISA);
    struct rf_pool *pool = NULL;

    setenv("RECTIFIER_GEMM", way & 1 ? "openblas" : "auto", 1);
    if (way & 2)
        ck_assert_int_eq(rf_pool_new(&pool, 2, false, NULL), RF_OK);
    return pool;
}

START_TEST(counts_equal_a_recount)
{
    const struct act_case *const c = &acts[(size_t)_i / RF_N_ISA % N_ACTS];

    if (!test_use_isa(_i % RF_N_ISA))
        return;
    struct rf_pool *const pool = use_way(_i);
    for (int64_t n = 1; n <= 7; n += 3) {
        struct rf_model *const kept = network((uint64_t)_i, c, false);
        struct rf_model *const fused = network((uint64_t)_i, c, true);
        float *const x = images((uint64_t)n, (size_t)n);

        check_recount(kept, fused, pool, c, x, n);
        rf_model_unref(kept);
        rf_model_unref(fused);
        free(x);
    }
    rf_pool_free(pool);
}
END_TEST

/* NaN is neither zero nor fired; infinity fires; moments stay those of the finite values. */
START_TEST(non_finite_values_are_counted_apart)
{
    const struct act_case *const c = &acts[_i / RF_N_ISA];

    if (!test_use_isa(_i % RF_N_ISA))
        return;
    struct rf_model *const kept = network(3, c, false), *const fused = network(3, c, true);
    float *const x = images(1, 4);

    x[17] = NAN;
    x[90 + 40] = INFINITY;
    x[180 + 3] = -INFINITY;
    x[270 + 8] = 3e38f;
    check_recount(kept, fused, NULL, c, x, 4);
    rf_model_unref(kept);
    rf_model_unref(fused);
    free(x);
}
END_TEST

START_TEST(warm_up_does_not_count)
{
    struct rf_model *const model = network(3, &acts[0], true);
    float *const x = images(1, 2), *out;
    struct rf_activity *a;

    run(model, NULL, x, 2, &out, NULL, false);
    free(out);
    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->inputs, 0);
    ck_assert_uint_eq(a->distinct_inputs, 0);
    ck_assert_uint_eq(a->layers[0].total.values, 0);
    ck_assert_uint_eq(a->layers[0].dead_units, a->layers[0].n_units);
    rf_activity_free(a);
    rf_model_unref(model);
    free(x);
}
END_TEST

/* Names that look like the suffix of another, and names as long as names may be, stay apart. */
START_TEST(layer_names_are_unique)
{
    char longest[RF_MAX_NAME + 1];
    const char *const names[] = {"a#2", "a", "a", "a", longest, longest, "a\nb"};
    const char *const want[] = {"a#2", "a", "a#3", "a#4", longest, NULL, "a?b"};
    struct rf_graph *const g = test_graph();
    rf_value_id y = test_input(g, SHAPE(1, 4));
    struct rf_activity *a;

    memset(longest, 'n', RF_MAX_NAME);
    longest[RF_MAX_NAME] = '\0';
    for (size_t i = 0; i < 7; i++)
        y = test_op(g, "Relu", names[i], &y, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);
    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_uint_le(strlen(a->layers[i].name), RF_MAX_NAME);
        if (want[i])
            ck_assert_str_eq(a->layers[i].name, want[i]);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(a->layers[i].name, a->layers[k].name);
    }
    rf_activity_free(a);
    rf_model_unref(model);
}
END_TEST

START_TEST(off_counts_nothing)
{
    const struct rf_model_options off = {.activity = RF_ACTIVITY_OFF};
    struct rf_graph *const g = test_graph();
    const rf_value_id x = test_input(g, SHAPE(1, 4)), y = test_op(g, "Relu", "r", &x, 1, NULL);
    struct rf_activity *a;

    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, &off);
    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->n_layers, 0);
    rf_activity_free(a);
    rf_model_unref(model);
}
END_TEST

/* Totals of layers are those of all channels, which are not handed out. */
START_TEST(layers_alone_have_the_same_totals)
{
    const struct rf_model_options layers = {.activity = RF_ACTIVITY_LAYER};
    uint64_t seed = 3;
    struct rf_layer_verdict verdict;
    struct rf_activity *a[2];
    float x[5 * 12], *out;

    test_random_fill(&seed, x, 60);
    for (int i = 0; i < 2; i++) {
        const struct rf_shape shape = SHAPE(5, 12);
        struct rf_graph *const g = test_graph();
        const rf_value_id in = test_input(g, SHAPE(-1, 12)), y = test_op(g, "Relu", "r", &in, 1, 0);
        struct rf_session *s;

        ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
        struct rf_model *const model = test_model(g, i ? &layers : NULL);
        ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
        test_run(s, &shape, x, true, &out, NULL, 1);
        ck_assert_int_eq(rf_activity_read(model, &a[i], NULL), RF_OK);
        rf_session_free(s);
        rf_model_unref(model);
        free(out);
    }
    ck_assert_uint_eq(a[1]->inputs, 5);
    ck_assert_uint_eq(a[1]->layers[0].total.zeros, a[0]->layers[0].total.zeros);
    ck_assert_uint_gt(a[1]->layers[0].total.zeros, 0);
    ck_assert(!a[1]->layers[0].channels && a[0]->layers[0].channels);
    ck_assert_uint_eq(a[1]->layers[0].n_units, 0);
    rf_layer_judge(a[1], 0, &(struct rf_criteria){.min_inputs = 5, .dying = 0.5}, &verdict);
    ck_assert(verdict.known && !verdict.dying && verdict.dead == 0);
    rf_activity_free(a[0]);
    rf_activity_free(a[1]);
}
END_TEST

/* A bias of -100 kills exactly the channels that have it. */
START_TEST(a_doctored_bias_is_found)
{
    float bias[20] = {0}, x[8 * 32], *out;
    const struct rf_shape shape = SHAPE(8, 32);
    struct rf_graph *const g = test_graph();
    struct rf_layer_verdict verdict;
    const struct rf_criteria criteria = {.min_inputs = 320, .near_dead = 0.01, .dying = 0.5};
    struct rf_activity *a;
    struct rf_session *s;
    uint64_t seed = 5;

    for (int i = 0; i < 20; i++)
        bias[i] = i % 3 == 1 ? -100.0f : i == 0 ? 100.0f : 0.0f;
    const rf_value_id in[] = {test_input(g, shape), test_weights(g, &seed, SHAPE(32, 20), 1),
                              test_constant(g, SHAPE(20), bias)};
    rf_value_id y = test_op(g, "Gemm", "fc", in, 3, NULL);

    y = test_op(g, "Relu", "relu", &y, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);
    ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
    for (int i = 0; i < 40; i++) {
        test_random_fill(&seed, x, sizeof(x) / sizeof(*x));
        test_run(s, &shape, x, true, &out, NULL, 1);
        free(out);
    }
    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    for (size_t i = 0; i < 20; i++)
        ck_assert_int_eq(rf_channel_is_dead(&a->layers[0].channels[i], &criteria), i % 3 == 1);
    rf_layer_judge(a, 0, &(struct rf_criteria){.min_inputs = 321}, &verdict);
    ck_assert(!verdict.known);
    /* Above every channel's maximum but the one that is always on. */
    rf_layer_judge(a, 0, &(struct rf_criteria){.min_inputs = 320, .dead_threshold = 50}, &verdict);
    ck_assert_uint_eq(verdict.dead, 19);
    ck_assert(verdict.dying);
    rf_layer_judge(a, 0, &criteria, &verdict);
    ck_assert(verdict.known);
    ck_assert_uint_eq(verdict.dead, 7);
    ck_assert_uint_eq(verdict.always_on, 1);
    ck_assert_double_eq_tol(verdict.dead_rate_upper, 3.0 / 320, 1e-12);
    ck_assert(!verdict.dying);
    rf_activity_free(a);
    rf_session_free(s);
    rf_model_unref(model);
}
END_TEST

/* An input without a batch is no number of inputs, but what it computes is counted. */
START_TEST(a_scalar_input_is_counted)
{
    const struct rf_shape scalar = {.rank = 0};
    const float factors[] = {1, -1, 2, 3}, x = 2;
    struct rf_graph *const g = test_graph();
    const rf_value_id in[] = {test_input(g, scalar), test_constant(g, SHAPE(1, 4), factors)};
    rf_value_id y = test_op(g, "Mul", "mul", in, 2, NULL);
    struct rf_activity *a;
    struct rf_session *s;
    float *out;

    y = test_op(g, "Relu", "relu", &y, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);
    ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
    test_run(s, &scalar, &x, true, &out, NULL, 1);
    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->inputs, 0);
    ck_assert_uint_eq(a->layers[0].total.values, 4);
    ck_assert_uint_eq(a->layers[0].total.fired, 3);
    rf_activity_free(a);
    rf_session_free(s);
    rf_model_unref(model);
    free(out);
}
END_TEST

/* ---- many sessions and a reader ---- */

struct crowd {
    struct rf_model *model;
    const float *x;
    int runs;
    atomic_bool *done;
};

static void *client(void *arg)
{
    const struct crowd *const c = arg;
    const struct rf_shape shape = SHAPE(2, 3, 6, 5);
    struct rf_session *s;
    float *out;

    if (rf_session_new(&s, c->model, NULL, NULL))
        abort();
    for (int i = 0; i < c->runs; i++) {
        test_run(s, &shape, c->x, true, &out, NULL, 1);
        free(out);
    }
    rf_session_free(s);
    return NULL;
}

static void *scraper(void *arg)
{
    const struct crowd *const c = arg;
    uint64_t inputs = 0, zeros = 0;
    size_t dead = SIZE_MAX;

    while (!atomic_load(c->done)) {
        struct rf_activity *a;

        if (rf_activity_read(c->model, &a, NULL) || a->inputs < inputs ||
            a->layers[0].total.zeros < zeros || a->layers[0].dead_units > dead)
            abort(); /* counters never go back */
        if (a->inputs % 7 == 0)
            rf_activity_roll(c->model);
        dead = a->layers[0].dead_units;
        inputs = a->inputs;
        zeros = a->layers[0].total.zeros;
        rf_activity_free(a);
    }
    return NULL;
}

/* Nothing is lost between runs, readers and sessions that end. */
START_TEST(nothing_is_lost_between_threads)
{
    enum { CLIENTS = 8, RUNS = 150 };
    struct rf_model *const model = network(3, &acts[0], true);
    float *const x = images(1, 2);
    atomic_bool done = false;
    struct crowd crowd = {.model = model, .x = x, .runs = RUNS, .done = &done};
    pthread_t threads[CLIENTS], reader;
    struct rf_activity *a;

    ck_assert_int_eq(pthread_create(&reader, NULL, scraper, &crowd), 0);
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, client, &crowd), 0);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&done, true);
    pthread_join(reader, NULL);
    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->inputs, 2 * CLIENTS * RUNS);
    ck_assert_uint_eq(a->layers[0].total.values, a->inputs * 19 * 30);
    ck_assert_uint_eq(a->layers[2].total.values, a->inputs * 21);
    rf_activity_free(a);
    rf_model_unref(model);
    free(x);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("activity");
    TCase *const tc = tcase_create("activity");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, counts_equal_a_recount, 0, N_WAYS);
    tcase_add_loop_test(tc, non_finite_values_are_counted_apart, 0, N_ACTS * RF_N_ISA);
    tcase_add_test(tc, warm_up_does_not_count);
    tcase_add_test(tc, layer_names_are_unique);
    tcase_add_test(tc, off_counts_nothing);
    tcase_add_test(tc, layers_alone_have_the_same_totals);
    tcase_add_test(tc, a_doctored_bias_is_found);
    tcase_add_test(tc, a_scalar_input_is_counted);
    tcase_add_test(tc, nothing_is_lost_between_threads);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
