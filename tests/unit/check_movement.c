/*
 * Operators that move elements, against plain index arithmetic: over random shapes and element
 * types, with inputs that are row-major, channels last, folded at load, and known once a plan.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model.h"
#include "core/passes/passes.h"
#include "tests/support/net.h"

#define ROUNDS 60
#define MAX_OUTPUTS 4

static uint64_t seed;

static int64_t draw(int64_t lo, int64_t hi)
{
    return test_random_int(&seed, lo, hi);
}

/* ---- a node and what it should do --------------------------------------------------------------
 */

struct ints {
    const char *name; /* of an attribute; NULL: an input */
    size_t n;
    int64_t v[2 * RF_MAX_RANK];
};

struct spec {
    const char *op;
    int opset;
    struct rf_shape shape; /* of the data */
    enum rf_dtype dtype;
    struct ints ints[4]; /* inputs after the data, and attributes; n is 0 where absent */
    const char *flag;    /* an INT attribute, or NULL */
    int64_t flag_value;
    const char *mode;
    int n_out;
    struct rf_shape out[MAX_OUTPUTS];
    /* The data's index for an output's, or false: 0 is there. */
    bool (*source)(const struct spec *s, int k, const int64_t *at, int64_t *from);
};

enum way { ROW_MAJOR, CHANNELS_LAST, FOLDED, KNOWN, N_WAYS };

static uint64_t element(enum rf_dtype dtype, int64_t i)
{
    const float real = (float)(i + 1);
    uint64_t bits = 0;

    if (dtype == RF_F32)
        memcpy(&bits, &real, sizeof(real));
    else
        bits = (uint64_t)(i % 100 + 1);
    return bits;
}

static void fill(enum rf_dtype dtype, void *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint64_t bits = element(dtype, i);

        memcpy((char *)to + (size_t)i * rf_dtype_size(dtype), &bits, rf_dtype_size(dtype));
    }
}

static rf_value_id constant_ints(struct rf_graph *g, const struct ints *ints)
{
    const enum rf_dtype dtype = draw(0, 1) ? RF_I32 : RF_I64;
    rf_value_id id;
    void *data;

    ck_assert_int_eq(
        rf_graph_constant(g, "ints", dtype, &SHAPE((int64_t)ints->n), &id, &data, NULL), 0);
    for (size_t i = 0; i < ints->n; i++) {
        if (dtype == RF_I32)
            ((int32_t *)data)[i] = (int32_t)ints->v[i];
        else
            ((int64_t *)data)[i] = ints->v[i];
    }
    return id;
}

static rf_value_id data_of(struct rf_graph *g, const struct spec *s, enum way way)
{
    struct rf_node *node;
    rf_value_id x;
    void *data;

    if (way >= FOLDED) {
        ck_assert_int_eq(rf_graph_constant(g, "x", s->dtype, &s->shape, &x, &data, NULL), RF_OK);
        fill(s->dtype, data, rf_numel(&s->shape));
        return x;
    }
    ck_assert_int_eq(rf_graph_input(g, "x", s->dtype, &s->shape, &x, NULL), RF_OK);
    if (way == CHANNELS_LAST) { /* a pool of one pixel hands on what it gets, channels last */
        x = test_op(g, "MaxPool", "pool", &x, 1, &node);
        test_ints(g, node, "kernel_shape", (const int64_t[]){1, 1}, (size_t)s->shape.rank - 2);
    }
    return x;
}

static struct rf_graph *graph_of(const struct spec *s, enum way way)
{
    rf_value_id in[5], out[MAX_OUTPUTS];
    struct rf_graph *g;
    struct rf_node *node;
    int n_in = 1;

