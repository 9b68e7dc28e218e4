/* Numbers are printed with the fewest digits that read back the same. */
#include "proto/numbers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/build_test.h"
#include "tests/support/draws.h"

/* Digits of a printed number, leading and trailing zeros left out. */
static int significant(const char *text)
{
    int n = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '0' && n > 0)
            zeros++;
        else if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0')) {
            n += zeros + 1;
            zeros = 0;
        }
    }
    return n;
}

static bool reads_back(const char *text, double v, bool single)
{
    return (single ? (double)strtof(text, NULL) : strtod(text, NULL)) == v;
}

/* One digit less does not read back the same; and where the neighbours are equally far, the digits
 * are C's. */
static void printed_like_c(const char *text, double v, bool single)
{
    char want[64], fewer[64];
    const double magnitude = fabs(v);
    int n = significant(text);
    if (n == 0)
        n = 1; /* 0 */
    snprintf(want, sizeof want, "%.*g", n, v);
    snprintf(fewer, sizeof fewer, "%.*g", n - 1, v);
    ck_assert_msg(n == 1 || !reads_back(fewer, v, single), "%s for %s", text, fewer);
    int exponent;
    ck_assert_uint_eq(rf_number_length(text, text + strlen(text)), strlen(text));
    ck_assert_msg(reads_back(text, v, single), "%s for %.17g", text, v);
    ck_assert_msg(!signbit(v) == (*text != '-'), "%s for %.17g", text, v);
    if (magnitude != 0 && frexp(magnitude, &exponent) == 0.5)
        return; /* the nearer neighbour is below: other digits may be as short */
    ck_assert_msg(strtod(text, NULL) == strtod(want, NULL), "%s for %s", text, want);
    ck_assert_ptr_nonnull(strpbrk(text, ".e"));
}

/* Powers of two, denormals, round decimals and whatever comes. */
START_TEST(prints_floats)
{
    char text[RF_NUMBER_TEXT];
    state = 3;
    for (int i = 0; i < rounds(400000); i++) {
        uint32_t word = (uint32_t)draw();
        float f;
        if (i % 8 == 0)
            word &= 0x807fffff;
        if (i % 8 == 1)
            word &= 0xff800000;
        memcpy(&f, &word, sizeof f);
        if (i % 8 == 2)
            f = (float)((double)(word % 100000) * pow(10, (int)(draw() % 20) - 12));
        if (i % 8 == 3) /* what networks put out */
            f = (float)(int32_t)word / (float)(1 << 30);
        if (!isfinite(f))
            continue;
        ck_assert_uint_eq(rf_number_print_f32(text, f), strlen(text));
        printed_like_c(text, (double)f, true);
    }
}
END_TEST

/* Any number of any floats, with room for no more, as one by one. */
START_TEST(prints_rows)
{
    char text[RF_NUMBER_TEXT], want[RF_NUMBERS_AT_ONCE * RF_NUMBER_TEXT];
    float row[RF_NUMBERS_AT_ONCE];
    char *const got = malloc(RF_NUMBERS_TEXT);
    state = 7;
    for (int i = 0; i < rounds(20000); i++) {
        const size_t n = draw() % RF_NUMBERS_AT_ONCE + 1;
        size_t len = 0;
        for (size_t k = 0; k < n; k++) {
            const uint32_t word = (uint32_t)draw() & (draw() % 4 ? 0xffffffff : 0xff800000);
            memcpy(&row[k], &word, sizeof word);
            if (draw() % 2)
                row[k] = (float)((int)(word % 2000001) - 1000000) * powf(10, (float)(i % 19) - 6);
            if (i == 0)
                row[k] = -1.0e15f; /* the longest text */
            rf_number_print_f32(text, row[k]);
            len += (size_t)sprintf(want + len, "%s%s", k ? "," : "", text);
        }
        ck_assert_uint_eq(rf_numbers_print_f32(got, row, n), len);
        ck_assert_mem_eq(got, want, len);
    }
    free(got);
}
END_TEST

START_TEST(prints_doubles)
{
    char text[RF_NUMBER_TEXT];
    state = 4;
    for (int i = 0; i < rounds(350000); i++) {
        uint64_t word = draw();
        double d;
        if (i % 8 == 0)
            word &= UINT64_C(0x800fffffffffffff);
        if (i % 8 == 1)
            word &= UINT64_C(0xfff0000000000000);
        memcpy(&d, &word, sizeof d);
        if (i % 8 == 2)
            d = (double)(word % 100000) * pow(10, (int)(draw() % 40) - 20);
        if (i % 8 == 3)
            d = (double)(int64_t)(word >> (draw() % 64));
        if (!isfinite(d))
            continue;
        ck_assert_uint_eq(rf_number_print_f64(text, d), strlen(text));
        printed_like_c(text, d, false);
    }
}
END_TEST

START_TEST(layout)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-17, "-17.0"},
        {0.1, "0.1"},
        {0.001, "0.001"},
        {0.0001, "0.0001"},
        {0.00001, "1e-5"},
        {-1.25e-7, "-1.25e-7"},
        {123456.75, "123456.75"},
        {1e15, "1000000000000000.0"},
        {1234567890123456, "1234567890123456.0"},
        {9007199254740992, "9007199254740992.0"},
        {1e16, "1e16"},
        {1.5e300, "1.5e300"},
        {-5e-324, "-5e-324"},
        {-1.7976931348623157e308, "-1.7976931348623157e308"},
        {NAN, "NaN"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
    };
    char text[RF_NUMBER_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_uint_eq(rf_number_print_f64(text, cases[i].v), strlen(text));
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(prints_integers)
{
    char text[RF_NUMBER_TEXT], want[64];
    state = 6;
    for (int i = 0; i < 100000; i++) {
        const uint64_t v = i < 2 ? (uint64_t)0 - (uint64_t)i : draw() >> (draw() % 64);
        snprintf(want, sizeof want, "%" PRIu64, v);
        ck_assert_uint_eq(rf_number_print_u64(text, v), strlen(want));
        ck_assert_str_eq(text, want);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("numbers_print");
    TCase *const t = tcase_create("all");
    tcase_set_timeout(t, rounds(480));
    tcase_add_test(t, prints_floats);
    tcase_add_test(t, prints_rows);
    tcase_add_test(t, prints_doubles);
    tcase_add_test(t, layout);
    tcase_add_test(t, prints_integers);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
