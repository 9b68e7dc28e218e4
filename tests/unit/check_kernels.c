/*
 * The kernels beside the activations (check_unary.c): mask counts, moments, looks at inputs,
 * windows, softmax, against plain references between guard words; and the choice of a table.
 */
#include <float.h>
#include <math.h>

#include "tests/unit/kernel_test.h"

static void check_counts(const struct rf_kernels *k, size_t rows, size_t groups, size_t pitch)
{
    uint16_t *const mask = guarded(rows * pitch * 2, 2);
    uint32_t counts[5 * RF_GROUP + 1] = {0}, want[5 * RF_GROUP + 1] = {0};
    uint16_t any[6] = {0}, want_any[6] = {0};

    for (size_t i = 0; i < rows * pitch; i++)
        mask[i] = (uint16_t)((random_bits() & random_bits()) | 1); /* bit 0 in every row */
    counts[3] = want[3] = 7;                                       /* added to, not set */
    any[0] = want_any[0] = 0x8000;
    for (size_t i = 0; i < rows; i++) {
        for (size_t g = 0; g < groups; g++) {
            want_any[g] = (uint16_t)(want_any[g] | mask[i * pitch + g]);
            for (size_t bit = 0; bit < RF_GROUP; bit++)
                want[g * RF_GROUP + bit] += mask[i * pitch + g] >> bit & 1;
        }
    }
    k->mask_counts(mask, rows, groups, pitch, counts, any);
    ck_assert_mem_eq(counts, want, sizeof(want));
    ck_assert_mem_eq(any, want_any, sizeof(want_any));
    free(mask);
}

START_TEST(mask_counts_match_recount)
{
    const struct rf_kernels *const k = table_of(_i);

    for (size_t groups = 0; k && groups <= 5; groups++) {
        for (size_t rows = 0; rows < 40; rows++)
            check_counts(k, rows, groups, groups + rows % 3);
        check_counts(k, 70000, groups, groups + 1); /* more than 16 bits can count */
    }
}
END_TEST

/* Arrays of whole groups, one float off alignment. */
struct moments {
    double sum[6 * RF_GROUP + 1], squares[6 * RF_GROUP + 1];
    float max[6 * RF_GROUP + 1];
    uint32_t counts[6 * RF_GROUP + 1];
};

static struct rf_moments moments_of(struct moments *m)
{
    return (struct rf_moments){m->sum + 1, m->squares + 1, m->max + 1};
}

static void moments_fill(struct moments *m)
{
    for (size_t i = 0; i < 6 * RF_GROUP + 1; i++) {
        m->sum[i] = (double)random_in(-1, 1);
        m->squares[i] = (double)random_in(0, 1);
        m->max[i] = random_in(-1, 1);
        m->counts[i] = random_bits() >> 2;
    }
}

static void check_moments(const struct rf_kernels *k, size_t n)
{
    static struct moments to, from, before, left;

    moments_fill(&to);
    moments_fill(&from);
    before = to;
    left = from;
    const struct rf_moments a = moments_of(&to), b = moments_of(&left);

    k->moments_move(&a, &b, n);
    k->counts_move(to.counts + 1, left.counts + 1, n);
    for (size_t i = 0; i < 6 * RF_GROUP + 1; i++) {
        const bool moved = i > 0 && i <= n;
        const float max = from.max[i] > before.max[i] ? from.max[i] : before.max[i];

        EXPECT(to.sum[i] == before.sum[i] + (moved ? from.sum[i] : 0), "%s: sum %zu", k->isa, i);
        EXPECT(to.squares[i] == before.squares[i] + (moved ? from.squares[i] : 0),
               "%s: squares %zu", k->isa, i);
        EXPECT(to.max[i] == (moved ? max : before.max[i]), "%s: max %zu", k->isa, i);
        EXPECT(to.counts[i] == before.counts[i] + (moved ? from.counts[i] : 0), "%s: count %zu",
               k->isa, i);
        EXPECT((left.sum[i] == 0 && left.squares[i] == 0 && left.max[i] == -INFINITY &&
                left.counts[i] == 0) == moved,
               "%s: leaves %zu", k->isa, i);
    }
}