    ck_assert_int_eq(rf_graph_new(&g, "test", s->opset, NULL), RF_OK);
    in[0] = data_of(g, s, way);
    for (int i = 0; i < 4; i++)
        if (s->ints[i].n && !s->ints[i].name)
            in[n_in++] = constant_ints(g, &s->ints[i]);
    for (int k = 0; k < s->n_out; k++) {
        char name[16];

        snprintf(name, sizeof(name), "y%d", k);
        ck_assert_int_eq(rf_graph_value(g, name, &out[k], NULL), RF_OK);
        ck_assert_int_eq(rf_graph_output(g, out[k], NULL), RF_OK);
    }
    ck_assert_int_eq(rf_graph_node(g, s->op, "y", in, n_in, out, s->n_out, &node, NULL), RF_OK);
    for (int i = 0; i < 4; i++)
        if (s->ints[i].name)
            test_ints(g, node, s->ints[i].name, s->ints[i].v, s->ints[i].n);
    if (s->flag)
        test_int(g, node, s->flag, s->flag_value);
    if (s->mode)
        ck_assert_int_eq(rf_node_set_string(g, node, "mode", s->mode, NULL), RF_OK);
    return g;
}

static void check_output(enum way way, const struct spec *s, int k, const struct rf_tensor *t)
{
    const size_t size = rf_dtype_size(s->dtype);
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];

    ck_assert_int_eq(t->dtype, s->dtype);
    ck_assert_str_eq(rf_shape_text(&t->shape, a, sizeof(a)),
                     rf_shape_text(&s->out[k], b, sizeof(b)));
    for (int64_t i = 0; i < rf_numel(&t->shape); i++) {
        int64_t at[RF_MAX_RANK], from[RF_MAX_RANK] = {0}, rest = i, index = 0;
        uint64_t want = 0, got = 0;

        for (int d = t->shape.rank - 1; d >= 0; d--) {
            at[d] = rest % t->shape.dim[d];
            rest /= t->shape.dim[d];
        }
        if (s->source(s, k, at, from)) {
            for (int d = 0; d < s->shape.rank; d++)
                index = index * s->shape.dim[d] + from[d];
            want = element(s->dtype, index);
        }
        memcpy(&got, (const char *)t->data + (size_t)i * size, size);
        ck_assert_msg(got == want, "way %d, %s of %s: y%d[%lld] is %llx, expected %llx", (int)way,
                      rf_dtype_name(s->dtype), rf_shape_text(&s->shape, a, sizeof(a)), k,
                      (long long)i, (unsigned long long)got, (unsigned long long)want);
    }
}

static void check_way(const struct spec *s, enum way way)
{
    const struct rf_model_options options = {.passes_off =
                                                 way == KNOWN ? 1u << RF_PASS_FOLD_CONSTANTS : 0};
    struct rf_model *const model = test_model(graph_of(s, way), &options);
    struct rf_error err = RF_ERROR_INIT;
    struct rf_tensor out[MAX_OUTPUTS];
    struct rf_session *session;
    void *const data = calloc((size_t)rf_numel(&s->shape) + 1, 8);
    const void *const in[] = {data};
    const size_t n_in = way < FOLDED;

    fill(s->dtype, data, rf_numel(&s->shape));
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    ck_assert_msg(!rf_session_prepare(session, &s->shape, NULL, n_in, &err), "%s", err.text);
    ck_assert_int_eq(rf_session_run(session, in, n_in, out, (size_t)s->n_out, true, NULL), RF_OK);
    for (int k = 0; k < s->n_out; k++)
        check_output(way, s, k, &out[k]);
    rf_session_free(session);
    rf_model_unref(model);
    free(data);
}

static void check(const struct spec *s)
{
    for (int way = 0; way < N_WAYS; way++)
        if (way != CHANNELS_LAST ||
            (s->dtype == RF_F32 && (s->shape.rank == 3 || s->shape.rank == 4)))
            check_way(s, (enum way)way);
}

static struct spec spec(const char *op, int opset, int min_rank, int max_rank)
{
    static const enum rf_dtype dtypes[] = {RF_F32, RF_F32, RF_F32, RF_I64, RF_U8, RF_I16};
    struct spec s = {.op = op, .opset = opset, .n_out = 1};

    s.dtype = dtypes[draw(0, 5)];
    s.shape.rank = (int)draw(min_rank, max_rank);
    for (int i = 0; i < s.shape.rank; i++)
        s.shape.dim[i] = draw(1, 6);
    s.out[0] = s.shape;
    return s;
}

/* ---- Transpose ---------------------------------------------------------------------------------
 */

