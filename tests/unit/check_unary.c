/*
 * Every row of unary.def on every instruction set that this processor has: against its double
 * reference and plain recounts of what it counts, between guard words, at any length and
 * alignment, with NaN, infinities, signed zeros and denormals among the values.
 */
#include <float.h>
#include <math.h>

#include "core/fpenv.h"
#include "tests/unit/kernel_test.h"

#define GUARD16 0xa5c3u
#define BEFORE 7 /* counted already */

/* Of 64 combinations of options, one in about STRIDE / 2 is tried for each size: under sanitizers,
 * which are slow here, fewer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRIDE 48
#else
#define STRIDE 12
#endif

/* ---- the rows of unary.def ---- */

#define UNARY(op, torch, since, a_attr, a_torch, a_default, b_attr, b_torch, b_default, kind, tol, \
              vec, ref)                                                                            \
    static double ref_##op(double x, double a, double b)                                           \
    {                                                                                              \
        (void)a, (void)b;                                                                          \
        return ref;                                                                                \
    }
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY

static const struct unary {
    const char *name;
    float a, b;
    double tol;
    double (*ref)(double x, double a, double b);
} unaries[RF_N_UNARY] = {
#define UNARY(op, torch, since, a_attr, a_torch, a_default, b_attr, b_torch, b_default, kind, tol, \
              vec, ref)                                                                            \
    [RF_UNARY_##op] = {#op, a_default, b_default, tol, ref_##op},
#define UNARY_KERNEL UNARY
#include "core/ops/unary.def"
#undef UNARY
};

static const float specials[] = {
    NAN,     INFINITY,   -INFINITY,  0.f,         -0.f,    FLT_TRUE_MIN, -FLT_TRUE_MIN,
    1e-40f,  -1e-40f,    FLT_MIN,    -FLT_MIN,    FLT_MAX, -FLT_MAX,     1e30f,
    -1e30f,  1e-20f,     -1e-20f,    88.72283f,   88.8f,   -87.33654f,   -87.4f,
    -103.9f, -104.5f,    16777216.f, -16777217.f, 0.5f,    -0.5f,        1.5f,
    -2.5f,   8388607.5f, 3.925f,     -3.925f,     5.55f,   -5.6f,        20.f,
    -20.f,   1.f,        -1.f,       0.99999994f, -3.f,    3.f,          6.f,
};
#define N_SPECIALS (sizeof(specials) / sizeof(*specials))

static float any_value(void)
{
    const uint32_t kind = random_bits() % 8;

    if (kind == 0)
        return specials[random_bits() % N_SPECIALS];
    if (kind == 1)
        return ldexpf(random_in(-1, 1), (int)(random_bits() % 60) - 40);
    return random_in(-10, 10);
}

static float ordinary_value(void)
{
    return random_bits() % 8 ? random_in(-3, 3) : 0;
}

/* Results below the smallest normal may be 0, as on threads that flush denormals. */
static bool is_close(const struct unary *u, float y, float x, float a, float b)
{
    const double want = u->ref((double)x, (double)a, (double)b), got = (double)y;
    const double allowed =
        u->tol * (double)FLT_EPSILON * (fabs(want) + fmin(1, fabs((double)x))) + 4e-45;

    if (isnan(want))
        return isnan(y);
    if (isinf((float)want))
        return isinf(y) ? (y > 0) == (want > 0) : isfinite(want) && fabs(got - want) <= allowed;
    if (isinf(y)) /* overflow comes with the last bit */
        return (y > 0) == (want > 0) && fabs(want) >= (double)FLT_MAX * (1 - 2e-7 * u->tol);
    return fabs(got - want) <= allowed || (y == 0 && fabs(want) < (double)FLT_MIN);
}

/* ---- a call between guards ---- */

/* Which of the optional things a call has. */
enum { AFFINE = 1, RESIDUAL = 2, PER_CHANNEL = 4, IN_PLACE = 8, ALL_COUNTS = 16, PITCHED = 32 };