START_TEST(moments_are_moved)
{
    const struct rf_kernels *const k = table_of(_i);

    for (size_t groups = 0; k && groups <= 5; groups++)
        check_moments(k, groups * RF_GROUP);
}
END_TEST

/* ---- looks at inputs ---- */

#define LOOKS 2300 /* more than what is summed in float */

static void check_look(const struct rf_kernels *k, const float *x, size_t n)
{
    double sum = 0, magnitude = 0, squares = 0;
    float min = INFINITY, max = -INFINITY;
    struct rf_look look;

    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
        magnitude += fabs((double)x[i]);
        squares += (double)x[i] * (double)x[i];
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
    }
    k->look(x, n, &look);
    EXPECT(fabs(look.sum - sum) <= 1e-6 * magnitude, "%s, %zu: sum %g, want %g", k->isa, n,
           look.sum, sum);
    EXPECT(fabs(look.sum_squares - squares) <= 1e-6 * squares, "%s, %zu: squares %g, want %g",
           k->isa, n, look.sum_squares, squares);
    EXPECT(look.min == min && look.max == max, "%s, %zu: extremes %g %g, want %g %g", k->isa, n,
           (double)look.min, (double)look.max, (double)min, (double)max);
}

START_TEST(looks_see_moments_and_extremes)
{
    const struct rf_kernels *const k = table_of(_i);
    static float x[LOOKS];

    for (size_t i = 0; i < LOOKS; i++)
        x[i] = random_in(-3, 3);
    for (size_t n = 0; k && n < 150; n++)
        check_look(k, x + n % 3, n);
    if (k)
        check_look(k, x, LOOKS);
}
END_TEST

static uint64_t hash_of(const struct rf_kernels *k, const float *x, size_t n)
{
    struct rf_look look;

    k->look(x, n, &look);
    return look.hash;
}

/* Any other element, order or number of elements makes another hash; another address does not. */
START_TEST(hashes_tell_inputs_apart)
{
    const struct rf_kernels *const k = table_of(_i);
    static float x[LOOKS], copy[LOOKS + 1];

    for (size_t i = 0; i < LOOKS; i++) /* as of images: many are 0, few values */
        x[i] = random_bits() % 3 ? 0 : (float)(random_bits() % 4);
    memcpy(copy + 1, x, sizeof(x));
    for (size_t n = 1; k && n < LOOKS; n += n < 70 ? 1 : 97) {
        const uint64_t hash = hash_of(k, x, n);

        EXPECT(hash_of(k, copy + 1, n) == hash, "%s: %zu copied", k->isa, n);
        EXPECT(hash_of(k, x, n + 1) != hash, "%s: %zu and one more", k->isa, n);
        for (size_t i = 0; i < n; i++) {
            const float was = copy[1 + i];

            copy[1 + i] = was == 0 ? 1 : -was;
            EXPECT(hash_of(k, copy + 1, n) != hash, "%s: element %zu of %zu", k->isa, i, n);
            copy[1 + i] = was;
            const size_t other = random_bits() % n;
            copy[1 + i] = copy[1 + other];
            copy[1 + other] = was;
            EXPECT((hash_of(k, copy + 1, n) != hash) == (copy[1 + i] != was),
                   "%s: %zu and %zu of %zu swapped", k->isa, i, other, n);
            copy[1 + other] = copy[1 + i];
            copy[1 + i] = was;
        }
    }
}
END_TEST

START_TEST(what_is_not_finite_is_seen_anywhere)
{
    static const float bad[] = {INFINITY, -INFINITY, NAN, 1e30f};
    const struct rf_kernels *const k = table_of(_i);
    float x[3 * RF_GROUP + 5] = {0};

    for (size_t at = 0; k && at < 3 * RF_GROUP + 5; at++) {
        for (size_t i = 0; i < 4; i++) {
            struct rf_look look;

            x[at] = bad[i];
            k->look(x, 3 * RF_GROUP + 5, &look);
            EXPECT(!isfinite(look.sum_squares) || look.sum_squares > 1e59, "%s: %g at %zu", k->isa,
                   (double)bad[i], at);
            EXPECT(isfinite(bad[i]) || !isfinite(look.sum), "%s: %g at %zu", k->isa, (double)bad[i],
                   at);
            x[at] = 0;
        }
    }
}
END_TEST