static bool from_transpose(const struct spec *s, int k, const int64_t *at, int64_t *from)
{
    (void)k;
    for (int i = 0; i < s->shape.rank; i++)
        from[s->ints[0].v[i]] = at[i];
    return true;
}

START_TEST(transpose)
{
    static const int64_t frequent[][4] = {{0, 2, 3, 1}, {0, 3, 1, 2}};

    for (int round = 0; round < ROUNDS; round++) {
        struct spec s = spec("Transpose", 13, round < 20 ? 4 : 1, round < 20 ? 4 : 6);
        struct ints *const perm = &s.ints[0];

        perm->name = "perm";
        perm->n = (size_t)s.shape.rank;
        for (int i = 0; i < s.shape.rank; i++)
            perm->v[i] = i;
        for (int i = s.shape.rank - 1; i > 0; i--) {
            const int64_t other = draw(0, i), old = perm->v[i];

            perm->v[i] = perm->v[other];
            perm->v[other] = old;
        }
        if (round < 20)
            memcpy(perm->v, frequent[round % 2], sizeof(frequent[0]));
        for (int i = 0; i < s.shape.rank; i++)
            s.out[0].dim[i] = s.shape.dim[perm->v[i]];
        s.source = from_transpose;
        check(&s);
    }
}
END_TEST

static rf_value_id one_pixel_pool(struct rf_graph *g, rf_value_id x)
{
    struct rf_node *node;
    const rf_value_id y = test_op(g, "MaxPool", "pool", &x, 1, &node);

    test_ints(g, node, "kernel_shape", (const int64_t[]){1, 1}, 2);
    return y;
}

/* To N,H,W,C and back, as around a LayerNormalization: converted at the ends of the network only.
 */
START_TEST(transposed_images_need_no_conversion)
{
    struct rf_graph *const g = test_graph();
    const struct rf_shape shape = SHAPE(2, 5, 3, 4);
    rf_value_id y = one_pixel_pool(g, test_input(g, shape));
    struct rf_node *node;
    struct rf_session *session;
    int conversions = 0;
    float x[120], *out;

    y = test_op(g, "Transpose", "down", &y, 1, &node);
    test_ints(g, node, "perm", (const int64_t[]){0, 2, 3, 1}, 4);
    y = test_op(g, "Transpose", "up", &y, 1, &node);
    test_ints(g, node, "perm", (const int64_t[]){0, 3, 1, 2}, 4);
    y = one_pixel_pool(g, y);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);
    for (size_t i = 0; i < model->graph->n_nodes; i++)
        conversions += !strncmp(model->graph->nodes[i]->op->name, "rectifier.To", 12);
    ck_assert_int_eq(conversions, 2);
    fill(RF_F32, x, 120);
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    test_run(session, &shape, x, true, &out, NULL, 1);
    ck_assert_mem_eq(x, out, sizeof(x));
    free(out);
    rf_session_free(session);
    rf_model_unref(model);
}
END_TEST

/* ---- Slice -------------------------------------------------------------------------------------
 */

/* Inputs or attributes: starts, ends, axes, steps. */
static bool from_slice(const struct spec *s, int k, const int64_t *at, int64_t *from)
{
    (void)k;
    memcpy(from, at, (size_t)s->shape.rank * sizeof(*at));
    for (size_t i = 0; i < s->ints[0].n; i++) {
        const int64_t axis = (s->ints[2].v[i] + s->shape.rank) % s->shape.rank;
        const int64_t dim = s->shape.dim[axis], step = s->ints[3].v[i];
        int64_t start = s->ints[0].v[i];

        if (start < 0)
            start += dim;
        if (start < 0)
            start = 0;
        if (start >= dim)
            start = step < 0 ? dim - 1 : dim;
        from[axis] = start + at[axis] * step;
    }
    return true;
}

/* As Python would walk. */
static int64_t length(int64_t start, int64_t end, int64_t step, int64_t dim)
{
    int64_t n = 0;

    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    if (step < 0) {
        for (int64_t i = start >= dim ? dim - 1 : start; i >= 0 && i > end; i += step)
            n++;
    } else {
        for (int64_t i = start < 0 ? 0 : start; i < dim && i < end; i += step)
            n++;
    }
    return n;
}

