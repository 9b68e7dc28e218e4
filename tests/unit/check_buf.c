/* The output buffer, and what it prints. */
#include "proto/buf.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "proto/sha256.h"
#include "proto/text.h"
#include "tests/support/build_test.h"

START_TEST(grows_and_is_taken)
{
    struct rf_buf b;
    size_t len;
    rf_buf_init(&b, 100000);
    for (int i = 0; i < 1000; i++)
        rf_buf_printf(&b, "%04d,", i);
    rf_buf_add(&b, NULL, 0);
    ck_assert_int_eq(b.status, RF_OK);
    ck_assert_uint_eq(b.len, 5000);
    char *const data = rf_buf_take(&b, &len);
    ck_assert_uint_eq(len, 5000);
    ck_assert_int_eq(memcmp(data + 4995, "0999,", 5), 0);
    ck_assert_uint_eq(b.len, 0);
    free(data);
    ck_assert_ptr_null(rf_buf_take(&b, &len));
    ck_assert_uint_eq(len, 0);
    rf_buf_release(&b);
}
END_TEST

START_TEST(stops_at_its_limit)
{
    struct rf_buf b;
    size_t len;
    rf_buf_init(&b, 10);
    rf_buf_text(&b, "1234567890");
    ck_assert_int_eq(b.status, RF_OK);
    rf_buf_text(&b, "x");
    ck_assert_int_eq(b.status, RF_LIMIT);
    ck_assert_uint_eq(b.len, 10);
    rf_buf_text(&b, "");
    ck_assert_ptr_null(rf_buf_reserve(&b, 0));
    ck_assert_ptr_null(rf_buf_take(&b, &len));
    rf_buf_release(&b);
    rf_buf_init(&b, SIZE_MAX);
    rf_buf_text(&b, "x");
    ck_assert_ptr_null(rf_buf_reserve(&b, SIZE_MAX));
    ck_assert_int_eq(b.status, RF_LIMIT);
    rf_buf_release(&b);
}
END_TEST

