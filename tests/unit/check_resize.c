/* Resize and Upsample of random shapes, in both layouts and known before the run, against ONNX's
 * formulas one element at a time; and what they refuse. */
#include "core/passes/passes.h"
#include "tests/unit/window_test.h"

#define ROUNDS 40
#define MAX_AXES 5

struct resize {
    int opset;
    bool linear, by_size, attribute, pixels;
    const char *transform, *rounding, *policy;
    struct rf_shape in, out;
    int64_t axes[MAX_AXES], sizes[MAX_AXES];
    float scales[MAX_AXES], roi[2 * MAX_AXES], outside;
    int n;
    /* Along each dimension: */
    double scale[MAX_AXES], start[MAX_AXES], end[MAX_AXES];
};

static const char *pick(uint64_t *seed, const char *const *words, size_t n)
{
    return words[test_random(seed) % n];
}
#define PICK(seed, ...)                                                                            \
    pick(seed, (const char *const[]){__VA_ARGS__},                                                 \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void choose_axes(uint64_t *seed, struct resize *r)
{
    for (int d = 0; d < r->in.rank; d++)
        r->axes[r->n++] = d;
    if (r->opset < 18 || test_random(seed) & 1)
        return;
    /* Some of them, the last first, now and then counted from the back. */
    r->n = (int)test_random_int(seed, 1, r->in.rank);
    for (int i = 0; i < r->n; i++)
        r->axes[i] = r->in.rank - 1 - i;
}

static void choose_sizes(uint64_t *seed, struct resize *r)
{
    static const float scales[] = {0.5f, 0.6f, 0.75f, 1, 1.25f, 1.5f, 2, 2.5f, 3, 1.0f / 3};
    double common = 0;

    for (int i = 0; i < r->n; i++) {
        const int64_t in = r->in.dim[r->axes[i]];

        r->scales[i] = scales[test_random(seed) % 10];
        r->sizes[i] = test_random_int(seed, 1, 9);
        const double own = (double)r->sizes[i] / (double)in;
        if (!i || (!strcmp(r->policy, "not_larger") ? own < common : own > common))
            common = own;
        r->roi[i] = 0.4f * test_random_float(seed);
        r->roi[i + r->n] = 0.8f + 0.4f * test_random_float(seed);
    }
    r->out = r->in;
    for (int d = 0; d < r->in.rank; d++)
        r->scale[d] = 1;
    for (int i = 0; i < r->n; i++) {
        const int d = (int)r->axes[i];
        const double in = (double)r->in.dim[d];

        r->start[d] = (double)r->roi[i];
        r->end[d] = (double)r->roi[i + r->n];
        r->scale[d] = !r->by_size                     ? (double)r->scales[i]
                      : !strcmp(r->policy, "stretch") ? (double)r->sizes[i] / in
                                                      : common;
        r->out.dim[d] = !r->by_size                     ? (int64_t)floorf(r->scales[i] * (float)in)
                        : !strcmp(r->policy, "stretch") ? r->sizes[i]
                                                        : (int64_t)floor(common * in + 0.5);
    }
}

static struct resize random_resize(uint64_t *seed)
{
    static const int opsets[] = {7, 9, 10, 11, 13, 18, 19};
    struct resize r = {.opset = opsets[test_random(seed) % 7],
                       .linear = test_random(seed) & 1,
                       .transform = "asymmetric",
                       .rounding = "outward",
                       .policy = "stretch",
                       .in.rank = (int)test_random_int(seed, 1, MAX_AXES),
                       .outside = 7};

    for (int d = 0; d < r.in.rank; d++)
        r.in.dim[d] = test_random_int(seed, 1, 6);
    r.attribute = r.opset < 9;
    r.pixels = (r.in.rank == 3 || r.in.rank == 4) && test_random(seed) & 1;
    if (r.opset >= 11) {
        r.by_size = test_random(seed) & 1;
        r.transform = PICK(seed, "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric",
                           "half_pixel_symmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize");
        r.rounding = PICK(seed, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil");
    }
    if (r.opset >= 18)
        r.policy = PICK(seed, "stretch", "not_larger", "not_smaller");
    choose_axes(seed, &r);
    choose_sizes(seed, &r);
    return r;
}

static double place(const struct resize *r, int d, int64_t o)
{
    const double in = (double)r->in.dim[d], out = (double)r->out.dim[d], scale = r->scale[d];
    /* Exact where a size is asked for. */
    const bool exact = r->by_size && !strcmp(r->policy, "stretch");
    const double half = exact ? ((double)o + 0.5) * in / out : ((double)o + 0.5) / scale;

    if (!strcmp(r->transform, "asymmetric"))
        return exact ? (double)o * in / out : (double)o / scale;
    if (!strcmp(r->transform, "tf_half_pixel_for_nn"))
        return half;
    if (!strcmp(r->transform, "align_corners"))
        return out > 1 ? (double)o * (in - 1) / (out - 1) : 0;
    if (!strcmp(r->transform, "pytorch_half_pixel") && out == 1)
        return 0;
    if (!strcmp(r->transform, "half_pixel_symmetric") && !exact)
        return in / 2 * (1 - out / (scale * in)) + half - 0.5;
    if (!strcmp(r->transform, "tf_crop_and_resize")) {
        if (out == 1)
            return 0.5 * (r->start[d] + r->end[d]) * (in - 1);
        return r->start[d] * (in - 1) +
               (double)o * (r->end[d] - r->start[d]) * (in - 1) / (out - 1);
    }
    return half - 0.5;
}

static double rounded(const struct resize *r, int d, double at)
{
    if (!strcmp(r->rounding, "round_prefer_floor"))
        return ceil(at - 0.5);
    if (!strcmp(r->rounding, "round_prefer_ceil"))
        return floor(at + 0.5);
    if (!strcmp(r->rounding, "outward"))
        return r->scale[d] < 1 ? ceil(at) : floor(at);
    return !strcmp(r->rounding, "floor") ? floor(at) : ceil(at);
}

/* Element o of the output; every corner of the cell it lies in has its share. */
static double reference(const struct resize *r, const float *x, int64_t o)
{
    const bool crop = !strcmp(r->transform, "tf_crop_and_resize");
    int64_t at[MAX_AXES], corner[MAX_AXES];
    double sum = 0;

    take_apart(o, r->out.dim, r->in.rank, at);
    for (int k = 0; k < (r->linear ? 1 << r->in.rank : 1); k++) {
        double share = 1;

        for (int d = 0; d < r->in.rank; d++) {
            const double last = (double)(r->in.dim[d] - 1), p = place(r, d, at[d]);
            const double lo = r->linear ? floor(p) : rounded(r, d, p);

            if (crop && (p < 0 || p > last))
                return (double)r->outside;
            corner[d] = (int64_t)fmin(fmax(lo + (k >> d & 1), 0), last);
            if (r->linear)
                share *= k >> d & 1 ? p - lo : 1 - (p - lo);
        }
        sum += share * (double)x[put_together(corner, r->in.dim, r->in.rank)];
    }
    return sum;
}

/* A pool of single pixels makes the input channels-last. */
static void make_pixels(struct operands *o, int rank)
{
    static const int64_t kernel[] = {1, 1};
    struct rf_node *node;

    o->id[0] = test_op(o->g, "MaxPool", "pixels", o->id, 1, &node);
    test_ints(o->g, node, "kernel_shape", kernel, (size_t)rank - 2);
}

static void set_resize(struct operands *o, struct rf_node *node, const struct resize *r)
{
    set_string(o, node, "mode", r->linear ? "linear" : "nearest");
    if (r->attribute)
        ck_assert_int_eq(rf_node_set_floats(o->g, node, "scales", r->scales, (size_t)r->n, NULL),
                         RF_OK);
    if (r->opset >= 11) {
        set_string(o, node, "coordinate_transformation_mode", r->transform);
        set_string(o, node, "nearest_mode", r->rounding);
        ck_assert_int_eq(rf_node_set_float(o->g, node, "extrapolation_value", r->outside, NULL),
                         RF_OK);
    }
    if (r->opset >= 18) {
        int64_t axes[MAX_AXES];

        for (int i = 0; i < r->n; i++)
            axes[i] = r->axes[i] - (i & 1 ? r->in.rank : 0);
        set_string(o, node, "keep_aspect_ratio_policy", r->policy);
        test_ints(o->g, node, "axes", axes, (size_t)r->n);
    }
}

START_TEST(random_sizes)
{
    uint64_t seed = 7000 + (uint64_t)_i;

    for (int round = 0; round < ROUNDS; round++) {
        const struct resize r = random_resize(&seed);
        const struct rf_shape n = SHAPE(r.n), twice = SHAPE(2 * r.n);
        const bool known = !r.pixels && test_random(&seed) % 4 == 0, fixed = test_random(&seed) & 1;
        const uint32_t off = test_random(&seed) & 1 ? RF_PASSES_ALL : 0;
        struct operands o = operands_of(r.opset);
        float *const x = random_floats(&seed, &r.in);
        struct rf_shape shape;
        void *out;

        add_operand(&o, RF_F32, r.in, x, known);
        if (r.opset >= 11)
            add_operand(&o, RF_F32, twice, r.roi, fixed);
        if (!r.attribute)
            add_operand(&o, RF_F32, n, r.by_size ? NULL : r.scales, fixed);
        if (r.by_size)
            add_operand(&o, RF_I64, n, r.sizes, fixed);
        if (r.pixels)
            make_pixels(&o, r.in.rank);
        set_resize(&o, add_node(&o, r.opset < 10 ? "Upsample" : "Resize", 1), &r);
        run_operands(&o, off, &out, &shape, 1);
        ck_assert(rf_shape_equal(&shape, &r.out));
        for (int64_t i = 0; i < rf_numel(&shape); i++)
            ck_assert_msg(fabs((double)((float *)out)[i] - reference(&r, x, i)) < 2e-6,
                          "%s %s %s: element %lld is %g, expected %g", r.transform, r.rounding,
                          r.policy, (long long)i, (double)((float *)out)[i], reference(&r, x, i));
        free(x);
        free(out);
    }
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *attr, *value;
    const char *text;
} bad_words[] = {
    {"mode", "cubic", "mode cubic is not offered"},
    {"mode", "", "mode  is not offered"},
    {"nearest_mode", "outward", "nearest_mode outward is not offered"},
    {"coordinate_transformation_mode", "half", "coordinate_transformation_mode half is not"},
    {"keep_aspect_ratio_policy", "crop", "keep_aspect_ratio_policy crop is not offered"},
};

START_TEST(unknown_words)
{
    const float x[4] = {0}, scales[] = {2, 2};
    struct operands o = operands_of(19);

    add_operand(&o, RF_F32, SHAPE(2, 2), x, false);
    add_operand(&o, RF_F32, SHAPE(0), NULL, true);
    add_operand(&o, RF_F32, SHAPE(2), scales, true);
    set_string(&o, add_node(&o, "Resize", 1), bad_words[_i].attr, bad_words[_i].value);
    refuse_operands(&o, bad_words[_i].text);
}
END_TEST

static const struct {
    int n_scales, n_sizes, n_axes;
    float scales[3];
    int64_t sizes[3], axes[3];
    const char *text;
} bad_sizes[] = {
    {0, 0, 0, {0}, {0}, {0}, "expected either scales or sizes"},
    {2, 2, 0, {1, 1}, {2, 2}, {0}, "expected either scales or sizes"},
    {3, 0, 0, {1, 1, 1}, {0}, {0}, "scales has 3 elements, expected 2"},
    {0, 1, 0, {0}, {1}, {0}, "sizes has 1 elements, expected 2"},
    {2, 0, 0, {1, 0}, {0}, {0}, "scales[1] is 0, expected more than 0"},
    {2, 0, 0, {-1, 1}, {0}, {0}, "scales[0] is -1"},
    {2, 0, 0, {NAN, 1}, {0}, {0}, "scales[0] is nan"},
    {2, 0, 0, {1, INFINITY}, {0}, {0}, "scales[1] is inf"},
    {2, 0, 0, {1, 3e38f}, {0}, {0}, "cannot resize dimension 1"},
    {2, 0, 0, {1e9f, 1e9f}, {0}, {0}, "is too large"},
    {0, 2, 0, {0}, {-1, 2}, {0}, "sizes[0] is -1, expected 0 to"},
    {0, 2, 0, {0}, {2, INT64_MAX}, {0}, "sizes[1] is 9223372036854775807"},
    {0, 2, 0, {0}, {INT32_MAX, INT32_MAX}, {0}, "is too large"},
    {0, 2, 0, {0}, {INT32_MAX, 2}, {0}, " bytes"},
    {2, 0, 2, {1, 1}, {0}, {1, -1}, "axis 1 is there twice"},
    {1, 0, 1, {1}, {0}, {2}, "axis 2 lies outside of rank 2"},
    {3, 0, 3, {1, 1, 1}, {0}, {0, 1, 1}, "has 3 axes, its input rank 2"},
};

START_TEST(wrong_sizes)
{
    const float x[4] = {0};

    for (int known = 0; known < 2; known++) {
        struct operands o = operands_of(19);

        add_operand(&o, RF_F32, SHAPE(2, 2), x, known);
        add_operand(&o, RF_F32, SHAPE(0), NULL, true);
        add_operand(&o, RF_F32, SHAPE(bad_sizes[_i].n_scales), bad_sizes[_i].scales, true);
        add_operand(&o, RF_I64, SHAPE(bad_sizes[_i].n_sizes), bad_sizes[_i].sizes, true);
        struct rf_node *const node = add_node(&o, "Resize", 1);

        if (bad_sizes[_i].n_axes)
            test_ints(o.g, node, "axes", bad_sizes[_i].axes, (size_t)bad_sizes[_i].n_axes);
        refuse_operands(&o, bad_sizes[_i].text);
    }
}
END_TEST

START_TEST(other_dtypes_are_named)
{
    const int64_t values[4] = {1, 1};

    for (int i = 0; i < 4; i++) {
        struct operands o = operands_of(13);

        add_operand(&o, i == 0 ? RF_U8 : RF_F32, SHAPE(2, 2), values, false);
        add_operand(&o, i == 1 ? RF_I32 : RF_F32, SHAPE(4), values, true);
        add_operand(&o, i == 2 ? RF_I64 : RF_F32, SHAPE(2), i == 3 ? NULL : values, true);
        add_operand(&o, RF_F32, SHAPE(2), i == 3 ? values : NULL, true);
        set_string(&o, add_node(&o, "Resize", 1), "coordinate_transformation_mode",
                   "tf_crop_and_resize");
        refuse_operands(&o, (const char *const[]){"input 0 is UINT8", "input 1 is INT32",
                                                  "input 2 is INT64", "sizes is FP32"}[i]);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("resize");
    TCase *const tc = tcase_create("all");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, random_sizes, 0, 8);
    tcase_add_loop_test(tc, unknown_words, 0, (int)(sizeof(bad_words) / sizeof(*bad_words)));
    tcase_add_loop_test(tc, wrong_sizes, 0, (int)(sizeof(bad_sizes) / sizeof(*bad_sizes)));
    tcase_add_test(tc, other_dtypes_are_named);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed != 0;
}
