/* Winograd's convolutions against a direct one in double precision; exact zeros, in values and in
 * counters; and the same bits whatever the batch and the number of threads. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "tests/support/net.h"

/* ---- one 3x3 convolution of stride 1 ---- */

enum bias {
    NO_BIAS,
    ALTERNATING, /* 0.5, in turns positive and negative */
    MIXED        /* one channel of four is well above F4's noise, the others are not: is_hidden */
};

struct layer {
    int64_t n, in, out, h, w, pads[4];
    enum bias bias;
    bool relu, zeros; /* zeros: parts of the input are 0 */
    double magnitude; /* of the input */
};

struct result {
    struct rf_shape shape;
    float *got, *x, *bias; /* bias: zeros where there is none */
    double *want, *scale;  /* scale: sum of the terms' magnitudes */
    struct rf_activity *activity;
    char algorithm[64];
};

static bool is_hidden(const struct layer *l, int64_t channel)
{
    return l->bias == ALTERNATING || (l->bias == MIXED && channel % 4 == 3);
}

static void make_bias(const struct layer *l, const float *w, float *bias)
{
    for (int64_t o = 0; o < l->out; o++) {
        double sum = 0;

        for (int64_t i = 0; i < l->in * 9; i++)
            sum += fabs((double)w[o * l->in * 9 + i]);
        const double mixed[] = {0, -1e-6, 0.9e-4 * sum, 1.1e-4 * sum};

        bias[o] = l->bias == MIXED ? (float)mixed[o % 4] : l->bias ? o % 2 ? 0.5f : -0.5f : 0;
    }
}

static void note_algorithm(void *arg, const struct rf_step_info *info)
{
    struct result *const r = arg;

    if (info->macs)
        snprintf(r->algorithm, sizeof(r->algorithm), "%s", info->algorithm);
}

static void reference(const struct layer *l, const float *w, struct result *r)
{
    const int64_t oh = r->shape.dim[2], ow = r->shape.dim[3];

    for (int64_t at = 0; at < rf_numel(&r->shape); at++) {
        const int64_t x = at % ow, y = at / ow % oh, o = at / ow / oh % l->out;
        const int64_t n = at / ow / oh / l->out;
        double sum = (double)r->bias[o], scale = fabs(sum);

        for (int64_t i = 0; i < l->in; i++) {
            for (int64_t t = 0; t < 9; t++) {
                const int64_t sy = y - l->pads[0] + t / 3, sx = x - l->pads[1] + t % 3;

                if (sy < 0 || sy >= l->h || sx < 0 || sx >= l->w)
                    continue;
                const double term = (double)w[(o * l->in + i) * 9 + t] *
                                    (double)r->x[((n * l->in + i) * l->h + sy) * l->w + sx];
                sum += term;
                scale += fabs(term);
            }
        }
        r->want[at] = sum;
        r->scale[at] = scale;
    }
}

/* Zeros are a part of the image, and of the rest all but a few pixels of some rows. */
static void make_input(const struct layer *l, uint64_t *seed, float *x)
{
    test_random_fill(seed, x, (size_t)(l->n * l->in * l->h * l->w));
    for (int64_t i = 0; i < l->n * l->in * l->h * l->w; i++) {
        const int64_t sx = i % l->w, sy = i / l->w % l->h;

        x[i] *= (float)l->magnitude;
        if (l->zeros && (sx < l->w / 3 || sy < l->h / 3 || (sy > l->h / 2 && (sx + sy) % 5)))
            x[i] = 0;
    }
}

static struct rf_graph *graph_of(const struct layer *l, uint64_t *seed, struct result *r,
                                 float *weights)
{
    struct test_conv c = test_conv_3x3(l->out, l->in, l->bias != NO_BIAS);
    struct rf_graph *const g = test_graph();
    rf_value_id w, b = RF_NO_VALUE;

    memcpy(c.pads, l->pads, sizeof(c.pads));
    rf_value_id y =
        test_conv(g, seed, "conv", test_input(g, SHAPE(-1, l->in, l->h, l->w)), &c, &w, &b);

    memcpy(weights, g->values[w].constant, (size_t)(l->out * l->in * 9) * sizeof(float));
    r->bias = calloc((size_t)l->out, sizeof(float));
    make_bias(l, weights, r->bias);
    if (c.bias)
        memcpy(g->values[b].constant, r->bias, (size_t)l->out * sizeof(float));
    if (l->relu)
        y = test_op(g, "Relu", "relu", &y, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    return g;
}

/* The layer's model; `r` has what it made of one run. */
static struct rf_model *run_model(const struct layer *l, uint64_t seed, struct result *r)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL};
    const struct rf_shape in = SHAPE(l->n, l->in, l->h, l->w);
    float *const weights = malloc((size_t)(l->out * l->in * 9) * sizeof(float));
    struct rf_model *const model = test_model(graph_of(l, &seed, r, weights), &options);
    struct rf_session *session;
    size_t bytes;

    r->x = malloc((size_t)rf_numel(&in) * sizeof(float));
    make_input(l, &seed, r->x);
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    test_run(session, &in, r->x, true, &r->got, &r->shape, 1);
    ck_assert_int_eq(rf_model_inspect(model, &in, 1, note_algorithm, r, &bytes, NULL), RF_OK);
    r->want = malloc((size_t)rf_numel(&r->shape) * sizeof(double));
    r->scale = malloc((size_t)rf_numel(&r->shape) * sizeof(double));
    reference(l, weights, r);
    rf_session_free(session);
    ck_assert_int_eq(rf_activity_read(model, &r->activity, NULL), RF_OK);
    free(weights);
    return model;
}

