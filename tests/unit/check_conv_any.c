/* Conv and ConvTranspose of any rank, padding and origin of their weights against plain loops in
 * double precision; and what they refuse. */
#include "core/kernels/kernels.h"
#include "core/passes/passes.h"
#include "tests/unit/window_test.h"

#define ROUNDS 60

struct conv {
    struct geometry w;              /* of a ConvTranspose: `out` is its input */
    int64_t batch, groups, in, out; /* channels, the latter of one group */
    bool bias;
    struct rf_shape x_shape, w_shape;
    float *x, *weight, *bias_values;
};

static struct conv random_conv(uint64_t *seed, bool transposed)
{
    struct conv c = {.w = random_geometry(seed),
                     .batch = test_random_int(seed, 1, 2),
                     .groups = test_random(seed) % 2 ? 1 : test_random_int(seed, 2, 4),
                     .in = test_random_int(seed, 1, 5),
                     .out = test_random_int(seed, 1, 5),
                     .bias = test_random(seed) & 1};

    if (test_random(seed) % 5 == 0)
        c.in = c.out = 1; /* depthwise, where there are groups */
    if (transposed)
        memcpy(c.w.out, c.w.in, sizeof(c.w.in));
    else
        find_output(&c.w);
    c.x_shape = image_shape(c.batch, c.groups * c.in, c.w.in, c.w.spatial);
    c.w_shape = transposed ? image_shape(c.groups * c.in, c.out, c.w.kernel, c.w.spatial)
                           : image_shape(c.groups * c.out, c.in, c.w.kernel, c.w.spatial);
    const struct rf_shape bias = SHAPE(c.groups * c.out);

    c.x = random_floats(seed, &c.x_shape);
    c.weight = random_floats(seed, &c.w_shape);
    c.bias_values = c.bias ? random_floats(seed, &bias) : NULL;
    return c;
}

static void release(struct conv *c)
{
    free(c->x);
    free(c->weight);
    free(c->bias_values);
}

/* Which operands are constants: bit 0 the input, 1 the weight, 2 the bias. */
static struct rf_node *add_conv(struct operands *o, const struct conv *c, const char *op,
                                uint32_t constants)
{
    add_operand(o, RF_F32, c->x_shape, c->x, constants & 1);
    add_operand(o, RF_F32, c->w_shape, c->weight, constants >> 1 & 1);
    if (c->bias)
        add_operand(o, RF_F32, SHAPE(c->groups * c->out), c->bias_values, constants >> 2 & 1);
    struct rf_node *const node = add_node(o, op, 1);

    test_int(o->g, node, "group", c->groups);
    return node;
}

static float *reference(const struct conv *c)
{
    const struct geometry *const w = &c->w;
    const int64_t windows = product(w->out, w->spatial), taps = product(w->kernel, w->spatial);
    const int64_t pixels = product(w->in, w->spatial), channels = c->groups * c->out;
    float *const y = malloc((size_t)(c->batch * channels * windows) * sizeof(*y) + 1);
    float *to = y;

    for (int64_t i = 0; i < c->batch * channels * windows; i++) {
        const int64_t n = i / windows / channels, o = i / windows % channels;
        const int64_t first = n * c->groups * c->in + o / c->out * c->in;
        double sum = c->bias ? (double)c->bias_values[o] : 0;

        for (int64_t k = 0; k < c->in * taps; k++) {
            const int64_t at = looked_at(w, i % windows, k % taps);

            if (at >= 0)
                sum += (double)c->x[(first + k / taps) * pixels + at] *
                       (double)c->weight[o * c->in * taps + k];
        }
        *to++ = (float)sum;
    }
    return y;
}

