/*
 * Shapes that are computed: chains from Shape to Reshape with open sizes, targets that come with
 * the request, operators that are views, and what all of them refuse.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/passes/passes.h"
#include "tests/support/net.h"

static struct rf_graph *graph(int opset)
{
    struct rf_graph *g;

    ck_assert_int_eq(rf_graph_new(&g, "test", opset, NULL), RF_OK);
    return g;
}

static rf_value_id ints(struct rf_graph *g, size_t n, const int64_t *v)
{
    rf_value_id id;
    void *data;

    ck_assert_int_eq(rf_graph_constant(g, "ints", RF_I64, &SHAPE((int64_t)n), &id, &data, NULL), 0);
    memcpy(data, v, n * sizeof(*v));
    return id;
}

#define INTS(g, ...)                                                                               \
    ints(g, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]){__VA_ARGS__})

static rf_value_id scalar(struct rf_graph *g, int64_t v)
{
    rf_value_id id;
    void *data;

    ck_assert_int_eq(
        rf_graph_constant(g, "scalar", RF_I64, &(struct rf_shape){0}, &id, &data, NULL), RF_OK);
    *(int64_t *)data = v;
    return id;
}

static struct rf_session *session_of(struct rf_graph *g, rf_value_id out, uint32_t passes_off)
{
    const struct rf_model_options options = {.passes_off = passes_off};
    struct rf_session *session;

    ck_assert_int_eq(rf_graph_output(g, out, NULL), RF_OK);
    struct rf_model *const model = test_model(g, &options);
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    rf_model_unref(model); /* the session keeps it */
    return session;
}

static void check_shape(const struct rf_shape *got, struct rf_shape want)
{
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];

    ck_assert_str_eq(rf_shape_text(got, a, sizeof(a)), rf_shape_text(&want, b, sizeof(b)));
}

/* Runs one FP32 input of this shape; its elements leave in the same order, in shape `want`. */
static void check_same(struct rf_session *session, struct rf_shape shape, struct rf_shape want)
{
    const size_t n = (size_t)rf_numel(&shape);
    float *const x = malloc(n * sizeof(*x) + 1), *y;
    struct rf_shape got;
    uint64_t seed = n;

    test_random_fill(&seed, x, n);
    test_run(session, &shape, x, true, &y, &got, 1);
    check_shape(&got, want);
    ck_assert_mem_eq(x, y, n * sizeof(*x));
    free(x);
    free(y);
}

/* ---- chains ---- */

/* x.reshape(x.shape[0], -1), as exporters write it. */
static rf_value_id flattened(struct rf_graph *g, rf_value_id x)
{
    struct rf_node *node;
    const rf_value_id shape = test_op(g, "Shape", "shape", &x, 1, NULL);
    const rf_value_id first[] = {shape, scalar(g, 0)};
    const rf_value_id batch = test_op(g, "Gather", "batch", first, 2, &node);

    test_int(g, node, "axis", 0);
    const rf_value_id one[] = {batch, g->opset < 13 ? RF_NO_VALUE : INTS(g, 0)};
    const rf_value_id row = test_op(g, "Unsqueeze", "row", one, g->opset < 13 ? 1 : 2, &node);
    if (g->opset < 13)
        test_ints(g, node, "axes", (const int64_t[]){0}, 1);
    const rf_value_id both[] = {row, INTS(g, -1)};
    const rf_value_id target = test_op(g, "Concat", "target", both, 2, &node);
    test_int(g, node, "axis", 0);
    return test_op(g, "Reshape", "y", (rf_value_id[]){x, target}, 2, NULL);
}

START_TEST(a_chain_follows_the_batch)
{
    struct rf_graph *const g = graph(_i % 2 ? 17 : 11);
    const rf_value_id x = test_input(g, SHAPE(-1, 3, 4, 5));
    struct rf_session *const s = session_of(g, flattened(g, x), _i < 2 ? 0 : RF_PASSES_ALL);

    for (int64_t n = 0; n < 6; n += n + 1)
        check_same(s, SHAPE(n, 3, 4, 5), SHAPE(n, 60));
    rf_session_free(s);
}
END_TEST