static void run_layer(const struct layer *l, uint64_t seed, struct result *r)
{
    rf_model_unref(run_model(l, seed, r));
}

static void release(struct result *r)
{
    rf_activity_free(r->activity);
    free(r->got);
    free(r->x);
    free(r->bias);
    free(r->want);
    free(r->scale);
}

static struct layer random_layer(uint64_t *seed)
{
    struct layer l = {.n = test_random_int(seed, 1, 3),
                      .in = test_random_int(seed, 16, 40),
                      .out = test_random_int(seed, 16, 70),
                      .h = test_random_int(seed, 6, 26),
                      .w = test_random_int(seed, 6, 26),
                      .magnitude = 1};

    for (int i = 0; i < 4; i++)
        l.pads[i] = test_random_int(seed, 0, 2);
    l.bias = (enum bias)test_random_int(seed, NO_BIAS, MIXED);
    return l;
}

static bool is_winograd(const struct result *r, const char *size)
{
    return strstr(r->algorithm, "winograd") && strstr(r->algorithm, size);
}

START_TEST(sums_match_a_direct_convolution)
{
    uint64_t seed = 77 + (uint64_t)_i;
    int seen[2] = {0, 0};

    if (!test_use_isa(_i % RF_N_ISA))
        return;
    for (int round = 0; round < 15; round++) {
        const struct layer l = random_layer(&seed);
        struct result r = {.got = NULL};

        run_layer(&l, seed, &r);
        const bool f4 = is_winograd(&r, "F(4x4");
        seen[0] += is_winograd(&r, "F(2x2");
        seen[1] += f4;
        for (int64_t i = 0; i < rf_numel(&r.shape); i++)
            if (!(fabs((double)r.got[i] - r.want[i]) <= (f4 ? 2e-5 : 2e-6) * r.scale[i] + 1e-6))
                ck_abort_msg("%s, element %lld: %g, expected %g", r.algorithm, (long long)i,
                             (double)r.got[i], r.want[i]);
        release(&r);
    }
    /* Where panels are not used there is no Winograd. */
    ck_assert_int_eq(seen[0] > 0, seen[1] > 0);
    ck_assert(!strcmp(rf_engine_gemm(), "openblas") || seen[0] > 0);
}
END_TEST

/* ---- zeros ---- */

/* What one order of additions in floats may differ from another in; a bias alone is none. */
static bool is_near(const struct result *r, int64_t channel, int64_t i)
{
    return r->scale[i] > fabs((double)r->bias[channel]) && fabs(r->want[i]) <= 3e-7 * r->scale[i];
}

static int sign(double x)
{
    return (x > 0) - (x < 0);
}

/* Where no bias hides F4's noise, signs are those of double precision; 0 has one, too. */
static void check_signs(const struct layer *l, const struct result *r)
{
    for (int64_t i = 0; i < rf_numel(&r->shape); i++) {
        const int64_t o = i / (r->shape.dim[2] * r->shape.dim[3]) % l->out;

        if (!is_hidden(l, o) && !is_near(r, o, i) && sign((double)r->got[i]) != sign(r->want[i]))
            ck_abort_msg("%s, channel %lld, element %lld: %g, expected %g of %g, bias %g",
                         r->algorithm, (long long)o, (long long)i, (double)r->got[i], r->want[i],
                         r->scale[i], (double)r->bias[o]);
    }
}