START_TEST(convolutions)
{
    uint64_t seed = 3000 + (uint64_t)_i;

    if (!test_use_isa(_i % RF_N_ISA))
        return;
    for (int round = 0; round < ROUNDS; round++) {
        struct operands o = operands_of(22);
        struct conv c = random_conv(&seed, false);
        const uint32_t constants = test_random(&seed) % 8;
        const uint32_t off = test_random(&seed) & 1 ? RF_PASSES_ALL : 0;
        struct rf_shape shape;
        void *out;

        set_geometry(&o, add_conv(&o, &c, "Conv", constants), &c.w);
        run_operands(&o, off, &out, &shape, 1);
        const struct rf_shape want_shape =
            image_shape(c.batch, c.groups * c.out, c.w.out, c.w.spatial);
        float *const want = reference(&c);

        ck_assert(rf_shape_equal(&shape, &want_shape));
        ck_assert_double_le(test_error(out, want, (size_t)rf_numel(&shape)), 3e-6);
        free(out);
        free(want);
        release(&c);
    }
}
END_TEST

/* Relu(Conv + residual), in parts and with weights of any origin, is the same; Winograd rounds
 * otherwise than plain sums. */
START_TEST(origins_agree)
{
    static const int64_t pads[] = {1, 1, 1, 1};
    const int64_t groups = _i == 0 ? 1 : _i == 1 ? 4 : 48;
    const struct rf_shape image = SHAPE(2, 48, 40, 40), weight = SHAPE(48, 48 / groups, 3, 3);
    uint64_t seed = 8000 + (uint64_t)_i;
    float *const x = random_floats(&seed, &image), *const w = random_floats(&seed, &weight);
    float *const b = random_floats(&seed, &SHAPE(48)), *const r = random_floats(&seed, &image);
    struct rf_shape shape;
    struct rf_pool *pool;
    void *out[4];

    ck_assert_int_eq(rf_pool_new(&pool, 3, true, NULL), RF_OK);
    for (int k = 0; k < 4; k++) { /* bit 0: a free weight, 1: a free bias */
        struct operands o = operands_of(22);

        o.pool = k ? pool : NULL;
        add_operand(&o, RF_F32, image, x, false);
        add_operand(&o, RF_F32, weight, w, !(k & 1));
        add_operand(&o, RF_F32, SHAPE(48), b, !(k >> 1));
        add_operand(&o, RF_F32, image, r, false);
        struct rf_node *node;
        const rf_value_id y = test_op(o.g, "Conv", "conv", o.id, 3, &node);
        const rf_value_id sum = test_op(o.g, "Add", "sum", (rf_value_id[]){y, o.id[3]}, 2, NULL);

        test_ints(o.g, node, "pads", pads, 4);
        test_int(o.g, node, "group", groups);
        ck_assert_int_eq(rf_graph_output(o.g, test_op(o.g, "Relu", "relu", &sum, 1, NULL), NULL),
                         RF_OK);
        run_operands(&o, 0, &out[k], &shape, 1);
        ck_assert(rf_shape_equal(&shape, &image));
        ck_assert_double_le(test_error(out[k], out[0], (size_t)rf_numel(&shape)), 1e-5);
    }
    for (int k = 0; k < 4; k++)
        free(out[k]);
    rf_pool_free(pool);
    free(x);
    free(w);
    free(b);
    free(r);
}
END_TEST

/* ---- ConvTranspose ---- */

struct transpose {
    struct conv c;
    int64_t added[MAX_SPATIAL]; /* output_padding */
    bool has_shape;
};