START_TEST(a_chain_declares_what_is_open)
{
    struct rf_graph *const g = graph(17);
    const rf_value_id x = test_input(g, SHAPE(-1, 3, 4, 5));

    ck_assert_int_eq(rf_graph_output(g, flattened(g, x), NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);
    check_shape(&rf_model_output(model, 0)->shape, SHAPE(-1, 60));
    rf_model_unref(model);
}
END_TEST

/* Height and width by a Slice of the shape, the channels apart. */
START_TEST(a_chain_follows_height_and_width)
{
    struct rf_graph *const g = graph(17);
    const rf_value_id x = test_input(g, SHAPE(-1, 6, -1, -1));
    struct rf_node *node;
    const rf_value_id shape = test_op(g, "Shape", "shape", &x, 1, NULL);
    const rf_value_id cut[] = {shape, INTS(g, 2), INTS(g, INT64_MAX)};
    const rf_value_id parts[] = {INTS(g, -1, 2, 3), test_op(g, "Slice", "hw", cut, 3, NULL)};
    const rf_value_id target = test_op(g, "Concat", "target", parts, 2, &node);

    test_int(g, node, "axis", -1);
    const rf_value_id y = test_op(g, "Reshape", "y", (rf_value_id[]){x, target}, 2, NULL);
    struct rf_session *const s = session_of(g, y, _i ? RF_PASSES_ALL : 0);
    check_same(s, SHAPE(1, 6, 8, 8), SHAPE(1, 2, 3, 8, 8));
    check_same(s, SHAPE(2, 6, 5, 7), SHAPE(2, 2, 3, 5, 7));
    check_same(s, SHAPE(3, 6, 1, 2), SHAPE(3, 2, 3, 1, 2));
    rf_session_free(s);
}
END_TEST

/* A target that an input gives: a plan for each value. */
START_TEST(targets_may_come_with_the_request)
{
    struct rf_graph *const g = graph(17);
    const rf_value_id x = test_input(g, SHAPE(-1, 12));
    const struct rf_shape shapes[] = {SHAPE(2, 12), SHAPE(3)};
    static const int64_t targets[][3] = {{2, 3, 4}, {-1, 2, 2}, {0, 6, 2}, {5, -1, 1}};
    static const int64_t want[][3] = {{2, 3, 4}, {6, 2, 2}, {2, 6, 2}};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_tensor out;
    float in[24];
    uint64_t seed = 1;
    rf_value_id target;

    ck_assert_int_eq(rf_graph_input(g, "target", RF_I64, &SHAPE(3), &target, NULL), RF_OK);
    const rf_value_id y = test_op(g, "Reshape", "y", (rf_value_id[]){x, target}, 2, NULL);
    struct rf_session *const s = session_of(g, y, 0);

    test_random_fill(&seed, in, 24);
    for (int i = 0; i < 3; i++) {
        const void *const ins[] = {in, targets[i]};

        ck_assert_int_eq(rf_session_prepare(s, shapes, ins, 2, &err), RF_OK);
        ck_assert_int_eq(rf_session_run(s, ins, 2, &out, 1, true, &err), RF_OK);
        check_shape(&out.shape, SHAPE(want[i][0], want[i][1], want[i][2]));
        ck_assert_mem_eq(out.data, in, sizeof(in));
    }
    const void *const bad[] = {in, targets[3]};
    ck_assert_int_eq(rf_session_prepare(s, shapes, bad, 2, &err), RF_SHAPE);
    ck_assert_str_eq(err.text,
                     "node y (Reshape): an input of shape [2,12] cannot take the shape [5,-1,1]");
    rf_session_free(s);
}
END_TEST

START_TEST(large_targets_are_refused)
{
    const struct rf_shape shapes[] = {SHAPE(2, 12), SHAPE(65)};
    const int64_t many[65] = {0};
    const void *const in[] = {NULL, many};

    for (int open = 0; open < 2; open++) {
        struct rf_graph *const g = graph(17);
        const rf_value_id x = test_input(g, SHAPE(-1, 12));
        struct rf_error err = RF_ERROR_INIT;
        struct rf_model *model;
        rf_value_id target;

        ck_assert_int_eq(rf_graph_input(g, "target", RF_I64, &SHAPE(open ? -1 : 65), &target, NULL),
                         RF_OK);
        const rf_value_id y = test_op(g, "Reshape", "y", (rf_value_id[]){x, target}, 2, NULL);
        if (open) {
            struct rf_session *const s = session_of(g, y, 0);

            ck_assert_int_eq(rf_session_prepare(s, shapes, in, 2, &err), RF_LIMIT);
            rf_session_free(s);
        } else {
            ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
            ck_assert_int_eq(rf_model_new(&model, g, NULL, &err), RF_UNSUPPORTED);
        }
        ck_assert_ptr_nonnull(strstr(err.text, "input target"));
        ck_assert_ptr_nonnull(strstr(err.text, "at most 64 may"));
    }
}
END_TEST

/* ---- views ---- */

/* A node on x, whose integers are an attribute (its name) or an input, if they are there. */
struct fact {
    const char *op;
    int opset;
    struct rf_shape in;
    const char *attr;
    int n; /* -1: none */
    int64_t v[9];
    struct rf_shape out;
};

static rf_value_id apply(struct rf_graph *g, const struct fact *f)
{
    const rf_value_id x = test_input(g, f->in);
    const bool is_input = f->n >= 0 && !f->attr;
    const rf_value_id in[] = {x, is_input ? ints(g, (size_t)f->n, f->v) : RF_NO_VALUE};
    struct rf_node *node;
    const rf_value_id y = test_op(g, f->op, "y", in, is_input ? 2 : 1, &node);

    if (f->attr && (!strcmp(f->attr, "axis") || !strcmp(f->attr, "blocksize")))
        test_int(g, node, f->attr, f->v[0]);
    else if (f->attr && f->n >= 0)
        test_ints(g, node, f->attr, f->v, (size_t)f->n);
    return y;
}

#define RANK0 ((struct rf_shape){0})

START_TEST(views_keep_the_elements)
{
    const struct fact facts[] = {
        {"Reshape", 4, SHAPE(2, 6), "shape", 3, {3, -1, 2}, SHAPE(3, 2, 2)},
        {"Reshape", 5, SHAPE(2, 6), NULL, 2, {0, -1}, SHAPE(2, 6)},
        {"Reshape", 13, SHAPE(2, 3, 4), NULL, 4, {-1, 1, 0, 2}, SHAPE(3, 1, 4, 2)},
        {"Reshape", 14, SHAPE(6), NULL, 1, {6}, SHAPE(6)},
        {"Reshape", 14, SHAPE(1, 1), NULL, 0, {0}, RANK0},
        {"Reshape", 14, RANK0, NULL, 3, {1, -1, 1}, SHAPE(1, 1, 1)},
        {"Reshape", 14, SHAPE(0, 4), NULL, 2, {-1, 2}, SHAPE(0, 2)},
        {"Reshape", 14, SHAPE(0, 4, 3), NULL, 2, {0, -1}, SHAPE(0, 12)},
        {"Squeeze", 11, SHAPE(1, 3, 1, 2), "axes", 2, {-2, 0}, SHAPE(3, 2)},
        {"Squeeze", 11, SHAPE(1, 3, 1, 2), NULL, -1, {0}, SHAPE(3, 2)},
        {"Squeeze", 13, SHAPE(1, 3, 1, 2), NULL, 1, {2}, SHAPE(1, 3, 2)},
        {"Squeeze", 13, SHAPE(1, 1), NULL, -1, {0}, RANK0},
        {"Unsqueeze", 11, SHAPE(3, 2), "axes", 2, {3, 0}, SHAPE(1, 3, 2, 1)},
        {"Unsqueeze", 13, SHAPE(3, 2), NULL, 2, {-1, 1}, SHAPE(3, 1, 2, 1)},
        {"Unsqueeze", 13, RANK0, NULL, 1, {0}, SHAPE(1)},
        {"Flatten", 13, SHAPE(2, 3, 4), "axis", 1, {-1}, SHAPE(6, 4)},
        {"Flatten", 13, SHAPE(2, 3, 4), "axis", 1, {3}, SHAPE(24, 1)},
        {"Flatten", 13, SHAPE(2, 3, 4), "axis", 1, {0}, SHAPE(1, 24)},
        {"Flatten", 13, RANK0, "axis", 1, {0}, SHAPE(1, 1)},
        {"Flatten", 13, SHAPE(2, 3, 4), NULL, -1, {0}, SHAPE(2, 12)},
    };

    for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
        struct rf_graph *const g = graph(facts[i].opset);
        struct rf_session *const s = session_of(g, apply(g, &facts[i]), 0);

        check_same(s, facts[i].in, facts[i].out);
        rf_session_free(s);
    }
}
END_TEST

