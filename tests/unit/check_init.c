/*
 * Initialisation: the generator against its published vectors and golden values, the schemes' means
 * and deviations within five standard errors, and what they are for: a 50-layer SELU network under
 * LeCun initialisation keeps mean 0 and variance 1.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/init.h"
#include "core/kernels/kernels.h"

#define N 200000

/* Random123's known answers for philox4x32-10. */
START_TEST(philox_known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        uint32_t out[4];
        rf_philox(known[i].counter, known[i].key, out);
        ck_assert_mem_eq(out, known[i].out, sizeof(out));
    }
}
END_TEST

/* The quantile is right: its distribution function gives the uniform number back. */
START_TEST(normal_inverts_the_distribution)
{
    double farthest = 0;

    for (uint64_t i = 0; i < N; i++) {
        const double u = rf_init_uniform(7, 9, i), z = rf_init_normal(7, 9, i);
        const double back = 0.5 * erfc(-z * M_SQRT1_2), tail = fmin(u, 1 - u);
        if (!(u > 0 && u < 1 && fabs(back - u) <= 1e-13 * tail + 1e-16))
            ck_abort_msg("u = %a: z = %a gives %a", u, z, back);
        farthest = fmax(farthest, fabs(z));
    }
    ck_assert(farthest > 3.9 && farthest < 6.5);
}
END_TEST

static void moments(const float *w, size_t n, double *mean, double *std)
{
    double sum = 0, squares = 0;

    for (size_t i = 0; i < n; i++) {
        sum += (double)w[i];
        squares += (double)w[i] * (double)w[i];
    }
    *mean = sum / (double)n;
    *std = sqrt(squares / (double)n - *mean * *mean);
}

static float *filled(const struct rf_init *init, int64_t fan_in, int64_t fan_out, uint64_t stream)
{
    float *w = calloc(N, sizeof(*w));
    struct rf_error err = RF_ERROR_INIT;

    ck_assert_ptr_nonnull(w);
    ck_assert_msg(rf_init_fill(w, N, init, fan_in, fan_out, 1, stream, &err) == RF_OK, "%s",
                  err.text);
    return w;
}

/* fan_in = 144, fan_out = 288 */
static const struct {
    const char *scheme;
    const char *nonlinearity; /* NULL: torch's default */
    double slope;
    bool fan_out;
    double std;
} schemes[] = {
    {"kaiming_normal", "relu", 0, false, 0.11785113019775793},          /* sqrt(2 / 144) */
    {"kaiming_normal", "relu", 0, true, 0.083333333333333333},          /* sqrt(2 / 288) */
    {"kaiming_normal_", "leaky_relu", 0.5, false, 0.10540925533894598}, /* sqrt(1.6 / 144) */
    {"kaiming_normal", NULL, 0, false, 0.11785113019775793},
    {"kaiming_uniform", "linear", 0, false, 0.083333333333333333},
    {"lecun_normal", NULL, 0, false, 0.083333333333333333},
    {"lecun_uniform", NULL, 0, false, 0.083333333333333333},
    {"xavier_normal", NULL, 0, false, 0.068041381743977170},   /* sqrt(2 / 432) */
    {"xavier_uniform", "tanh", 0, false, 0.11340230290662862}, /* 5 / 3 of it */
};

START_TEST(schemes_have_their_deviation)
{
    struct rf_init init = {.scheme = RF_N_INIT, .fan_out = schemes[_i].fan_out};
    double mean, std;

    ck_assert(rf_init_find(schemes[_i].scheme, &init.scheme));
    if (schemes[_i].nonlinearity)
        ck_assert(rf_init_gain(schemes[_i].nonlinearity, schemes[_i].slope, &init.gain));
    float *w = filled(&init, 144, 288, rf_init_stream("features.0.weight"));
    moments(w, N, &mean, &std);
    const double error = schemes[_i].std / sqrt(N);
    ck_assert_msg(fabs(mean) <= 5 * error, "mean %g", mean);
    ck_assert_msg(fabs(std - schemes[_i].std) <= 5 * error * M_SQRT1_2, "std %g, want %g", std,
                  schemes[_i].std);
    if (strstr(schemes[_i].scheme, "uniform"))
        for (size_t i = 0; i < N; i++)
            if (fabs((double)w[i]) > sqrt(3) * schemes[_i].std * (1 + 1e-7))
                ck_abort_msg("%g is out of bounds", (double)w[i]);
    free(w);
}
END_TEST

