/* Pools of any rank, their indices, and global ones against plain loops in double precision; and
 * what they refuse. */
#include "core/kernels/kernels.h"
#include "core/passes/passes.h"
#include "tests/unit/window_test.h"

#define ROUNDS 60

enum kind { MAX, MEAN, LP };

struct pool {
    enum kind kind;
    struct geometry w;
    int64_t batch, channels, p;
    bool include_pad, indices, column_major;
};

static struct pool random_pool(uint64_t *seed)
{
    struct pool p = {.kind = (enum kind)test_random_int(seed, MAX, LP),
                     .w = random_geometry(seed),
                     .batch = test_random_int(seed, 1, 2),
                     .channels = test_random_int(seed, 1, 20),
                     .p = test_random_int(seed, 1, 3),
                     .include_pad = test_random(seed) & 1,
                     .indices = test_random(seed) & 1,
                     .column_major = test_random(seed) & 1};

    p.w.ceil_mode = test_random(seed) & 1;
    p.indices &= p.kind == MAX;
    for (int d = 0; d < p.w.spatial; d++) { /* every window holds an element of the input */
        p.w.before[d] %= p.w.kernel[d];
        p.w.after[d] %= p.w.kernel[d];
    }
    if (p.w.auto_pad && !strcmp(p.w.auto_pad, "VALID"))
        p.w.ceil_mode = false;
    find_output(&p.w);
    return p;
}

/* Padding that a mean with count_include_pad takes for zeros. */
static bool is_padding(const struct geometry *w, int64_t o, int64_t t)
{
    int64_t at[MAX_SPATIAL], tap[MAX_SPATIAL];

    take_apart(o, w->out, w->spatial, at);
    take_apart(t, w->kernel, w->spatial, tap);
    for (int d = 0; d < w->spatial; d++)
        if (at[d] * w->stride[d] - w->before[d] + tap[d] * w->dilation[d] >= w->in[d] + w->after[d])
            return false;
    return true;
}

static double reference(const struct pool *p, const float *plane, int64_t o, int64_t *top)
{
    double sum = 0, max = -INFINITY;
    int64_t n = 0;

    *top = -1;
    for (int64_t t = 0; t < product(p->w.kernel, p->w.spatial); t++) {
        const int64_t at = looked_at(&p->w, o, t);

        n += at >= 0 || (p->include_pad && is_padding(&p->w, o, t));
        if (at < 0)
            continue;
        const double v = (double)plane[at];

        sum += p->kind == LP ? pow(fabs(v), (double)p->p) : v;
        if (v > max) {
            max = v;
            *top = at;
        }
    }
    return p->kind == MAX ? max : p->kind == MEAN ? sum / (double)n : pow(sum, 1 / (double)p->p);
}

/* Row-major index to column-major. */
static int64_t turned(const struct geometry *w, int64_t i)
{
    int64_t at[MAX_SPATIAL], index = 0;

    take_apart(i, w->in, w->spatial, at);
    for (int d = w->spatial - 1; d >= 0; d--)
        index = index * w->in[d] + at[d];
    return index;
}

static void compare(const struct pool *p, const float *x, const float *y, const int64_t *indices)
{
    const int64_t pixels = product(p->w.in, p->w.spatial);
    const int64_t windows = product(p->w.out, p->w.spatial);

    for (int64_t i = 0; i < p->batch * p->channels * windows; i++) {
        const int64_t base = i / windows * pixels;
        int64_t top;
        const double want = reference(p, x + base, i % windows, &top);

        ck_assert_double_le(fabs((double)y[i] - want), p->kind == MAX ? 0 : 2e-6 * fmax(1, want));
        if (indices)
            ck_assert_int_eq(indices[i], base + (p->column_major ? turned(&p->w, top) : top));
    }
}

static void set_pool(struct operands *o, struct rf_node *node, const struct pool *p)
{
    set_geometry(o, node, &p->w);
    test_int(o->g, node, "ceil_mode", p->w.ceil_mode);
    if (p->kind == MAX)
        test_int(o->g, node, "storage_order", p->column_major);
    if (p->kind == MEAN)
        test_int(o->g, node, "count_include_pad", p->include_pad);
    if (p->kind == LP)
        test_int(o->g, node, "p", p->p);
}