START_TEST(zeros_and_signs_are_exact)
{
    uint64_t seed = 400 + (uint64_t)_i;
    int f4 = 0;

    if (!test_use_isa(_i))
        return;
    for (int round = 0; round < 30; round++) {
        struct layer l = random_layer(&seed);
        struct result r = {.got = NULL};

        l.bias = round % 2 ? MIXED : NO_BIAS;
        l.zeros = true;
        l.magnitude = pow(10, round % 7 - 3);
        run_layer(&l, seed, &r);
        f4 += is_winograd(&r, "F(4x4");
        check_signs(&l, &r);
        release(&r);
    }
    ck_assert(!strcmp(rf_engine_gemm(), "openblas") || f4 > 0);
}
END_TEST

/* Each channel's `fired` is that of double precision, up to what is too near to tell. */
START_TEST(counters_are_those_of_a_direct_convolution)
{
    const struct layer l = {.n = 3,
                            .in = 24,
                            .out = 41,
                            .h = 21,
                            .w = 26,
                            .pads = {1, 1, 1, 1},
                            .bias = (enum bias)(_i / RF_N_ISA ? MIXED : NO_BIAS),
                            .relu = true,
                            .zeros = true,
                            .magnitude = 1};
    struct result r = {.got = NULL};

    if (!test_use_isa(_i % RF_N_ISA))
        return;
    run_layer(&l, 9, &r);
    const int64_t area = r.shape.dim[2] * r.shape.dim[3];

    for (int64_t o = 0; o < l.out; o++) {
        const uint64_t fired = r.activity->layers[0].channels[o].fired;
        uint64_t least = 0, most = 0;

        for (int64_t i = 0; i < rf_numel(&r.shape); i++) {
            if (i / area % l.out != o)
                continue;
            const bool near = is_near(&r, o, i);

            least += !near && r.want[i] > 0;
            most += near || r.want[i] > 0;
        }
        ck_assert_msg(least <= fired && fired <= most, "channel %lld: %llu fired, expected %llu",
                      (long long)o, (unsigned long long)fired, (unsigned long long)least);
    }
    release(&r);
}
END_TEST

enum { CHANNELS = 16, SIZE = 12 };

/* Weights that are odd about the window's middle, but for one: on even channels their sum is minus
 * the bias, which half of the channels have. */
static void make_edge_filters(uint64_t *seed, float *w, float *b)
{
    for (int o = 0; o < CHANNELS; o++, w += CHANNELS * 9) {
        double sum = 0;

        for (int i = 0; i < CHANNELS * 9; i++) {
            const int tap = i % 9;

            w[i] = tap == 4 ? 0 : tap < 4 ? test_random_float(seed) : -w[i - 2 * tap + 8];
            sum += fabs((double)w[i]);
        }
        b[o] = o % 2 ? (float)(0.5e-4 * sum) : 0;
        w[4] = -b[o];
    }
}

/* Sums that meet their bias exactly: 0 in between, not 0 at the edges. */
START_TEST(edge_filters_give_zeros)
{
    const struct test_conv c = test_conv_3x3(CHANNELS, CHANNELS, true);
    const struct rf_shape in = SHAPE(1, CHANNELS, SIZE, SIZE);
    uint64_t seed = 8;
    rf_value_id w, b;
    static float x[CHANNELS * SIZE * SIZE];
    float *got;
    struct rf_session *session;
    struct rf_shape shape;

    if (!test_use_isa(_i) || !strcmp(rf_engine_gemm(), "openblas"))
        return;
    struct rf_graph *const g = test_graph();
    const rf_value_id y =
        test_conv(g, &seed, "conv", test_input(g, SHAPE(-1, CHANNELS, SIZE, SIZE)), &c, &w, &b);

    make_edge_filters(&seed, g->values[w].constant, g->values[b].constant);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);

    for (int i = 0; i < CHANNELS * SIZE * SIZE; i++)
        x[i] = i / (SIZE * SIZE) ? 0.1f * (float)(i / (SIZE * SIZE)) : 1;
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    test_run(session, &in, x, true, &got, &shape, 1);
    for (int i = 0; i < CHANNELS * SIZE * SIZE; i++) {
        const int sx = i % SIZE, sy = i / SIZE % SIZE;
        const bool inside = sx > 0 && sx < SIZE - 1 && sy > 0 && sy < SIZE - 1;

        ck_assert_msg((got[i] == 0) == inside, "channel %d, (%d, %d): %g", i / (SIZE * SIZE), sy,
                      sx, (double)got[i]);
    }
    free(got);
    rf_session_free(session);
    rf_model_unref(model);
}
END_TEST

