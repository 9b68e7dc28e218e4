/* The classification extension: the largest values of each row, as strings. */
#include "proto/classify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/build_infer.h"

static struct rf_error err;
static char *const three[] = {"dog", "bird", "cat"};

/* What is written for `limit` classes, terminated; the caller frees it. */
static char *classes(const struct rf_tensor *t, uint64_t limit, char *const *names, bool binary,
                     size_t *len, struct rf_shape *shape)
{
    struct rf_classes c = {.values = t, .limit = limit, .labels = names};
    struct rf_buf b;
    rf_buf_init(&b, 20000);
    assert_ok(rf_classes_measure(&c, &err));
    assert_ok(rf_classes_write(&b, &c, binary, &err));
    if (shape)
        *shape = c.shape;
    rf_buf_add(&b, "", 1);
    char *const text = rf_buf_take(&b, len);
    ck_assert_ptr_nonnull(text);
    return text;
}

static void are(const struct rf_tensor *t, uint64_t limit, char *const *names, const char *shape,
                const char *json)
{
    char text[RF_SHAPE_TEXT];
    struct rf_shape got;
    size_t len;
    char *const s = classes(t, limit, names, false, &len, &got);
    ck_assert_str_eq(s, json);
    ck_assert_str_eq(rf_shape_text(&got, text, sizeof text), shape);
    free(s);
}

static struct rf_tensor tensor(const void *data, enum rf_dtype dtype, struct rf_shape shape)
{
    return (struct rf_tensor){.data = (void *)data, .dtype = dtype, .shape = shape};
}

START_TEST(rows)
{
    static const float v[6] = {0.25f, 0, 0.75f, 1e10f, -1, 3.3f};
    const struct rf_tensor t = tensor(v, RF_F32, (struct rf_shape)DIMS(2, 3));
    are(&t, 2, three, "[2,2]",
        "[\"0.750000:2:cat\",\"0.250000:0:dog\",\"10000000000.000000:0:dog\",\"3.300000:2:cat\"]");
    are(&t, 1, NULL, "[2,1]", "[\"0.750000:2\",\"10000000000.000000:0\"]");
    are(&t, 3, NULL, "[2,3]",
        "[\"0.750000:2\",\"0.250000:0\",\"0.000000:1\",\"10000000000.000000:0\",\"3.300000:2\","
        "\"-1.000000:1\"]");
    are(&t, UINT64_MAX, NULL, "[2,3]",
        "[\"0.750000:2\",\"0.250000:0\",\"0.000000:1\",\"10000000000.000000:0\",\"3.300000:2\","
        "\"-1.000000:1\"]");
}
END_TEST

START_TEST(shapes)
{
    static const float v[4] = {1, 2, 3, 4};
    const struct rf_tensor scalar = tensor(v, RF_F32, (struct rf_shape)DIMS()),
                           flat = tensor(v, RF_F32, (struct rf_shape)DIMS(4)),
                           deep = tensor(v, RF_F32, (struct rf_shape)DIMS(1, 2, 2)),
                           none = tensor(v, RF_F32, (struct rf_shape)DIMS(0, 4)),
                           thin = tensor(v, RF_F32, (struct rf_shape)DIMS(4, 0));
    are(&scalar, 5, NULL, "[1]", "[\"1.000000:0\"]");
    are(&flat, 2, NULL, "[2]", "[\"4.000000:3\",\"3.000000:2\"]");
    are(&deep, 1, NULL, "[1,1]", "[\"4.000000:3\"]");
    are(&none, 2, NULL, "[0,2]", "[]");
    are(&thin, 2, NULL, "[4,0]", "[]");
}
END_TEST

START_TEST(order)
{
    static const float odd[5] = {NAN, -INFINITY, 0, INFINITY, -0.0f};
    static const double same[3] = {0.1, 0.1, 0.1};
    const struct rf_tensor a = tensor(odd, RF_F32, (struct rf_shape)DIMS(1, 5)),
                           b = tensor(same, RF_F64, (struct rf_shape)DIMS(1, 3));
    are(&a, 5, NULL, "[1,5]", "[\"inf:3\",\"0.000000:2\",\"-0.000000:4\",\"-inf:1\",\"nan:0\"]");
    are(&b, 3, NULL, "[1,3]", "[\"0.100000:0\",\"0.100000:1\",\"0.100000:2\"]");
}
END_TEST

