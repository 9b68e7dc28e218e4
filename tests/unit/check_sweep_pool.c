/* Pools of random geometry, computed every way (sweep_test.h). */
#include "tests/unit/sweep_test.h"

enum { COUNT = 1500, ENOUGH = 100 /* cases that meet every algorithm */ };

enum kind { MAX, MEAN, GLOBAL_MAX, GLOBAL_MEAN, KINDS };

static const char *const ops[] = {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"};

struct geometry {
    enum kind kind;
    int spatial;
    int64_t n, channels;
    int64_t in[2], out[2]; /* a line is an image of one row */
    int64_t kernel[2], stride[2], dilation[2], before[2], after[2];
    bool ceil_mode, include_pad;
};

/* ---- geometry ---- */

/* No window begins in the padding behind the image. */
static int64_t outputs(const struct geometry *g, int d)
{
    const int64_t span = (g->kernel[d] - 1) * g->dilation[d] + 1, stride = g->stride[d];
    const int64_t room = g->in[d] + g->before[d] + g->after[d] - span;
    const int64_t n = (g->ceil_mode ? room + stride - 1 : room) / stride + 1;

    return (n - 1) * stride >= g->in[d] + g->before[d] ? n - 1 : n;
}

/* A dimension of `size` pixels, or a little more where the kernel wants it. */
static void random_window(uint64_t *seed, struct geometry *g, int d, int64_t size)
{
    g->kernel[d] = test_random_int(seed, 1, 7);
    g->stride[d] = test_random_int(seed, 1, 3);
    g->dilation[d] = g->kind == MAX ? test_random_int(seed, 1, 2) : 1;
    g->before[d] = test_random_int(seed, 0, g->kernel[d] / 2);
    g->after[d] = test_random_int(seed, 0, g->kernel[d] / 2);
    const int64_t span = (g->kernel[d] - 1) * g->dilation[d] + 1;

    g->in[d] = size < span ? span : size;
    g->out[d] = outputs(g, d);
}

static void whole_image(struct geometry *g, int d, int64_t size)
{
    g->kernel[d] = g->in[d] = size;
    g->stride[d] = g->dilation[d] = g->out[d] = 1;
}

/* Some are large enough to be shared by threads. */
static struct geometry random_geometry(uint64_t *seed)
{
    const bool large = test_random(seed) % 30 == 0;
    struct geometry g = {.kind = (enum kind)(test_random(seed) % 8 < 7
                                                 ? test_random_int(seed, MAX, MEAN)
                                                 : test_random_int(seed, GLOBAL_MAX, GLOBAL_MEAN)),
                         .spatial = test_random(seed) % 5 ? 2 : 1,
                         .n = test_random_int(seed, 1, 3),
                         .channels = test_random_int(seed, large ? 60 : 1, 70),
                         .ceil_mode = test_random(seed) & 1,
                         .include_pad = test_random(seed) & 1};

    for (int d = 0; d < 2; d++) {
        const int64_t size = test_random_int(seed, large ? 50 : 1, large ? 80 : 16);

        if (d < 2 - g.spatial)
            whole_image(&g, d, 1);
        else if (g.kind >= GLOBAL_MAX)
            whole_image(&g, d, size);
        else
            random_window(seed, &g, d, size);
    }
    return g;
}

static struct rf_shape image(const struct geometry *g, const int64_t *size)
{
    return g->spatial == 2 ? SHAPE(g->n, g->channels, size[0], size[1])
                           : SHAPE(g->n, g->channels, size[1]);
}

static void describe(const struct geometry *g, char *text, size_t size)
{
    snprintf(text, size,
             "%s %dd %lldx%lldx%lldx%lld, kernel %lld %lld, stride %lld %lld, dilation %lld %lld, "
             "before %lld %lld, after %lld %lld, ceil_mode %d, count_include_pad %d",
             ops[g->kind], g->spatial, (long long)g->n, (long long)g->channels, (long long)g->in[0],
             (long long)g->in[1], (long long)g->kernel[0], (long long)g->kernel[1],
             (long long)g->stride[0], (long long)g->stride[1], (long long)g->dilation[0],
             (long long)g->dilation[1], (long long)g->before[0], (long long)g->before[1],
             (long long)g->after[0], (long long)g->after[1], g->ceil_mode, g->include_pad);
}

/* ---- what is expected ---- */

static double window(const struct geometry *g, const float *plane, int64_t y, int64_t x)
{
    double sum = 0, max = -INFINITY;
    int64_t count = 0;

    for (int64_t t = 0; t < g->kernel[0] * g->kernel[1]; t++) {
        const int64_t sy = y * g->stride[0] - g->before[0] + t / g->kernel[1] * g->dilation[0];
        const int64_t sx = x * g->stride[1] - g->before[1] + t % g->kernel[1] * g->dilation[1];

        if (sy >= 0 && sy < g->in[0] && sx >= 0 && sx < g->in[1]) {
            const double v = (double)plane[sy * g->in[1] + sx];

            sum += v;
            max = fmax(max, v);
            count++;
        } else {
            count += g->include_pad && sy < g->in[0] + g->after[0] && sx < g->in[1] + g->after[1];
        }
    }
    return g->kind == MAX || g->kind == GLOBAL_MAX ? max : sum / (double)count;
}

static float *pool(const struct sweep_case *c, const struct geometry *g)
{
    const int64_t area = g->out[0] * g->out[1], in_area = g->in[0] * g->in[1];
    double *const all = malloc((size_t)rf_numel(&c->out) * sizeof(*all));

    for (int64_t i = 0; i < rf_numel(&c->out); i++) {
        const int64_t n = i / area / g->channels, channel = i / area % g->channels;
        const float *const plane = c->x + n * (int64_t)c->row + channel * in_area;

        all[i] = window(g, plane, i % area / g->out[1], i % g->out[1]);
    }
    float *const want = sweep_expect(c, all);

    free(all);
    return want;
}

/* ---- a case ---- */

static void set_window(struct rf_graph *g, struct rf_node *node, const struct geometry *w)
{
    const size_t from = (size_t)(2 - w->spatial), n = (size_t)w->spatial;
    int64_t pads[4];

    memcpy(pads, w->before + from, n * sizeof(*pads));
    memcpy(pads + n, w->after + from, n * sizeof(*pads));
    test_ints(g, node, "kernel_shape", w->kernel + from, n);
    test_ints(g, node, "strides", w->stride + from, n);
    test_ints(g, node, "dilations", w->dilation + from, n);
    test_ints(g, node, "pads", pads, 2 * n);
    test_int(g, node, "ceil_mode", w->ceil_mode);
    if (w->kind == MEAN)
        test_int(g, node, "count_include_pad", w->include_pad);
}

static struct sweep_case make_case(uint64_t seed, bool expect)
{
    struct sweep_case c = {.seed = seed,
                           .graph = test_graph(),
                           .tolerance = 1e-6,
                           .is_batch = true,
                           .channel_axis = 1};
    const struct geometry g = random_geometry(&seed);
    struct rf_node *node;
    rf_value_id residual;

    describe(&g, c.text, sizeof(c.text));
    c.out = image(&g, g.out);
    const rf_value_id x = sweep_input(&c, &seed, image(&g, g.in), &residual);
    const rf_value_id y = test_op(c.graph, ops[g.kind], "pool", &x, 1, &node);

    if (g.kind == MAX || g.kind == MEAN)
        set_window(c.graph, node, &g);
    sweep_tail(&c, &seed, y, residual);
    if (expect)
        c.want = pool(&c, &g);
    return c;
}

START_TEST(pools_match_plain_loops)
{
    struct sweep_seen seen = {""};

    if (!sweep_all(_i, make_case, &seen) || sweep_cases < ENOUGH)
        return;
    ck_assert(sweep_saw(&seen, "[window]"));
    ck_assert(sweep_saw(&seen, "[share]"));
}
END_TEST

static void begin(void)
{
    sweep_begin(COUNT, make_case);
}

int main(void)
{
    return sweep_main("sweep_pool", pools_match_plain_loops, SWEEP_ISAS, begin);
}
