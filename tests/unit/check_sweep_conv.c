/* Convolutions of random geometry, computed every way (sweep_test.h). */
#include "tests/unit/sweep_test.h"

enum { COUNT = 2000, ENOUGH = 100 /* cases that meet every algorithm */ };

/* ---- geometry ---- */

struct geometry {
    struct test_conv conv;
    int64_t n, in[2], out[2]; /* batch and sizes; a line is an image of one row */
};

/* Kernels, strides and dilations of any kind. */
static void any_window(uint64_t *seed, struct test_conv *c)
{
    for (int k = 0; k < 2; k++) {
        c->kernel[k] = test_random_int(seed, 1, 7);
        c->stride[k] = test_random_int(seed, 1, 3);
        c->dilation[k] = test_random_int(seed, 1, 3);
    }
    for (int k = 0; k < 4; k++)
        c->pads[k] = test_random_int(seed, 0, 4);
}

static void pointwise(uint64_t *seed, struct test_conv *c)
{
    const int64_t stride = test_random_int(seed, 1, 2);

    c->kernel[0] = c->kernel[1] = c->dilation[0] = c->dilation[1] = 1;
    c->stride[0] = c->stride[1] = stride;
}

/* What Winograd takes, where the image is large enough. */
static void three_by_three(uint64_t *seed, struct test_conv *c)
{
    c->kernel[0] = c->kernel[1] = 3;
    c->stride[0] = c->stride[1] = c->dilation[0] = c->dilation[1] = 1;
    for (int k = 0; k < 4; k++)
        c->pads[k] = test_random_int(seed, 0, 2);
    c->in = test_random_int(seed, 14, 40);
    c->out = test_random_int(seed, 14, 70);
}

static void grouped(uint64_t *seed, struct test_conv *c)
{
    c->groups = test_random_int(seed, 2, 5);
    c->in = c->groups * test_random_int(seed, 1, 7);
    c->out = c->groups * test_random_int(seed, 1, 40);
}

static void depthwise(uint64_t *seed, struct test_conv *c)
{
    c->groups = c->in = test_random_int(seed, 2, 70);
    c->out = c->in * (test_random(seed) % 3 ? 1 : test_random_int(seed, 2, 3));
}

static struct test_conv random_conv(uint64_t *seed, uint32_t kind)
{
    struct test_conv c = {.spatial = 2, .groups = 1, .bias = test_random(seed) & 1};

    c.in = test_random_int(seed, 1, 37);
    c.out = test_random_int(seed, 1, 70);
    any_window(seed, &c);
    if (kind == 0)
        pointwise(seed, &c);
    else if (kind == 1 || kind == 2)
        three_by_three(seed, &c);
    else if (kind == 3)
        grouped(seed, &c);
    else if (kind == 4)
        depthwise(seed, &c);
    else if (kind == 5)
        c.spatial = 1;
    return c;
}

/* Sizes that give about as many outputs as were asked for. */
static void size_images(uint64_t *seed, struct geometry *g, int64_t low, int64_t high)
{
    const int spatial = g->conv.spatial;

    g->in[0] = g->out[0] = 1;
    for (int k = 0; k < spatial; k++) {
        const int to = 2 - spatial + k;
        const int64_t stride = g->conv.stride[k];
        const int64_t span = (g->conv.kernel[k] - 1) * g->conv.dilation[k] + 1;
        const int64_t pads = g->conv.pads[k] + g->conv.pads[spatial + k];
        const int64_t wish = test_random_int(seed, low, high) * stride + span - pads - 1;

        g->in[to] = wish < 1 ? 1 : wish;
        if (g->in[to] + pads < span)
            g->in[to] = span - pads;
        g->out[to] = (g->in[to] + pads - span) / stride + 1;
    }
}

/* Some are large enough to be shared by threads. */
static struct geometry random_geometry(uint64_t *seed)
{
    const uint32_t kind = test_random(seed) % 10, size = test_random(seed) % 30;
    struct geometry g = {.conv = random_conv(seed, kind), .n = test_random_int(seed, 1, 3)};

    if (size == 0 && kind == 0) {
        g.conv.in = test_random_int(seed, 100, 150);
        g.conv.out = test_random_int(seed, 100, 150);
    }
    if (size == 0)
        size_images(seed, &g, 20, 40);
    else if (size < 4)
        size_images(seed, &g, 1, 1);
    else
        size_images(seed, &g, 1, kind == 1 || kind == 2 ? 20 : 12);
    return g;
}

static struct rf_shape image(const struct geometry *g, int64_t channels, const int64_t *size)
{
    return g->conv.spatial == 2 ? SHAPE(g->n, channels, size[0], size[1])
                                : SHAPE(g->n, channels, size[1]);
}

static void describe(const struct geometry *g, char *text, size_t size)
{
    const struct test_conv *const v = &g->conv;

    snprintf(text, size,
             "Conv%dd %lldx%lldx%lldx%lld to %lld, kernel %lldx%lld, stride %lld %lld, "
             "dilation %lld %lld, pads %lld %lld %lld %lld, groups %lld, bias %d",
             v->spatial, (long long)g->n, (long long)v->in, (long long)g->in[0],
             (long long)g->in[1], (long long)v->out, (long long)v->kernel[0],
             (long long)v->kernel[1], (long long)v->stride[0], (long long)v->stride[1],
             (long long)v->dilation[0], (long long)v->dilation[1], (long long)v->pads[0],
             (long long)v->pads[1], (long long)v->pads[2], (long long)v->pads[3],
             (long long)v->groups, v->bias);
}