struct call {
    struct rf_rows r;
    float *x, *y, *residual; /* allocations; x and y start with guards, one float off alignment */
    uint16_t *fired;
    uint32_t counts[3][MAX_CHANNELS + 2]; /* inactive, zero, top; one guard on either side */
    size_t floats, words;
    double sum[MAX_CHANNELS + 2], squares[MAX_CHANNELS + 2];
    float max[MAX_CHANNELS + 2];
    uint32_t nonfinite[MAX_CHANNELS + 2], nan[MAX_CHANNELS + 2];
    float scale[MAX_CHANNELS], bias[MAX_CHANNELS], a[MAX_CHANNELS], b[MAX_CHANNELS];
};

static void set_parameters(struct call *c, const struct unary *u, int flags)
{
    for (size_t i = 0; i < c->r.channels; i++) {
        c->scale[i] = random_in(0.5f, 2);
        c->bias[i] = random_in(-1, 1);
        /* Around the row's own, on the same side of 0. */
        c->a[i] = flags & PER_CHANNEL ? u->a * random_in(0.5f, 2) : u->a;
        c->b[i] = flags & PER_CHANNEL ? u->b * random_in(0.5f, 2) : u->b;
    }
    c->r.scale = flags & AFFINE ? c->scale : NULL;
    c->r.bias = flags & AFFINE ? c->bias : NULL;
    c->r.a = c->a;
    c->r.b = c->b;
    c->r.param_step = flags & PER_CHANNEL ? 1 : 0;
}

static void call_init(struct call *c, const struct unary *u, size_t rows, size_t channels,
                      int flags, float (*value)(void))
{
    const size_t pad = flags & PITCHED ? 3 : 0, pitch = channels + pad;
    const size_t mask_pitch = rf_mask_words(channels) + pad;

    memset(c, 0, sizeof(*c));
    c->floats = rows * pitch;
    c->words = rows * mask_pitch;
    c->x = guarded(c->floats * sizeof(float), GUARDS * sizeof(float));
    c->residual = guarded(c->floats * sizeof(float), GUARDS * sizeof(float));
    for (size_t i = 0; i < c->floats + 2 * GUARDS; i++) {
        c->x[i] = value();
        c->residual[i] = ordinary_value();
    }
    c->y = guarded(c->floats * sizeof(float), GUARDS * sizeof(float));
    fill_guards(c->y, c->floats + 2 * GUARDS);
    c->r = (struct rf_rows){.x = c->x + GUARDS - 1,
                            .y = c->y + GUARDS - 1,
                            .x_pitch = pitch,
                            .y_pitch = pitch,
                            .rows = rows,
                            .channels = channels,
                            .mask_pitch = mask_pitch,
                            .sum = c->sum + 1,
                            .sum_squares = c->squares + 1,
                            .max = c->max + 1,
                            .nonfinite = c->nonfinite + 1,
                            .nan = c->nan + 1};
    if (flags & RESIDUAL) {
        c->r.residual = c->residual + GUARDS;
        c->r.residual_pitch = pitch;
    }
    if (flags & IN_PLACE) { /* what lies between the rows must stay as it is */
        for (size_t i = 0; i < rows; i++)
            memcpy(c->r.y + i * pitch, c->r.x + i * pitch, channels * sizeof(float));
        c->r.x = c->r.y;
    }
    set_parameters(c, u, flags);
    c->fired = guarded(c->words * 2, GUARDS * 2);
    for (size_t i = 0; i < c->words + 2 * GUARDS; i++)
        c->fired[i] = GUARD16;
    c->r.fired = c->fired + GUARDS;
    if (flags & ALL_COUNTS) {
        c->r.inactive = c->counts[0] + 1;
        c->r.zero = c->counts[1] + 1;
        c->r.top = c->counts[2] + 1;
    }
    for (size_t i = 0; i < channels + 2; i++)
        c->max[i] = -INFINITY;
    for (size_t i = 0; i < MAX_CHANNELS + 2; i++)
        c->counts[0][i] = c->counts[1][i] = c->counts[2][i] = BEFORE;
}

static void call_release(struct call *c)
{
    free(c->x);
    free(c->y);
    free(c->residual);
    free(c->fired);
}