START_TEST(long_formats)
{
    struct rf_buf b;
    char text[2000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    rf_buf_init(&b, 5000);
    rf_buf_printf(&b, "<%s>", text);
    ck_assert_uint_eq(b.len, 2001);
    ck_assert_int_eq(b.data[2000], '>');
    rf_buf_release(&b);
}
END_TEST

static void string_is(const char *text, const char *json)
{
    struct rf_buf b;
    rf_buf_init(&b, 1000);
    rf_buf_json_string(&b, text);
    rf_buf_add(&b, "", 1);
    ck_assert_str_eq(b.data, json);
    rf_buf_release(&b);
}

START_TEST(json_strings)
{
    string_is("", "\"\"");
    string_is("a\"b\\c/", "\"a\\\"b\\\\c/\"");
    string_is("\n\r\t\b\f\x01\x1f\x7f", "\"\\n\\r\\t\\b\\f\\u0001\\u001f\\u007f\"");
    string_is("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    string_is("a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    string_is("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* a surrogate */
    string_is("\xc0\x80!", "\"\xef\xbf\xbd\xef\xbf\xbd!\"");               /* overlong */
}
END_TEST

static void float_is(float v, const char *text)
{
    struct rf_buf b;
    rf_buf_init(&b, 100);
    rf_buf_json_float(&b, v);
    rf_buf_add(&b, "", 1);
    ck_assert_str_eq(b.data, text);
    rf_buf_release(&b);
}

START_TEST(floats)
{
    float_is(0.0f, "0.0");
    float_is(-0.0f, "-0.0");
    float_is(1.0f, "1.0");
    float_is(0.1f, "0.1");
    float_is(0.3f, "0.3");
    float_is(16777216.0f, "16777216.0");
    float_is(1e20f, "1e20");
    float_is(1.0f / 3, "0.33333334");
    float_is(FLT_MAX, "3.4028235e38");
    float_is(FLT_MIN, "1.1754944e-38");
    float_is(1e-45f, "1e-45");
    float_is(NAN, "NaN");
    float_is(INFINITY, "Infinity");
    float_is(-INFINITY, "-Infinity");
}
END_TEST

START_TEST(doubles)
{
    static const double values[] = {0.1, 1.0 / 3, DBL_MAX, DBL_MIN, 5e-324, 0.30000000000000004};
    static const char *const texts[] = {
        "0.1",    "0.3333333333333333", "1.7976931348623157e308", "2.2250738585072014e-308",
        "5e-324", "0.30000000000000004"};
    for (size_t i = 0; i < 6; i++) {
        struct rf_buf b;
        rf_buf_init(&b, 100);
        rf_buf_json_double(&b, values[i]);
        rf_buf_add(&b, "", 1);
        ck_assert_str_eq(b.data, texts[i]);
        rf_buf_release(&b);
    }
}
END_TEST

START_TEST(counts)
{
    struct rf_buf b;
    rf_buf_init(&b, 100);
    rf_buf_json_count(&b, 0);
    rf_buf_json_count(&b, 12034);
    rf_buf_json_count(&b, UINT64_MAX);
    rf_buf_add(&b, "", 1);
    ck_assert_str_eq(b.data, "01203418446744073709551615");
    rf_buf_release(&b);
}
END_TEST

START_TEST(excerpts)
{
    char out[RF_EXCERPT];
    char text[200];
    ck_assert_str_eq(rf_excerpt(out, "a\nb\xff", 4), "a?b?");
    memset(text, 'x', sizeof text);
    rf_excerpt(out, text, 64);
    ck_assert_uint_eq(strlen(out), 64);
    ck_assert_int_eq(out[63], 'x');
    rf_excerpt(out, text, 65);
    ck_assert_uint_le(strlen(out), 64);
    ck_assert_str_eq(out + strlen(out) - 3, "...");
    for (size_t i = 0; i < 50; i++)
        memcpy(text + 4 * i, "\xf0\x9f\x98\x80", 4);
    rf_excerpt(out, text, sizeof text);
    ck_assert_str_eq(out + strlen(out) - 3, "...");
    ck_assert_uint_eq((strlen(out) - 3) % 4, 0); /* cut between characters */
}
END_TEST

START_TEST(copies)
{
    char out[4] = "???";
    rf_text_copy(out, sizeof out, "");
    ck_assert_str_eq(out, "");
    rf_text_copy(out, sizeof out, "abc");
    ck_assert_str_eq(out, "abc");
    rf_text_copy(out, sizeof out, "abcd");
    ck_assert_str_eq(out, "abc");
}
END_TEST

START_TEST(nearest_names)
{
    static const char *const names[] = {"kernel_size", "stride", "padding", "bias"};
    ck_assert_str_eq(rf_nearest("kernelsize", names, 4), "kernel_size");
    ck_assert_str_eq(rf_nearest("stirde", names, 4), "stride");
    ck_assert_str_eq(rf_nearest("bais", names, 4), "bias");
    ck_assert_ptr_null(rf_nearest("dilation", names, 4));
    ck_assert_ptr_null(rf_nearest("x", names, 4));
}
END_TEST

/* FIPS 180-4's examples, and lengths around a block's padding against sha256sum. */
START_TEST(sha256)
{
    static const struct {
        size_t n;
        const char *text, *hex;
    } cases[] = {
        {0, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {3, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {56, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {112,
         "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[65];
    struct rf_sha256 s;
    for (size_t i = 0; i < 4; i++) {
        rf_sha256_init(&s);
        rf_sha256_add(&s, cases[i].text, cases[i].n);
        rf_sha256_hex(&s, hex);
        ck_assert_str_eq(hex, cases[i].hex);
    }
    /* One million 'a', in parts of every size. */
    char a[200];
    memset(a, 'a', sizeof a);
    rf_sha256_init(&s);
    for (size_t left = 1000000, part = 1; left > 0; part = part % 199 + 1) {
        const size_t n = part < left ? part : left;
        rf_sha256_add(&s, a, n);
        left -= n;
    }
    rf_sha256_hex(&s, hex);
    ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("buf");
    TCase *const t = tcase_create("all");
    tcase_add_test(t, grows_and_is_taken);
    tcase_add_test(t, stops_at_its_limit);
    tcase_add_test(t, long_formats);
    tcase_add_test(t, json_strings);
    tcase_add_test(t, floats);
    tcase_add_test(t, doubles);
    tcase_add_test(t, counts);
    tcase_add_test(t, excerpts);
    tcase_add_test(t, copies);
    tcase_add_test(t, nearest_names);
    tcase_add_test(t, sha256);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
