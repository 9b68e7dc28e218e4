/* Units: when each fired last, by the kernels and by whole networks. */
#include <stdint.h>

#include "core/activity.h"
#include "tests/support/net.h"
#include "tests/unit/kernel_test.h"

#define MAX_WORDS 600 /* more than what bytes can count */

static uint8_t older(uint8_t age)
{
    return age < 254 ? (uint8_t)(age + 1) : age;
}

static void check_ages(const struct rf_kernels *k, size_t n)
{
    static uint16_t fired[MAX_WORDS + 1], mask[MAX_WORDS], both[MAX_WORDS];
    static uint8_t ages[(MAX_WORDS + 1) * RF_GROUP], want[MAX_WORDS * RF_GROUP];
    const uint8_t age = (uint8_t)random_bits();
    size_t silent = 0;

    for (size_t i = 0; i < n; i++) {
        fired[i] = (uint16_t)(random_bits() & random_bits());
        mask[i] = (uint16_t)(random_bits() & random_bits());
        both[i] = fired[i] | mask[i];
    }
    fired[n] = 0xabcd;
    ages[n * RF_GROUP] = 77;
    for (size_t i = 0; i < n * RF_GROUP; i++) {
        const bool is_set = both[i / RF_GROUP] >> i % RF_GROUP & 1;

        ages[i] = (uint8_t)(random_bits() % 4 ? random_bits() : 253 + random_bits() % 3);
        want[i] = is_set ? 1 : older(ages[i]);
        silent += !is_set && ages[i] > age;
    }
    k->units_add(fired, mask, n);
    EXPECT(memcmp(fired, both, n * sizeof(*fired)) == 0, "%s: %zu words added", k->isa, n);
    EXPECT(k->units_silent(ages, fired, n, age) == silent, "%s: %zu words, %zu silent above %d",
           k->isa, n, silent, age);
    k->units_age(ages, fired, n);
    EXPECT(memcmp(ages, want, n * RF_GROUP) == 0, "%s: %zu words of ages", k->isa, n);
    for (size_t i = 0; i < n; i++)
        EXPECT(fired[i] == 0, "%s: word %zu is left", k->isa, i);
    EXPECT(fired[n] == 0xabcd && ages[n * RF_GROUP] == 77, "%s: writes beyond %zu", k->isa, n);
}

START_TEST(kernels_know_ages)
{
    const struct rf_kernels *const k = table_of(_i);

    for (size_t n = 0; k && n < 90; n++)
        check_ages(k, n);
    for (size_t n = 250; k && n < MAX_WORDS; n += 49)
        check_ages(k, n);
}
END_TEST

/* ---- networks ---- */

/* A ReLU of its own: which units fire is the input's to say. */
struct bare {
    struct rf_model *model;
    struct rf_session *session;
    struct rf_shape shape;
    size_t units;
};

static void bare_init(struct bare *b, struct rf_shape shape, size_t n_slots)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_UNIT, .n_slots = n_slots};
    struct rf_graph *const g = test_graph();
    const rf_value_id in = test_input(g, shape), y = test_op(g, "Relu", "relu", &in, 1, NULL);

    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    b->model = test_model(g, &options);
    b->shape = shape;
    b->units = (size_t)rf_numel(&shape);
    ck_assert_int_eq(rf_session_new(&b->session, b->model, NULL, NULL), RF_OK);
}

static void bare_release(struct bare *b)
{
    rf_session_free(b->session);
    rf_model_unref(b->model);
}

/* Units from `first` on fire, `n` of them. */
static void fire(struct bare *b, size_t first, size_t n)
{
    float *const x = malloc(b->units * sizeof(*x)), *out;

    for (size_t i = 0; i < b->units; i++)
        x[i] = i >= first && i < first + n ? 1 : -1;
    test_run(b->session, &b->shape, x, true, &out, NULL, 1);
    free(out);
    free(x);
}