#define MAX_TAPS 10
#define MAX_PIXELS 18
#define FLOATS 4000

struct windows {
    float values[FLOATS], weights[2 * RF_GROUP * (MAX_CHANNELS + 2)];
    ptrdiff_t tap[MAX_TAPS];
    float y[3][MAX_PIXELS * (MAX_CHANNELS + 3) + 2 * GUARDS]; /* largest, sum, depthwise */
};

static bool is_near(double y, double want, double magnitude)
{
    return fabs(y - want) <= 1e-6 * magnitude || (isnan(y) && isnan(want));
}

/* Pixel i's channel c. */
static void check_window(const struct rf_kernels *k, const struct windows *t,
                         const struct rf_window_row *r, size_t i, size_t c)
{
    const size_t at = GUARDS + i * r->y_pitch + c;
    double max = -INFINITY, sum = 0, magnitude = 0, product = 0, products = 0;

    for (size_t tap = 0; tap < r->n_taps; tap++) {
        const double x = (double)r->x[i * r->x_step + (size_t)r->tap[tap] + c];
        const double w = (double)r->weights[tap * r->weights_pitch + c];

        max = isnan(max) || x <= max ? max : x;
        sum += x;
        magnitude += fabs(x);
        product += x * w;
        products += fabs(x * w);
    }
    EXPECT(is_near((double)t->y[0][at], max, 0), "%s: max %a, want %a", k->isa, (double)t->y[0][at],
           max);
    EXPECT(is_near((double)t->y[1][at], sum / 4, magnitude), "%s: sum %a, want %a", k->isa,
           (double)t->y[1][at], sum / 4);
    EXPECT(is_near((double)t->y[2][at], product, products), "%s: depthwise %a, want %a", k->isa,
           (double)t->y[2][at], product);
}

static void check_windows(const struct rf_kernels *k, struct windows *t, struct rf_window_row r)
{
    rf_window_fn *const f[] = {k->window_max, k->window_sum, k->window_depthwise};

    r.scale = 0.25f;
    r.weights = t->weights;
    for (int kind = 0; kind < 3; kind++) {
        fill_guards(t->y[kind], sizeof(t->y[kind]) / sizeof(**t->y));
        r.y = t->y[kind] + GUARDS;
        f[kind](&r);
        for (size_t at = 0; at < sizeof(t->y[kind]) / sizeof(**t->y); at++) {
            const size_t i = at - GUARDS;

            if (at < GUARDS || i / r.y_pitch >= r.pixels || i % r.y_pitch >= r.channels)
                EXPECT(is_guard(t->y[kind] + at), "%s writes out of bounds", k->isa);
        }
    }
    for (size_t i = 0; i < r.pixels; i++)
        for (size_t c = 0; c < r.channels; c++)
            check_window(k, t, &r, i, c);
}

START_TEST(windows_match_reference)
{
    const struct rf_kernels *const k = table_of(_i);
    static struct windows t;

    for (size_t i = 0; i < sizeof(t.weights) / sizeof(*t.weights); i++)
        t.weights[i] = random_in(-2, 2);
    for (size_t channels = 1; k && channels <= MAX_CHANNELS; channels++) {
        for (size_t pixels = 1; pixels <= MAX_PIXELS; pixels++) {
            const struct rf_window_row r = {.y_pitch = channels + random_bits() % 3,
                                            .x = t.values + random_bits() % 9,
                                            .x_step = random_bits() % 150,
                                            .tap = t.tap,
                                            .n_taps = 1 + random_bits() % MAX_TAPS,
                                            .pixels = pixels,
                                            .channels = channels,
                                            .weights_pitch = channels + random_bits() % 3};

            for (size_t i = 0; i < MAX_TAPS; i++)
                t.tap[i] = random_bits() % 1000;
            for (size_t i = 0; i < FLOATS; i++)
                t.values[i] = random_bits() % 50 ? random_in(-3, 3) : NAN;
            check_windows(k, &t, r);
        }
    }
}
END_TEST

