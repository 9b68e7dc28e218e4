/*
 * No kernel touches what is not its operand: each runs on operands that begin or end where a page
 * begins that cannot be touched (tests/support/fence.h). What kernels compute is checked elsewhere;
 * panels do both in check_panel.c.
 */
#include "tests/support/fence.h"
#include "tests/support/net.h"
#include "tests/unit/kernel_test.h"

static uint64_t seed = 1;

static size_t any(size_t low, size_t high)
{
    return (size_t)test_random_int(&seed, (int64_t)low, (int64_t)high);
}

/* Elements of `rows` rows, the last one without what follows it. */
static size_t extent(size_t rows, size_t pitch, size_t n)
{
    return rows ? (rows - 1) * pitch + n : 0;
}

static float *floats(struct test_fences *f, size_t n)
{
    return test_fenced_floats(f, &seed, n);
}

static float *floats_or_null(struct test_fences *f, size_t n)
{
    return any(0, 1) ? floats(f, n) : NULL;
}

/* Each case on either side. */
static void each(int isa, int rounds,
                 void (*one)(const struct rf_kernels *, struct test_fences *, enum test_side,
                             int round))
{
    const struct rf_kernels *const k = table_of(isa);
    struct test_fences f;

    test_fences_init(&f, 1 << 18);
    for (int i = 0; k && i < rounds; i++)
        for (int side = 0; side < TEST_SIDES; side++)
            one(k, &f, (enum test_side)side, i);
    test_fences_release(&f);
}

/* ---- rows ---- */

static uint32_t *counts_or_null(struct test_fences *f, size_t channels)
{
    return any(0, 1) ? test_fenced(f, channels * sizeof(uint32_t)) : NULL;
}

static void counters(struct test_fences *f, struct rf_rows *r)
{
    const size_t words = rf_mask_words(r->channels);

    r->mask_pitch = words + any(0, 2);
    r->fired = test_fenced(f, extent(r->rows, r->mask_pitch, words) * sizeof(*r->fired));
    r->inactive = counts_or_null(f, r->channels);
    r->zero = counts_or_null(f, r->channels);
    r->top = counts_or_null(f, r->channels);
    r->sum = test_fenced(f, r->channels * sizeof(*r->sum));
    r->sum_squares = test_fenced(f, r->channels * sizeof(*r->sum));
    r->max = floats(f, r->channels);
    r->nonfinite = test_fenced(f, r->channels * sizeof(*r->nonfinite));
    r->nan = test_fenced(f, r->channels * sizeof(*r->nan));
}

static struct rf_rows random_rows(struct test_fences *f)
{
    struct rf_rows r = {
        .rows = any(1, 9), .channels = any(1, MAX_CHANNELS), .param_step = any(0, 1)};
    const size_t params = r.param_step ? r.channels : 1, gap = any(0, 1) * 3;

    r.x_pitch = r.channels + gap;
    r.y_pitch = r.channels + gap;
    r.residual_pitch = r.channels + any(0, 2);
    r.x = floats(f, extent(r.rows, r.x_pitch, r.channels));
    r.y = test_fenced(f, extent(r.rows, r.y_pitch, r.channels) * sizeof(float));
    if (any(0, 1))
        r.residual = floats(f, extent(r.rows, r.residual_pitch, r.channels));
    r.scale = floats_or_null(f, r.channels);
    r.bias = floats_or_null(f, r.channels);
    r.a = floats_or_null(f, params);
    r.b = floats_or_null(f, params);
    return r;
}

static void rows(const struct rf_kernels *k, struct test_fences *f, enum test_side side, int round)
{
    const int unary = round % RF_N_UNARY;

    test_fences_begin(f, side, "%s rows, unary %d, round %d", k->isa, unary, round);
    struct rf_rows r = random_rows(f);

    counters(f, &r);
    k->rows[unary](&r);
    k->rows_counted[unary](&r);
}

START_TEST(rows_stay_within_operands)
{
    each(_i, 60 * RF_N_UNARY, rows);
}
END_TEST

/* ---- elementwise ---- */

static void binary(const struct rf_kernels *k, struct test_fences *f, enum test_side side,
                   int round)
{
    const int op = round % RF_N_BINARY;
    const size_t n = any(0, MAX_CHANNELS);
    const bool a_step = any(0, 1), b_step = any(0, 1);

    test_fences_begin(f, side, "%s binary %d, n %zu, steps %d %d", k->isa, op, n, a_step, b_step);
    const float *const a = floats(f, a_step ? n : 1), *const b = floats(f, b_step ? n : 1);

    k->binary[op](test_fenced(f, n * sizeof(float)), a, a_step, b, b_step, n);
}