START_TEST(plain_schemes)
{
    double mean, std;
    float *w = filled(&(struct rf_init){.scheme = RF_INIT_NORMAL, .mean = 3, .std = 0.5}, 0, 0, 1);

    moments(w, N, &mean, &std);
    ck_assert_double_eq_tol(mean, 3, 5 * 0.5 / sqrt(N));
    ck_assert_double_eq_tol(std, 0.5, 5 * 0.5 / sqrt(N));
    free(w);
    w = filled(&(struct rf_init){.scheme = RF_INIT_UNIFORM, .low = -1, .high = 3}, 0, 0, 1);
    moments(w, N, &mean, &std);
    ck_assert_double_eq_tol(mean, 1, 5 * 4 / sqrt(12.0 * N));
    ck_assert_double_eq_tol(std, 4 / sqrt(12), 5 * 4 / sqrt(12.0 * N));
    free(w);

    const struct {
        struct rf_init init;
        float value;
    } constants[] = {{{.scheme = RF_INIT_CONSTANT, .value = 0.01}, 0.01f},
                     {{.scheme = RF_INIT_ZEROS}, 0},
                     {{.scheme = RF_INIT_ONES}, 1}};
    for (size_t k = 0; k < sizeof(constants) / sizeof(*constants); k++) {
        w = filled(&constants[k].init, 0, 0, 1);
        for (size_t i = 0; i < N; i++)
            if (w[i] != constants[k].value)
                ck_abort_msg("%g, want %g", (double)w[i], (double)constants[k].value);
        free(w);
    }
}
END_TEST

/* Element i depends on seed, stream and i alone; the values are the same everywhere. */
START_TEST(values_are_fixed)
{
    static const float golden[] = {0x1.04374p-4f,  -0x1.51b208p-5f, -0x1.657f3cp-4f,
                                   -0x1.bad17p-4f, 0x1.d6106cp-1f,  -0x1.3e9abp-2f,
                                   0x1.b68bfap-1f, 0x1.1943bcp+0f};
    const struct rf_init init = {.scheme = RF_INIT_KAIMING_NORMAL};
    const uint64_t stream = rf_init_stream("features.0.weight");
    float w[64], part[5], other[64];

    ck_assert_uint_eq(rf_init_stream(""), 0xcbf29ce484222325u);
    ck_assert_uint_eq(rf_init_stream("a"), 0xaf63dc4c8601ec8cu); /* FNV's published values */
    ck_assert_int_eq(rf_init_fill(w, 64, &init, 9, 1, 1, stream, NULL), RF_OK);
    for (size_t i = 0; i < sizeof(golden) / sizeof(*golden); i++)
        ck_assert_msg(memcmp(&w[i], &golden[i], sizeof(*w)) == 0, "element %zu is %a, was %a", i,
                      (double)w[i], (double)golden[i]);
    ck_assert_int_eq(rf_init_fill(part, 5, &init, 9, 1, 1, stream, NULL), RF_OK);
    ck_assert_mem_eq(part, w, sizeof(part));
    ck_assert_int_eq(rf_init_fill(other, 64, &init, 9, 1, 2, stream, NULL), RF_OK);
    for (size_t i = 0; i < 64; i++)
        ck_assert(other[i] != w[i]);
    ck_assert_int_eq(
        rf_init_fill(other, 64, &init, 9, 1, 1, rf_init_stream("features.3.weight"), NULL), RF_OK);
    for (size_t i = 0; i < 64; i++)
        ck_assert(other[i] != w[i]);
}
END_TEST

/* Correlation of neighbours, of streams and of seeds: none beyond five standard errors. */
START_TEST(streams_are_independent)
{
    double neighbours = 0, streams = 0, seeds = 0;

    for (uint64_t i = 0; i < N; i++) {
        const double z = rf_init_normal(1, 1, i);
        neighbours += z * rf_init_normal(1, 1, i + 1);
        streams += z * rf_init_normal(1, 2, i);
        seeds += z * rf_init_normal(2, 1, i);
    }
    ck_assert_double_le(fabs(neighbours) / sqrt(N), 5);
    ck_assert_double_le(fabs(streams) / sqrt(N), 5);
    ck_assert_double_le(fabs(seeds) / sqrt(N), 5);
}
END_TEST

START_TEST(fans_of_weights)
{
    int64_t in = 0, out = 0;

    ck_assert(rf_init_fans(&(struct rf_shape){4, {64, 3, 5, 7}}, &in, &out));
    ck_assert_int_eq(in, 105);
    ck_assert_int_eq(out, 2240);
    ck_assert(rf_init_fans(&(struct rf_shape){2, {10, 784}}, &in, &out));
    ck_assert_int_eq(in, 784);
    ck_assert_int_eq(out, 10);
    ck_assert(!rf_init_fans(&(struct rf_shape){1, {10}}, &in, &out));
    ck_assert(!rf_init_fans(&(struct rf_shape){3, {4, INT64_MAX, 3}}, &in, &out));
}
END_TEST

