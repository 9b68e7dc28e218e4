/* Convolutions and pools of random geometry against plain loops in double precision, on every
 * instruction set, alone and in parts. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "tests/support/net.h"

#define ROUNDS 40

/* Element (n, c, y, x) of a row-major image; 0 or `outside` beyond it. */
static double pixel(const float *x, const struct rf_shape *s, int64_t n, int64_t c, int64_t y,
                    int64_t i, double outside)
{
    const int64_t h = s->rank == 4 ? s->dim[2] : 1, w = s->dim[s->rank - 1];

    if (y < 0 || y >= h || i < 0 || i >= w)
        return outside;
    return (double)x[((n * s->dim[1] + c) * h + y) * w + i];
}

/* One spatial dimension is the second of two. */
static void as_two(const struct test_conv *c, int64_t kernel[2], int64_t stride[2],
                   int64_t dilation[2], int64_t before[2])
{
    const bool line = c->spatial == 1;

    for (int k = 0; k < 2; k++) {
        const int from = line ? 0 : k;
        const bool none = line && k == 0;

        kernel[k] = none ? 1 : c->kernel[from];
        stride[k] = none ? 1 : c->stride[from];
        dilation[k] = none ? 1 : c->dilation[from];
        before[k] = none ? 0 : c->pads[from];
    }
}

static float *reference_conv(const struct test_conv *c, const float *x, const struct rf_shape *in,
                             const float *w, const float *bias, const struct rf_shape *out)
{
    int64_t kernel[2], stride[2], dilation[2], before[2];
    const int64_t oh = out->rank == 4 ? out->dim[2] : 1, ow = out->dim[out->rank - 1];
    const int64_t per_group = c->in / c->groups;
    float *const y = malloc((size_t)rf_numel(out) * sizeof(*y) + 1);
    float *to = y;

    as_two(c, kernel, stride, dilation, before);
    for (int64_t n = 0; n < out->dim[0]; n++) {
        for (int64_t o = 0; o < c->out; o++) {
            for (int64_t p = 0; p < oh * ow; p++) {
                double sum = bias ? (double)bias[o] : 0;

                for (int64_t i = 0; i < per_group; i++)
                    for (int64_t t = 0; t < kernel[0] * kernel[1]; t++)
                        sum +=
                            (double)w[(o * per_group + i) * kernel[0] * kernel[1] + t] *
                            pixel(x, in, n, o / (c->out / c->groups) * per_group + i,
                                  p / ow * stride[0] - before[0] + t / kernel[1] * dilation[0],
                                  p % ow * stride[1] - before[1] + t % kernel[1] * dilation[1], 0);
                *to++ = (float)sum;
            }
        }
    }
    return y;
}

static struct test_conv random_conv(uint64_t *seed)
{
    struct test_conv c = {.spatial = (int)test_random_int(seed, 1, 2),
                          .bias = test_random(seed) & 1};

    for (int k = 0; k < 2; k++) {
        c.kernel[k] = test_random_int(seed, 1, 4);
        c.stride[k] = test_random_int(seed, 1, 3);
        c.dilation[k] = test_random_int(seed, 1, 2);
    }
    for (int k = 0; k < 4; k++)
        c.pads[k] = test_random_int(seed, 0, 3);
    if (test_random(seed) % 4 == 0) { /* pointwise */
        c.kernel[0] = c.kernel[1] = c.stride[0] = c.stride[1] = 1;
        memset(c.pads, 0, sizeof(c.pads));
    }
    if (c.spatial == 2 && c.kernel[0] == c.kernel[1] && test_random(seed) % 4 == 0)
        c.stride[1] = c.stride[0] = 1;
    c.groups = test_random(seed) % 3 ? 1 : test_random_int(seed, 2, 5);
    c.in = c.groups * test_random_int(seed, 1, c.groups == 1 ? 37 : 7);
    c.out = c.groups * test_random_int(seed, 1, c.groups == 1 ? 37 : 7);
    if (test_random(seed) % 5 == 0) /* depthwise */
        c.groups = c.out = c.in = test_random_int(seed, 2, 70);
    return c;
}