/* Groups of n_out outputs of n_in inputs each. */
static void check_groups(const struct rf_kernels *k, struct windows *t, struct rf_window_row r)
{
    float *const y = t->y[0];
    const size_t n = sizeof(t->y[0]) / sizeof(*y);

    fill_guards(y, n);
    r.y = y + GUARDS;
    r.weights = t->weights;
    k->window_grouped(&r);
    for (size_t at = 0; at < n; at++) {
        const size_t i = (at - GUARDS) / r.y_pitch, c = (at - GUARDS) % r.y_pitch;
        double sum = 0, magnitude = 0;

        if (at < GUARDS || i >= r.pixels || c >= r.channels) {
            EXPECT(is_guard(y + at), "%s writes out of bounds", k->isa);
            continue;
        }
        for (size_t tap = 0; tap < r.n_taps; tap++) {
            for (size_t j = 0; j < r.group_in; j++) {
                const size_t from = c / r.group_out * r.group_in + j;
                const double product =
                    (double)r.x[i * r.x_step + (size_t)r.tap[tap] + from] *
                    (double)r.weights[(tap * r.group_in + j) * r.weights_pitch + c];

                sum += product;
                magnitude += fabs(product);
            }
        }
        EXPECT(is_near((double)y[at], sum, magnitude), "%s groups of %zu and %zu: %a, want %a",
               k->isa, r.group_in, r.group_out, (double)y[at], sum);
    }
}

START_TEST(groups_match_reference)
{
    const struct rf_kernels *const k = table_of(_i);
    static struct windows t;

    for (size_t i = 0; i < sizeof(t.weights) / sizeof(*t.weights); i++)
        t.weights[i] = random_in(-2, 2);
    for (size_t i = 0; i < FLOATS; i++)
        t.values[i] = random_in(-3, 3);
    for (size_t i = 0; i < MAX_TAPS; i++)
        t.tap[i] = random_bits() % 1000;
    for (size_t out = 1; k && out <= k->panel_width / 2; out *= 2) {
        for (size_t in = 1; in <= out; in++) {
            for (size_t channels = out; channels <= MAX_CHANNELS; channels += out) {
                const struct rf_window_row r = {.y_pitch = channels + random_bits() % 3,
                                                .x = t.values + random_bits() % 9,
                                                .x_step = random_bits() % 150,
                                                .tap = t.tap,
                                                .n_taps =
                                                    1 + random_bits() % ((MAX_TAPS + in - 1) / in),
                                                .pixels = 1 + random_bits() % MAX_PIXELS,
                                                .channels = channels,
                                                .weights_pitch = channels + random_bits() % 3,
                                                .group_in = in,
                                                .group_out = out};

                check_groups(k, &t, r);
            }
        }
    }
}
END_TEST

/* Of all results that are normal numbers; an ulp is that of the result. */
START_TEST(exp_is_within_two_ulps)
{
    static const float a = 0, b = 0;
    const struct rf_kernels *const k = table_of(_i);
    enum { N = 512 };
    float x[N], y[N];
    double worst = 0;

    for (int i = 0; k && i < 2048; i++) {
        for (size_t at = 0; at < N; at++)
            x[at] = random_in(-87.3f, 88.7f);
        k->rows[RF_UNARY_Exp](
            &(struct rf_rows){.x = x, .y = y, .rows = 1, .channels = N, .a = &a, .b = &b});
        for (size_t at = 0; at < N; at++) {
            const double want = exp((double)x[at]);
            int exponent;

            frexp(want, &exponent);
            worst = fmax(worst, fabs((double)y[at] - want) / ldexp(1, exponent - FLT_MANT_DIG));
        }
    }
    ck_assert_double_le(worst, 2);
}
END_TEST

