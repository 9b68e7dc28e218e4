/* Operators that pick and order elements, against plain index arithmetic. */
#include "tests/support/movement.h"

/* ---- Transpose ---- */

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

/* ---- Slice ---- */

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

/* ---- Gather ---- */

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
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