START_TEST(wrong_parameters_fail)
{
    const struct {
        struct rf_init init;
        int64_t fan_in, fan_out;
        const char *says;
    } wrong[] = {
        {{.scheme = RF_INIT_KAIMING_NORMAL}, 0, 5, "fan_in 0"},
        {{.scheme = RF_INIT_KAIMING_NORMAL, .fan_out = true}, 5, 0, "fan_out 0"},
        {{.scheme = RF_INIT_LECUN_NORMAL}, -1, 5, "fan_in -1"},
        {{.scheme = RF_INIT_XAVIER_UNIFORM}, 5, 0, "fan_out 0"},
        {{.scheme = RF_INIT_XAVIER_UNIFORM, .gain = -2}, 5, 5, "gain"},
        {{.scheme = RF_INIT_UNIFORM, .low = 2, .high = 1}, 5, 5, "bounds"},
        {{.scheme = RF_INIT_NORMAL, .std = -1}, 5, 5, "std"},
        {{.scheme = RF_INIT_CONSTANT, .value = NAN}, 5, 5, "constant"},
        {{.scheme = RF_INIT_CONSTANT, .value = 1e39}, 5, 5, "constant"},
    };
    enum rf_init_scheme scheme;
    double gain;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct rf_error err = RF_ERROR_INIT;
        float w = 42;
        ck_assert_int_eq(
            rf_init_fill(&w, 1, &wrong[i].init, wrong[i].fan_in, wrong[i].fan_out, 1, 1, &err),
            RF_INVALID);
        ck_assert_msg(strstr(err.text, wrong[i].says), "%s", err.text);
        ck_assert(w == 42);
    }
    ck_assert(!rf_init_find("kaiming", &scheme));
    ck_assert(!rf_init_find("", &scheme));
    ck_assert(!rf_init_gain("gelu", 0, &gain));
}
END_TEST

#define WIDTH 256
#define BATCH 64

/* y[BATCH, WIDTH] = x w^T */
static void layer(float *y, const float *x, const float *w)
{
    for (size_t n = 0; n < BATCH; n++) {
        for (size_t o = 0; o < WIDTH; o++) {
            float sum = 0;
            for (size_t i = 0; i < WIDTH; i++)
                sum += x[n * WIDTH + i] * w[o * WIDTH + i];
            y[n * WIDTH + o] = sum;
        }
    }
}

START_TEST(selu_normalises_itself)
{
    static float w[WIDTH * WIDTH], x[BATCH * WIDTH], y[BATCH * WIDTH];
    const float alpha = 1.67326319217681884765625f, gamma = 1.05070102214813232421875f;
    const struct rf_init lecun = {.scheme = RF_INIT_LECUN_NORMAL};
    const struct rf_init normal = {.scheme = RF_INIT_NORMAL, .std = 1};
    double mean, std;

    ck_assert_int_eq(rf_init_fill(x, BATCH * WIDTH, &normal, 1, 1, 3, 0, NULL), RF_OK);
    for (uint64_t depth = 1; depth <= 50; depth++) {
        ck_assert_int_eq(rf_init_fill(w, WIDTH * WIDTH, &lecun, WIDTH, WIDTH, 3, depth, NULL),
                         RF_OK);
        layer(y, x, w);
        rf_kernels_best()->rows[RF_UNARY_Selu](&(struct rf_rows){.y = x,
                                                                 .x = y,
                                                                 .y_pitch = WIDTH,
                                                                 .x_pitch = WIDTH,
                                                                 .rows = BATCH,
                                                                 .channels = WIDTH,
                                                                 .a = &alpha,
                                                                 .b = &gamma});
    }
    moments(x, BATCH * WIDTH, &mean, &std);
    ck_assert_msg(fabs(mean) < 0.1, "mean %g after 50 layers", mean);
    ck_assert_msg(fabs(std * std - 1) < 0.2, "variance %g after 50 layers", std * std);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("init");
    TCase *t = tcase_create("init");
    SRunner *r = srunner_create(s);

    suite_add_tcase(s, t);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, philox_known_answers);
    tcase_add_test(t, normal_inverts_the_distribution);
    tcase_add_loop_test(t, schemes_have_their_deviation, 0,
                        (int)(sizeof(schemes) / sizeof(*schemes)));
    tcase_add_test(t, plain_schemes);
    tcase_add_test(t, values_are_fixed);
    tcase_add_test(t, streams_are_independent);
    tcase_add_test(t, fans_of_weights);
    tcase_add_test(t, wrong_parameters_fail);
    tcase_add_test(t, selu_normalises_itself);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