/* Of value * 1000 + place. */
static int larger_first(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return x / 1000 == y / 1000 ? x - y : y - x;
}

/* Any number of the first of 1,000 in any order: with their places, as sorting all gives them. */
START_TEST(selects)
{
    enum { N = 1000 };
    static const uint64_t limits[] = {1, 2, 3, 5, 64, 999, 1000, 1001};
    static int32_t values[N], sorted[N];
    unsigned state = 1;
    for (int i = 0; i < N; i++) {
        state = state * 1103515245 + 12345;
        values[i] = (int32_t)(state >> 16) % 300;
        sorted[i] = values[i] * 1000 + i;
    }
    qsort(sorted, N, sizeof *sorted, larger_first);
    const struct rf_tensor t = tensor(values, RF_I32, (struct rf_shape)DIMS(N));
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        const int k = limits[l] < N ? (int)limits[l] : N;
        static char want[N * 12];
        char *to = want, shape[16];
        for (int i = 0; i < k; i++)
            to += sprintf(to, "%c\"%d:%d\"", i ? ',' : '[', sorted[i] / 1000, sorted[i] % 1000);
        strcpy(to, "]");
        sprintf(shape, "[%d]", k);
        are(&t, limits[l], NULL, shape, want);
    }
}
END_TEST

/* Integers are compared as such: no double tells the last two apart. */
START_TEST(integers)
{
    static const int64_t i64[4] = {-1, INT64_MIN, INT64_MAX - 1, INT64_MAX};
    static const uint64_t u64[3] = {0, UINT64_MAX - 1, UINT64_MAX};
    static const uint8_t u8[3] = {7, 255, 0};
    const struct rf_tensor a = tensor(i64, RF_I64, (struct rf_shape)DIMS(1, 4)),
                           b = tensor(u64, RF_U64, (struct rf_shape)DIMS(1, 3)),
                           c = tensor(u8, RF_U8, (struct rf_shape)DIMS(3));
    are(&a, 4, NULL, "[1,4]",
        "[\"9223372036854775807:3\",\"9223372036854775806:2\",\"-1:0\",\"-9223372036854775808:"
        "1\"]");
    are(&b, 3, NULL, "[1,3]", "[\"18446744073709551615:2\",\"18446744073709551614:1\",\"0:0\"]");
    are(&c, 2, three, "[2]", "[\"255:1:bird\",\"7:0:dog\"]");
}
END_TEST

START_TEST(labels_are_strings)
{
    static const float v[2] = {0, 1};
    const struct rf_tensor t = tensor(v, RF_F32, (struct rf_shape)DIMS(1, 2));
    are(&t, 2, labels, "[1,2]", "[\"1.000000:1:a \\\"dog\\\"\",\"0.000000:0:cat\"]");
}
END_TEST

START_TEST(binary)
{
    static const float v[3] = {0.25f, 0, 0.75f};
    static const char want[] = "\x0e\0\0\0"
                               "0.750000:2:cat"
                               "\x0e\0\0\0"
                               "0.250000:0:dog";
    const struct rf_tensor t = tensor(v, RF_F32, (struct rf_shape)DIMS(1, 3));
    size_t len;
    char *const s = classes(&t, 2, three, true, &len, NULL);
    ck_assert_uint_eq(len, sizeof want);
    ck_assert_mem_eq(s, want, len);
    free(s);
}
END_TEST

START_TEST(too_many)
{
    static const float v[1] = {0};
    const struct rf_tensor t = tensor(v, RF_F32, (struct rf_shape)DIMS(500001, 4));
    struct rf_classes c = {.values = &t, .limit = 2};
    assert_fails(RF_SHAPE, "classification output tensor too large: [500001,2] strings",
                 rf_classes_measure(&c, &err));
    c.limit = 1;
    assert_ok(rf_classes_measure(&c, &err));
}
END_TEST