/* Output size and padding as ONNX words them. */
static void find_transposed(struct transpose *t, int opset)
{
    struct geometry *const w = &t->c.w;
    const bool same = w->auto_pad && strcmp(w->auto_pad, "VALID") != 0;
    const bool upper = w->auto_pad && !strcmp(w->auto_pad, "SAME_UPPER");
    const bool small_first = t->has_shape ? upper == (opset >= 11) : upper;

    for (int d = 0; d < w->spatial; d++) {
        const int64_t full =
            w->stride[d] * (w->out[d] - 1) + t->added[d] + (w->kernel[d] - 1) * w->dilation[d] + 1;

        if (w->auto_pad)
            w->before[d] = w->after[d] = 0;
        if (!same && !t->has_shape) {
            while (full - w->before[d] - w->after[d] < 1)
                w->before[d] = w->after[d] = 0;
            w->in[d] = full - w->before[d] - w->after[d];
            continue;
        }
        if (!t->has_shape)
            w->in[d] = w->out[d] * w->stride[d];
        const int64_t total = full > w->in[d] ? full - w->in[d] : 0;

        w->before[d] = small_first ? total / 2 : total - total / 2;
        w->after[d] = total - w->before[d];
    }
}

static struct transpose random_transpose(uint64_t *seed, int opset)
{
    struct transpose t = {.c = random_conv(seed, true), .has_shape = test_random(seed) % 4 == 0};

    for (int d = 0; d < t.c.w.spatial; d++) {
        t.added[d] = test_random_int(seed, 0, 1);
        if (t.has_shape)
            t.c.w.in[d] = test_random_int(seed, 6, 20);
    }
    find_transposed(&t, opset);
    return t;
}

static void set_transposed(struct operands *o, struct rf_node *node, const struct transpose *t)
{
    const size_t n = (size_t)t->c.w.spatial;

    set_geometry(o, node, &t->c.w);
    test_ints(o->g, node, "output_padding", t->added, n);
    if (t->has_shape)
        test_ints(o->g, node, "output_shape", t->c.w.in, n);
}

static float *reference_transposed(const struct conv *c)
{
    const struct geometry *const w = &c->w;
    const int64_t from = product(w->out, w->spatial), taps = product(w->kernel, w->spatial);
    const int64_t to = product(w->in, w->spatial), channels = c->groups * c->out;
    double *const sums = calloc((size_t)(c->batch * channels * to) + 1, sizeof(*sums));
    float *const y = malloc((size_t)(c->batch * channels * to) * sizeof(*y) + 1);

    for (int64_t i = 0; i < c->batch * c->groups * c->in * from; i++) {
        const int64_t n = i / from / (c->groups * c->in), channel = i / from % (c->groups * c->in);

        for (int64_t k = 0; k < c->out * taps; k++) {
            const int64_t at = looked_at(w, i % from, k % taps);
            const int64_t o = channel / c->in * c->out + k / taps;

            if (at >= 0)
                sums[(n * channels + o) * to + at] +=
                    (double)c->x[i] * (double)c->weight[channel * c->out * taps + k];
        }
    }
    for (int64_t i = 0; i < c->batch * channels * to; i++)
        y[i] = (float)(sums[i] + (c->bias ? (double)c->bias_values[i / to % channels] : 0));
    free(sums);
    return y;
}

START_TEST(transposed_convolutions)
{
    uint64_t seed = 4000 + (uint64_t)_i;

    for (int round = 0; round < ROUNDS; round++) {
        const int opset = test_random(&seed) & 1 ? 8 : 20;
        struct operands o = operands_of(opset);
        struct transpose t = random_transpose(&seed, opset);
        struct rf_shape shape;
        void *out;

        set_transposed(&o, add_conv(&o, &t.c, "ConvTranspose", test_random(&seed) % 8), &t);
        run_operands(&o, test_random(&seed) & 1 ? RF_PASSES_ALL : 0, &out, &shape, 1);
        const struct rf_shape want_shape =
            image_shape(t.c.batch, t.c.groups * t.c.out, t.c.w.in, t.c.w.spatial);
        float *const want = reference_transposed(&t.c);

        ck_assert(rf_shape_equal(&shape, &want_shape));
        ck_assert_double_le(test_error(out, want, (size_t)rf_numel(&shape)), 3e-6);
        free(out);
        free(want);
        release(&t.c);
    }
}
END_TEST

/* ---- what is refused ---- */

#define HUGE_INT INT64_MAX
#define INTS(...) {__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