static struct rf_shape random_image(uint64_t *seed, int spatial, int64_t channels)
{
    const int64_t n = test_random_int(seed, 1, 3);
    const int64_t h = test_random_int(seed, 7, 20), w = test_random_int(seed, 7, 33);

    return spatial == 2 ? SHAPE(n, channels, h, w) : SHAPE(n, channels, w);
}

START_TEST(convolutions_match_plain_loops)
{
    uint64_t seed = 1000 + (uint64_t)_i;

    if (!test_use_isa(_i % RF_N_ISA))
        return;
    for (int round = 0; round < ROUNDS; round++) {
        const struct test_conv c = random_conv(&seed);
        struct rf_shape in = random_image(&seed, c.spatial, c.in), out_shape, declared = in;
        struct rf_graph *const g = test_graph();
        struct rf_session *session;
        rf_value_id w, b;
        float *out;

        declared.dim[0] = -1;
        const rf_value_id y = test_conv(g, &seed, "conv", test_input(g, declared), &c, &w, &b);
        const int64_t n_w = rf_numel(&g->values[w].shape);
        float *const weights = malloc((size_t)n_w * sizeof(*weights));
        float *const bias = c.bias ? malloc((size_t)c.out * sizeof(*bias)) : NULL;
        float *const x = malloc((size_t)rf_numel(&in) * sizeof(*x));

        memcpy(weights, g->values[w].constant, (size_t)n_w * sizeof(*weights));
        if (bias)
            memcpy(bias, g->values[b].constant, (size_t)c.out * sizeof(*bias));
        test_random_fill(&seed, x, (size_t)rf_numel(&in));
        ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
        struct rf_model *const model = test_model(g, NULL);
        ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
        test_run(session, &in, x, true, &out, &out_shape, 1);
        float *const want = reference_conv(&c, x, &in, weights, bias, &out_shape);

        ck_assert_double_le(test_error(out, want, (size_t)rf_numel(&out_shape)), 3e-6);
        rf_session_free(session);
        rf_model_unref(model);
        free(weights);
        free(bias);
        free(x);
        free(out);
        free(want);
    }
}
END_TEST

/* Large enough to be split, with fused ReLU and counters: parts agree with one piece. */
START_TEST(parts_agree_with_one_piece)
{
    static const struct test_conv geometry[] = {
        {.spatial = 2,
         .out = 65,
         .in = 33,
         .groups = 1,
         .kernel = {3, 3},
         .stride = {1, 1},
         .dilation = {1, 1},
         .pads = {1, 1, 1, 1},
         .bias = true},
        {.spatial = 2,
         .out = 96,
         .in = 96,
         .groups = 96,
         .kernel = {3, 3},
         .stride = {2, 2},
         .dilation = {1, 1},
         .pads = {1, 1, 1, 1},
         .bias = true},
        {.spatial = 2,
         .out = 128,
         .in = 64,
         .groups = 1,
         .kernel = {1, 1},
         .stride = {1, 1},
         .dilation = {1, 1},
         .bias = false},
    };
    const struct test_conv *const c = &geometry[_i];
    const struct rf_shape in = SHAPE(3, c->in, 47, 61);
    struct rf_activity *activity[2];
    struct rf_session *session[2];
    struct rf_shape shape;
    struct rf_pool *pool;
    float *out[2];

    ck_assert_int_eq(rf_pool_new(&pool, 3, NULL), RF_OK);
    float *const x = malloc((size_t)rf_numel(&in) * sizeof(*x));
    for (int k = 0; k < 2; k++) {
        uint64_t seed = 5;
        rf_value_id w, b;
        struct rf_graph *const g = test_graph();
        rf_value_id y = test_conv(g, &seed, "conv", test_input(g, in), c, &w, &b);

        y = test_op(g, "Relu", "relu", &y, 1, NULL);
        test_random_fill(&seed, x, (size_t)rf_numel(&in));
        ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
        struct rf_model *const model = test_model(g, NULL);
        ck_assert_int_eq(rf_session_new(&session[k], model, k ? pool : NULL, NULL), RF_OK);
        test_run(session[k], &in, x, true, &out[k], &shape, 1);
        ck_assert_int_eq(rf_activity_read(model, &activity[k], NULL), RF_OK);
        rf_session_free(session[k]);
        rf_model_unref(model);
    }
    ck_assert_double_le(test_error(out[1], out[0], (size_t)rf_numel(&shape)), 1e-6);
    for (size_t i = 0; i < activity[0]->layers[0].n_channels; i++) {
        const struct rf_channel_activity *const a = &activity[0]->layers[0].channels[i];
        const struct rf_channel_activity *const b = &activity[1]->layers[0].channels[i];

        ck_assert_uint_eq(a->values, b->values);
        ck_assert_uint_eq(a->fired_inputs, b->fired_inputs);
        ck_assert_double_eq_tol(a->sum, b->sum, 1e-4 * fabs(a->sum) + 1e-3);
    }
    for (int k = 0; k < 2; k++) {
        rf_activity_free(activity[k]);
        free(out[k]);
    }
    rf_pool_free(pool);
    free(x);
}
END_TEST