static void random_slice(struct spec *s, bool attributes)
{
    static const char *const names[] = {"starts", "ends", "axes"};
    const size_t n = (size_t)draw(1, s->shape.rank);

    for (int i = 0; i < 4; i++) {
        s->ints[i].n = i == 3 && attributes ? 0 : n;
        s->ints[i].name = attributes && i < 3 ? names[i] : NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const int64_t axis = (int64_t)(n - 1 - i), dim = s->shape.dim[axis];
        const int64_t step = attributes ? 1 : draw(0, 1) ? draw(1, 3) : draw(-3, -1);
        const int64_t far = draw(0, 5);

        s->ints[0].v[i] = draw(-dim, dim + 2);
        s->ints[1].v[i] = far == 0 ? INT32_MAX : far == 1 ? INT32_MIN : draw(-dim - 2, dim + 2);
        s->ints[2].v[i] = draw(0, 1) ? axis : axis - s->shape.rank;
        s->ints[3].v[i] = step;
        s->out[0].dim[axis] = length(s->ints[0].v[i], s->ints[1].v[i], step, dim);
    }
    s->source = from_slice;
}

START_TEST(slice)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        struct spec s = spec("Slice", round % 2 ? 9 : 13, 1, 5);

        random_slice(&s, round % 2);
        check(&s);
    }
}
END_TEST

/* ---- Gather ------------------------------------------------------------------------------------
 */

/* Indices of rank 1. */
static bool from_gather(const struct spec *s, int k, const int64_t *at, int64_t *from)
{
    const int64_t axis = (s->flag_value + s->shape.rank) % s->shape.rank;

    (void)k;
    memcpy(from, at, (size_t)s->shape.rank * sizeof(*at));
    from[axis] = (s->ints[0].v[at[axis]] + s->shape.dim[axis]) % s->shape.dim[axis];
    return true;
}

START_TEST(gather)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct spec s = spec("Gather", 13, 1, 5);
        const int64_t axis = draw(0, s.shape.rank - 1), dim = s.shape.dim[axis];

        s.flag = "axis";
        s.flag_value = draw(0, 1) ? axis : axis - s.shape.rank;
        s.ints[0].n = (size_t)draw(1, 7);
        for (size_t i = 0; i < s.ints[0].n; i++)
            s.ints[0].v[i] = draw(-dim, dim - 1);
        s.out[0].dim[axis] = (int64_t)s.ints[0].n;
        s.source = from_gather;
        check(&s);
    }
}
END_TEST

/* Scalars take an axis away, matrices add one; what comes with a run and lies outside gives NaN, or
 * is clamped where there is none. */
START_TEST(gather_by_indices_of_any_rank)
{
    static const bool outside[] = {false, false, false, true, true, false};
    const enum rf_dtype dtype = _i ? RF_I32 : RF_F32;
    static const struct rf_shape ranks[] = {{.rank = 0}, {.rank = 2, .dim = {2, 3}}};
    static const int64_t indices[] = {1, -1, 0, INT64_MAX, INT64_MIN, -4};
    static const int want[] = {1, 3, 0, 3, 0, 0};
    int32_t x[2 * 4 * 5];

    fill(dtype, x, 40);
    for (int r = 0; r < 2; r++) {
        struct rf_graph *const g = test_graph();
        const int n = r ? 6 : 1;
        struct rf_node *node;
        struct rf_session *session;
        struct rf_tensor out;
        rf_value_id data, at;

        ck_assert_int_eq(rf_graph_input(g, "x", dtype, &SHAPE(2, 4, 5), &data, NULL), RF_OK);
        ck_assert_int_eq(rf_graph_input(g, "i", RF_I64, &ranks[r], &at, NULL), RF_OK);
        const rf_value_id y = test_op(g, "Gather", "y", (rf_value_id[]){data, at}, 2, &node);
        test_int(g, node, "axis", 1);
        ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
        struct rf_model *const model = test_model(g, NULL);
        const struct rf_shape shapes[] = {SHAPE(2, 4, 5), ranks[r]};
        const void *const in[] = {x, indices};

        ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
        ck_assert_int_eq(rf_session_prepare(session, shapes, NULL, 2, NULL), RF_OK);
        ck_assert_int_eq(rf_session_run(session, in, 2, &out, 1, true, NULL), RF_OK);
        ck_assert_int_eq(out.shape.rank, 2 + ranks[r].rank);
        for (int i = 0; i < 2 * n * 5; i++) {
            const int from = i / (5 * n) * 20 + want[i / 5 % n] * 5 + i % 5;

            if (dtype == RF_F32 && outside[i / 5 % n])
                ck_assert_float_nan(((const float *)out.data)[i]);
            else
                ck_assert_mem_eq((const int32_t *)out.data + i, &x[from], sizeof(*x));
        }
        rf_session_free(session);
        rf_model_unref(model);
    }
}
END_TEST