START_TEST(pools)
{
    static const char *const names[] = {"MaxPool", "AveragePool", "LpPool"};
    uint64_t seed = 5000 + (uint64_t)_i;

    if (!test_use_isa(_i % RF_N_ISA))
        return;
    for (int round = 0; round < ROUNDS; round++) {
        const struct pool p = random_pool(&seed);
        const struct rf_shape in = image_shape(p.batch, p.channels, p.w.in, p.w.spatial);
        const struct rf_shape want = image_shape(p.batch, p.channels, p.w.out, p.w.spatial);
        struct operands o = operands_of(22);
        float *const x = random_floats(&seed, &in);
        struct rf_shape shape[2];
        void *out[2] = {NULL};

        add_operand(&o, RF_F32, in, x, test_random(&seed) % 4 == 0);
        set_pool(&o, add_node(&o, names[p.kind], 1 + p.indices), &p);
        run_operands(&o, test_random(&seed) & 1 ? RF_PASSES_ALL : 0, out, shape, 1 + p.indices);
        for (int i = 0; i <= p.indices; i++)
            ck_assert(rf_shape_equal(&shape[i], &want));
        compare(&p, x, out[0], out[1]);
        free(x);
        free(out[0]);
        free(out[1]);
    }
}
END_TEST

/* A global pool is a pool whose only window is everything. */
START_TEST(global_pools)
{
    static const char *const names[] = {"GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"};
    uint64_t seed = 6000;

    for (int round = 0; round < ROUNDS; round++) {
        struct pool p = random_pool(&seed);
        const struct rf_shape in = image_shape(p.batch, p.channels, p.w.in, p.w.spatial);
        struct operands o = operands_of(22);
        float *const x = random_floats(&seed, &in);
        struct rf_shape shape;
        void *out;

        for (int d = 0; d < p.w.spatial; d++) {
            p.w.kernel[d] = p.w.in[d];
            p.w.stride[d] = p.w.dilation[d] = p.w.out[d] = 1;
            p.w.before[d] = p.w.after[d] = 0;
        }
        const struct rf_shape want = image_shape(p.batch, p.channels, p.w.out, p.w.spatial);

        add_operand(&o, RF_F32, in, x, test_random(&seed) % 4 == 0);
        struct rf_node *const node = add_node(&o, names[p.kind], 1);

        if (p.kind == LP)
            test_int(o.g, node, "p", p.p);
        run_operands(&o, test_random(&seed) & 1 ? RF_PASSES_ALL : 0, &out, &shape, 1);
        ck_assert(rf_shape_equal(&shape, &want));
        compare(&p, x, out, NULL);
        free(x);
        free(out);
    }
}
END_TEST

/* NaN is the maximum, and its place the index; in both layouts. */
START_TEST(nan_wins)
{
    static const float x[] = {1, 5, NAN, 2, -INFINITY, -INFINITY};
    static const int64_t kernel[] = {2};

    for (int indices = 0; indices < 2; indices++) {
        struct operands o = operands_of(22);
        struct rf_shape shape[2];
        void *out[2] = {NULL};

        add_operand(&o, RF_F32, SHAPE(1, 1, 6), x, false);
        test_ints(o.g, add_node(&o, "MaxPool", 1 + indices), "kernel_shape", kernel, 1);
        run_operands(&o, 0, out, shape, 1 + (size_t)indices);
        const float *const y = out[0];

        ck_assert(y[0] == 5 && isnan(y[1]) && isnan(y[2]) && y[3] == 2 && y[4] == -INFINITY);
        if (indices) {
            const int64_t want[] = {1, 2, 2, 3, 4};

            ck_assert_mem_eq(out[1], want, sizeof(want));
        }
        free(out[0]);
        free(out[1]);
    }
}
END_TEST

/* ---- what is refused ---- */

#define INTS(...) {__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