/* An image that is channels last comes out in its logical order. */
START_TEST(views_of_images_are_row_major)
{
    struct rf_graph *const g = graph(17);
    const rf_value_id x = test_input(g, SHAPE(2, 6, 3, 3));
    struct rf_node *node;
    const rf_value_id pool = test_op(g, "MaxPool", "pool", &x, 1, &node);

    test_ints(g, node, "kernel_shape", (const int64_t[]){1, 1}, 2);
    const rf_value_id in[] = {pool, INTS(g, 2, 2, 3, 9)};
    struct rf_session *const s = session_of(g, test_op(g, "Reshape", "y", in, 2, NULL), 0);
    check_same(s, SHAPE(2, 6, 3, 3), SHAPE(2, 2, 3, 9));
    rf_session_free(s);
}
END_TEST

/* ---- Shape, Size, ConstantOfShape, Range ---- */

static void check_ints(struct rf_session *s, const struct rf_shape *shape, size_t n_in,
                       const int64_t *want, size_t n)
{
    const float x[120] = {0};
    const void *const in[] = {x};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_tensor out;

    ck_assert_msg(!rf_session_prepare(s, shape, NULL, n_in, &err), "%s", err.text);
    ck_assert_int_eq(rf_session_run(s, in, n_in, &out, 1, true, NULL), RF_OK);
    ck_assert_int_eq(out.dtype, RF_I64);
    ck_assert_int_eq(rf_numel(&out.shape), (int64_t)n);
    ck_assert_mem_eq(out.data, want, n * sizeof(*want));
}

