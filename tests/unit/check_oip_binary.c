/* The protocol's binary extension: bytes behind the JSON, in both directions. */
#include "proto/infer.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/build_infer.h"

static struct rf_error err;

#define BINARY_X(size)                                                                             \
    "{\"name\":\"x\",\"shape\":[1,2,3],\"datatype\":\"FP32\",\"parameters\":{"                     \
    "\"binary_data_size\":" size "}}"
#define BINARY(name, shape, datatype, size)                                                        \
    "{\"name\":\"" name "\",\"shape\":" shape ",\"datatype\":\"" datatype                          \
    "\",\"parameters\":{\"binary_data_size\":" size "}}"
#define INPUTS(list) "{\"inputs\":[" list "]}"

/* JSON with bytes behind it, `skew` bytes past an aligned address. */
struct body {
    char *storage, *at;
    size_t len;
};

static struct body join(const char *json, const void *tail, size_t tail_len, size_t skew)
{
    const size_t n = strlen(json);
    struct body b = {.storage = malloc(n + tail_len + skew + 1), .len = n + tail_len};
    ck_assert_ptr_nonnull(b.storage);
    b.at = b.storage + skew;
    memcpy(b.at, json, n);
    if (tail_len)
        memcpy(b.at + n, tail, tail_len);
    return b;
}

static enum rf_status decode(struct rf_infer_request *r, const struct rf_model_io *io,
                             const struct body *b, uint64_t json_len)
{
    struct rf_decode_options o = oip_json;
    o.has_json_len = true;
    o.json_len = json_len;
    err = (struct rf_error)RF_ERROR_INIT;
    return rf_infer_decode(r, RF_BODY_JSON, io, &o, b->at, b->len, &err);
}

START_TEST(any_alignment)
{
    static const float x[6] = {1.5f, -2, 0, 0.25f, 5, 6};
    const char json[] = INPUTS(BINARY_X("24"));
    for (size_t skew = 0; skew < 8; skew++) {
        struct rf_infer_request r;
        const struct body b = join(json, x, sizeof x, skew);
        assert_ok(decode(&r, &m, &b, strlen(json)));
        ck_assert_uint_eq((uintptr_t)r.inputs[0].data % sizeof *x, 0);
        ck_assert_mem_eq(r.inputs[0].data, x, sizeof x);
        ck_assert_int_eq(r.rows, 1);
        ck_assert(!r.outputs[0].binary);
        rf_infer_request_release(&r);
        free(b.storage);
    }
}
END_TEST

/* 1, 2, 3, 4, 5, 6 in every type. */
static const struct {
    const char *json, *bytes;
    size_t len;
} types[] = {
#define TYPE(name, size, ...)                                                                      \
    {                                                                                              \
        INPUTS(BINARY("x", "[1,2,3]", name, size)), (const char[]){__VA_ARGS__},                   \
            sizeof((const char[]){__VA_ARGS__})                                                    \
    }
    TYPE("INT8", "6", 1, 2, 3, 4, 5, 6),
    TYPE("UINT8", "6", 1, 2, 3, 4, 5, 6),
    TYPE("INT16", "12", 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0),
    TYPE("UINT16", "12", 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0),
    TYPE("INT32", "24", 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0),
    TYPE("UINT32", "24", 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0),
    TYPE("INT64", "48", 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4,
         0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0),
    TYPE("UINT64", "48", 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4,
         0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0),
    TYPE("FP16", "12", 0, 0x3c, 0, 0x40, 0, 0x42, 0, 0x44, 0, 0x45, 0, 0x46),
    TYPE("BF16", "12", (char)0x80, 0x3f, 0, 0x40, 0x40, 0x40, (char)0x80, 0x40, (char)0xa0, 0x40,
         (char)0xc0, 0x40),
    TYPE("FP64", "48", 0, 0, 0, 0, 0, 0, (char)0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0,
         0, 0x08, 0x40, 0, 0, 0, 0, 0, 0, 0x10, 0x40, 0, 0, 0, 0, 0, 0, 0x14, 0x40, 0, 0, 0, 0, 0,
         0, 0x18, 0x40),
#undef TYPE
};

START_TEST(every_type)
{
    struct rf_infer_request r;
    const struct body b = join(types[_i].json, types[_i].bytes, types[_i].len, 0);
    assert_ok(decode(&r, &m, &b, strlen(types[_i].json)));
    for (int i = 0; i < 6; i++)
        ck_assert_float_eq(((const float *)r.inputs[0].data)[i], (float)(i + 1));
    rf_infer_request_release(&r);
    free(b.storage);
}
END_TEST

