/* Operators that join, part, repeat and regroup, against plain index arithmetic. */
#include "tests/support/movement.h"

/* ---- Split and Concat ---- */

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

/* ---- Expand and Tile ---- */

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

/* ---- Pad ---- */

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

/* ---- DepthToSpace and SpaceToDepth ---- */

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
    Suite *const suite = suite_create("movement_sizes");
    TCase *const tc = tcase_create("movement_sizes");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, tc);
    tcase_set_timeout(tc, 60);
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