/* ---- pools -------------------------------------------------------------------------------------
 */

struct pool_case {
    struct test_conv window;
    bool max, ceil_mode, include_pad;
};

static int64_t pooled(int64_t size, const struct pool_case *p, const int64_t before, int64_t after,
                      int64_t kernel, int64_t stride, int64_t dilation)
{
    const int64_t span = (kernel - 1) * dilation + 1, room = size + before + after - span;
    int64_t n = (p->ceil_mode ? (room + stride - 1) / stride : room / stride) + 1;

    if (p->ceil_mode && (n - 1) * stride >= size + before)
        n--;
    return n;
}

static float reference_window(const struct pool_case *p, const float *x, const struct rf_shape *in,
                              int64_t n, int64_t c, int64_t y, int64_t i)
{
    int64_t kernel[2], stride[2], dilation[2], before[2];
    const int64_t h = in->rank == 4 ? in->dim[2] : 1, w = in->dim[in->rank - 1];
    const int64_t bottom = in->rank == 4 ? p->window.pads[2] : 0;
    const int64_t right = p->window.pads[in->rank == 4 ? 3 : 1];
    double sum = 0, max = -INFINITY;
    int64_t count = 0;

    as_two(&p->window, kernel, stride, dilation, before);
    for (int64_t t = 0; t < kernel[0] * kernel[1]; t++) {
        const int64_t at_y = y * stride[0] - before[0] + t / kernel[1] * dilation[0];
        const int64_t at_x = i * stride[1] - before[1] + t % kernel[1] * dilation[1];
        const bool inside = at_y >= 0 && at_y < h && at_x >= 0 && at_x < w;

        sum += pixel(x, in, n, c, at_y, at_x, 0);
        max = fmax(max, pixel(x, in, n, c, at_y, at_x, -INFINITY));
        count += inside || (p->include_pad && at_y < h + bottom && at_x < w + right);
    }
    return (float)(p->max ? max : sum / (double)count);
}

