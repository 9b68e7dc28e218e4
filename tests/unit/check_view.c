/* Views: every change and every walk against plain index arithmetic, over random shapes and
 * layouts. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/init.h"
#include "core/view.h"

#define SEED 7

static uint64_t draws;

static int64_t draw(int64_t lo, int64_t hi)
{
    return lo + (int64_t)(rf_init_uniform(SEED, 1, draws++) * (double)(hi - lo + 1));
}

struct image {
    struct rf_tensor t;
    void *storage;
};

/* Element i holds i, in row-major order of the logical indices. */
static void set(struct rf_tensor *t, const struct rf_view *v)
{
    const int64_t n = rf_numel(&t->shape);

    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = 0;

        for (int k = v->rank - 1; k >= 0; k--) {
            at += rest % v->dim[k] * v->step[k];
            rest /= v->dim[k];
        }
        const uint64_t value = (uint64_t)i;
        memcpy(v->data + at * (int64_t)v->size, &value, v->size);
    }
}

static struct image image_new(enum rf_dtype dtype, enum rf_layout layout,
                              const struct rf_shape *shape)
{
    struct image m = {.t = {.dtype = dtype, .layout = layout, .shape = *shape}};
    size_t before = 0, bytes = (size_t)rf_numel(shape) * rf_dtype_size(dtype) + 1;

    if (layout == RF_NHWC) {
        m.t.halo = (struct rf_halo){1, 2, 1, 0};
        bytes = rf_tensor_lay_out(&m.t, &before);
    }
    m.storage = calloc(1, bytes);
    m.t.data = (char *)m.storage + before;
    const struct rf_view v = rf_view_of(&m.t);
    set(&m.t, &v);
    return m;
}

/* The element at row-major position i of a view. */
static uint64_t element(const struct rf_view *v, int64_t i)
{
    uint64_t value = 0;
    int64_t at = 0;

    for (int k = v->rank - 1; k >= 0; k--) {
        at += i % v->dim[k] * v->step[k];
        i /= v->dim[k];
    }
    memcpy(&value, v->data + at * (int64_t)v->size, v->size);
    return value;
}

static struct rf_shape random_shape(int rank)
{
    struct rf_shape s = {.rank = rank};

    for (int i = 0; i < rank; i++)
        s.dim[i] = draw(1, 4);
    return s;
}

static struct rf_shape shape_of(const struct rf_view *v)
{
    struct rf_shape s = {.rank = v->rank};

    memcpy(s.dim, v->dim, sizeof(s.dim));
    return s;
}

static const enum rf_dtype sizes[] = {RF_U8, RF_F16, RF_F32, RF_I64};

/* Copies the view into each layout it may have and compares element by element. */
static void check_copies(const struct rf_view *from, enum rf_dtype dtype)
{
    const struct rf_shape shape = shape_of(from);
    const bool image = dtype == RF_F32 && (shape.rank == 3 || shape.rank == 4);

    for (int layout = RF_ROWMAJOR; layout <= (image ? RF_NHWC : RF_ROWMAJOR); layout++) {
        struct image to = image_new(dtype, (enum rf_layout)layout, &shape);
        const struct rf_view v = rf_view_of(&to.t);

        rf_view_copy(&v, from);
        for (int64_t i = 0; i < rf_numel(&shape); i++)
            ck_assert_uint_eq(element(&v, i), element(from, i));
        free(to.storage);
    }
}

START_TEST(copies_keep_every_element)
{
    for (int round = 0; round < 300; round++) {
        const enum rf_dtype dtype = sizes[round % 4];
        const struct rf_shape shape = random_shape((int)draw(0, 6));
        const bool image = dtype == RF_F32 && (shape.rank == 3 || shape.rank == 4);
        struct image m = image_new(dtype, image && draw(0, 1) ? RF_NHWC : RF_ROWMAJOR, &shape);
        const struct rf_view v = rf_view_of(&m.t);

        for (int64_t i = 0; i < rf_numel(&shape); i++)
            ck_assert_uint_eq(element(&v, i), (uint64_t)i & (dtype == RF_U8 ? 0xff : ~0ull));
        check_copies(&v, dtype);
        free(m.storage);
    }
}
END_TEST