/* Half and bfloat16 keep what they are: subnormal, largest, infinite, not a number. */
START_TEST(halves)
{
    static const unsigned char fp16[12] = {0x66, 0x2e, 0xff, 0x7b, 0x00, 0x7c,
                                           0x00, 0x7e, 0x01, 0x00, 0x00, 0xc0};
    static const unsigned char bf16[12] = {0xcd, 0x3d, 0x7f, 0x47, 0x80, 0x7f,
                                           0xc0, 0x7f, 0x80, 0x33, 0x00, 0xc0};
    static const uint32_t want_fp16[6] = {0x3dccc000, 0x477fe000, 0x7f800000,
                                          0x7fc00000, 0x33800000, 0xc0000000};
    static const uint32_t want_bf16[6] = {0x3dcd0000, 0x477f0000, 0x7f800000,
                                          0x7fc00000, 0x33800000, 0xc0000000};
    static const char *const json[2] = {INPUTS(BINARY("x", "[1,2,3]", "FP16", "12")),
                                        INPUTS(BINARY("x", "[1,2,3]", "BF16", "12"))};
    for (int i = 0; i < 2; i++) {
        struct rf_infer_request r;
        const struct body b = join(json[i], i ? bf16 : fp16, 12, 0);
        assert_ok(decode(&r, &m, &b, strlen(json[i])));
        ck_assert_mem_eq(r.inputs[0].data, i ? want_bf16 : want_fp16, sizeof want_fp16);
        rf_infer_request_release(&r);
        free(b.storage);
    }
}
END_TEST

START_TEST(blocks_in_the_order_of_the_request)
{
    static const unsigned char tail[] = {1, 2, 3,    4, 5, 6,    0,    0, 0x80, 0x3f, 0,
                                         0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0,    0x80, 0x40};
    const char json[] =
        INPUTS(BINARY("b", "[2,3]", "INT8", "6") "," BINARY("a", "[2,2]", "FP32", "16"));
    const char mixed[] = INPUTS(BINARY("b", "[2,3]", "INT8", "6") "," INPUT_A);
    struct rf_infer_request r;
    struct body b = join(json, tail, sizeof tail, 0);
    assert_ok(decode(&r, &pair, &b, strlen(json)));
    for (int i = 0; i < 6; i++)
        ck_assert_float_eq(((const float *)r.inputs[1].data)[i], (float)(i + 1));
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq(((const float *)r.inputs[0].data)[i], (float)(i + 1));
    rf_infer_request_release(&r);
    free(b.storage);
    b = join(mixed, tail, 6, 0);
    assert_ok(decode(&r, &pair, &b, strlen(mixed)));
    ck_assert_float_eq(((const float *)r.inputs[1].data)[5], 6);
    ck_assert_float_eq(((const float *)r.inputs[0].data)[3], 4);
    rf_infer_request_release(&r);
    free(b.storage);
}
END_TEST

START_TEST(empty_batch)
{
    const char json[] = INPUTS(BINARY("x", "[0,2,3]", "FP32", "0"));
    struct rf_infer_request r;
    const struct body b = join(json, "", 0, 0);
    assert_ok(decode(&r, &m, &b, strlen(json)));
    ck_assert_int_eq(r.rows, 0);
    rf_infer_request_release(&r);
    free(b.storage);
}
END_TEST

/* A header of 0: the body is the one input, and every output comes back as bytes. */
START_TEST(raw_request)
{
    static const float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct rf_infer_request r;
    struct body b = join("", x, sizeof x, 0);
    assert_ok(decode(&r, &m, &b, 0));
    ck_assert_int_eq(r.rows, 2);
    ck_assert_mem_eq(r.inputs[0].data, x, sizeof x);
    ck_assert_uint_eq(r.n_outputs, 1);
    ck_assert(r.outputs[0].binary);
    rf_infer_request_release(&r);
    assert_fails(RF_INVALID, "a raw body needs a model with one input; model 'pair' has 2",
                 decode(&r, &pair, &b, 0));
    b.len = 47;
    assert_fails(RF_SHAPE, "raw body of 47 bytes is not a multiple of a sample of 'x'",
                 decode(&r, &m, &b, 0));
    b.len = 0;
    assert_fails(RF_FORMAT, "the request's body is empty", decode(&r, &m, &b, 0));
    free(b.storage);
}
END_TEST