static const struct {
    const char *op, *attr;
    int64_t v[4];
    size_t n; /* 0: an integer */
    const char *text;
} bad[] = {
    {"Conv", "strides", INTS(1, 0), "strides[1] is 0, expected 1 to"},
    {"Conv", "strides", INTS(-1, 1), "strides[0] is -1"},
    {"Conv", "strides", INTS(1, HUGE_INT), "strides[1] is 9223372036854775807"},
    {"Conv", "strides", INTS(1), "expected rank 3"},
    {"Conv", "strides", INTS(1, 1, 1), "expected rank 5"},
    {"Conv", "dilations", INTS(0, 1), "dilations[0] is 0"},
    {"Conv", "dilations", INTS(1 << 24, 1), "do not fit input"},
    {"Conv", "dilations", INTS(1, HUGE_INT), "dilations[1] is"},
    {"Conv", "pads", INTS(0, 0, -1, 0), "pads[2] is -1"},
    {"Conv", "pads", INTS(0, 0, 0, HUGE_INT), "pads[3] is"},
    {"Conv", "pads", INTS(0, 0, 0), "pads has 3 elements"},
    {"Conv", "pads", INTS(1 << 24, 1 << 24, 1 << 24, 1 << 24), " bytes"},
    {"Conv", "kernel_shape", INTS(3, 2), "kernel_shape[1] is 2, but the weight has a kernel of 3"},
    {"Conv", "kernel_shape", INTS(0, 3), "kernel_shape[0] is 0"},
    {"Conv", "group", {0}, 0, "group is 0, expected 1 to"},
    {"Conv", "group", {-1}, 0, "group is -1"},
    {"Conv", "group", {HUGE_INT}, 0, "group is 9223372036854775807"},
    {"Conv", "group", {3}, 0, "which 3 groups do not divide"},
    {"Conv", "group", {2}, 0, "expects 8 input channels"},
    {"Conv", "ceil_mode", {1}, 0, "has no attribute ceil_mode"},
    {"ConvTranspose", "strides", INTS(0, 1), "strides[0] is 0"},
    {"ConvTranspose", "strides", INTS(1 << 24, 1 << 24), " bytes"},
    {"ConvTranspose", "pads", INTS(9, 9, 9, 9), "leaves no output"},
    {"ConvTranspose", "output_padding", INTS(-1, 0), "output_padding[0] is -1"},
    {"ConvTranspose", "output_padding", INTS(1), "is not for an input of shape [1,4,5,5]"},
    {"ConvTranspose", "output_shape", INTS(0, 1), "output_shape[0] is 0"},
    {"ConvTranspose", "output_shape", INTS(HUGE_INT, 1), "output_shape[0] is"},
    {"ConvTranspose", "group", {3}, 0, "which 3 groups do not divide"},
};

START_TEST(bad_attributes)
{
    const float x[4 * 25] = {0}, weight[4 * 4 * 9] = {0};

    /* Constant weights, others, and all of it known. */
    for (int k = 0; k < 3; k++) {
        struct operands o = operands_of(22);

        add_operand(&o, RF_F32, SHAPE(1, 4, 5, 5), x, k == 2);
        add_operand(&o, RF_F32, SHAPE(4, 4, 3, 3), weight, k != 1);
        struct rf_node *const node = add_node(&o, bad[_i].op, 1);

        if (bad[_i].n)
            test_ints(o.g, node, bad[_i].attr, bad[_i].v, bad[_i].n);
        else
            test_int(o.g, node, bad[_i].attr, bad[_i].v[0]);
        refuse_operands(&o, bad[_i].text);
    }
}
END_TEST