START_TEST(binary_stays_within_operands)
{
    each(_i, 150 * RF_N_BINARY, binary);
}
END_TEST

static void softmax(const struct rf_kernels *k, struct test_fences *f, enum test_side side,
                    int round)
{
    const size_t n = any(0, round % 20 ? MAX_CHANNELS : 2000);
    const bool log_of_it = any(0, 1);

    test_fences_begin(f, side, "%s softmax, n %zu, log %d", k->isa, n, log_of_it);
    float *const x = floats(f, n);

    k->softmax(any(0, 1) ? x : test_fenced(f, n * sizeof(float)), x, n, log_of_it);
}

START_TEST(softmax_stays_within_operands)
{
    each(_i, 1000, softmax);
}
END_TEST

/* ---- masks ---- */

static void masks(const struct rf_kernels *k, struct test_fences *f, enum test_side side, int round)
{
    const size_t n = any(0, round % 100 ? 40 : 20000), groups = any(0, 5),
                 pitch = groups + any(0, 2);

    test_fences_begin(f, side, "%s masks, %zu rows of %zu", k->isa, n, groups);
    const uint16_t *const mask = test_fenced(f, extent(n, pitch, groups) * sizeof(*mask));
    uint32_t *const counts = test_fenced(f, groups * RF_GROUP * sizeof(*counts));

    k->mask_counts(mask, n, groups, pitch, counts, test_fenced(f, groups * sizeof(uint16_t)));
}

START_TEST(masks_stay_within_operands)
{
    each(_i, 1000, masks);
}
END_TEST

static void units(const struct rf_kernels *k, struct test_fences *f, enum test_side side, int round)
{
    const size_t n = any(0, 70);

    test_fences_begin(f, side, "%s units, %zu words, round %d", k->isa, n, round);
    uint16_t *const fired = test_fenced(f, n * sizeof(*fired));
    uint8_t *const ages = test_fenced(f, n * RF_GROUP);

    k->units_add(fired, test_fenced(f, n * sizeof(*fired)), n);
    k->units_silent(ages, fired, n, 3);
    k->units_age(ages, fired, n);
}

START_TEST(units_stay_within_operands)
{
    each(_i, 300, units);
}
END_TEST

static void look(const struct rf_kernels *k, struct test_fences *f, enum test_side side, int round)
{
    const size_t n = any(0, round % 20 ? MAX_CHANNELS : 3000);
    struct rf_look look;

    test_fences_begin(f, side, "%s look at %zu", k->isa, n);
    k->look(floats(f, n), n, &look);
}

START_TEST(looks_stay_within_operands)
{
    each(_i, 300, look);
}
END_TEST

/* ---- windows ---- */

static void window(const struct rf_kernels *k, struct test_fences *f, enum test_side side,
                   int round)
{
    const size_t channels = 1 + (size_t)round % 150, pixels = any(1, 20), n = any(1, 9);
    const size_t pitch = channels + any(0, 3), step = any(0, 2) * pitch;

    test_fences_begin(f, side, "%s windows of %zu taps, %zu pixels of %zu channels", k->isa, n,
                      pixels, channels);
    ptrdiff_t *const tap = test_fenced(f, n * sizeof(*tap));

    for (size_t t = 0; t < n; t++)
        tap[t] = (ptrdiff_t)(t * pitch);
    const struct rf_window_row r = {
        .y = test_fenced(f, extent(pixels, pitch, channels) * sizeof(float)),
        .y_pitch = pitch,
        .x = floats(f, extent(pixels, step, extent(n, pitch, channels))),
        .x_step = step,
        .tap = tap,
        .n_taps = n,
        .pixels = pixels,
        .channels = channels,
        .scale = 0.5f,
        .weights = floats(f, extent(n, pitch, channels)),
        .weights_pitch = pitch};

    k->window_max(&r);
    k->window_sum(&r);
    k->window_depthwise(&r);
}

START_TEST(windows_stay_within_operands)
{
    each(_i, 1500, window);
}
END_TEST