/* JSON, bytes behind it, the header's value less the JSON's length, what is said. */
static const struct {
    const char *json;
    size_t tail;
    int64_t more;
    enum rf_status status;
    const char *text;
} bad[] = {
    {INPUTS(BINARY_X("24")), 24, 25, RF_INVALID, "inference header size should be in range (0, "},
    {INPUTS(BINARY_X("24")), 24, 1, RF_FORMAT, "request body:"},
    {INPUTS(BINARY_X("24")), 24, -1, RF_FORMAT, "request body:"},
    {INPUTS(BINARY_X("24")), 23, 0, RF_SHAPE,
     "unexpected size for input 'x', expecting 1 additional bytes for model 'm'"},
    {INPUTS(BINARY_X("24")), 0, 0, RF_SHAPE,
     "unexpected size for input 'x', expecting 24 additional bytes for model 'm'"},
    {INPUTS(BINARY_X("24")), 25, 0, RF_INVALID,
     "unexpected additional input data for model 'm': 1 bytes are left"},
    {INPUTS(BINARY_X("23")), 23, 0, RF_SHAPE,
     "input byte size mismatch for input 'x' for model 'm'. Expected 24, got 23"},
    {INPUTS(BINARY_X("40")), 40, 0, RF_SHAPE, "Expected 24, got 40"},
    {INPUTS(BINARY_X("18446744073709551615")), 24, 0, RF_SHAPE, "got 18446744073709551615"},
    {INPUTS(BINARY_X("18446744073709551616")), 24, 0, RF_FORMAT,
     "input 'x': \"parameters\": \"binary_data_size\" is 18446744073709551616, expected an "
     "integer from 0 to 2^64-1"},
    {INPUTS(BINARY_X("-1")), 24, 0, RF_FORMAT, "\"binary_data_size\" is -1, expected an integer"},
    {INPUTS(BINARY_X("24.0")), 24, 0, RF_FORMAT, "\"binary_data_size\" is 24.0"},
    {INPUTS(BINARY_X("true")), 24, 0, RF_FORMAT, "\"binary_data_size\" is true"},
    {INPUTS(BINARY_X("\"4, 4\"")), 24, 0, RF_FORMAT, "\"binary_data_size\" is \"4, 4\""},
    {INPUTS(BINARY_X("null")), 24, 0, RF_FORMAT, "\"binary_data_size\" is null"},
    {INPUTS(BINARY_X("[24]")), 24, 0, RF_FORMAT, "\"binary_data_size\" is [24]"},
    {INPUTS(BINARY("x", "[65536,65536,65536]", "FP32", "0")), 0, 0, RF_SHAPE,
     "unexpected shape for input 'x'"},
    {INPUTS(BINARY("x", "[1152921504606846976,2,3]", "FP32", "0")), 0, 0, RF_SHAPE, "Expected"},
    {INPUTS(BINARY("x", "[1152921504606846976,2,3]", "FP64", "0")), 0, 0, RF_SHAPE,
     "Expected 18446744073709551615, got 0"},
    {INPUTS(BINARY("x", "[1,2,3]", "BYTES", "30")), 30, 0, RF_UNSUPPORTED,
     "inference input 'x' data-type is 'BYTES', but model 'm' expects 'FP32'"},
    {INPUTS(BINARY("x", "[1,2,3]", "BOOL", "6")), 6, 0, RF_UNSUPPORTED, "data-type is 'BOOL'"},
    {INPUTS("{\"name\":\"x\",\"shape\":[1,2,3],\"datatype\":\"FP32\",\"data\":[1,2,3,4,5,6],"
            "\"parameters\":{\"binary_data_size\":24}}"),
     24, 0, RF_INVALID,
     "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters'"},
    {INPUTS(BINARY_X("24") "," BINARY_X("24")), 48, 0, RF_INVALID,
     "input 'x' already exists in request"},
    {INPUTS(X1), 1, 0, RF_INVALID, "unexpected additional input data for model 'm'"},
    {INPUTS("{\"name\":\"x\",\"shape\":[1,2,3],\"datatype\":\"FP32\"}"), 24, 0, RF_FORMAT,
     "input 'x': \"data\" is missing"},
    {INPUTS("{\"name\":\"x\",\"shape\":[1,2,3],\"datatype\":\"FP32\",\"parameters\":{"
            "\"shared_memory_region\":\"r\"}}"),
     0, 0, RF_UNSUPPORTED, "input 'x': \"parameters\": shared memory is not offered"},
};