static void expect_dead(struct bare *b, size_t slots, size_t dead)
{
    struct rf_activity *a;

    if (slots == SIZE_MAX)
        ck_assert_int_eq(rf_activity_read(b->model, &a, NULL), RF_OK);
    else
        ck_assert_int_eq(rf_activity_read_window(b->model, slots, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->layers[0].n_units, b->units);
    ck_assert_msg(a->layers[0].dead_units == dead, "%zu slots: %zu dead, want %zu", slots,
                  a->layers[0].dead_units, dead);
    rf_activity_free(a);
}

/* Units 0..2 fire in the first slot, 3..4 in the second, 5 in the open one; 21 are left. */
static void check_windows(struct rf_shape shape)
{
    struct bare b;
    uint8_t ages[27];

    bare_init(&b, shape, 5);
    fire(&b, 0, 3);
    rf_activity_roll(b.model);
    fire(&b, 3, 2);
    rf_activity_roll(b.model);
    fire(&b, 5, 1);
    expect_dead(&b, 0, 26);
    expect_dead(&b, 1, 24);
    expect_dead(&b, 2, 21);
    expect_dead(&b, SIZE_MAX, 21);
    ck_assert(rf_activity_unit_ages(b.model, 0, ages));
    for (size_t i = 0; i < 27; i++)
        ck_assert_msg(ages[i] == (i < 3   ? 2
                                  : i < 5 ? 1
                                  : i < 6 ? 0
                                          : RF_NEVER_FIRED),
                      "unit %zu: age %d", i, ages[i]);
    ck_assert(!rf_activity_unit_ages(b.model, 1, ages));
    bare_release(&b);
}

START_TEST(dead_units_of_windows)
{
    if (!test_use_isa(_i))
        return;
    check_windows(SHAPE(1, 27));
    check_windows(SHAPE(1, 3, 9));
    check_windows(SHAPE(1, 3, 3, 3));
    check_windows(SHAPE(1, 27, 1, 1));
}
END_TEST

/* However long ago it was, a unit that fired is not one that never did. */
START_TEST(ages_end_at_254)
{
    struct bare b;
    uint8_t ages[20];

    bare_init(&b, SHAPE(1, 20), 253);
    fire(&b, 0, 4);
    for (int i = 0; i < 300; i++)
        rf_activity_roll(b.model);
    ck_assert(rf_activity_unit_ages(b.model, 0, ages));
    for (size_t i = 0; i < 20; i++)
        ck_assert_int_eq(ages[i], i < 4 ? 254 : RF_NEVER_FIRED);
    expect_dead(&b, 253, 20);
    expect_dead(&b, SIZE_MAX, 16);
    bare_release(&b);
}
END_TEST

/* A layer whose size varies has channels, but no units; those beside it have theirs. */
START_TEST(open_sizes_have_no_units)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_UNIT};
    const struct rf_shape shape = SHAPE(2, 3, 5, 4);
    struct rf_graph *const g = test_graph();
    struct rf_activity *a;
    struct rf_session *s;
    float x[120], *out;
    uint64_t seed = 1;
    rf_value_id y = test_input(g, SHAPE(-1, 3, -1, -1));

    y = test_op(g, "Relu", "open", &y, 1, NULL);
    y = test_op(g, "GlobalAveragePool", "pool", &y, 1, NULL);
    y = test_op(g, "Relu", "declared", &y, 1, NULL);
    ck_assert_int_eq(rf_graph_output(g, y, NULL), RF_OK);
    struct rf_model *const model = test_model(g, &options);
    ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
    test_random_fill(&seed, x, 120);
    for (int i = 0; i < 120; i += 20)
        x[i] = 20; /* every channel's mean is above 0 */
    test_run(s, &shape, x, true, &out, NULL, 1);
    ck_assert_int_eq(rf_activity_read(model, &a, NULL), RF_OK);
    ck_assert_uint_eq(a->layers[0].n_units, 0);
    ck_assert_uint_eq(a->layers[0].total.values, 120);
    ck_assert_uint_eq(a->layers[1].n_units, 3);
    ck_assert_uint_eq(a->layers[1].dead_units, 0);
    rf_activity_free(a);
    rf_session_free(s);
    rf_model_unref(model);
    free(out);
}
END_TEST

START_TEST(memory_follows_units_and_slots)
{
    struct bare small, large, more;

    bare_init(&small, SHAPE(1, 16, 1, 1), 5);
    bare_init(&large, SHAPE(1, 16, 100, 100), 5);
    bare_init(&more, SHAPE(1, 16, 1, 1), 25);
    size_t session, wide;
    const size_t bytes = rf_activity_bytes(small.model, &session);
    ck_assert_uint_ge(rf_activity_bytes(large.model, &wide), bytes + 9999 * (16 + 2));
    ck_assert_uint_eq(wide, session + 9999 * 2);
    ck_assert_uint_ge(rf_activity_bytes(more.model, &session), bytes + 20 * 16 * 36);
    bare_release(&small);
    bare_release(&large);
    bare_release(&more);
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("units");
    SRunner *const r = srunner_create(s);

    add(s, "kernels", kernels_know_ages, RF_N_ISA);
    add(s, "windows", dead_units_of_windows, RF_N_ISA);
    add(s, "ages", ages_end_at_254, 1);
    add(s, "open", open_sizes_have_no_units, 1);
    add(s, "memory", memory_follows_units_and_slots, 1);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