START_TEST(slices_and_permutations)
{
    for (int round = 0; round < 300; round++) {
        const struct rf_shape shape = random_shape(4);
        struct image m = image_new(RF_F32, round % 2 ? RF_NHWC : RF_ROWMAJOR, &shape);
        struct rf_view v = rf_view_of(&m.t);
        const int axis = (int)draw(0, 3);
        const int64_t start = draw(0, shape.dim[axis] - 1);
        const int64_t by = draw(0, 1) ? 1 : -1;
        const int64_t count = draw(1, by > 0 ? shape.dim[axis] - start : start + 1);
        int perm[4] = {0, 1, 2, 3};
        int64_t at[4];

        rf_view_slice(&v, axis, start, count, by);
        for (int i = 3; i > 0; i--) {
            const int k = (int)draw(0, i), swap = perm[i];
            perm[i] = perm[k];
            perm[k] = swap;
        }
        rf_view_permute(&v, perm);
        check_copies(&v, RF_F32);
        for (int64_t i = 0, n = rf_numel(&shape) / shape.dim[axis] * count; i < n; i++) {
            int64_t rest = i, want = 0;

            for (int k = 3; k >= 0; k--) {
                at[perm[k]] = rest % v.dim[k];
                rest /= v.dim[k];
            }
            at[axis] = start + at[axis] * by;
            for (int k = 0; k < 4; k++)
                want = want * shape.dim[k] + at[k];
            ck_assert_uint_eq(element(&v, i), (uint64_t)want);
        }
        free(m.storage);
    }
}
END_TEST

START_TEST(broadcasts_repeat)
{
    for (int round = 0; round < 300; round++) {
        const struct rf_shape shape = random_shape((int)draw(0, 4));
        struct rf_shape to = random_shape((int)draw(shape.rank, 5)), joined = shape;
        struct image m = image_new(RF_F32, RF_ROWMAJOR, &shape);
        struct rf_view v = rf_view_of(&m.t);

        for (int i = 1; i <= shape.rank; i++)
            if (shape.dim[shape.rank - i] != 1)
                to.dim[to.rank - i] = shape.dim[shape.rank - i];
        ck_assert(rf_shape_broadcast(&joined, &to));
        ck_assert(rf_shape_equal(&joined, &to));
        rf_view_broadcast(&v, &to);
        check_copies(&v, RF_F32);
        for (int64_t i = 0; i < rf_numel(&to); i++) {
            int64_t rest = i, want = 0, factor = 1;

            for (int k = 1; k <= to.rank; k++) {
                const int64_t dim = k <= shape.rank ? shape.dim[shape.rank - k] : 1;

                want += rest % to.dim[to.rank - k] % dim * factor;
                rest /= to.dim[to.rank - k];
                factor *= dim;
            }
            ck_assert_uint_eq(element(&v, i), (uint64_t)want);
        }
        free(m.storage);
    }
}
END_TEST

START_TEST(shapes_that_do_not_fit)
{
    struct rf_shape a = {.rank = 2, .dim = {2, 3}};
    const struct rf_shape b = {.rank = 2, .dim = {2, 4}}, empty = {.rank = 1, .dim = {0}};
    struct rf_shape one = {.rank = 1, .dim = {1}};

    ck_assert(!rf_shape_broadcast(&a, &b));
    ck_assert(rf_shape_broadcast(&one, &empty));
    ck_assert_int_eq(one.dim[0], 0);
}
END_TEST

/* What can be walked as one run is one. */
START_TEST(walks_join_dimensions)
{
    const struct rf_shape shape = {.rank = 4, .dim = {2, 3, 4, 5}}, row = {.rank = 1, .dim = {5}};
    struct image a = image_new(RF_F32, RF_ROWMAJOR, &shape),
                 b = image_new(RF_F32, RF_ROWMAJOR, &row);
    const struct rf_view va = rf_view_of(&a.t);
    struct rf_view vb = rf_view_of(&b.t);
    const struct rf_view *const one[] = {&va, &va}, *const two[] = {&va, &vb};
    struct rf_walk w;
    int runs = 0;

    rf_walk_begin(&w, one, 2);
    ck_assert_int_eq(w.n, 120);
    rf_walk_next(&w);
    ck_assert_int_eq(w.n, 0);
    rf_view_broadcast(&vb, &shape);
    for (rf_walk_begin(&w, two, 2); w.n; rf_walk_next(&w), runs++) {
        ck_assert_int_eq(w.n, 5);
        ck_assert_ptr_eq(w.data[0], va.data + runs * 5 * (int)sizeof(float));
        ck_assert_ptr_eq(w.data[1], vb.data);
    }
    ck_assert_int_eq(runs, 24);
    free(a.storage);
    free(b.storage);
}
END_TEST

START_TEST(nothing_to_walk)
{
    const struct rf_shape shape = {.rank = 3, .dim = {2, 0, 4}};
    struct image m = image_new(RF_F32, RF_ROWMAJOR, &shape);
    const struct rf_view v = rf_view_of(&m.t);
    const struct rf_view *const views[] = {&v};
    struct rf_walk w;

    rf_walk_begin(&w, views, 1);
    ck_assert_int_eq(w.n, 0);
    free(m.storage);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("view");
    TCase *const t = tcase_create("view");
    SRunner *const runner = srunner_create(suite);

    tcase_add_test(t, copies_keep_every_element);
    tcase_add_test(t, slices_and_permutations);
    tcase_add_test(t, broadcasts_repeat);
    tcase_add_test(t, shapes_that_do_not_fit);
    tcase_add_test(t, walks_join_dimensions);
    tcase_add_test(t, nothing_to_walk);
    suite_add_tcase(suite, t);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