/* v of every position, by the Identity kernel of the same instruction set. */
static float *inputs_of(const struct rf_kernels *k, const struct call *c)
{
    float *const v = guarded(c->r.rows * c->r.channels * sizeof(float), sizeof(float));
    struct rf_rows r = c->r;

    r.y = v;
    r.y_pitch = r.channels;
    k->rows[RF_UNARY_Identity](&r);
    for (size_t i = 0; i < r.rows; i++) {
        for (size_t ch = 0; ch < r.channels; ch++) {
            const double x = (double)r.x[i * r.x_pitch + ch];
            const double scaled = r.scale ? x * (double)r.scale[ch] : x;
            const double bias = r.bias ? (double)r.bias[ch] : 0;
            const double residual = r.residual ? (double)r.residual[i * r.residual_pitch + ch] : 0;
            const double want = scaled + bias + residual, got = (double)v[i * r.channels + ch];
            const double terms = fabs(scaled) + fabs(bias) + fabs(residual);
            EXPECT(fabs(got - want) <= 2e-7 * terms || (isnan(got) && isnan(want)) ||
                       (isinf(got) && isinf((float)want)),
                   "%s: epilogue of %a is %a, want %a", k->isa, x, got, want);
        }
    }
    return v;
}

static void check_values(const char *isa, const struct unary *u, const struct call *c,
                         const float *v)
{
    const struct rf_rows *const r = &c->r;

    for (size_t i = 0; i < r->rows; i++) {
        for (size_t ch = 0; ch < r->channels; ch++) {
            const float x = v[i * r->channels + ch], y = r->y[i * r->y_pitch + ch];
            const size_t p = r->param_step ? ch : 0;
            EXPECT(is_close(u, y, x, c->a[p], c->b[p]),
                   "%s/%s %zu x %zu: f(%a) = %a, want %a (a %g, b %g)", u->name, isa, r->rows,
                   r->channels, (double)x, (double)y,
                   u->ref((double)x, (double)c->a[p], (double)c->b[p]), (double)c->a[p],
                   (double)c->b[p]);
        }
        for (size_t ch = r->channels; ch < r->y_pitch; ch++)
            EXPECT(is_guard(r->y + i * r->y_pitch + ch), "%s/%s writes between rows", u->name, isa);
    }
    for (size_t i = 0; i + 1 < GUARDS; i++)
        EXPECT(is_guard(c->y + i) && is_guard(c->y + GUARDS + c->floats + i),
               "%s/%s %zu x %zu writes out of bounds", u->name, isa, r->rows, r->channels);
}

static uint16_t recount_word(const struct rf_rows *r, size_t row, size_t word)
{
    unsigned bits = 0;

    for (size_t lane = 0; lane < RF_GROUP && word * RF_GROUP + lane < r->channels; lane++)
        bits |= (unsigned)(r->y[row * r->y_pitch + word * RF_GROUP + lane] > 0) << lane;
    return (uint16_t)bits;
}

static void check_fired(const char *isa, const struct unary *u, const struct call *c)
{
    const struct rf_rows *const r = &c->r;
    const size_t words = rf_mask_words(r->channels);

    for (size_t i = 0; i < c->words + 2 * GUARDS; i++) {
        const bool inside =
            i >= GUARDS && i < GUARDS + c->words && (i - GUARDS) % r->mask_pitch < words;
        const size_t at = inside ? i - GUARDS : 0;
        const uint16_t want =
            inside ? recount_word(r, at / r->mask_pitch, at % r->mask_pitch) : GUARD16;
        EXPECT(c->fired[i] == want, "%s/%s %zu x %zu: word %zu is %04x, want %04x", u->name, isa,
               r->rows, r->channels, i, c->fired[i], want);
    }
}

/* What was counted before the call stays in. */
static void check_counts(const char *isa, const struct unary *u, const struct call *c,
                         const float *v, int flags)
{
    static const char *const names[] = {"inactive", "zero", "top"};
    const struct rf_rows *const r = &c->r;

    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < MAX_CHANNELS + 2; i++) {
            const size_t ch = i - 1;
            uint32_t want = BEFORE;

            for (size_t row = 0; flags & ALL_COUNTS && i && ch < r->channels && row < r->rows;
                 row++) {
                const float y = r->y[row * r->y_pitch + ch];
                const bool is[] = {v[row * r->channels + ch] <= 0, y == 0,
                                   y == r->b[r->param_step ? ch : 0]};
                want += is[k];
            }
            EXPECT(c->counts[k][i] == want, "%s/%s %zu x %zu: %s of channel %zu is %u, want %u",
                   u->name, isa, r->rows, r->channels, names[k], ch, c->counts[k][i], want);
        }
    }
}