static const struct {
    const char *op, *attr;
    int64_t v[4];
    size_t n; /* 0: an integer */
    const char *text;
} bad[] = {
    {"MaxPool", "strides", INTS(0, 1), "strides[0] is 0, expected 1 to"},
    {"MaxPool", "dilations", INTS(1, -1), "dilations[1] is -1"},
    {"MaxPool", "dilations", INTS(1 << 24, 1 << 24), "do not fit input"},
    {"MaxPool", "pads", INTS(3, 0, 0, 0), "padding is not smaller than the kernel"},
    {"MaxPool", "pads", INTS(0, 0, -1, 0), "pads[2] is -1"},
    {"MaxPool", "kernel_shape", INTS(6, 1), "windows of [6,1] do not fit input [1,4,5,5]"},
    {"MaxPool", "kernel_shape", INTS(3), "expected rank 3"},
    {"MaxPool", "kernel_shape", INTS(INT64_MAX, 1), "kernel_shape[0] is"},
    {"MaxPool", "storage_order", {2}, 0, "storage_order is 2, expected 0 to 1"},
    {"MaxPool", "ceil_mode", {2}, 0, "ceil_mode is 2, expected 0 to 1"},
    {"MaxPool", "count_include_pad", {1}, 0, "no attribute count_include_pad"},
    {"AveragePool", "count_include_pad", {-1}, 0, "count_include_pad is -1"},
    {"AveragePool", "storage_order", {0}, 0, "no attribute storage_order"},
    {"LpPool", "p", {0}, 0, "p is 0, expected 1 to"},
};

START_TEST(bad_attributes)
{
    static const int64_t kernel[] = {3, 3};
    const float x[4 * 25] = {0};

    for (int known = 0; known < 2; known++) {
        struct operands o = operands_of(22);

        add_operand(&o, RF_F32, SHAPE(1, 4, 5, 5), x, known);
        struct rf_node *const node = add_node(&o, bad[_i].op, 1);

        if (strcmp(bad[_i].attr, "kernel_shape") != 0)
            test_ints(o.g, node, "kernel_shape", kernel, 2);
        if (bad[_i].n)
            test_ints(o.g, node, bad[_i].attr, bad[_i].v, bad[_i].n);
        else
            test_int(o.g, node, bad[_i].attr, bad[_i].v[0]);
        refuse_operands(&o, bad[_i].text);
    }
}
END_TEST

START_TEST(bad_inputs)
{
    static const struct {
        const char *op;
        enum rf_dtype dtype;
        struct rf_shape shape;
        const char *text;
    } cases[] = {
        {"MaxPool", RF_F32, {4, {1, 4, 5, 5}}, "kernel_shape is missing"},
        {"GlobalMaxPool", RF_U8, {4, {1, 4, 5, 5}}, "input 0 is UINT8"},
        {"GlobalAveragePool", RF_I8, {4, {1, 4, 5, 5}}, "input 0 is INT8"},
        {"GlobalLpPool", RF_I32, {4, {1, 4, 5, 5}}, "input 0 is INT32"},
        {"GlobalMaxPool", RF_F32, {2, {1, 4}}, "expected rank 3 or more"},
        {"GlobalAveragePool", RF_F32, {5, {1, 4, 5, 0, 5}}, "has no pixels"},
        {"GlobalAveragePool", RF_F32, {4, {1, 4, 0, 5}}, "has no pixels"},
    };
    const int64_t values[100] = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct operands o = operands_of(22);

        add_operand(&o, cases[i].dtype, cases[i].shape, values, false);
        add_node(&o, cases[i].op, 1);
        refuse_operands(&o, cases[i].text);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("pool_any");
    TCase *const tc = tcase_create("all");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, pools, 0, 2 * RF_N_ISA);
    tcase_add_test(tc, global_pools);
    tcase_add_test(tc, nan_wins);
    tcase_add_loop_test(tc, bad_attributes, 0, (int)(sizeof(bad) / sizeof(*bad)));
    tcase_add_test(tc, bad_inputs);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed != 0;
}