/* ---- Split and Concat --------------------------------------------------------------------------
 */

static bool from_split(const struct spec *s, int k, const int64_t *at, int64_t *from)
{
    memcpy(from, at, (size_t)s->shape.rank * sizeof(*at));
    for (int i = 0; i < k; i++)
        from[s->flag_value] += s->out[i].dim[s->flag_value];
    return true;
}

START_TEST(split)
{
    static const int opsets[] = {11, 13, 18};

    for (int round = 0; round < ROUNDS; round++) {
        struct spec s = spec("Split", opsets[round % 3], 1, 5);
        const int64_t axis = draw(0, s.shape.rank - 1);
        int64_t left = s.shape.dim[axis];

        s.flag = "axis";
        s.flag_value = axis;
        s.n_out = (int)draw(1, MAX_OUTPUTS);
        s.ints[0].n = (size_t)s.n_out;
        s.ints[0].name = s.opset < 13 ? "split" : NULL;
        for (int k = 0; k < s.n_out; k++) {
            s.ints[0].v[k] = k == s.n_out - 1 ? left : draw(0, left);
            left -= s.ints[0].v[k];
            s.out[k] = s.shape;
            s.out[k].dim[axis] = s.ints[0].v[k];
        }
        s.source = from_split;
        check(&s);
    }
}
END_TEST

/* 7 = 2 + 2 + 2 + 1 since opset 18; before, the pieces are equal. */
START_TEST(split_into_a_number)
{
    for (int opset = 11; opset <= 18; opset++) {
        struct spec s = spec("Split", opset, 3, 3);

        s.flag = "axis";
        s.flag_value = 1;
        s.n_out = 4;
        s.shape.dim[1] = opset < 18 ? 8 : 7;
        for (int k = 0; k < 4; k++) {
            s.out[k] = s.shape;
            s.out[k].dim[1] = k == 3 && opset == 18 ? 1 : 2;
        }
        s.source = from_split;
        check(&s);
    }
}
END_TEST

/* What Split took apart, one piece of it by way of a pool: Concat reads both layouts at once. */
START_TEST(concat_undoes_split)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct rf_graph *const g = test_graph();
        const struct rf_shape shape = SHAPE(draw(1, 3), draw(2, 20), draw(2, 5), draw(2, 5));
        const int64_t axis = draw(0, 3) - (round % 2 ? 4 : 0);
        float *const x = malloc((size_t)rf_numel(&shape) * sizeof(*x)), *y;
        rf_value_id in = test_input(g, shape), parts[2];
        struct rf_node *node;
        struct rf_session *session;

        fill(RF_F32, x, rf_numel(&shape));
        ck_assert_int_eq(rf_graph_value(g, "a", &parts[0], NULL), RF_OK);
        ck_assert_int_eq(rf_graph_value(g, "b", &parts[1], NULL), RF_OK);
        ck_assert_int_eq(rf_graph_node(g, "Split", "split", &in, 1, parts, 2, &node, NULL), RF_OK);
        test_int(g, node, "axis", axis);
        test_int(g, node, "num_outputs", 2);
        parts[round % 2] = test_op(g, "MaxPool", "pool", &parts[round % 2], 1, &node);
        test_ints(g, node, "kernel_shape", (const int64_t[]){1, 1}, 2);
        const rf_value_id whole = test_op(g, "Concat", "whole", parts, 2, &node);
        test_int(g, node, "axis", axis);
        ck_assert_int_eq(rf_graph_output(g, whole, NULL), RF_OK);
        struct rf_model *const model = test_model(g, NULL);
        ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
        test_run(session, &shape, x, true, &y, NULL, 1);
        ck_assert_mem_eq(x, y, (size_t)rf_numel(&shape) * sizeof(*x));
        rf_session_free(session);
        rf_model_unref(model);
        free(x);
        free(y);
    }
}
END_TEST

