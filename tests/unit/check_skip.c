/* Products that leave zeros out: the bits of the panels, on every instruction set, whatever the row
 * holds; and which layers of a network do so. */
#include <math.h>
#include <stdlib.h>

#include "core/gemm.h"
#include "tests/support/fence.h"
#include "tests/support/net.h"
#include "tests/unit/kernel_test.h"

/* ---- the kernel ---- */

enum { FENCED = 1 << 20 }; /* bytes of the largest operand */

static struct test_fences fences;

/* One row by both kernels, on operands at a fence. */
struct twice {
    size_t depth, columns, pitch, panels;
    float *x, *rows, *panel, *y, *want;
};

static float *operand(size_t n)
{
    return test_fenced(&fences, n * sizeof(float));
}

static void twice_init(struct twice *t, const struct rf_kernels *k, size_t depth, size_t columns)
{
    *t = (struct twice){.depth = depth,
                        .columns = columns,
                        .pitch = columns + random_bits() % 20,
                        .panels = (columns + k->panel_width - 1) / k->panel_width};
    test_fences_begin(&fences, (enum test_side)(random_bits() % TEST_SIDES),
                      "%s skip_row, depth %zu, %zu columns", k->isa, depth, columns);
    t->x = operand(depth);
    t->rows = operand((depth - 1) * t->pitch + columns);
    t->panel = operand(t->panels * k->panel_width * depth);
    t->y = operand(columns);
    t->want = operand(columns);
}

static void set_weight(struct twice *t, const struct rf_kernels *k, size_t row, size_t column,
                       float value)
{
    const size_t width = k->panel_width;
    t->panel[(column / width * t->depth + row) * width + column % width] = value;
    t->rows[row * t->pitch + column] = value;
}

static void fill_weights(struct twice *t, const struct rf_kernels *k)
{
    static const float special[] = {0, -0.f, 3e38f, -3e38f, 0x1p-149f, 1e-30f, -1e-30f, 1};

    for (size_t i = 0; i < t->depth; i++)
        for (size_t c = 0; c < t->columns; c++)
            set_weight(t, k, i, c,
                       random_bits() % 8 ? random_in(-1, 1) : special[random_bits() % 8]);
}

/* y becomes the sums as a layer stores them: with a bias, here 0. */
static void run_twice(const struct twice *t, const struct rf_kernels *k)
{
    const struct rf_panel_row all = {
        .x = t->x, .depth = t->depth, .weights = t->panel, .y = t->want, .columns = t->columns};
    const struct rf_skip_row some = {.x = t->x,
                                     .depth = t->depth,
                                     .weights = t->rows,
                                     .pitch = t->pitch,
                                     .y = t->y,
                                     .columns = t->columns};

    memset(t->y, 0x55, t->columns * sizeof(float));
    k->panel_row(&all);
    k->skip_row(&some);
}

/* NaN is as good as another NaN. */
static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof(a)) == 0 || (isnan(a) && isnan(b));
}

static void check_twice(const struct twice *t)
{
    for (size_t c = 0; c < t->columns; c++)
        EXPECT(same(t->y[c] + 0.f, t->want[c] + 0.f),
               "depth %zu, column %zu of %zu: %a, expected %a", t->depth, c, t->columns,
               (double)t->y[c], (double)t->want[c]);
}

START_TEST(zeros_are_left_out_and_nothing_else)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, 0x1p-149f, 1e-30f, -1e-30f, -0.f};
    const struct rf_kernels *const k = rf_kernels_for((enum rf_isa)_i);

    test_fences_init(&fences, FENCED);
    for (int round = 0; k && round < 400; round++) {
        const size_t depth = 1 + random_bits() % (round % 20 ? 70 : 2300);
        const size_t columns = 1 + random_bits() % (round % 20 ? 150 : 20);
        const unsigned percent = random_bits() % 101;
        struct twice t;

        twice_init(&t, k, depth, columns);
        fill_weights(&t, k);
        for (size_t i = 0; i < depth; i++)
            t.x[i] = random_bits() % 100 < percent ? 0 : random_in(-1, 1);
        for (int n = round % 4; n > 0; n--)
            t.x[random_bits() % depth] = special[random_bits() % 7];
        run_twice(&t, k);
        check_twice(&t);
    }
}
END_TEST