static void check_moments(const char *isa, const struct unary *u, const struct call *c, double tol)
{
    const struct rf_rows *const r = &c->r;

    EXPECT(c->sum[0] == 0 && c->squares[0] == 0 && c->max[0] == -INFINITY,
           "%s/%s writes before the sums", u->name, isa);
    EXPECT(c->sum[r->channels + 1] == 0 && c->squares[r->channels + 1] == 0 &&
               c->max[r->channels + 1] == -INFINITY,
           "%s/%s writes behind the sums", u->name, isa);
    for (size_t ch = 0; ch < r->channels; ch++) {
        double sum = 0, magnitude = 0, squares = 0;
        uint32_t nonfinite = 0, nan = 0;
        float max = -INFINITY;
        for (size_t i = 0; i < r->rows; i++) {
            const float y = r->y[i * r->y_pitch + ch];
            nan += isnan(y) != 0;
            if (!isfinite(y)) {
                nonfinite++;
                continue;
            }
            sum += (double)y;
            magnitude += fabs((double)y);
            squares += (double)y * (double)y;
            max = y > max ? y : max;
        }
        EXPECT(r->nonfinite[ch] == nonfinite && r->nan[ch] == nan,
               "%s/%s: %u values are not finite, %u NaN; want %u and %u", u->name, isa,
               r->nonfinite[ch], r->nan[ch], nonfinite, nan);
        EXPECT(r->max[ch] == max, "%s/%s: max %a, want %a", u->name, isa, (double)r->max[ch],
               (double)max);
        EXPECT(fabs(r->sum[ch] - sum) <= tol * magnitude + 1e-40, "%s/%s: sum %.12g, want %.12g",
               u->name, isa, r->sum[ch], sum);
        EXPECT(fabs(r->sum_squares[ch] - squares) <= tol * squares + 1e-37,
               "%s/%s: squares %.12g, want %.12g", u->name, isa, r->sum_squares[ch], squares);
    }
}

static void run_call(const struct rf_kernels *k, enum rf_unary op, size_t rows, size_t channels,
                     int flags, float (*value)(void), bool counted)
{
    const struct unary *const u = &unaries[op];
    struct call c;

    call_init(&c, u, rows, channels, flags, value);
    float *const v = inputs_of(k, &c);
    (counted ? k->rows_counted : k->rows)[op](&c.r);
    check_values(k->isa, u, &c, v);
    if (counted) {
        check_fired(k->isa, u, &c);
        check_counts(k->isa, u, &c, v, flags);
        /* One value above all others takes the last bits of every partial sum. */
        check_moments(k->isa, u, &c, value == any_value ? 4e-6 : 1e-6);
    }
    free(v);
    call_release(&c);
}

/* A call on dense rows with one a and b for all. */
static struct rf_rows dense(float *y, const float *x, size_t rows, size_t channels, const float *a,
                            const float *b)
{
    return (struct rf_rows){.y = y,
                            .x = x,
                            .y_pitch = channels,
                            .x_pitch = channels,
                            .rows = rows,
                            .channels = channels,
                            .a = a,
                            .b = b};
}

/* Every row x instruction set x length x number of rows, options in turn. */
START_TEST(rows_match_reference)
{
    static const size_t some_rows[] = {0, 1, 2, 3, 300};
    const struct rf_kernels *const k = table_of(_i);
    const enum rf_unary op = (enum rf_unary)(_i / RF_N_ISA);

    for (size_t channels = 0; k && channels <= MAX_CHANNELS; channels++) {
        for (size_t r = 0; r < 5; r++) {
            if (some_rows[r] == 300 && channels % 7 != 1 && channels % 16 != 0)
                continue;
            for (int flags = 0; flags < 64; flags += (int)(random_bits() % STRIDE) + 1) {
                run_call(k, op, some_rows[r], channels, flags, any_value, false);
                run_call(k, op, some_rows[r], channels, flags, any_value, true);
            }
            run_call(k, op, some_rows[r], channels, 0, any_value, false);
            run_call(k, op, some_rows[r], channels, ALL_COUNTS, ordinary_value, true);
        }
    }
}
END_TEST

