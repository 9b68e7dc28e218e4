/* Winograd's convolutions against a direct one in double precision; exact zeros; and the same bits
 * whatever the batch and the number of threads. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "tests/support/net.h"

/* ---- one 3x3 convolution of stride 1 ---- */

struct layer {
    int64_t n, in, out, h, w, pads[4];
    float bias; /* of every channel, in turns positive and negative; 0: none */
};

struct result {
    struct rf_shape shape;
    float *got, *x;
    double *want, *scale; /* scale: sum of the terms' magnitudes */
    char algorithm[64];
};

static void note_algorithm(void *arg, const struct rf_step_info *info)
{
    struct result *const r = arg;

    if (info->macs)
        snprintf(r->algorithm, sizeof(r->algorithm), "%s", info->algorithm);
}

static void reference(const struct layer *l, const float *w, const float *b, struct result *r)
{
    const int64_t oh = r->shape.dim[2], ow = r->shape.dim[3];

    for (int64_t at = 0; at < rf_numel(&r->shape); at++) {
        const int64_t x = at % ow, y = at / ow % oh, o = at / ow / oh % l->out;
        const int64_t n = at / ow / oh / l->out;
        double sum = b ? (double)b[o] : 0, scale = fabs(sum);

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

static void make_input(const struct layer *l, uint64_t *seed, bool box, float *x)
{
    test_random_fill(seed, x, (size_t)(l->n * l->in * l->h * l->w));
    for (int64_t i = 0; box && i < l->n * l->in * l->h * l->w; i++) {
        const int64_t sx = i % l->w, sy = i / l->w % l->h;

        if (sx < l->w / 2 || sy < l->h / 3)
            x[i] = 0;
    }
}

static void run_layer(const struct layer *l, uint64_t seed, bool box, struct result *r)
{
    struct test_conv c = {.spatial = 2,
                          .out = l->out,
                          .in = l->in,
                          .groups = 1,
                          .kernel = {3, 3},
                          .stride = {1, 1},
                          .dilation = {1, 1},
                          .bias = l->bias != 0};
    const struct rf_shape in = SHAPE(l->n, l->in, l->h, l->w);
    struct rf_graph *const g = test_graph();
    struct rf_session *session;
    rf_value_id w, b = RF_NO_VALUE;
    size_t bytes;

    memcpy(c.pads, l->pads, sizeof(c.pads));
    const rf_value_id y =
        test_conv(g, &seed, "conv", test_input(g, SHAPE(-1, l->in, l->h, l->w)), &c, &w, &b);
    float *const weights = malloc((size_t)(l->out * l->in * 9) * sizeof(float));
    float *const bias = c.bias ? g->values[b].constant : NULL;
    float *const bias_copy = malloc((size_t)l->out * sizeof(float));

    for (int64_t o = 0; o < l->out && bias; o++)
        bias[o] = bias_copy[o] = o % 2 ? l->bias : -l->bias;
    memcpy(weights, g->values[w].constant, (size_t)(l->out * l->in * 9) * sizeof(float));
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);

    r->x = malloc((size_t)rf_numel(&in) * sizeof(float));
    make_input(l, &seed, box, r->x);
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    test_run(session, &in, r->x, true, &r->got, &r->shape, 1);
    ck_assert_int_eq(rf_model_inspect(model, &in, 1, note_algorithm, r, &bytes, NULL), RF_OK);
    r->want = malloc((size_t)rf_numel(&r->shape) * sizeof(double));
    r->scale = malloc((size_t)rf_numel(&r->shape) * sizeof(double));
    reference(l, weights, bias ? bias_copy : NULL, r);
    free(weights);
    free(bias_copy);
    rf_session_free(session);
    rf_model_unref(model);
}

static void release(struct result *r)
{
    free(r->got);
    free(r->x);
    free(r->want);
    free(r->scale);
}

static struct layer random_layer(uint64_t *seed)
{
    struct layer l = {.n = test_random_int(seed, 1, 3),
                      .in = test_random_int(seed, 16, 40),
                      .out = test_random_int(seed, 16, 70),
                      .h = test_random_int(seed, 6, 26),
                      .w = test_random_int(seed, 6, 26)};

    for (int i = 0; i < 4; i++)
        l.pads[i] = test_random_int(seed, 0, 2);
    l.bias = test_random(seed) % 2 ? 0.5f : 0;
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

        run_layer(&l, seed, false, &r);
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

/* Without a bias a sum of zeros is 0, and statistics see it: F4 is not taken, and every other
 * output is not 0. */
START_TEST(zeros_stay_zeros)
{
    uint64_t seed = 400 + (uint64_t)_i;

    if (!test_use_isa(_i))
        return;
    for (int round = 0; round < 20; round++) {
        struct layer l = random_layer(&seed);
        struct result r = {.got = NULL};

        l.bias = 0;
        run_layer(&l, seed, true, &r);
        ck_assert(!is_winograd(&r, "F(4x4"));
        for (int64_t i = 0; i < rf_numel(&r.shape); i++)
            if ((r.got[i] == 0) != (r.scale[i] == 0))
                ck_abort_msg("%s, element %lld: %g, the sum of magnitudes is %g", r.algorithm,
                             (long long)i, (double)r.got[i], r.scale[i]);
        release(&r);
    }
}
END_TEST

/* ---- which size --------------------------------------------------------------------------------
 */

enum { CHANNELS = 16, SIZE = 12 };

/* A convolution that F4 is taken for if the bias allows it. */
static rf_value_id plain_conv(struct rf_graph *g, bool has_bias, float **w, float **b)
{
    const struct test_conv c = {.spatial = 2,
                                .out = CHANNELS,
                                .in = CHANNELS,
                                .groups = 1,
                                .kernel = {3, 3},
                                .stride = {1, 1},
                                .dilation = {1, 1},
                                .pads = {1, 1, 1, 1},
                                .bias = has_bias};
    uint64_t seed = 8;
    rf_value_id weights, bias;
    const rf_value_id y = test_conv(
        g, &seed, "conv", test_input(g, SHAPE(-1, CHANNELS, SIZE, SIZE)), &c, &weights, &bias);

    *w = g->values[weights].constant;
    *b = has_bias ? g->values[bias].constant : NULL;
    return y;
}

/* Whether the graph's convolution is F4; false as well where panels are not used. */
static bool takes_f4(struct rf_graph *g, rf_value_id y)
{
    const struct rf_shape in = SHAPE(1, CHANNELS, SIZE, SIZE);
    struct result r = {.got = NULL};
    size_t bytes;

    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);

    ck_assert_int_eq(rf_model_inspect(model, &in, 1, note_algorithm, &r, &bytes, NULL), RF_OK);
    rf_model_unref(model);
    return is_winograd(&r, "F(4x4");
}

/* One channel's bias is `factor` times 1e-4 of what its weights add up to, the others' is 1. */
static bool takes_f4_with(int channel, double factor)
{
    struct rf_graph *const g = test_graph();
    float *w, *b;
    const rf_value_id y = plain_conv(g, true, &w, &b);
    double sum = 0;

    for (int i = 0; i < CHANNELS * 9; i++)
        sum += fabs((double)w[channel * CHANNELS * 9 + i]);
    for (int i = 0; i < CHANNELS; i++)
        b[i] = i == channel ? (float)(factor * 1e-4 * sum) : 1;
    return takes_f4(g, y);
}

START_TEST(every_channels_bias_must_hide_the_noise)
{
    if (!strcmp(rf_engine_gemm(), "openblas"))
        return;
    for (int channel = 0; channel < CHANNELS; channel++) {
        ck_assert(takes_f4_with(channel, 1.01));
        ck_assert(takes_f4_with(channel, -1.01));
        ck_assert(!takes_f4_with(channel, 0.99));
        ck_assert(!takes_f4_with(channel, -0.99));
        ck_assert(!takes_f4_with(channel, 0));
        ck_assert(!takes_f4_with(channel, (double)NAN));
    }
}
END_TEST

/* BatchNorm's shift is a bias like any other; one channel without it, and F4 is not taken. */
START_TEST(a_folded_bias_counts)
{
    for (int without = -1; without < CHANNELS; without += CHANNELS / 2) {
        struct rf_graph *const g = test_graph();
        float ones[CHANNELS], shift[CHANNELS], zeros[CHANNELS] = {0}, *w, *b;

        for (int i = 0; i < CHANNELS; i++)
            ones[i] = shift[i] = 1;
        if (without >= 0)
            shift[without] = 0;
        const struct rf_shape n = SHAPE(CHANNELS);
        const rf_value_id in[] = {plain_conv(g, false, &w, &b), test_constant(g, n, ones),
                                  test_constant(g, n, shift), test_constant(g, n, zeros),
                                  test_constant(g, n, ones)};
        const rf_value_id norm = test_op(g, "BatchNormalization", "norm", in, 5, NULL);
        const rf_value_id y = test_op(g, "Relu", "relu", &norm, 1, NULL);
        const bool panels = strcmp(rf_engine_gemm(), "openblas") != 0;

        ck_assert_int_eq(takes_f4(g, y), panels && without < 0);
    }
}
END_TEST

START_TEST(wishes_are_heard)
{
    const struct layer l = {
        .n = 1, .in = 16, .out = 16, .h = 30, .w = 34, .pads = {1, 1, 1, 1}, .bias = 1};
    const char *const wish[] = {"auto", "accurate", "direct"};
    const char *const expected[] = {"F(4x4", "F(2x2", "direct"};
    struct result r = {.got = NULL};

    setenv("RECTIFIER_CONV", wish[_i], 1);
    run_layer(&l, 5, false, &r);
    if (strcmp(rf_engine_gemm(), "openblas") != 0)
        ck_assert_ptr_nonnull(strstr(r.algorithm, expected[_i]));
    release(&r);
}
END_TEST

/* ---- the same bits ---- */

/* Every kind of product, on odd sizes. */
static struct rf_graph *network(void)
{
    struct rf_graph *const g = test_graph();
    uint64_t seed = 11;
    const struct test_conv stem = {.spatial = 2,
                                   .out = 20,
                                   .in = 3,
                                   .groups = 1,
                                   .kernel = {5, 5},
                                   .stride = {2, 2},
                                   .dilation = {1, 1},
                                   .pads = {2, 2, 2, 2},
                                   .bias = true};
    struct test_conv c = {.spatial = 2,
                          .out = 37,
                          .in = 20,
                          .groups = 1,
                          .kernel = {3, 3},
                          .stride = {1, 1},
                          .dilation = {1, 1},
                          .pads = {1, 1, 1, 1},
                          .bias = false};
    rf_value_id w, b, in[3];
    struct rf_node *node;
    rf_value_id x = test_conv(g, &seed, "stem", test_input(g, SHAPE(-1, 3, 47, 51)), &stem, &w, &b);

    x = test_op(g, "Relu", "r1", &x, 1, NULL);
    x = test_conv(g, &seed, "f2", x, &c, &w, &b);
    x = test_op(g, "Relu", "r2", &x, 1, NULL);
    c = (struct test_conv){.spatial = 2,
                           .out = 24,
                           .in = 37,
                           .groups = 1,
                           .kernel = {3, 3},
                           .stride = {1, 1},
                           .dilation = {1, 1},
                           .pads = {1, 1, 1, 1},
                           .bias = true};
    x = test_conv(g, &seed, "f4", x, &c, &w, &b);
    for (int64_t o = 0; o < 24; o++)
        ((float *)g->values[b].constant)[o] = 0.25f;
    x = test_op(g, "Relu", "r3", &x, 1, NULL);
    c = (struct test_conv){.spatial = 2,
                           .out = 36,
                           .in = 24,
                           .groups = 3,
                           .kernel = {1, 1},
                           .stride = {1, 1},
                           .dilation = {1, 1},
                           .bias = true};
    x = test_conv(g, &seed, "groups", x, &c, &w, &b);
    x = test_op(g, "Flatten", "flat", &x, 1, &node);
    in[0] = x;
    in[1] = test_weights(g, &seed, SHAPE(36 * 24 * 26, 50), 0.05f);
    x = test_op(g, "Gemm", "fc", in, 2, NULL);
    ck_assert_int_eq(rf_graph_output(g, x, NULL), RF_OK);
    return g;
}

START_TEST(bits_do_not_depend_on_batch_or_threads)
{
    enum { ROWS = 5, SAMPLE = 3 * 47 * 51, OUT = 50 };
    uint64_t seed = 3;
    float *const x = malloc(ROWS * SAMPLE * sizeof(float)), *all, *one;
    struct rf_shape shape = SHAPE(ROWS, 3, 47, 51), out;
    struct rf_session *together, *alone;
    struct rf_pool *pool;

    if (!test_use_isa(_i) || !strcmp(rf_engine_gemm(), "openblas")) {
        free(x);
        return;
    }
    struct rf_model *const model = test_model(network(), NULL);

    test_random_fill(&seed, x, ROWS * SAMPLE);
    ck_assert_int_eq(rf_pool_new(&pool, 3, true, NULL), RF_OK);
    ck_assert_int_eq(rf_session_new(&together, model, pool, NULL), RF_OK);
    ck_assert_int_eq(rf_session_new(&alone, model, NULL, NULL), RF_OK);
    test_run(together, &shape, x, true, &all, &out, 1);
    shape.dim[0] = 1;
    for (int row = 0; row < ROWS; row++) {
        test_run(alone, &shape, x + row * SAMPLE, true, &one, &out, 1);
        ck_assert_int_eq(memcmp(one, all + row * OUT, OUT * sizeof(float)), 0);
        free(one);
    }
    rf_session_free(together);
    rf_session_free(alone);
    rf_model_unref(model);
    rf_pool_free(pool);
    free(all);
    free(x);
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
    tcase_add_loop_test(t, zeros_stay_zeros, 0, RF_N_ISA);
    tcase_add_test(t, every_channels_bias_must_hide_the_noise);
    tcase_add_test(t, a_folded_bias_counts);
    tcase_add_loop_test(t, wishes_are_heard, 0, 3);
    tcase_add_loop_test(t, bits_do_not_depend_on_batch_or_threads, 0, RF_N_ISA);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
