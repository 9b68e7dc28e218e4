/* The JSON scanner: what it lets through, what it refuses and where, and the walkers. */
#include "proto/json.h"

#include <jansson.h>
#include <stdlib.h>

#include "tests/support/build_test.h"

static struct rf_error err;

static enum rf_status check_len(const char *text, size_t len, bool tokens)
{
    char *const copy = exact_copy(text, len);
    err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc = rf_json_check("body", copy, len, tokens, &err);
    free(copy);
    return rc;
}

static enum rf_status check(const char *text)
{
    return check_len(text, strlen(text), false);
}

static const char *const good[] = {
    "0",
    "-1.5e-7",
    "true",
    "null",
    "\"\"",
    "[]",
    "{}",
    " [ ] ",
    "\t{\r\n}\n",
    "[1,2,[3],{}]",
    "{\"a\":{\"b\":[null,false,\"x\"]},\"c\":0}",
    "\"\\u00e9\\ud83d\\ude00\\n\\/\"",
    "\"\xf0\x9f\x98\x80\"",
    "[[[[[[]]]]]]",
    "{\"\":0}",
    "[1e5,1E+5,1e-5,0.1,-0]",
    "\"\x7f\"",
};

/* What jansson refuses, too: the two must agree, for one stands guard for the other. */
static const char *const bad[] = {
    "",
    " ",
    "[",
    "{",
    "]",
    "}",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1",
    "{\"a\":1,}",
    "{a:1}",
    "{'a':1}",
    "{1:2}",
    "{\"a\" 1}",
    "{\"a\"::1}",
    "{,}",
    "[]]",
    "[] []",
    "[]x",
    "01",
    "-01",
    "1.",
    ".5",
    "+1",
    "1e",
    "1e+",
    "-",
    "--1",
    "0x10",
    "1.2.3",
    "1e5e5",
    "nul",
    "nulll",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "[NaN]",
    "tru",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u123g\"",
    "\"\\ud800\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\\ud800\\ud800\"",
    "\"\t\"",
    "\"\n\"",
    "\"\xff\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\xe2\x82\"",
    "\"\x80\"",
    "\xef\xbb\xbf[]",
    "[1]\v",
    "/**/[]",
    "[1]//",
    "[\"a\",\n4\n,1,",
};

START_TEST(good_texts)
{
    const char *const text = good[_i];
    json_t *const tree = json_loadb(text, strlen(text), JSON_DECODE_ANY, NULL);
    ck_assert_msg(check(text) == RF_OK, "%s: %s", text, err.text);
    ck_assert_ptr_nonnull(tree);
    json_decref(tree);
}
END_TEST

START_TEST(bad_texts)
{
    const char *const text = bad[_i];
    ck_assert_msg(check(text) == RF_FORMAT, "%s", text);
    ck_assert_ptr_nonnull(strstr(err.text, "body: "));
    ck_assert_ptr_null(json_loadb(text, strlen(text), JSON_DECODE_ANY, NULL));
}
END_TEST

START_TEST(nul_bytes)
{
    ck_assert_int_eq(check_len("[1]\0", 4, false), RF_FORMAT);
    ck_assert_int_eq(check_len("\0", 1, false), RF_FORMAT);
    ck_assert_int_eq(check_len("[1\0]", 4, false), RF_FORMAT);
    ck_assert_int_eq(check_len("\"a\0b\"", 5, false), RF_FORMAT);
    ck_assert_int_eq(check_len("[\0", 2, false), RF_FORMAT);
    ck_assert_int_eq(check_len("[\"\\\0\"]", 6, false), RF_FORMAT);
}
END_TEST

START_TEST(tokens)
{
    ck_assert_int_eq(check_len("[NaN,Infinity,-Infinity]", 24, true), RF_OK);
    ck_assert_int_eq(check_len("[nan]", 5, true), RF_FORMAT);
    ck_assert_int_eq(check_len("[-NaN]", 6, true), RF_FORMAT);
    ck_assert_int_eq(check_len("[Inf]", 5, true), RF_FORMAT);
    ck_assert_int_eq(check_len("[NaNs]", 6, true), RF_FORMAT);
    ck_assert_int_eq(check_len("[-Infinit", 9, true), RF_FORMAT);
}
END_TEST

START_TEST(positions)
{
    check("[1,\n 2,\n  x]");
    ck_assert_ptr_nonnull(
        strstr(err.text, "expected a JSON value at line 3, column 3 (at \"x]\")"));
    check("{\"a\": 1");
    ck_assert_ptr_nonnull(
        strstr(err.text, "expected ',' or '}', but the text ends at line 1, column 8"));
}
END_TEST