/* ---- Expand and Tile ---------------------------------------------------------------------------
 */

static bool from_repeat(const struct spec *s, int k, const int64_t *at, int64_t *from)
{
    const int added = s->out[0].rank - s->shape.rank;

    (void)k;
    for (int i = 0; i < s->shape.rank; i++)
        from[i] = at[i + added] % s->shape.dim[i];
    return true;
}

START_TEST(expand)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct spec s = spec("Expand", 13, 0, 4);
        const int added = (int)draw(s.shape.rank ? 0 : 1, 2);

        s.out[0].rank = s.shape.rank + added;
        s.ints[0].n = (size_t)s.out[0].rank;
        for (int i = 0; i < s.out[0].rank; i++) {
            int64_t *const dim = i < added ? NULL : &s.shape.dim[i - added];

            if (dim && draw(0, 1))
                *dim = 1;
            s.out[0].dim[i] = dim && *dim > 1 ? *dim : draw(1, 4);
            s.ints[0].v[i] = dim && draw(0, 1) ? 1 : s.out[0].dim[i];
            if (s.ints[0].v[i] == 1 && dim)
                s.out[0].dim[i] = *dim;
        }
        s.source = from_repeat;
        check(&s);
    }
}
END_TEST

START_TEST(tile)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct spec s = spec("Tile", 13, 1, 4);

        s.ints[0].n = (size_t)s.shape.rank;
        for (int i = 0; i < s.shape.rank; i++) {
            s.ints[0].v[i] = draw(round % 10 ? 1 : 0, 5);
            s.out[0].dim[i] *= s.ints[0].v[i];
        }
        s.source = from_repeat;
        check(&s);
    }
}
END_TEST

/* ---- Pad ---------------------------------------------------------------------------------------
 */

/* Step by step from the padding to an element: mirrored, along the border, or around. */
static bool from_pad(const struct spec *s, int k, const int64_t *at, int64_t *from)
{
    const int64_t *const before = s->ints[0].v, *const after = before + s->shape.rank;

    (void)k;
    for (int d = 0; d < s->shape.rank; d++) {
        const int64_t first = before[d] < 0 ? -before[d] : 0;
        const int64_t last = s->shape.dim[d] - 1 + (after[d] < 0 ? after[d] : 0);
        int64_t i = at[d] - before[d];

        while (i < first || i > last) {
            if (!strcmp(s->mode, "constant"))
                return false;
            if (first == last || !strcmp(s->mode, "edge"))
                i = i < first ? first : last;
            else if (!strcmp(s->mode, "wrap"))
                i += (i < first ? 1 : -1) * (last - first + 1);
            else
                i = i < first ? 2 * first - i : 2 * last - i;
        }
        from[d] = i;
    }
    return true;
}

START_TEST(pad)
{
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    static const int opsets[] = {10, 11, 13, 18, 19};

    for (int round = 0; round < 3 * ROUNDS; round++) {
        struct spec s = spec("Pad", opsets[round % 5], 1, 4);
        struct ints *const pads = &s.ints[0];

        s.mode = modes[draw(0, s.opset < 19 ? 2 : 3)];
        s.source = from_pad;
        pads->n = 2 * (size_t)s.shape.rank;
        if (s.opset < 11) {
            pads->name = "pads";
            s.dtype = RF_F32;
        }
        for (int i = 0; i < s.shape.rank; i++) {
            int64_t *const before = &pads->v[i], *const after = &pads->v[i + s.shape.rank];

            *before = draw(-2, 4);
            *after = draw(-2, 4);
            if ((*before < 0 ? *before : 0) + (*after < 0 ? *after : 0) + s.shape.dim[i] < 1)
                *before = *after = 1;
            s.out[0].dim[i] += *before + *after;
        }
        check(&s);
    }
}
END_TEST