/* More columns than are kept in the cache at a time. */
START_TEST(wide_rows_are_cut_into_slabs)
{
    const struct rf_kernels *const k = rf_kernels_for((enum rf_isa)_i);
    struct twice t;

    if (!k)
        return;
    test_fences_init(&fences, FENCED);
    twice_init(&t, k, 21, 9001);
    fill_weights(&t, k);
    for (size_t i = 0; i < t.depth; i++)
        t.x[i] = i % 3 ? random_in(-1, 1) : 0;
    run_twice(&t, k);
    check_twice(&t);
}
END_TEST

/* The one difference there may be: a product that underflows makes -0, to which 0 * w adds +0. */
START_TEST(a_sum_of_minus_zero_keeps_its_sign)
{
    const struct rf_kernels *const k = rf_kernels_for((enum rf_isa)_i);
    struct twice t;

    if (!k)
        return;
    test_fences_init(&fences, FENCED);
    twice_init(&t, k, 2, 1);
    memcpy(t.x, (const float[]){1e-30f, 0}, 2 * sizeof(float));
    set_weight(&t, k, 0, 0, -1e-30f);
    set_weight(&t, k, 1, 0, 1);
    run_twice(&t, k);
    check_twice(&t);
    if (_i != RF_ISA_BASE) { /* which rounds the product before it is added to +0 */
        ck_assert(!signbit(t.want[0]));
        ck_assert(signbit(*t.y));
    }
}
END_TEST

/* ---- layers ---- */

enum { IN = 1100, OUT = 1030 }; /* large enough to be kept twice */

/* x -> `first` -> Gemm without a bias, or with one of -0. */
static struct rf_graph *network(const char *first, float weight, bool bias)
{
    struct rf_graph *const g = test_graph();
    uint64_t seed = 5;
    rf_value_id in[3] = {test_input(g, SHAPE(-1, IN))};

    if (*first)
        in[0] = test_op(g, first, "first", in, 1, NULL);
    in[1] = test_weights(g, &seed, SHAPE(IN, OUT), 1);
    ((float *)g->values[in[1]].constant)[IN * OUT / 2] = weight;
    for (int i = 0; i < OUT; i++)
        ((float *)g->values[in[1]].constant)[i] *= 1e-30f; /* what underflows, see below */
    if (bias) {
        in[2] = test_weights(g, &seed, SHAPE(OUT), 0);
        for (int i = 0; i < OUT; i++)
            ((float *)g->values[in[2]].constant)[i] = -0.f;
    }
    ck_assert_int_eq(rf_graph_output(g, test_op(g, "Gemm", "fc", in, bias ? 3 : 2, NULL), NULL), 0);
    return g;
}

static void note_algorithm(void *arg, const struct rf_step_info *info)
{
    *(const char **)arg = info->algorithm;
}

/* The last step's, for one row. */
static bool skips(struct rf_model *model, struct rf_shape shape)
{
    const char *algorithm = "";
    size_t bytes;

    ck_assert_int_eq(rf_model_inspect(model, &shape, 1, note_algorithm, &algorithm, &bytes, NULL),
                     RF_OK);
    return strcmp(algorithm, "gemv without zeros") == 0;
}

static bool has_panels(void)
{
    return strcmp(rf_engine_gemm(), "panel") == 0;
}

START_TEST(rows_have_the_bits_of_a_batch)
{
    enum { ROWS = 6 };
    uint64_t seed = 3;
    float *const x = calloc(ROWS * IN, sizeof(float)), *all, *one;
    struct rf_shape shape = SHAPE(ROWS, IN), out;
    struct rf_session *session;
    struct rf_pool *pool;

    if (!test_use_isa(_i % RF_N_ISA) || !has_panels()) {
        free(x);
        return;
    }
    struct rf_model *const model = test_model(network("Relu", 1, _i % 2), NULL);

    ck_assert(skips(model, SHAPE(1, IN)));
    /* More zeros from row to row; the last has all but one, whose products underflow. */
    for (int i = 0; i < ROWS * IN; i++)
        x[i] = test_random_float(&seed) + 1 - 0.4f * (float)(i / IN);
    for (int i = (ROWS - 1) * IN; i < ROWS * IN; i++)
        x[i] = i % IN ? -1 : 1e-30f;
    x[IN + 7] = NAN;
    x[2 * IN + 9] = INFINITY;
    ck_assert_int_eq(rf_pool_new(&pool, 1 + _i % 3, true, NULL), RF_OK);
    ck_assert_int_eq(rf_session_new(&session, model, pool, NULL), RF_OK);
    test_run(session, &shape, x, true, &all, &out, 1);
    shape.dim[0] = 1;
    for (int row = 0; row < ROWS; row++) {
        test_run(session, &shape, x + row * IN, true, &one, &out, 1);
        for (int i = 0; i < OUT; i++)
            EXPECT(same(one[i], all[row * OUT + i]), "row %d, output %d: %a, expected %a", row, i,
                   (double)one[i], (double)all[row * OUT + i]);
        free(one);
    }
    rf_session_free(session);
    rf_model_unref(model);
    rf_pool_free(pool);
    free(all);
    free(x);
}
END_TEST