START_TEST(shapes_from_start_to_end)
{
    static const struct {
        int64_t start, end;
        size_t n;
        int64_t want[3];
    } cases[] = {
        {0, 3, 3, {2, 4, 5}}, {1, -1, 1, {4}}, {-2, INT64_MAX, 2, {4, 5}},
        {-9, 1, 1, {2}},      {2, 1, 0, {0}},  {INT64_MAX, 3, 0, {0}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct rf_graph *const g = graph(15);
        const rf_value_id x = test_input(g, SHAPE(-1, 4, 5));
        struct rf_node *node;
        const rf_value_id y = test_op(g, "Shape", "y", &x, 1, &node);

        test_int(g, node, "start", cases[i].start);
        test_int(g, node, "end", cases[i].end);
        struct rf_session *const s = session_of(g, y, 0);
        check_ints(s, &SHAPE(2, 4, 5), 1, cases[i].want, cases[i].n);
        rf_session_free(s);
    }
}
END_TEST

START_TEST(sizes_are_products)
{
    struct rf_graph *const g = graph(13);
    const rf_value_id x = test_input(g, SHAPE(-1, 4, 5));
    struct rf_session *const s = session_of(g, test_op(g, "Size", "y", &x, 1, NULL), 0);

    check_ints(s, &SHAPE(3, 4, 5), 1, (const int64_t[]){60}, 1);
    check_ints(s, &SHAPE(0, 4, 5), 1, (const int64_t[]){0}, 1);
    rf_session_free(s);
}
END_TEST

/* In the shape of an input, of the type of its value. */
START_TEST(constants_of_a_shape)
{
    struct rf_graph *const g = graph(13);
    const rf_value_id x = test_input(g, SHAPE(-1, 2));
    const rf_value_id shape = test_op(g, "Shape", "shape", &x, 1, NULL);
    struct rf_node *node;
    const rf_value_id y = test_op(g, "ConstantOfShape", "y", &shape, 1, &node);

    ck_assert_int_eq(rf_node_set_tensor(g, node, "value", INTS(g, -7), NULL), RF_OK);
    struct rf_session *const s = session_of(g, y, 0);
    check_ints(s, &SHAPE(2, 2), 1, (const int64_t[]){-7, -7, -7, -7}, 4);
    check_ints(s, &SHAPE(1, 2), 1, (const int64_t[]){-7, -7}, 2);
    rf_session_free(s);
}
END_TEST

START_TEST(constants_are_zero_unless_told)
{
    struct rf_graph *const g = graph(13);
    const rf_value_id shape = INTS(g, 2, 3);
    const rf_value_id y = test_op(g, "ConstantOfShape", "y", &shape, 1, NULL);
    struct rf_session *const s = session_of(g, y, 0);
    const float zeros[6] = {0};
    struct rf_tensor out;

    ck_assert_int_eq(rf_session_prepare(s, NULL, NULL, 0, NULL), RF_OK);
    ck_assert_int_eq(rf_session_run(s, NULL, 0, &out, 1, true, NULL), RF_OK);
    ck_assert_int_eq(out.dtype, RF_F32);
    check_shape(&out.shape, SHAPE(2, 3));
    ck_assert_mem_eq(out.data, zeros, sizeof(zeros));
    rf_session_free(s);
}
END_TEST

START_TEST(ranges)
{
    static const struct {
        int64_t start, limit, delta;
        size_t n;
        int64_t want[4];
    } cases[] = {
        {1, 8, 2, 4, {1, 3, 5, 7}},
        {5, -1, -3, 2, {5, 2}},
        {3, 3, 1, 0, {0}},
        {0, 4, -1, 0, {0}},
        {INT64_MIN, INT64_MAX, INT64_MAX, 3, {INT64_MIN, -1, INT64_MAX - 1}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct rf_graph *const g = graph(13);
        const rf_value_id in[] = {scalar(g, cases[i].start), scalar(g, cases[i].limit),
                                  scalar(g, cases[i].delta)};
        const rf_value_id y = test_op(g, "Range", "y", in, 3, NULL);
        struct rf_session *const s = session_of(g, y, 1u << RF_PASS_FOLD_CONSTANTS);

        check_ints(s, NULL, 0, cases[i].want, cases[i].n);
        rf_session_free(s);
    }
}
END_TEST

/* ---- what is refused ---- */

START_TEST(faults_are_named)
{
    static const struct {
        struct fact node;
        const char *text;
    } faults[] = {
        {{"Reshape", 13, SHAPE(2, 6), NULL, 2, {5, -1}, RANK0},
         "an input of shape [2,6] cannot take the shape [5,-1]"},
        {{"Reshape", 13, SHAPE(2, 6), NULL, 3, {-1, 2, -1}, RANK0},
         "an input of shape [2,6] cannot take the shape [-1,2,-1]"},
        {{"Reshape", 13, SHAPE(2, 6), NULL, 2, {3, 3}, RANK0}, "cannot take the shape [3,3]"},
        {{"Reshape", 13, SHAPE(2, 6), NULL, 3, {2, 6, 0}, RANK0}, "cannot take the shape [2,6,0]"},
        {{"Reshape", 13, SHAPE(2, 6), NULL, 2, {-2, -6}, RANK0}, "cannot take the shape [-2,-6]"},
        {{"Reshape", 13, SHAPE(2, 6), NULL, 3, {INT64_MAX, 2, 6}, RANK0}, "cannot take the shape"},
        {{"Reshape", 13, SHAPE(1), NULL, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, RANK0},
         "the target shape has shape [9], expected at most 8 elements"},
        {{"Reshape", 4, SHAPE(1), NULL, -1, {0}, RANK0}, "attribute shape is missing"},
        {{"Squeeze", 13, SHAPE(2, 1), NULL, 1, {0}, RANK0}, "axis 0 of shape [2,1] is not 1"},
        {{"Squeeze", 13, SHAPE(2, 1), NULL, 2, {1, -1}, RANK0}, "axis 1 is named twice"},
        {{"Squeeze", 13, SHAPE(2, 1), NULL, 1, {2}, RANK0}, "axis 2 lies outside of rank 2"},
        {{"Unsqueeze", 13, SHAPE(2), NULL, 2, {0, 0}, RANK0}, "axis 0 is named twice"},
        {{"Unsqueeze", 13, SHAPE(2), NULL, 1, {-3}, RANK0}, "axis -3 lies outside of rank 2"},
        {{"Unsqueeze", 13, SHAPE(2), NULL, 8, {0, 1, 2, 3, 4, 5, 6, 7}, RANK0},
         "9 dimensions, at most 8 are offered"},
        {{"Unsqueeze", 11, SHAPE(2), NULL, -1, {0}, RANK0}, "attribute axes is missing"},
        {{"Flatten", 13, SHAPE(2, 3), "axis", 1, {3}, RANK0}, "axis 3 lies outside of rank 2"},
        {{"Transpose", 13, SHAPE(2, 3), "perm", 2, {1, 1}, RANK0}, "axis 1 is named twice"},
        {{"Transpose", 13, SHAPE(2, 3), "perm", 3, {0, 1, 2}, RANK0},
         "perm has 3 axes, the input rank 2"},
        {{"Concat", 13, SHAPE(2, 3), "axis", 1, {2}, RANK0}, "axis 2 lies outside of rank 2"},
        {{"Concat", 13, SHAPE(2, 3), NULL, -1, {0}, RANK0}, "attribute axis is missing"},
        {{"Gather", 13, SHAPE(2, 3), NULL, 1, {2}, RANK0},
         "index 2 lies outside of an axis of size 2"},
        {{"Gather", 13, SHAPE(2, 3), NULL, 2, {0, -3}, RANK0},
         "index -3 lies outside of an axis of size 2"},
        {{"Gather", 13, SHAPE(0, 3), NULL, 1, {0}, RANK0}, "nothing to gather"},
        {{"Split", 13, SHAPE(4), NULL, 1, {3}, RANK0}, "the sizes add up to 3, axis 0 has 4"},
        {{"Split", 13, SHAPE(4), NULL, 2, {2, 2}, RANK0}, "2 sizes for 1 outputs"},
        {{"Split", 11, SHAPE(4), "split", 1, {5}, RANK0}, "the sizes add up to 5, axis 0 has 4"},
        {{"Expand", 13, SHAPE(2), NULL, 2, {3, 3}, RANK0},
         "an input of shape [2] cannot expand to [3,3]"},
        {{"Expand", 13, SHAPE(2), NULL, 2, {-1, 2}, RANK0}, "cannot expand to [-1,2]"},
        {{"Expand", 13, SHAPE(2), NULL, 2, {INT64_MAX, 2}, RANK0}, "is too large"},
        {{"Tile", 13, SHAPE(2), NULL, 1, {-1}, RANK0}, "axis 0 of size 2 repeated -1 times"},
        {{"Tile", 13, SHAPE(2), NULL, 1, {INT64_MAX}, RANK0}, "axis 0 of size 2 repeated"},
        {{"Tile", 13, SHAPE(2), NULL, 2, {1, 1}, RANK0}, "2 repeats for an input of rank 1"},
        {{"Pad", 13, SHAPE(2), NULL, 1, {1}, RANK0}, "1 pads for 1 axes"},
        {{"Pad", 13, SHAPE(2), NULL, 2, {-3, 1}, RANK0}, "crop more than axis 0 has, 2"},
        {{"Pad", 13, SHAPE(2), NULL, 2, {INT64_MAX, 1}, RANK0}, "axis 0 of size 2 cannot take"},
        {{"Pad", 13, SHAPE(2), NULL, 2, {INT64_MIN, 1}, RANK0}, "axis 0 of size 2 cannot take"},
        {{"Pad", 10, SHAPE(2), "pads", 4, {1, 1, 1, 1}, RANK0}, "4 pads for an input of rank 1"},
        {{"DepthToSpace", 13, SHAPE(1, 3, 2, 2), "blocksize", 1, {2}, RANK0},
         "3 channels are not blocks of 2 x 2"},
        {{"DepthToSpace", 13, SHAPE(1, 3, 2, 2), NULL, -1, {0}, RANK0},
         "attribute blocksize is 0, expected 1 to"},
        {{"SpaceToDepth", 13, SHAPE(1, 3, 2, 3), "blocksize", 1, {2}, RANK0},
         "shape [1,3,2,3] is not made of blocks of 2 x 2"},
        {{"SpaceToDepth", 13, SHAPE(3, 2, 3), "blocksize", 1, {2}, RANK0}, "rank 3, expected 4"},
        {{"Slice", 9, SHAPE(3), "starts", 1, {1}, RANK0}, "1 starts, 0 ends, 0 axes, 0 steps"},
    };

    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        struct rf_graph *const g = graph(faults[i].node.opset);
        const rf_value_id y = apply(g, &faults[i].node);
        struct rf_error err = RF_ERROR_INIT;
        struct rf_model *model;

        ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
        ck_assert_int_ne(rf_model_new(&model, g, NULL, &err), RF_OK);
        ck_assert_msg(strstr(err.text, faults[i].text), "%s", err.text);
        ck_assert_msg(strstr(err.text, "node y ("), "%s", err.text);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("shapes");
    TCase *const tc = tcase_create("shapes");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_chain_follows_the_batch, 0, 4);
    tcase_add_test(tc, a_chain_declares_what_is_open);
    tcase_add_loop_test(tc, a_chain_follows_height_and_width, 0, 2);
    tcase_add_test(tc, targets_may_come_with_the_request);
    tcase_add_test(tc, large_targets_are_refused);
    tcase_add_test(tc, views_keep_the_elements);
    tcase_add_test(tc, views_of_images_are_row_major);
    tcase_add_test(tc, shapes_from_start_to_end);
    tcase_add_test(tc, sizes_are_products);
    tcase_add_test(tc, constants_of_a_shape);
    tcase_add_test(tc, constants_are_zero_unless_told);
    tcase_add_test(tc, ranges);
    tcase_add_test(tc, faults_are_named);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