START_TEST(pools_match_plain_loops)
{
    uint64_t seed = 2000 + (uint64_t)_i;

    if (!test_use_isa(_i % RF_N_ISA))
        return;
    for (int round = 0; round < ROUNDS; round++) {
        struct pool_case p = {.window = random_conv(&seed),
                              .max = test_random(&seed) & 1,
                              .ceil_mode = test_random(&seed) & 1,
                              .include_pad = test_random(&seed) & 1};
        const int64_t channels = test_random_int(&seed, 1, 50);
        const struct rf_shape in = random_image(&seed, p.window.spatial, channels);
        struct rf_graph *const g = test_graph();
        const size_t n_pads = (size_t)p.window.spatial;
        struct rf_session *session;
        struct rf_shape shape;
        struct rf_node *node;
        float *out;

        for (int k = 0; k < 4; k++) /* padding is smaller than the kernel */
            p.window.pads[k] %= p.window.kernel[k % p.window.spatial];
        if (!p.max)
            p.window.dilation[0] = p.window.dilation[1] = 1;
        const rf_value_id x_id = test_input(g, in);
        const rf_value_id y =
            test_op(g, p.max ? "MaxPool" : "AveragePool", "pool", &x_id, 1, &node);
        test_ints(g, node, "kernel_shape", p.window.kernel, n_pads);
        test_ints(g, node, "strides", p.window.stride, n_pads);
        test_ints(g, node, "dilations", p.window.dilation, n_pads);
        test_ints(g, node, "pads", p.window.pads, 2 * n_pads);
        test_int(g, node, "ceil_mode", p.ceil_mode);
        if (!p.max)
            test_int(g, node, "count_include_pad", p.include_pad);
        ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
        struct rf_model *const model = test_model(g, NULL);
        float *const x = malloc((size_t)rf_numel(&in) * sizeof(*x));

        test_random_fill(&seed, x, (size_t)rf_numel(&in));
        ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
        test_run(session, &in, x, true, &out, &shape, 1);
        const int s = p.window.spatial;
        const int64_t oh =
            s == 2 ? pooled(in.dim[2], &p, p.window.pads[0], p.window.pads[2], p.window.kernel[0],
                            p.window.stride[0], p.window.dilation[0])
                   : 1;
        const int64_t ow =
            pooled(in.dim[s + 1], &p, p.window.pads[s - 1], p.window.pads[2 * s - 1],
                   p.window.kernel[s - 1], p.window.stride[s - 1], p.window.dilation[s - 1]);
        ck_assert_int_eq(rf_numel(&shape), in.dim[0] * channels * oh * ow);
        for (int64_t i = 0; i < rf_numel(&shape); i++) {
            const float want = reference_window(&p, x, &in, i / (channels * oh * ow),
                                                i / (oh * ow) % channels, i / ow % oh, i % ow);

            ck_assert_double_le(fabs((double)out[i] - (double)want), p.max ? 0.0 : 1e-6);
        }
        rf_session_free(session);
        rf_model_unref(model);
        free(x);
        free(out);
    }
}
END_TEST

/* A mean over 300 x 300 pixels keeps its precision. */
START_TEST(global_mean_of_a_large_image)
{
    const struct rf_shape in = SHAPE(1, 3, 300, 300);
    struct rf_graph *const g = test_graph();
    const rf_value_id x_id = test_input(g, in);
    const rf_value_id mean = test_op(g, "GlobalAveragePool", "mean", &x_id, 1, NULL);
    const rf_value_id max = test_op(g, "GlobalMaxPool", "max", &x_id, 1, NULL);
    float *const x = malloc((size_t)rf_numel(&in) * sizeof(*x)), *out[2];
    struct rf_session *session;
    uint64_t seed = 9;

    for (int64_t i = 0; i < rf_numel(&in); i++)
        x[i] = 1000 + test_random_float(&seed);
    ck_assert_int_eq(rf_graph_output(g, mean, NULL), RF_OK);
    ck_assert_int_eq(rf_graph_output(g, max, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    test_run(session, &in, x, true, out, NULL, 2);
    for (int c = 0; c < 3; c++) {
        double sum = 0, top = 0;

        for (int i = 0; i < 90000; i++) {
            sum += (double)x[c * 90000 + i];
            top = fmax(top, (double)x[c * 90000 + i]);
        }
        ck_assert_double_eq_tol((double)out[0][c], sum / 90000, 1e-3);
        ck_assert_double_eq((double)out[1][c], top);
    }
    rf_session_free(session);
    rf_model_unref(model);
    free(x);
    free(out[0]);
    free(out[1]);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("conv");
    TCase *const tc = tcase_create("windows");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, convolutions_match_plain_loops, 0, 4 * RF_N_ISA);
    tcase_add_loop_test(tc, parts_agree_with_one_piece, 0, 3);
    tcase_add_loop_test(tc, pools_match_plain_loops, 0, 4 * RF_N_ISA);
    tcase_add_test(tc, global_mean_of_a_large_image);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