START_TEST(beyond_the_buffer)
{
    static const float v[2] = {0, 1};
    const struct rf_tensor t = tensor(v, RF_F32, (struct rf_shape)DIMS(1, 2));
    struct rf_classes c = {.values = &t, .limit = 2};
    struct rf_buf b;
    rf_buf_init(&b, 20);
    assert_ok(rf_classes_measure(&c, &err));
    assert_ok(rf_classes_write(&b, &c, true, &err));
    ck_assert_int_eq(b.status, RF_LIMIT);
    rf_buf_release(&b);
}
END_TEST

/* ---- in a request and its reply ---- */

static void reply_is(const char *parameters, const char *json, const char *tail, size_t tail_len)
{
    static const float v[2] = {0.25f, 0.75f};
    const struct rf_tensor out = tensor(v, RF_F32, (struct rf_shape)DIMS(1, 2));
    struct rf_infer_request r;
    struct rf_buf b;
    size_t json_len = 77;
    char body[300];
    snprintf(body, sizeof body,
             "{\"inputs\":[" X1 "],\"outputs\":[{\"name\":\"y\",\"parameters\":{%s}}]}",
             parameters);
    assert_ok(decode_json(&r, &m, body, &err));
    rf_buf_init(&b, 1000);
    assert_ok(rf_infer_encode(&b, RF_BODY_JSON, &m, &r, &out, &json_len, &err));
    const char *const outputs = memmem(b.data, b.len, "\"outputs\":", strlen("\"outputs\":"));
    ck_assert_ptr_nonnull(outputs);
    const size_t left = b.len - (size_t)(outputs - b.data);
    ck_assert_msg(left >= strlen(json) && memcmp(outputs, json, strlen(json)) == 0, "%.*s",
                  (int)b.len, b.data);
    ck_assert_uint_eq(json_len, tail_len ? b.len - tail_len : 0);
    if (tail_len)
        ck_assert_mem_eq(b.data + json_len, tail, tail_len);
    rf_buf_release(&b);
    rf_infer_request_release(&r);
}

START_TEST(replies)
{
    reply_is("\"classification\":1",
             "\"outputs\":[{\"name\":\"y\",\"datatype\":\"BYTES\",\"shape\":[1,1],\"data\":["
             "\"0.750000:1:a \\\"dog\\\"\"]}]}",
             NULL, 0);
    reply_is("\"classification\":2,\"binary_data\":true",
             "\"outputs\":[{\"name\":\"y\",\"datatype\":\"BYTES\",\"shape\":[1,2],"
             "\"parameters\":{\"binary_data_size\":40}}]}",
             "\x12\0\0\0"
             "0.750000:1:a \"dog\"\x0e\0\0\0"
             "0.250000:0:cat",
             40);
    reply_is("\"classification\":0",
             "\"outputs\":[{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[0.25,"
             "0.75]}]}",
             NULL, 0);
}
END_TEST

START_TEST(requests_gone_wrong)
{
    static const struct rf_io x = IO("x", RF_BOOL, 1);
    const struct rf_model_io io = model_of(&x);
    static const char asked[] =
        "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"BOOL\",\"data\":[true]}],"
        "\"outputs\":[{\"name\":\"x\",\"parameters\":{\"classification\":1}}]}";
    static const char negative[] =
        "{\"inputs\":[" X1
        "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":-1}}]}";
    ck_assert_int_eq(decode_len(&io, &oip_json, asked, strlen(asked), &err), RF_UNSUPPORTED);
    ck_assert_str_eq(err.text, "class result not available for output due to unsupported type "
                               "'BOOL'; output 'x'");
    ck_assert_int_eq(decode_len(&m, &oip_json, negative, strlen(negative), &err), RF_FORMAT);
    ck_assert_str_eq(err.text, "outputs[0]: \"parameters\": \"classification\" is -1, expected an "
                               "integer from 0 to 2^64-1");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("classify");
    TCase *const t = tcase_create("all");
    tcase_add_test(t, rows);
    tcase_add_test(t, shapes);
    tcase_add_test(t, order);
    tcase_add_test(t, selects);
    tcase_add_test(t, integers);
    tcase_add_test(t, labels_are_strings);
    tcase_add_test(t, binary);
    tcase_add_test(t, too_many);
    tcase_add_test(t, beyond_the_buffer);
    tcase_add_test(t, replies);
    tcase_add_test(t, requests_gone_wrong);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