static void check_softmax(const struct rf_kernels *k, const float *x, size_t n, bool log_of_it)
{
    float *const buffer = guarded(n * sizeof(float), GUARDS * sizeof(float));
    float *const y = buffer + GUARDS;
    double sum = 0;
    float max = -INFINITY;

    fill_guards(buffer, n + 2 * GUARDS);
    memcpy(y, x, n * sizeof(*x));
    for (size_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i] - (double)max);
    k->softmax(y, y, n, log_of_it);
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)max;
        const double want = log_of_it ? d - log(sum) : exp(d) / sum;
        /* x - max is rounded before its exponent is taken */
        const double allowed = log_of_it ? 2e-7 * (fabs(want) + 1) + 2e-7 * fabs(d)
                                         : (5e-7 + 1.2e-7 * fabs(d)) * want + 1.2e-38;
        EXPECT(fabs((double)y[i] - want) <= allowed || (isnan(want) && isnan(y[i])) ||
                   (double)y[i] == want,
               "%s n %zu: softmax(%a) = %a, want %a", k->isa, n, (double)x[i], (double)y[i], want);
    }
    for (size_t i = 0; i < GUARDS; i++)
        EXPECT(is_guard(buffer + i) && is_guard(y + n + i), "%s writes out of bounds", k->isa);
    free(buffer);
}

START_TEST(softmax_matches_reference)
{
    static const float poison[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 100};
    const struct rf_kernels *const k = table_of(_i);
    enum { LONG = 1000000 };
    float *const x = guarded(LONG * sizeof(float), 0);

    for (size_t i = 0; i < LONG; i++)
        x[i] = random_in(-10, 10);
    for (size_t n = 0; k && n <= MAX_CHANNELS; n++) {
        check_softmax(k, x + 1, n, false);
        check_softmax(k, x + 1, n, true);
        for (size_t p = 0; n && p < sizeof(poison) / sizeof(*poison); p++) {
            const size_t at = random_bits() % n;
            const float was = x[at];
            x[at] = poison[p];
            check_softmax(k, x, n, false);
            check_softmax(k, x, n, true);
            x[at] = was;
        }
    }
    if (k) {
        check_softmax(k, x, LONG, false);
        check_softmax(k, x, LONG, true);
        for (size_t i = 0; i < MAX_CHANNELS; i++)
            x[i] = -INFINITY;
        check_softmax(k, x, MAX_CHANNELS, false);
        check_softmax(k, x, MAX_CHANNELS, true);
    }
    free(x);
}
END_TEST

/* ---- the choice of a table ---- */

/* Case i caps at table i; the last one is no table's name. Each case is a process of its own. */
START_TEST(environment_caps_the_choice)
{
    static const char *const caps[] = {"base", "avx2", "avx512", "sse9"};
    const struct rf_kernels *best = rf_kernels_for(RF_ISA_BASE);

    ck_assert_ptr_nonnull(best);
    for (int isa = 1;
         isa < RF_N_ISA && isa <= _i % (RF_N_ISA + 1) && rf_kernels_for((enum rf_isa)isa); isa++)
        best = rf_kernels_for((enum rf_isa)isa);
    setenv("RECTIFIER_ISA", caps[_i], 1);
    ck_assert_str_eq(rf_kernels_best()->isa, best->isa);
    setenv("RECTIFIER_ISA", "base", 1);
    ck_assert_ptr_eq(rf_kernels_best(), best); /* chosen once */
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("kernels");
    SRunner *const r = srunner_create(s);

    add(s, "masks", mask_counts_match_recount, RF_N_ISA);
    add(s, "moments", moments_are_moved, RF_N_ISA);
    add(s, "looks", looks_see_moments_and_extremes, RF_N_ISA);
    add(s, "hashes", hashes_tell_inputs_apart, RF_N_ISA);
    add(s, "finite", what_is_not_finite_is_seen_anywhere, RF_N_ISA);
    add(s, "windows", windows_match_reference, RF_N_ISA);
    add(s, "groups", groups_match_reference, RF_N_ISA);
    add(s, "exp", exp_is_within_two_ulps, RF_N_ISA);
    add(s, "softmax", softmax_matches_reference, RF_N_ISA);
    if (srunner_fork_status(r) == CK_FORK)
        add(s, "dispatch", environment_caps_the_choice, RF_N_ISA + 1);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