/* Many channels: more than one block, and a tail behind it. */
START_TEST(wide_rows)
{
    enum { WIDE = 1043, ROWS = 3, WORDS = (WIDE + RF_GROUP - 1) / RF_GROUP };
    static float x[ROWS * WIDE], y[ROWS * WIDE], bias[WIDE], max[WIDE];
    static double sum[WIDE], squares[WIDE];
    static uint32_t nonfinite[WIDE];
    static uint16_t fired[ROWS * WORDS];
    const struct rf_kernels *const k = table_of(_i);
    struct rf_rows r = dense(y, x, ROWS, WIDE, NULL, NULL);

    if (!k)
        return;
    for (size_t i = 0; i < ROWS * WIDE; i++)
        x[i] = ordinary_value();
    for (size_t c = 0; c < WIDE; c++) {
        bias[c] = random_in(-1, 1);
        max[c] = -INFINITY;
        sum[c] = squares[c] = 0;
    }
    r.bias = bias;
    r.fired = fired;
    r.mask_pitch = WORDS;
    r.sum = sum;
    r.sum_squares = squares;
    r.max = max;
    r.nonfinite = r.nan = nonfinite;
    k->rows_counted[RF_UNARY_Relu](&r);
    for (size_t c = 0; c < WIDE; c++) {
        double total = 0;
        for (size_t i = 0; i < ROWS; i++) {
            const float want = fmaxf(x[i * WIDE + c] + bias[c], 0);
            ck_assert(y[i * WIDE + c] == want);
            ck_assert_int_eq(fired[i * WORDS + c / RF_GROUP] >> c % RF_GROUP & 1, want > 0);
            total += (double)want;
        }
        EXPECT(fabs(sum[c] - total) <= 1e-6 * total, "%s: sum %.12g, want %.12g", k->isa, sum[c],
               total);
    }
}
END_TEST

/* Accuracy over the whole range of floats, and densely where activations live; every other chunk
 * with denormals off, as in a run. */
START_TEST(rows_are_accurate)
{
    enum { CHUNK = 512 };
    const struct rf_kernels *const k = table_of(_i);
    const enum rf_unary op = (enum rf_unary)(_i / RF_N_ISA);
    const struct unary *const u = &unaries[op];
    float x[CHUNK], y[CHUNK];
    const struct rf_rows r = dense(y, x, 1, CHUNK, &u->a, &u->b);

    for (int chunk = 0; k && chunk < 400; chunk++) {
        for (size_t i = 0; i < CHUNK; i++) {
            const uint32_t bits = random_bits();
            if (chunk % 4 == 0)
                memcpy(&x[i], &bits, sizeof(x[i]));
            else
                x[i] = chunk % 4 == 1 ? random_in(-100, 100) : random_in(-6, 6);
        }
        const bool flush = chunk % 8 >= 4;
        for (size_t i = 0; flush && i < CHUNK; i++)
            x[i] = fabsf(x[i]) < FLT_MIN ? 0 : x[i];
        const uint64_t saved = flush ? rf_fp_enter() : 0;
        k->rows[op](&r);
        if (flush)
            rf_fp_leave(saved);
        for (size_t i = 0; i < CHUNK; i++)
            EXPECT(is_close(u, y[i], x[i], u->a, u->b), "%s/%s: f(%a) = %a, want %a", u->name,
                   k->isa, (double)x[i], (double)y[i],
                   u->ref((double)x[i], (double)u->a, (double)u->b));
    }
}
END_TEST

/* ---- worked values ---- */

static void apply(const struct rf_kernels *k, enum rf_unary op, float *y, const float *x, size_t n,
                  float a)
{
    const float b = 0;

    const struct rf_rows r = dense(y, x, 1, n, &a, &b);

    k->rows[op](&r);
}