static void groups(const struct rf_kernels *k, struct test_fences *f, enum test_side side,
                   int round)
{
    const size_t vector = k->panel_width / 2, wish = (size_t)1 << any(0, 4);
    const size_t out = wish < vector ? wish : vector, in = any(1, out);
    const size_t channels = out * (1 + (size_t)round % 20), inputs = channels / out * in;
    const size_t pixels = any(1, 10), n = any(1, 9), pitch = channels + any(0, 3);

    test_fences_begin(f, side, "%s groups of %zu and %zu, %zu pixels of %zu channels", k->isa, in,
                      out, pixels, channels);
    ptrdiff_t *const tap = test_fenced(f, n * sizeof(*tap));

    for (size_t t = 0; t < n; t++)
        tap[t] = (ptrdiff_t)(t * pitch);
    k->window_grouped(&(struct rf_window_row){
        .y = test_fenced(f, extent(pixels, pitch, channels) * sizeof(float)),
        .y_pitch = pitch,
        .x = floats(f, extent(pixels, pitch, extent(n, pitch, inputs))),
        .x_step = pitch,
        .tap = tap,
        .n_taps = n,
        .pixels = pixels,
        .channels = channels,
        .weights = floats(f, extent(n * in, pitch, channels)),
        .weights_pitch = pitch,
        .group_in = in,
        .group_out = out});
}

START_TEST(groups_stay_within_operands)
{
    each(_i, 1000, groups);
}
END_TEST

static void winograd(const struct rf_kernels *k, struct test_fences *f, enum test_side side,
                     int round)
{
    const int size = round % RF_N_WINOGRAD;
    const size_t m = size == RF_WINOGRAD_2 ? 2 : 4, n = m + 2, channels = any(1, MAX_CHANNELS);
    const size_t pitch = channels + any(0, 3), row = n * pitch + any(0, 9);
    const size_t step = channels * any(1, 3);
    const size_t h = any(1, m), w = any(1, m);

    test_fences_begin(f, side, "%s winograd %zu, %zu channels, %zu x %zu", k->isa, m, channels, h,
                      w);
    const struct rf_winograd_input in = {
        .x = floats(f, extent(n, row, extent(n, pitch, channels))),
        .row = row,
        .pitch = pitch,
        .channels = channels,
        .v = test_fenced(f, extent(n * n, step, channels) * sizeof(float)),
        .step = step};
    const struct rf_winograd_output out = {
        .m = floats(f, extent(n * n, step, channels)),
        .step = step,
        .channels = channels,
        .y = test_fenced(f, extent(h, row, extent(w, pitch, channels)) * sizeof(float)),
        .row = row,
        .pitch = pitch,
        .h = h,
        .w = w};

    k->winograd_input[size](&in);
    k->winograd_output[size](&out);
}

START_TEST(winograd_stays_within_operands)
{
    each(_i, 1000, winograd);
}
END_TEST

/* Every second channel is computed once more, wherever it is. */
static void exact(const struct rf_kernels *k, struct test_fences *f, enum test_side side, int round)
{
    const size_t in = any(1, MAX_CHANNELS), out = any(1, 3 * RF_GROUP), h = any(1, 4),
                 w = any(1, 4);
    const size_t x_pitch = in + any(0, 3), x_row = 6 * x_pitch + any(0, 9);
    const size_t y_pitch = out + any(0, 3), y_row = 4 * y_pitch + any(0, 9);
    struct rf_winograd_group g = {.first = RF_GROUP * any(0, (out - 1) / RF_GROUP)};

    test_fences_begin(f, side, "%s exact, round %d, %zu to %zu channels, %zu x %zu", k->isa, round,
                      in, out, h, w);
    for (size_t c = 0; c < RF_GROUP && g.first + c < out; c += 2) {
        g.noise[c] = 1e6f;
        g.weights[c] = floats(f, 9 * in);
    }
    const struct rf_winograd_exact t = {.x = floats(f, extent(6, x_row, extent(6, x_pitch, in))),
                                        .x_row = x_row,
                                        .x_pitch = x_pitch,
                                        .in_channels = in,
                                        .y = floats(f, extent(h, y_row, extent(w, y_pitch, out))),
                                        .y_row = y_row,
                                        .y_pitch = y_pitch,
                                        .h = h,
                                        .w = w,
                                        .out_channels = out,
                                        .group = &g,
                                        .n_groups = 1};

    k->winograd_exact(&t);
}

START_TEST(exact_stays_within_operands)
{
    each(_i, 1000, exact);
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("bounds");
    SRunner *const r = srunner_create(s);

    add(s, "rows", rows_stay_within_operands, RF_N_ISA);
    add(s, "binary", binary_stays_within_operands, RF_N_ISA);
    add(s, "softmax", softmax_stays_within_operands, RF_N_ISA);
    add(s, "masks", masks_stay_within_operands, RF_N_ISA);
    add(s, "units", units_stay_within_operands, RF_N_ISA);
    add(s, "looks", looks_stay_within_operands, RF_N_ISA);
    add(s, "windows", windows_stay_within_operands, RF_N_ISA);
    add(s, "groups", groups_stay_within_operands, RF_N_ISA);
    add(s, "winograd", winograd_stays_within_operands, RF_N_ISA);
    add(s, "exact", exact_stays_within_operands, RF_N_ISA);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