/* Widths for the last axis alone, and a value that comes with the run. */
START_TEST(pad_of_named_axes_with_a_value)
{
    struct rf_graph *const g = test_graph();
    const struct ints pads = {.n = 2, .v = {1, 2}}, axes = {.n = 1, .v = {-1}};
    const rf_value_id x = test_input(g, SHAPE(2, 1));
    const float in[] = {1, 2}, value = 7, want[] = {7, 1, 7, 7, 7, 2, 7, 7};
    const struct rf_shape shapes[] = {SHAPE(2, 1), {.rank = 0}};
    const void *const ins[] = {in, &value};
    struct rf_session *session;
    struct rf_tensor out;
    rf_value_id v;

    ck_assert_int_eq(rf_graph_input(g, "v", RF_F32, &shapes[1], &v, NULL), RF_OK);
    const rf_value_id ids[] = {x, constant_ints(g, &pads), v, constant_ints(g, &axes)};
    const rf_value_id y = test_op(g, "Pad", "y", ids, 4, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, NULL);
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    ck_assert_int_eq(rf_session_prepare(session, shapes, NULL, 2, NULL), RF_OK);
    ck_assert_int_eq(rf_session_run(session, ins, 2, &out, 1, true, NULL), RF_OK);
    ck_assert_mem_eq(out.data, want, sizeof(want));
    rf_session_free(session);
    rf_model_unref(model);
}
END_TEST

/* ---- DepthToSpace and SpaceToDepth -------------------------------------------------------------
 */

static bool from_depth(const struct spec *s, int k, const int64_t *at, int64_t *from)
{
    const int64_t b = s->flag_value, c = s->out[0].dim[1];
    const int64_t inside = at[2] % b * b + at[3] % b;

    (void)k;
    from[0] = at[0];
    from[1] = s->mode && !strcmp(s->mode, "CRD") ? at[1] * b * b + inside : inside * c + at[1];
    from[2] = at[2] / b;
    from[3] = at[3] / b;
    return true;
}

static bool from_space(const struct spec *s, int k, const int64_t *at, int64_t *from)
{
    const int64_t b = s->flag_value, c = s->shape.dim[1], inside = at[1] / c;

    (void)k;
    from[0] = at[0];
    from[1] = at[1] % c;
    from[2] = at[2] * b + inside / b;
    from[3] = at[3] * b + inside % b;
    return true;
}

START_TEST(depth_and_space)
{
    static const char *const modes[] = {NULL, "DCR", "CRD"};

    for (int round = 0; round < ROUNDS; round++) {
        const bool to_space = round % 2;
        struct spec s = spec(to_space ? "DepthToSpace" : "SpaceToDepth", 13, 4, 4);
        const int64_t b = draw(1, 3);
        struct rf_shape *const deep = to_space ? &s.shape : &s.out[0];
        struct rf_shape *const wide = to_space ? &s.out[0] : &s.shape;

        deep->dim[1] *= b * b;
        wide->dim[2] *= b;
        wide->dim[3] *= b;
        s.flag = "blocksize";
        s.flag_value = b;
        s.mode = to_space ? modes[draw(0, 2)] : NULL;
        s.source = to_space ? from_depth : from_space;
        check(&s);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("movement");
    TCase *const tc = tcase_create("movement");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, transpose);
    tcase_add_test(tc, transposed_images_need_no_conversion);
    tcase_add_test(tc, slice);
    tcase_add_test(tc, gather);
    tcase_add_loop_test(tc, gather_by_indices_of_any_rank, 0, 2);
    tcase_add_test(tc, split);
    tcase_add_test(tc, split_into_a_number);
    tcase_add_test(tc, concat_undoes_split);
    tcase_add_test(tc, expand);
    tcase_add_test(tc, tile);
    tcase_add_test(tc, pad);
    tcase_add_test(tc, pad_of_named_axes_with_a_value);
    tcase_add_test(tc, depth_and_space);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