/* Of NaN and infinities of either sign nothing finite comes. */
START_TEST(what_is_not_finite_stays)
{
    const struct layer l = {.n = 1,
                            .in = 16,
                            .out = 16,
                            .h = 24,
                            .w = 24,
                            .pads = {1, 1, 1, 1},
                            .relu = true,
                            .magnitude = _i % 2 ? (double)NAN : (double)INFINITY};
    struct result r = {.got = NULL};

    if (!test_use_isa(_i / 2))
        return;
    run_layer(&l, 5, &r);
    ck_assert_uint_eq(r.activity->layers[0].total.nonfinite, (uint64_t)(rf_numel(&r.shape)));
    release(&r);
}
END_TEST

/* ---- which size ---- */

START_TEST(wishes_are_heard)
{
    const struct layer l = {
        .n = 1, .in = 16, .out = 16, .h = 30, .w = 34, .pads = {1, 1, 1, 1}, .magnitude = 1};
    const char *const wish[] = {"auto", "accurate", "direct"};
    const char *const expected[] = {"F(4x4", "F(2x2", "direct"};
    struct result r = {.got = NULL};

    setenv("RECTIFIER_CONV", wish[_i], 1);
    run_layer(&l, 5, &r);
    if (strcmp(rf_engine_gemm(), "openblas") != 0)
        ck_assert_ptr_nonnull(strstr(r.algorithm, expected[_i]));
    release(&r);
}
END_TEST

START_TEST(small_images_take_small_tiles)
{
    static const struct {
        int64_t size;
        const char *algorithm;
    } expected[] = {{3, "direct"}, {4, "F(2x2"}, {5, "direct"}, {6, "F(2x2"}, {8, "F(4x4"}};
    struct layer l = {.n = 1, .in = 16, .out = 16, .pads = {1, 1, 1, 1}, .magnitude = 1};
    struct result r = {.got = NULL};

    l.h = l.w = expected[_i].size;
    run_layer(&l, 5, &r);
    if (strcmp(rf_engine_gemm(), "openblas") != 0)
        ck_assert_ptr_nonnull(strstr(r.algorithm, expected[_i].algorithm));
    release(&r);
}
END_TEST

/* ---- the same bits ---- */

/* Threads share rows of tiles in one, channels in the other; values come close to 0 in both. */
START_TEST(bits_do_not_depend_on_batch_or_threads)
{
    const struct layer layers[] = {
        {.n = 5, .in = 37, .out = 70, .h = 47, .w = 51, .pads = {1, 1, 1, 1}},
        {.n = 5, .in = 32, .out = 512, .h = 8, .w = 8, .pads = {1, 1, 1, 1}},
    };
    struct layer l = layers[_i / RF_N_ISA];
    struct result r = {.got = NULL};
    struct rf_session *shared;
    struct rf_pool *pool;

    l.zeros = true;
    l.magnitude = 1;
    if (!test_use_isa(_i % RF_N_ISA) || !strcmp(rf_engine_gemm(), "openblas"))
        return;
    struct rf_model *const model = run_model(&l, 3, &r);
    struct rf_shape in = SHAPE(l.n, l.in, l.h, l.w), out;
    const size_t image = (size_t)rf_numel(&in) / 5, each = (size_t)rf_numel(&r.shape) / 5;

    ck_assert_int_eq(rf_pool_new(&pool, 3, true, NULL), RF_OK);
    ck_assert_int_eq(rf_session_new(&shared, model, pool, NULL), RF_OK);
    for (in.dim[0] = l.n; in.dim[0] > 0; in.dim[0] -= l.n - 1) {
        for (size_t row = 0; row + (size_t)in.dim[0] <= (size_t)l.n; row++) {
            float *some;

            test_run(shared, &in, r.x + row * image, true, &some, &out, 1);
            ck_assert_int_eq(
                memcmp(some, r.got + row * each, (size_t)in.dim[0] * each * sizeof(float)), 0);
            free(some);
        }
    }
    rf_session_free(shared);
    rf_pool_free(pool);
    rf_model_unref(model);
    release(&r);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("winograd");
    TCase *const t = tcase_create("winograd");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, sums_match_a_direct_convolution, 0, 2 * RF_N_ISA);
    tcase_add_loop_test(t, zeros_and_signs_are_exact, 0, RF_N_ISA);
    tcase_add_loop_test(t, counters_are_those_of_a_direct_convolution, 0, 2 * RF_N_ISA);
    tcase_add_loop_test(t, edge_filters_give_zeros, 0, RF_N_ISA);
    tcase_add_loop_test(t, what_is_not_finite_stays, 0, 2 * RF_N_ISA);
    tcase_add_loop_test(t, wishes_are_heard, 0, 3);
    tcase_add_loop_test(t, small_images_take_small_tiles, 0, 5);
    tcase_add_loop_test(t, bits_do_not_depend_on_batch_or_threads, 0, 2 * RF_N_ISA);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