START_TEST(bad_bodies)
{
    static const char tail[64] = {0};
    struct rf_infer_request r;
    const struct body b = join(bad[_i].json, tail, bad[_i].tail, 0);
    const uint64_t n = strlen(bad[_i].json) + (uint64_t)bad[_i].more;
    const enum rf_status rc = decode(&r, &m, &b, n);
    ck_assert_msg(rc == bad[_i].status, "%s: status %d: %s", bad[_i].json, rc, err.text);
    ck_assert_msg(strstr(err.text, bad[_i].text) != NULL, "%s: %s", bad[_i].json, err.text);
    free(b.storage);
}
END_TEST

/* Forms other than the protocol's have no use for what follows. */
START_TEST(bytes_behind_an_array)
{
    struct rf_decode_options o = any_json;
    struct rf_infer_request r;
    o.has_json_len = true;
    o.json_len = strlen("[1,2,3,4,5,6]");
    assert_fails(RF_INVALID, "unexpected additional input data for model 'm': 2 bytes are left",
                 rf_infer_decode(&r, RF_BODY_JSON, &m, &o, "[1,2,3,4,5,6]ab", 15, &err));
}
END_TEST

START_TEST(bytes_need_the_header)
{
    const char json[] = INPUTS(BINARY_X("24"));
    ck_assert_int_eq(decode_len(&m, &oip_json, json, strlen(json), &err), RF_INVALID);
    ck_assert_str_eq(err.text, "input 'x': binary data need the header Inference-Header-Content-"
                               "Length, the length of the JSON before them");
}
END_TEST

/* A 64-bit integer that no double holds is refused as in JSON. */
START_TEST(beyond_the_input)
{
    const char json[] = INPUTS(BINARY("x", "[1,2,3]", "INT64", "48"));
    const int64_t v[6] = {0, 0, 0, ((int64_t)1 << 53) + 1, 0, 0};
    struct rf_infer_request r;
    const struct body b = join(json, v, sizeof v, 0);
    assert_fails(RF_FORMAT, "input 'x': binary data: element 3 is 9007199254740993, beyond 2^53",
                 decode(&r, &m, &b, strlen(json)));
    free(b.storage);
}
END_TEST

/* ---- replies ---- */

static const float y[4] = {0.75f, 0.25f, 3, 4};
static const float z[2] = {5, 6};

static void reply_is(const char *extra, const char *json, const void *tail, size_t tail_len)
{
    char body[512];
    struct rf_infer_request r;
    struct rf_buf b;
    size_t json_len = 77;
    const struct rf_tensor out[2] = {
        {.data = (void *)y, .dtype = RF_F32, .shape = {.rank = 2, .dim = {2, 2}}},
        {.data = (void *)z, .dtype = RF_F32, .shape = {.rank = 1, .dim = {2}}}};
    snprintf(body, sizeof body, "{\"inputs\":[" INPUT_A "," INPUT_B "]%s}", extra);
    assert_ok(decode_json(&r, &pair, body, &err));
    rf_buf_init(&b, 1000);
    assert_ok(rf_infer_encode(&b, RF_BODY_JSON, &pair, &r, out, &json_len, &err));
    ck_assert_uint_eq(json_len, tail_len ? strlen(json) : 0);
    ck_assert_uint_eq(b.len, strlen(json) + tail_len);
    ck_assert_msg(memcmp(b.data, json, strlen(json)) == 0, "%.*s", (int)b.len, b.data);
    if (tail_len)
        ck_assert_mem_eq(b.data + strlen(json), tail, tail_len);
    rf_buf_release(&b);
    rf_infer_request_release(&r);
}

#define HEAD "{\"model_name\":\"pair\",\"model_version\":\"2\",\"outputs\":["
#define Y_JSON "{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[0.75,0.25,3.0,4.0]}"
#define Z_JSON "{\"name\":\"z\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[5.0,6.0]}"
#define Y_BYTES                                                                                    \
    "{\"name\":\"y\",\"datatype\":\"FP32\",\"shape\":[2,2],\"parameters\":{\"binary_data_size\":"  \
    "16}}"