/* ---- what is expected ---- */

/* A line's geometry is that of the second dimension of an image. */
struct window {
    int64_t kernel[2], stride[2], dilation[2], before[2];
};

static struct window window_of(const struct test_conv *c)
{
    struct window w = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};

    for (int k = 0; k < c->spatial; k++) {
        const int to = 2 - c->spatial + k;

        w.kernel[to] = c->kernel[k];
        w.stride[to] = c->stride[k];
        w.dilation[to] = c->dilation[k];
        w.before[to] = c->pads[k];
    }
    return w;
}

/* Adds one weight times one plane of the input to a plane of sums. */
static void add_tap(const struct geometry *g, const struct window *w, int64_t ky, int64_t kx,
                    double weight, const float *x, double *sums)
{
    for (int64_t y = 0; y < g->out[0]; y++) {
        const int64_t sy = y * w->stride[0] - w->before[0] + ky * w->dilation[0];

        if (sy < 0 || sy >= g->in[0])
            continue;
        for (int64_t i = 0; i < g->out[1]; i++) {
            const int64_t sx = i * w->stride[1] - w->before[1] + kx * w->dilation[1];

            if (sx >= 0 && sx < g->in[1])
                sums[y * g->out[1] + i] += weight * (double)x[sy * g->in[1] + sx];
        }
    }
}

static float *convolve(const struct sweep_case *c, const struct geometry *g, const float *weights,
                       const float *bias)
{
    const struct window w = window_of(&g->conv);
    const int64_t area = g->out[0] * g->out[1], in_area = g->in[0] * g->in[1];
    const int64_t taps = w.kernel[0] * w.kernel[1], n_in = g->conv.in / g->conv.groups;
    double *const all = malloc((size_t)rf_numel(&c->out) * sizeof(*all) + 1), *sums = all;

    for (int64_t at = 0; at < g->n * g->conv.out; at++, sums += area) {
        const int64_t o = at % g->conv.out, group = o / (g->conv.out / g->conv.groups);
        const float *const x = c->x + at / g->conv.out * (int64_t)c->row + group * n_in * in_area;

        for (int64_t i = 0; i < area; i++)
            sums[i] = bias ? (double)bias[o] : 0;
        for (int64_t i = 0; i < n_in * taps; i++)
            add_tap(g, &w, i % taps / w.kernel[1], i % w.kernel[1],
                    (double)weights[o * n_in * taps + i], x + i / taps * in_area, sums);
    }
    float *const want = sweep_expect(c, all);

    free(all);
    return want;
}

/* ---- a case ---- */

static struct sweep_case make_case(uint64_t seed, bool expect)
{
    struct sweep_case c = {.seed = seed,
                           .graph = test_graph(),
                           .tolerance = 1e-5,
                           .is_batch = true,
                           .channel_axis = 1};
    const struct geometry g = random_geometry(&seed);
    rf_value_id w, b, residual;

    describe(&g, c.text, sizeof(c.text));
    c.out = image(&g, g.conv.out, g.out);
    const rf_value_id x = sweep_input(&c, &seed, image(&g, g.conv.in, g.in), &residual);

    sweep_tail(&c, &seed, test_conv(c.graph, &seed, "conv", x, &g.conv, &w, &b), residual);
    if (expect)
        c.want = convolve(&c, &g, c.graph->values[w].constant,
                          b == RF_NO_VALUE ? NULL : c.graph->values[b].constant);
    return c;
}

/* ---- tests ---- */

/* A sweep that does not meet an algorithm proves nothing about it. */
static void check_seen(const struct sweep_seen *seen, int way)
{
    const bool panels = strcmp(rf_engine_gemm(), "openblas") != 0;
    const bool f2 = panels && strcmp(sweep_ways[way].conv, "direct") != 0;
    const bool f4 = f2 && strcmp(sweep_ways[way].conv, "accurate") != 0;

    ck_assert_int_eq(sweep_saw(seen, "[winograd F(4x4"), f4);
    ck_assert_int_eq(sweep_saw(seen, "[winograd F(2x2"), f2);
    ck_assert_int_eq(sweep_saw(seen, "[direct panel"), panels);
    ck_assert_int_eq(sweep_saw(seen, "[pointwise panel"), panels);
    ck_assert_int_eq(sweep_saw(seen, "[im2col"), !panels);
    ck_assert_int_eq(sweep_saw(seen, "[pointwise]"), !panels);
    ck_assert(sweep_saw(seen, "[depthwise"));
    /* Residuals and activations are part of the convolution. */
    ck_assert_msg(!sweep_saw(seen, "[broadcast") && !sweep_saw(seen, "[rows"), "%s", seen->text);
}

START_TEST(convolutions_match_plain_loops)
{
    struct sweep_seen seen = {""};

    if (sweep_all(_i, make_case, &seen) && sweep_cases >= ENOUGH)
        check_seen(&seen, _i);
}
END_TEST

static void begin(void)
{
    sweep_begin(COUNT, make_case);
}

int main(void)
{
    return sweep_main("sweep_conv", convolutions_match_plain_loops, SWEEP_WAYS, begin);
}