/* Depth: 64 is fine, 65 is not, and a million costs nothing. */
START_TEST(depth)
{
    enum { DEEP = 1000000 };
    char *const text = malloc(DEEP);
    ck_assert_ptr_nonnull(text);
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    ck_assert_int_eq(check_len(text, 128, false), RF_OK);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    ck_assert_int_eq(check_len(text, 130, false), RF_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.text, "JSON nesting depth exceeds maximum allowed limit (64)"));
    memset(text, '[', DEEP);
    ck_assert_int_eq(check_len(text, DEEP, false), RF_FORMAT);
    for (size_t i = 0; i + 5 <= DEEP; i += 5)
        memcpy(text + i, "{\"a\":", 5);
    ck_assert_int_eq(check_len(text, DEEP, false), RF_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.text, "JSON nesting depth exceeds maximum allowed limit (64)"));
    free(text);
}
END_TEST

START_TEST(every_prefix_fails)
{
    static const char text[] =
        "{\"a\":[1.5e3,{\"b\":\"\\ud83d\\ude00\xc3\xa9\"},[true,null]],\"c\":{\"d\":-0.25}}";
    ck_assert_int_eq(check(text), RF_OK);
    for (size_t n = 0; n < strlen(text); n++)
        ck_assert_msg(check_len(text, n, true) == RF_FORMAT, "%zu bytes", n);
}
END_TEST

START_TEST(walks)
{
    static const char text[] =
        " { \"a\" : [ 1 , [2,\"],}\\\"\" ] , {\"x\":1} ] ,\"\\u0062\":true, \"c\":{ } , \"d\":[]} ";
    const char *at = rf_json_space(text), *key, *value, *element, *inner;
    char name[8];
    ck_assert(rf_json_member(&at, &key, &value));
    ck_assert(rf_json_string(key, name, sizeof name));
    ck_assert_str_eq(name, "a");
    inner = value;
    ck_assert(rf_json_element(&inner, &element));
    ck_assert_int_eq(*element, '1');
    ck_assert(rf_json_element(&inner, &element));
    ck_assert_int_eq(*element, '[');
    ck_assert(rf_json_element(&inner, &element));
    ck_assert_str_eq(rf_json_kind(element), "an object");
    ck_assert(!rf_json_element(&inner, &element));
    ck_assert(!rf_json_element(&inner, &element));
    ck_assert(rf_json_member(&at, &key, &value));
    ck_assert(rf_json_string(key, name, sizeof name));
    ck_assert_str_eq(name, "b");
    ck_assert_str_eq(rf_json_kind(value), "a boolean");
    ck_assert(rf_json_member(&at, &key, &value));
    ck_assert(!rf_json_member(&value, &key, &element));
    ck_assert(rf_json_member(&at, &key, &value));
    ck_assert(!rf_json_element(&value, &element));
    ck_assert(!rf_json_member(&at, &key, &value));
}
END_TEST

START_TEST(strings)
{
    char out[8];
    ck_assert(rf_json_string("\"1234567\"", out, 8));
    ck_assert(!rf_json_string("\"12345678\"", out, 8));
    ck_assert_str_eq(out, "1234567");
    ck_assert(rf_json_string("\"\\ud83d\\ude00\\u00e9\"", out, 8));
    ck_assert_str_eq(out, "\xf0\x9f\x98\x80\xc3\xa9");
    ck_assert(rf_json_string("\"\\u20ac\\n\\\"\\\\\"", out, 8));
    ck_assert_str_eq(out, "\xe2\x82\xac\n\"\\");
    ck_assert(!rf_json_string("\"123456\xc3\xa9\"", out, 8));
    ck_assert_str_eq(out, "123456");
    ck_assert(!rf_json_string("\"a\\u0000b\"", out, 8));
}
END_TEST

START_TEST(trees)
{
    json_t *tree;
    assert_ok(rf_json_parse(&tree, "file", "{\"a\":1}", 7, &err));
    ck_assert_int_eq(json_integer_value(json_object_get(tree, "a")), 1);
    json_decref(tree);
    assert_fails(RF_FORMAT, "file: duplicate object key",
                 rf_json_parse(&tree, "file", "{\"a\":1,\"a\":2}", 13, &err));
    assert_fails(RF_FORMAT, "file: real number overflow",
                 rf_json_parse(&tree, "file", "[1e999]", 7, &err));
    assert_fails(RF_FORMAT, "file: \\u0000",
                 rf_json_parse(&tree, "file", "[\"\\u0000\"]", 10, &err));
    assert_fails(RF_FORMAT, "expected a JSON value", rf_json_parse(&tree, "file", "", 0, &err));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("json");
    TCase *const t = tcase_create("all");
    tcase_add_loop_test(t, good_texts, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(t, bad_texts, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, nul_bytes);
    tcase_add_test(t, tokens);
    tcase_add_test(t, positions);
    tcase_add_test(t, depth);
    tcase_add_test(t, every_prefix_fails);
    tcase_add_test(t, walks);
    tcase_add_test(t, strings);
    tcase_add_test(t, trees);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