START_TEST(bad_operands)
{
    static const struct {
        struct rf_shape x, w, b;
        const char *text;
    } cases[] = {
        {{4, {1, 4, 5, 5}}, {4, {4, 3, 3, 3}}, {1, {4}}, "expects 3 input channels"},
        {{4, {1, 4, 5, 5}}, {3, {4, 4, 3}}, {1, {4}}, "ranks must be equal"},
        {{2, {1, 4}}, {2, {4, 4}}, {1, {4}}, "expected rank 3 or more"},
        {{4, {1, 4, 5, 5}}, {4, {4, 4, 3, 6}}, {1, {4}}, "do not fit input"},
        {{4, {1, 4, 5, 5}}, {4, {4, 4, 3, 0}}, {1, {4}}, "a kernel of 0"},
        {{4, {1, 4, 5, 5}}, {4, {4, 4, 3, 3}}, {1, {3}}, "[3], expected [4]"},
        {{4, {1, 4, 5, 0}}, {4, {4, 4, 3, 3}}, {1, {4}}, "do not fit input"},
    };
    const float values[512] = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (int k = 0; k < 2; k++) {
            struct operands o = operands_of(22);

            add_operand(&o, RF_F32, cases[i].x, values, false);
            add_operand(&o, RF_F32, cases[i].w, values, k);
            add_operand(&o, RF_F32, cases[i].b, values, k);
            add_node(&o, "Conv", 1);
            refuse_operands(&o, cases[i].text);
        }
    }
}
END_TEST

/* Groups of no channels at all. */
START_TEST(weights_without_elements)
{
    const float values[512] = {0};

    for (int k = 0; k < 2; k++) {
        struct operands o = operands_of(22);

        add_operand(&o, RF_F32, SHAPE(1, 4, 5, 5), values, false);
        add_operand(&o, RF_F32, SHAPE(0, 0, 3, 3), values, k);
        struct rf_node *const node = add_node(&o, "Conv", 1);

        test_int(o.g, node, "group", 2);
        refuse_operands(&o, "[0,0,3,3], which 2 groups do not divide");
    }
}
END_TEST

START_TEST(auto_pad_is_one_of_four_and_alone)
{
    static const int64_t pads[] = {1, 1, 1, 1};
    const float values[512] = {0};

    for (int k = 0; k < 2; k++) {
        struct operands o = operands_of(22);

        add_operand(&o, RF_F32, SHAPE(1, 4, 5, 5), values, false);
        add_operand(&o, RF_F32, SHAPE(4, 4, 3, 3), values, true);
        struct rf_node *const node = add_node(&o, "Conv", 1);

        set_string(&o, node, "auto_pad", k ? "SAME_UPPER" : "SAME");
        test_ints(o.g, node, "pads", pads, 4);
        refuse_operands(&o, k ? "both auto_pad and pads" : "auto_pad is SAME, expected one of");
    }
}
END_TEST

START_TEST(other_dtypes_are_named)
{
    const int32_t values[512] = {0};

    for (int i = 0; i < 2; i++) {
        struct operands o = operands_of(22);

        add_operand(&o, i == 0 ? RF_I32 : RF_F32, SHAPE(1, 4, 5, 5), values, false);
        add_operand(&o, i == 1 ? RF_I32 : RF_F32, SHAPE(4, 4, 3, 3), values, false);
        add_node(&o, "Conv", 1);
        refuse_operands(&o, i ? "input 1 is INT32" : "input 0 is INT32");
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("conv_any");
    TCase *const tc = tcase_create("all");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, convolutions, 0, 2 * RF_N_ISA);
    tcase_add_loop_test(tc, origins_agree, 0, 3);
    tcase_add_loop_test(tc, transposed_convolutions, 0, 4);
    tcase_add_loop_test(tc, bad_attributes, 0, (int)(sizeof(bad) / sizeof(*bad)));
    tcase_add_test(tc, bad_operands);
    tcase_add_test(tc, weights_without_elements);
    tcase_add_test(tc, auto_pad_is_one_of_four_and_alone);
    tcase_add_test(tc, other_dtypes_are_named);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed != 0;
}
