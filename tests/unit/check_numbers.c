/* Numbers are read exactly; the C library is the reference. */
#include "proto/numbers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/build_test.h"
#include "tests/support/draws.h"

static uint32_t bits32(float v)
{
    uint32_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

static uint64_t bits64(double v)
{
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

/* The token, on the heap without a terminator, against strtof and strtod. */
static void reads_as_c_does(const char *text)
{
    const size_t len = strlen(text);
    char *const token = exact_copy(text, len);
    const float want = strtof(text, NULL);
    const double want_double = strtod(text, NULL);
    float f = 0;
    double d = 0;
    ck_assert_uint_eq(rf_number_length(token, token + len), len);
    ck_assert_msg(rf_number_f32(token, len, &f) == (isfinite(want) != 0), "%s", text);
    if (isfinite(want))
        ck_assert_msg(bits32(f) == bits32(want), "%s: %.9g, not %.9g", text, (double)f,
                      (double)want);
    ck_assert_msg(rf_number_f64(token, len, &d) == (isfinite(want_double) != 0), "%s", text);
    if (isfinite(want_double))
        ck_assert_msg(bits64(d) == bits64(want_double), "%s: %.17g", text, d);
    free(token);
}

START_TEST(hard_numbers)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "-0.0e5",
        "1",
        "-1",
        "0.1",
        "1e0",
        "1E+2",
        "1e-2",
        "123456789",
        "16777216",
        "16777217",
        "16777218",
        "16777219",
        "33554431",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775807",
        "18446744073709551616",
        /* halfway between floats, and a hair beside */
        "1.00000005960464477539062500",
        "1.00000005960464477539062501",
        "1.00000005960464477539062499",
        "1.000000178813934326171875",
        "0.500000029802322387695312",
        "0.50000002980232238769531251",
        "8388609.5",
        "8388608.5",
        "8388608.500000000001",
        "1.1754943508222875e-38",
        "1.1754942807573643e-38",
        "1.17549435e-38",
        "7.0064923216240862e-46",
        "7.0064923216240861e-46",
        "7.00649232162408613e-46",
        "1e-45",
        "1.4e-45",
        "2.1e-45",
        "1e-46",
        "3.4028234663852886e38",
        "3.4028235677973366e38",
        "3.4028235677973365e38",
        "340282356779733661637539395458142568447",
        "340282356779733661637539395458142568448",
        "3.5e38",
        "1e38",
        "1e39",
        "1e308",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e309",
        "1e999",
        "-1e999",
        "1e-999",
        "0e999",
        "0.0000e-99999",
        "1e-400",
        "2.2250738585072012e-308",
        "2.2250738585072011e-308",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e22",
        "1e23",
        "8.5e22",
        "9007199254740993e22",
        "123456789012345678e-18",
        "0.000000000000000000000000000000000000000000000001",
        "1000000000000000000000000000000000",
        "6.631236846766476e-316",
        "3.8811723466e-05",
        "0.3",
        "2e-1",
        "99999999999999999999",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        reads_as_c_does(texts[i]);
}
END_TEST

/* Floats and doubles of all exponents in all precisions; decimals of few digits; digits at random
 * with a point and an exponent anywhere. */
static void draw_number(char text[128])
{
    const uint64_t word = draw();
    float f;
    double d;
    memcpy(&f, &word, sizeof f);
    memcpy(&d, &word, sizeof d);
    const int precision = (int)(draw() % 25) + 1;
    switch (draw() % 4) {
    case 0:
        snprintf(text, 128, "%.*g", precision, isfinite(f) ? (double)f : 0);
        break;
    case 1:
        snprintf(text, 128, "%.*g", precision, isfinite(d) ? d : 0);
        break;
    case 2:
        snprintf(text, 128, "%d.%dE%d", (int)(draw() % 2000) - 1000, (int)(draw() % 100000),
                 (int)(draw() % 90) - 50);
        break;
    default:
        snprintf(text, 128, "%s%d.%0*" PRIu64 "%0*" PRIu64 "e%d", word & 1 ? "-" : "",
                 word & 2 ? 0 : (int)(draw() % 1000), (int)(draw() % 20) + 1, draw() >> 40,
                 (int)(draw() % 20), draw() >> (draw() % 64), (int)(draw() % 700) - 350);
    }
}

START_TEST(random_numbers)
{
    char text[128];
    state = 1;
    for (int i = 0; i < rounds(400000); i++) {
        draw_number(text);
        reads_as_c_does(text);
    }
}
END_TEST

/* As many as it likes of a row, the same as one by one; none is passed over. */
START_TEST(rows_of_numbers)
{
    enum { N = 1000 };
    static char text[N * 128];
    static float row[N], one[N];
    state = 5;
    for (int i = 0; i < rounds(20); i++) {
        size_t len = 0, done = 0;
        for (int k = 0; k < N; k++) {
            char *const token = text + len;
            do
                draw_number(token);
            while (!rf_number_f32(token, strlen(token), &one[k]));
            len += strlen(token);
            len += (size_t)sprintf(text + len, "%s", draw() % 2 ? "," : ", ");
        }
        text[len++] = ']';
        const char *const copy = exact_copy(text, len), *const end = copy + len;
        const char *at = copy;
        ck_assert_ptr_eq(rf_numbers_past(copy, end), end - 1);
        while (done < N) {
            done += rf_numbers_f32(&at, end, row + done, N - done);
            if (done == N)
                break;
            const size_t n = rf_number_length(at, end);
            ck_assert(rf_number_f32(at, n, &row[done++]));
            at += n + 1;
            at += *at == ' ';
        }
        ck_assert_ptr_eq(at, end - 1);
        ck_assert_mem_eq(row, one, sizeof row);
        free((void *)copy);
    }
}
END_TEST

/* What is malformed stops the row, wherever it stands, before the number. */
START_TEST(rows_stop)
{
    static const char *const wrong[] = {
        "01",   "-",   "--1",  "1.",  ".5",   "1.2.3", "1e",    "1e+",   "+1",        "1-2",
        "-01",  "1 2", "NaN",  "0x1", "1.e5", "1.5 ",  "",      "1e5.5", "-Infinity", "00",
        "1..2", "-.5", "1.-5", "- 1", "1,]",  "null",  "\"1\"", "[1",    "1e5e5",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (int before = 0; before < 140; before++) {
            char text[2048];
            size_t at = 0;
            for (int k = 0; k < before; k++)
                at += (size_t)sprintf(text + at, "%s", k % 3 ? "7," : "-0.25, ");
            const size_t want = at + (strcmp(wrong[i], "1,]") == 0 ? 2 : 0);
            at += (size_t)sprintf(text + at, "%s,1,2,3]", wrong[i]);
            char *const copy = exact_copy(text, at);
            const size_t got = (size_t)(rf_numbers_past(copy, copy + at) - copy);
            ck_assert_msg(got == want, "%s behind %d: %zu, not %zu", wrong[i], before, got, want);
            free(copy);
        }
}
END_TEST

/* Exactly between two floats, and one digit more or less. */
START_TEST(halfway_numbers)
{
    char text[256];
    state = 2;
    for (int i = 0; i < rounds(20000); i++) {
        const uint32_t word = (uint32_t)draw() & 0x7fffffff;
        float a, b;
        memcpy(&a, &word, sizeof a);
        b = nextafterf(a, INFINITY);
        if (!isfinite(a) || !isfinite(b) || a > 1e25f || a < 1e-20f)
            continue;
        const double middle = ((double)a + (double)b) / 2;
        const int n = snprintf(text, sizeof text, "%.100f", middle);
        reads_as_c_does(text);
        text[n - 1] = '1';
        reads_as_c_does(text);
        snprintf(text, sizeof text, "%.17g", middle);
        reads_as_c_does(text);
    }
}
END_TEST

START_TEST(long_numbers)
{
    static char text[4096];
    float f;
    memset(text, '1', sizeof text);
    text[1] = '.';
    ck_assert_uint_eq(rf_number_length(text, text + sizeof text), sizeof text);
    ck_assert(rf_number_f32(text, RF_NUMBER_LONGEST, &f));
    ck_assert_uint_eq(bits32(f), bits32(1.1111112f));
    ck_assert(!rf_number_f32(text, RF_NUMBER_LONGEST + 1, &f));
}
END_TEST

START_TEST(grammar)
{
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"", 0},    {"-", 0},   {"+1", 0},  {".5", 0},   {"1.", 0},    {"1.e5", 0},  {"1e", 0},
        {"1e+", 0}, {"-.5", 0}, {"--1", 0}, {"NaN", 0},  {"01", 1},    {"1x", 1},    {"0x10", 1},
        {"1e5", 3}, {"1,2", 1}, {"-0", 2},  {"1.5]", 3}, {"1e-5 ", 4}, {"1E+05", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *const text = exact_copy(cases[i].text, strlen(cases[i].text));
        ck_assert_msg(rf_number_length(text, text + strlen(cases[i].text)) == cases[i].length, "%s",
                      cases[i].text);
        free(text);
    }
}
END_TEST

START_TEST(integers)
{
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"42", true, 42},
        {"-128", true, -128},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0},
        {"1.0", false, 0},
        {"1e2", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t v = 0;
        ck_assert_int_eq(rf_number_i64(cases[i].text, strlen(cases[i].text), &v), cases[i].fits);
        if (cases[i].fits)
            ck_assert_int_eq(v, cases[i].value);
    }
}
END_TEST

START_TEST(unsigned_integers)
{
    static const struct {
        const char *text;
        bool fits;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},
        {"9223372036854775808", true, UINT64_C(1) << 63},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"-1", false, 0},
        {"1.0", false, 0},
        {"1e2", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t v = 0;
        ck_assert_int_eq(rf_number_u64(cases[i].text, strlen(cases[i].text), &v), cases[i].fits);
        if (cases[i].fits)
            ck_assert_uint_eq(v, cases[i].value);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("numbers");
    TCase *const t = tcase_create("all");
    tcase_set_timeout(t, rounds(480));
    tcase_add_test(t, hard_numbers);
    tcase_add_test(t, random_numbers);
    tcase_add_test(t, rows_of_numbers);
    tcase_add_test(t, rows_stop);
    tcase_add_test(t, halfway_numbers);
    tcase_add_test(t, long_numbers);
    tcase_add_test(t, grammar);
    tcase_add_test(t, integers);
    tcase_add_test(t, unsigned_integers);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