START_TEST(only_where_zeros_come_from)
{
    static const struct {
        const char *first;
        float weight;
        bool compact, skips;
    } cases[] = {
        {"Relu", 1, false, true},    {"", 1, false, false},
        {"Gelu", 1, false, false},   {"Sigmoid", 1, false, false},
        {"Relu", NAN, false, false}, {"Relu", INFINITY, false, false},
        {"Relu", 1, true, false},    {"Relu", -3e38f, false, true},
    };
    const struct rf_model_options options = {.compact = cases[_i].compact};
    struct rf_model *const model =
        test_model(network(cases[_i].first, cases[_i].weight, false), &options);

    ck_assert_int_eq(skips(model, SHAPE(1, IN)), cases[_i].skips && has_panels());
    ck_assert(!skips(model, SHAPE(2, IN)));
    ck_assert_int_eq(rf_model_bytes(model) > IN * OUT * sizeof(float) * 3 / 2,
                     cases[_i].skips && has_panels());
    rf_model_unref(model);
}
END_TEST

/* Conv + Relu -> MaxPool -> Flatten -> Gemm, whose weights follow the order of the pixels. */
START_TEST(zeros_come_through_pools_and_views)
{
    struct rf_graph *const g = test_graph();
    uint64_t seed = 8;
    const struct test_conv conv = {.spatial = 2,
                                   .out = 16,
                                   .in = 2,
                                   .groups = 1,
                                   .kernel = {3, 3},
                                   .stride = {1, 1},
                                   .dilation = {1, 1},
                                   .pads = {1, 1, 1, 1}};
    struct rf_shape shape = SHAPE(2, 2, 20, 20), out;
    float x[2 * 2 * 20 * 20], *both, *one;
    rf_value_id w, b, in[2];
    struct rf_session *session;
    struct rf_node *pool;

    in[0] = test_conv(g, &seed, "conv", test_input(g, SHAPE(-1, 2, 20, 20)), &conv, &w, &b);
    in[0] = test_op(g, "Relu", "relu", in, 1, NULL);
    in[0] = test_op(g, "MaxPool", "pool", in, 1, &pool);
    test_ints(g, pool, "kernel_shape", (const int64_t[]){2, 2}, 2);
    test_ints(g, pool, "strides", (const int64_t[]){2, 2}, 2);
    in[0] = test_op(g, "Flatten", "flat", in, 1, NULL);
    in[1] = test_weights(g, &seed, SHAPE(1600, 700), 0.1f);
    ck_assert_int_eq(rf_graph_output(g, test_op(g, "Gemm", "fc", in, 2, NULL), NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);

    test_random_fill(&seed, x, 1600);
    memset(x + 200, 0, 500 * sizeof(float)); /* where not even the maximum is above 0 */
    ck_assert_int_eq(skips(model, SHAPE(1, 2, 20, 20)), has_panels());
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    test_run(session, &shape, x, true, &both, &out, 1);
    shape.dim[0] = 1;
    test_run(session, &shape, x, true, &one, &out, 1);
    if (has_panels())
        ck_assert_int_eq(memcmp(one, both, 700 * sizeof(float)), 0);
    ck_assert(test_error(one, both, 700) < 1e-5);
    rf_session_free(session);
    rf_model_unref(model);
    free(both);
    free(one);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("skip");
    SRunner *const runner = srunner_create(suite);

    add(suite, "zeros are left out and nothing else", zeros_are_left_out_and_nothing_else,
        RF_N_ISA);
    add(suite, "wide rows", wide_rows_are_cut_into_slabs, RF_N_ISA);
    add(suite, "minus zero", a_sum_of_minus_zero_keeps_its_sign, RF_N_ISA);
    add(suite, "a batch", rows_have_the_bits_of_a_batch, 2 * RF_N_ISA);
    add(suite, "where", only_where_zeros_come_from, 8);
    add(suite, "through", zeros_come_through_pools_and_views, 1);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