START_TEST(worked_values)
{
    const struct rf_kernels *const k = table_of(_i);
    const float x[5] = {-2, -1, 0, 1, 2};
    const float leaky[5] = {-0.2f, -0.1f, 0, 1, 2}, elu[5] = {-0.8647f, -0.6321f, 0, 1, 2};
    const float sparse[5] = {-2.1f, 3.5f, -0.8f, 1.2f, -1.5f};
    float y[5];
    int zeros = 0;

    if (!k)
        return;
    apply(k, RF_UNARY_LeakyRelu, y, x, 5, 0.1f);
    for (int i = 0; i < 5; i++)
        ck_assert_float_eq_tol(y[i], leaky[i], 1e-7f);
    apply(k, RF_UNARY_Elu, y, x, 5, 1);
    for (int i = 0; i < 5; i++)
        ck_assert_float_eq_tol(y[i], elu[i], 5e-5f);
    apply(k, RF_UNARY_Relu, y, sparse, 5, 0);
    for (int i = 0; i < 5; i++)
        zeros += y[i] == 0;
    ck_assert_int_eq(zeros, 3); /* 60 % sparse */
    apply(k, RF_UNARY_PRelu, y, x, 5, 0.25f);
    ck_assert(y[0] == -0.5f && y[1] == -0.25f && y[2] == 0 && y[3] == 1 && y[4] == 2);
}
END_TEST

/* A bias of -100 makes a dead neuron, and only that one. */
START_TEST(large_negative_bias_kills)
{
    const struct rf_kernels *const k = table_of(_i);
    enum { ROWS = 200, CHANNELS = 5 };
    float x[ROWS * CHANNELS], max[CHANNELS];
    const float bias[CHANNELS] = {0, 0, -100, 0, 0};
    double sum[CHANNELS] = {0}, squares[CHANNELS] = {0};
    uint32_t nonfinite[CHANNELS] = {0};
    uint16_t fired[ROWS], any = 0;
    struct rf_rows r = dense(x, x, ROWS, CHANNELS, NULL, NULL);
    uint32_t counts[RF_GROUP] = {0};

    if (!k)
        return;
    for (size_t i = 0; i < ROWS * CHANNELS; i++)
        x[i] = random_in(-3, 3);
    for (size_t c = 0; c < CHANNELS; c++)
        max[c] = -INFINITY;
    r.bias = bias;
    r.fired = fired;
    r.mask_pitch = 1;
    r.sum = sum;
    r.sum_squares = squares;
    r.max = max;
    r.nonfinite = r.nan = nonfinite;
    k->rows_counted[RF_UNARY_Relu](&r);
    k->mask_counts(fired, ROWS, 1, 1, counts, &any);
    ck_assert_uint_eq(any, 0x1b);
    ck_assert(counts[2] == 0 && sum[2] == 0 && max[2] == 0);
    ck_assert(counts[0] > 50 && counts[1] > 50 && counts[3] > 50 && counts[4] > 50);
}
END_TEST

/* Where PyTorch keeps the sign of zero. */
START_TEST(negative_zero_stays)
{
    static const enum rf_unary ops[] = {RF_UNARY_Identity, RF_UNARY_LeakyRelu, RF_UNARY_PRelu,
                                        RF_UNARY_Tanh,     RF_UNARY_Erf,       RF_UNARY_Softsign,
                                        RF_UNARY_Sqrt,     RF_UNARY_Floor,     RF_UNARY_Ceil,
                                        RF_UNARY_Silu,     RF_UNARY_Gelu};
    const struct rf_kernels *const k = table_of(_i);
    const float minus = -0.f, small = -0.25f, plus = 0.f;
    float y;

    for (size_t i = 0; k && i < sizeof(ops) / sizeof(*ops); i++) {
        apply(k, ops[i], &y, &minus, 1, 0.5f);
        EXPECT(y == 0 && signbit(y), "%s/%s(-0) = %a", unaries[ops[i]].name, k->isa, (double)y);
    }
    if (!k)
        return;
    apply(k, RF_UNARY_Ceil, &y, &small, 1, 0);
    ck_assert(y == 0 && signbit(y));
    apply(k, RF_UNARY_Neg, &y, &plus, 1, 0);
    ck_assert(y == 0 && signbit(y));
    apply(k, RF_UNARY_Abs, &y, &minus, 1, 0);
    ck_assert(y == 0 && !signbit(y));
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("unary");
    SRunner *const r = srunner_create(s);

    add(s, "rows", rows_match_reference, RF_N_UNARY * RF_N_ISA);
    add(s, "wide", wide_rows, RF_N_ISA);
    add(s, "accuracy", rows_are_accurate, RF_N_UNARY * RF_N_ISA);
    add(s, "worked values", worked_values, RF_N_ISA);
    add(s, "dead", large_negative_bias_kills, RF_N_ISA);
    add(s, "zero", negative_zero_stays, RF_N_ISA);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