#define Z_BYTES                                                                                    \
    "{\"name\":\"z\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{\"binary_data_size\":8}}"
#define ALL_BINARY ",\"parameters\":{\"binary_data_output\":true}"

START_TEST(replies)
{
    static const float both[6] = {0.75f, 0.25f, 3, 4, 5, 6};
    static const float turned[6] = {5, 6, 0.75f, 0.25f, 3, 4};
    reply_is("", HEAD Y_JSON "," Z_JSON "]}", NULL, 0);
    reply_is(ALL_BINARY, HEAD Y_BYTES "," Z_BYTES "]}", both, sizeof both);
    reply_is(ALL_BINARY ",\"outputs\":[]", HEAD Y_BYTES "," Z_BYTES "]}", both, sizeof both);
    /* an output that is listed is binary only when it says so */
    reply_is(ALL_BINARY ",\"outputs\":[{\"name\":\"y\"}]", HEAD Y_JSON "]}", NULL, 0);
    reply_is(ALL_BINARY ",\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":false}}]",
             HEAD Y_JSON "]}", NULL, 0);
    reply_is(",\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":true}}]",
             HEAD Y_BYTES "]}", y, sizeof y);
    reply_is(",\"outputs\":[{\"name\":\"z\",\"parameters\":{\"binary_data\":true}},{\"name\":"
             "\"y\",\"parameters\":{\"binary_data\":true}}]",
             HEAD Z_BYTES "," Y_BYTES "]}", turned, sizeof turned);
    reply_is(",\"outputs\":[{\"name\":\"z\"},{\"name\":\"y\",\"parameters\":{\"binary_data\":"
             "true}}]",
             HEAD Z_JSON "," Y_BYTES "]}", y, sizeof y);
}
END_TEST

/* Nothing follows, so there is nothing to split. */
START_TEST(reply_of_no_rows)
{
    const struct rf_tensor out = {
        .data = (void *)y, .dtype = RF_F32, .shape = {.rank = 2, .dim = {0, 2}}};
    struct rf_infer_request r;
    struct rf_buf b;
    size_t json_len = 77;
    assert_ok(decode_json(&r, &m,
                          "{\"inputs\":[{\"name\":\"x\",\"shape\":[0,2,3],\"datatype\":\"FP32\","
                          "\"data\":[]}]" ALL_BINARY "}",
                          &err));
    rf_buf_init(&b, 1000);
    assert_ok(rf_infer_encode(&b, RF_BODY_JSON, &m, &r, &out, &json_len, &err));
    rf_buf_add(&b, "", 1);
    ck_assert_str_eq(b.data,
                     "{\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"y\","
                     "\"datatype\":\"FP32\",\"shape\":[0,2],\"parameters\":{\"binary_data_size\":"
                     "0}}]}");
    ck_assert_uint_eq(json_len, 0);
    rf_buf_release(&b);
    rf_infer_request_release(&r);
}
END_TEST

/* ---- parameters of the request ---- */

START_TEST(parameters)
{
    struct rf_infer_request r;
    assert_ok(decode_json(&r, &m,
                          "{\"inputs\":[" X1 "],\"parameters\":{\"timeout\":1500000,\"priority\":"
                          "3,\"sequence_id\":7,\"mine\":[1]}}",
                          &err));
    ck_assert_uint_eq(r.timeout_us, 1500000);
    ck_assert_uint_eq(r.priority, 3);
    rf_infer_request_release(&r);
    assert_ok(decode_json(&r, &m, "{\"inputs\":[" X1 "]}", &err));
    ck_assert_uint_eq(r.timeout_us, 0);
    ck_assert_uint_eq(r.priority, 0);
    rf_infer_request_release(&r);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("oip_binary");
    TCase *const t = tcase_create("all");
    tcase_add_test(t, any_alignment);
    tcase_add_loop_test(t, every_type, 0, sizeof types / sizeof *types);
    tcase_add_test(t, halves);
    tcase_add_test(t, blocks_in_the_order_of_the_request);
    tcase_add_test(t, empty_batch);
    tcase_add_test(t, raw_request);
    tcase_add_loop_test(t, bad_bodies, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, bytes_behind_an_array);
    tcase_add_test(t, bytes_need_the_header);
    tcase_add_test(t, beyond_the_input);
    tcase_add_test(t, replies);
    tcase_add_test(t, reply_of_no_rows);
    tcase_add_test(t, parameters);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
