/* Requests and replies in dtypes other than FP32. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/npy.h"
#include "tests/support/build_infer.h"

static struct rf_error err;

/* ---- values ---- */

/* What is sent to an input of some dtype, and the bytes that it becomes. */
static const struct {
    enum rf_dtype dtype;
    const char *datatype, *data, *bytes;
} sent[] = {
    {RF_BOOL, "BOOL", "[true,false]", "\1\0"},
    {RF_U8, "UINT8", "[0,255]", "\0\xff"},
    {RF_I8, "INT64", "[-128,127]", "\x80\x7f"},
    {RF_U16, "UINT16", "[1,65535]", "\1\0\xff\xff"},
    {RF_I16, "INT8", "[-1,2]", "\xff\xff\2\0"},
    {RF_U32, "UINT32", "[4294967295,-0]", "\xff\xff\xff\xff\0\0\0\0"},
    {RF_I32, "INT32", "[-2147483648,7]", "\0\0\0\x80\7\0\0\0"},
    {RF_U64, "UINT64", "[18446744073709551615,1]",
     "\xff\xff\xff\xff\xff\xff\xff\xff\1\0\0\0\0\0\0\0"},
    {RF_I64, "INT64", "[-9223372036854775808,9223372036854775807]",
     "\0\0\0\0\0\0\0\x80\xff\xff\xff\xff\xff\xff\xff\x7f"},
    {RF_I64, "INT64", "[9007199254740993,-1]",
     "\1\0\0\0\0\0\x20\0\xff\xff\xff\xff\xff\xff\xff\xff"},
    {RF_I64, "UINT64", "[9223372036854775807,0]",
     "\xff\xff\xff\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0\0"},
    {RF_F16, "FP32", "[1,-2.5]", "\0\x3c\0\xc1"},
    {RF_F16, "INT32", "[65504,-3]", "\xff\x7b\0\xc2"},
    {RF_BF16, "BF16", "[1,-Infinity]", "\x80\x3f\x80\xff"},
    {RF_F64, "FP64", "[0.1,1e300]",
     "\x9a\x99\x99\x99\x99\x99\xb9\x3f\x9c\x75\0\x88\x3c\xe4\x37\x7e"},
    {RF_F64, "INT64", "[9007199254740992,-1]", "\0\0\0\0\0\0\x40\x43\0\0\0\0\0\0\xf0\xbf"},
};

START_TEST(values_in_the_protocol)
{
    const struct rf_io x = IO("x", sent[_i].dtype, 2);
    const struct rf_model_io io = model_of(&x);
    const size_t size = 2 * rf_dtype_size(x.dtype);
    struct rf_infer_request r;
    char body[256];
    snprintf(body, sizeof body,
             "{\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"%s\",\"data\":%s}]}",
             sent[_i].datatype, sent[_i].data);
    ck_assert_msg(decode_json(&r, &io, body, &err) == RF_OK, "%s", err.text);
    ck_assert_int_eq(r.inputs[0].dtype, x.dtype);
    ck_assert_mem_eq(r.inputs[0].data, sent[_i].bytes, size);
    ck_assert_int_eq(r.rows, 1);
    rf_infer_request_release(&r);
    if (strcmp(sent[_i].datatype, rf_dtype_name(x.dtype)) != 0)
        return;
    ck_assert_msg(decode_json(&r, &io, sent[_i].data, &err) == RF_OK, "%s", err.text);
    ck_assert_mem_eq(r.inputs[0].data, sent[_i].bytes, size);
    rf_infer_request_release(&r);
}
END_TEST

static const struct {
    enum rf_dtype dtype;
    const char *datatype, *data;
    enum rf_status status;
    const char *text;
} refused[] = {
    {RF_I64, "FP32", "[1,2]", RF_UNSUPPORTED,
     "inference input 'x' data-type is 'FP32', but model 'm' expects 'INT64'"},
    {RF_I64, "BOOL", "[true,true]", RF_UNSUPPORTED, "data-type is 'BOOL', but model 'm' expects"},
    {RF_BOOL, "UINT8", "[1,0]", RF_UNSUPPORTED,
     "data-type is 'UINT8', but model 'm' expects 'BOOL'"},
    {RF_F64, "BOOL", "[true,true]", RF_UNSUPPORTED, "expects 'FP64'"},
    {RF_I64, "BYTES", "[\"a\",\"b\"]", RF_UNSUPPORTED, "data-type is 'BYTES'"},
    {RF_I64, "INT64", "[1,9223372036854775808]", RF_FORMAT,
     "input 'x': data[1] is 9223372036854775808; INT64 takes integers from -9223372036854775808 to "
     "9223372036854775807"},
    {RF_I64, "INT64", "[1,1.5]", RF_FORMAT, "data[1] is 1.5; INT64 takes integers"},
    {RF_I64, "INT64", "[1,true]", RF_FORMAT, "data[1] is a boolean, expected a number"},
    {RF_I64, "UINT64", "[9223372036854775808,1]", RF_FORMAT,
     "UINT64 takes integers from 0 to 9223372036854775807 for an input of INT64"},
    {RF_U64, "UINT64", "[18446744073709551616,1]", RF_FORMAT, "from 0 to 18446744073709551615"},
    {RF_U64, "INT64", "[1,-1]", RF_FORMAT,
     "INT64 takes integers from 0 to 9223372036854775807 for an"},
    {RF_I8, "INT64", "[1,128]", RF_FORMAT,
     "data[1] is 128; INT64 takes integers from -128 to 127 for an input of INT8"},
    {RF_I32, "INT8", "[1,128]", RF_FORMAT, "data[1] is 128; INT8 takes integers from -128 to 127"},
    {RF_F16, "FP32", "[1,65520]", RF_FORMAT, "does not fit FP32 converted to FP16"},
    {RF_F16, "INT32", "[1,65505]", RF_FORMAT, "from -65504 to 65504 for an input of FP16"},
    {RF_F64, "INT64", "[1,9007199254740993]", RF_FORMAT, "(2^53) for an input of FP64"},
    {RF_BOOL, "BOOL", "[true,1]", RF_FORMAT, "data[1] is a number, expected true or false"},
    {RF_BOOL, "BOOL", "[true,null]", RF_FORMAT, "data[1] is null, expected true or false"},
    {RF_BOOL, "BOOL", "[[true],false]", RF_SHAPE,
     "data[1] is a boolean, but others beside it are arrays"},
    {RF_BOOL, "BOOL", "[true,[true]]", RF_SHAPE, "others beside it are booleans"},
    {RF_BOOL, "BOOL", "true", RF_FORMAT, "data is a boolean, expected an array of booleans"},
};

START_TEST(values_that_do_not_fit)
{
    const struct rf_io x = IO("x", refused[_i].dtype, 2);
    const struct rf_model_io io = model_of(&x);
    struct rf_infer_request r;
    char body[256];
    snprintf(body, sizeof body,
             "{\"inputs\":[{\"name\":\"x\",\"shape\":[2],\"datatype\":\"%s\",\"data\":%s}]}",
             refused[_i].datatype, refused[_i].data);
    const enum rf_status rc = decode_json(&r, &io, body, &err);
    ck_assert_msg(rc == refused[_i].status && strstr(err.text, refused[_i].text), "%d %s", rc,
                  err.text);
}
END_TEST

/* ---- raw and npy ---- */

START_TEST(raw_of_the_inputs_own_type)
{
    static const int64_t body[4] = {-1, 2, INT64_MAX, INT64_MIN};
    static const int16_t narrow[4] = {-1, 2, 300, 4};
    const struct rf_io x = IO("x", RF_I64, -1, 2), small = IO("x", RF_I8, -1, 2);
    const struct rf_model_io io = model_of(&x), narrower = model_of(&small);
    struct rf_decode_options o = any_json;
    struct rf_infer_request r;
    assert_ok(rf_infer_decode(&r, RF_BODY_RAW, &io, &o, body, sizeof body, &err));
    ck_assert_ptr_eq(r.inputs[0].data, body);
    ck_assert_int_eq(r.inputs[0].dtype, RF_I64);
    ck_assert_int_eq(r.rows, 2);
    rf_infer_request_release(&r);
    o.raw_dtype = RF_I16;
    assert_ok(rf_infer_decode(&r, RF_BODY_RAW, &io, &o, narrow, sizeof narrow, &err));
    ck_assert_int_eq(((const int64_t *)r.inputs[0].data)[2], 300);
    ck_assert_int_eq(((const int64_t *)r.inputs[0].data)[0], -1);
    rf_infer_request_release(&r);
    assert_fails(RF_FORMAT, "raw body: element 2 is 300, beyond INT8's range",
                 rf_infer_decode(&r, RF_BODY_RAW, &narrower, &o, narrow, sizeof narrow, &err));
    o.raw_dtype = RF_F32;
    assert_fails(RF_UNSUPPORTED, "data-type is 'FP32', but model 'm' expects 'INT64'",
                 rf_infer_decode(&r, RF_BODY_RAW, &io, &o, body, sizeof body, &err));
}
END_TEST

/* Any byte but 0 is true, and leaves as 1. */
START_TEST(raw_booleans)
{
    const struct rf_io x = IO("x", RF_BOOL, -1);
    const struct rf_model_io io = model_of(&x);
    struct rf_infer_request r;
    assert_ok(rf_infer_decode(&r, RF_BODY_RAW, &io, &any_json, "\0\1\2\xff", 4, &err));
    ck_assert_mem_eq(r.inputs[0].data, "\0\1\1\1", 4);
    ck_assert_int_eq(r.rows, 4);
    rf_infer_request_release(&r);
}
END_TEST

START_TEST(raw_of_fixed_size)
{
    static const float body[7] = {1, 2, 3, 4, 5, 6};
    const struct rf_io x = IO("x", RF_F32, 2, 3), scalar = IO("x", RF_F32),
                       open = IO("x", RF_F32, 1, -1);
    const struct rf_model_io io = model_of(&x), one = model_of(&scalar), any = model_of(&open);
    struct rf_infer_request r;
    assert_ok(rf_infer_decode(&r, RF_BODY_RAW, &io, &any_json, body, 24, &err));
    ck_assert(rf_shape_equal(&r.inputs[0].shape, &x.shape));
    ck_assert_int_eq(r.rows, 1);
    rf_infer_request_release(&r);
    assert_fails(
        RF_SHAPE,
        "raw body of 28 bytes: input 'x' of shape [2,3] takes 6 elements of FP32, 24 bytes",
        rf_infer_decode(&r, RF_BODY_RAW, &io, &any_json, body, 28, &err));
    assert_ok(rf_infer_decode(&r, RF_BODY_RAW, &one, &any_json, body, 4, &err));
    ck_assert_int_eq(r.inputs[0].shape.rank, 0);
    rf_infer_request_release(&r);
    assert_fails(RF_INVALID, "a raw body needs an input of fixed size; input 'x' has shape [1,-1]",
                 rf_infer_decode(&r, RF_BODY_RAW, &any, &any_json, body, 24, &err));
}
END_TEST

/* Each dtype as npy to an input of that dtype, in Fortran order, and in its reply. */
START_TEST(npy_of_each_type)
{
    const enum rf_dtype dtype = (enum rf_dtype)_i;
    const struct rf_io x = IO("x", dtype, 2, 3);
    const struct rf_model_io io = model_of(&x);
    const size_t size = rf_dtype_size(dtype);
    unsigned char stored[48] = {0}, want[48] = {0};
    struct rf_infer_request r;
    struct rf_buf b, reply;
    struct rf_npy npy;
    if (dtype == RF_BF16)
        return; /* NumPy has none */
    for (size_t i = 0; i < 6; i++)
        stored[i * size] = dtype == RF_BOOL ? i % 2 : (unsigned char)i;
    for (size_t i = 0; i < 6; i++)
        want[i * size] = stored[(i % 3 * 2 + i / 3) * size];
    rf_buf_init(&b, 1000);
    rf_npy_write(&b, dtype, &x.shape, stored);
    memcpy(strstr(b.data + 10, "False"), "True ", 5);
    assert_ok(rf_infer_decode(&r, RF_BODY_NPY, &io, &any_json, b.data, b.len, &err));
    ck_assert_mem_eq(r.inputs[0].data, want, 6 * size);
    rf_buf_init(&reply, 1000);
    assert_ok(rf_infer_encode(&reply, RF_BODY_NPY, &io, &r, r.inputs, NULL, &err));
    assert_ok(rf_npy_read(&npy, "npy", reply.data, reply.len, &err));
    ck_assert_int_eq(npy.dtype, dtype);
    ck_assert_mem_eq(npy.data, want, 6 * size);
    reply.len = 0;
    assert_ok(rf_infer_encode(&reply, RF_BODY_RAW, &io, &r, r.inputs, NULL, &err));
    ck_assert_uint_eq(reply.len, 6 * size);
    ck_assert_mem_eq(reply.data, want, 6 * size);
    rf_buf_release(&reply);
    rf_buf_release(&b);
    rf_infer_request_release(&r);
}
END_TEST

START_TEST(npy_types_that_do_not_fit)
{
    static const int64_t big[2] = {1, 70000};
    static const struct {
        enum rf_dtype to, from;
        enum rf_status status;
        const char *text;
    } cases[] = {
        {RF_I64, RF_F64, RF_UNSUPPORTED, "data-type is 'FP64', but model 'm' expects 'INT64'"},
        {RF_I64, RF_BOOL, RF_UNSUPPORTED, "data-type is 'BOOL'"},
        {RF_BOOL, RF_U8, RF_UNSUPPORTED, "data-type is 'UINT8'"},
        {RF_U16, RF_I64, RF_FORMAT, "npy array: element 1 is 70000, beyond UINT16's range"},
        {RF_F16, RF_I64, RF_FORMAT, "npy array: element 1 is 70000, beyond FP16's range"},
        {RF_I32, RF_I64, RF_OK, NULL},
        {RF_F32, RF_BOOL, RF_OK, NULL}, /* NumPy's masks are numbers */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct rf_io x = IO("x", cases[i].to, 2);
        const struct rf_model_io io = model_of(&x);
        struct rf_infer_request r;
        struct rf_buf b;
        rf_buf_init(&b, 1000);
        rf_npy_write(&b, cases[i].from, &x.shape, big);
        if (cases[i].text) {
            assert_fails(cases[i].status, cases[i].text,
                         rf_infer_decode(&r, RF_BODY_NPY, &io, &any_json, b.data, b.len, &err));
        } else {
            assert_ok(rf_infer_decode(&r, RF_BODY_NPY, &io, &any_json, b.data, b.len, &err));
            rf_infer_request_release(&r);
        }
        rf_buf_release(&b);
    }
}
END_TEST

/* ---- replies ---- */

START_TEST(replies_of_each_type)
{
    static const struct {
        enum rf_dtype dtype;
        const char *bytes, *want;
    } cases[] = {
        {RF_BOOL, "\1\0", "[true,false]"},
        {RF_U8, "\0\xff", "[0,255]"},
        {RF_I8, "\x80\x7f", "[-128,127]"},
        {RF_U16, "\1\0\xff\xff", "[1,65535]"},
        {RF_I16, "\xff\xff\2\0", "[-1,2]"},
        {RF_U32, "\xff\xff\xff\xff\0\0\0\0", "[4294967295,0]"},
        {RF_I32, "\0\0\0\x80\7\0\0\0", "[-2147483648,7]"},
        {RF_U64, "\xff\xff\xff\xff\xff\xff\xff\xff\1\0\0\0\0\0\0\0", "[18446744073709551615,1]"},
        {RF_I64, "\0\0\0\0\0\0\0\x80\1\0\0\0\0\0\x20\0", "[-9223372036854775808,9007199254740993]"},
        {RF_F16, "\0\x3c\0\xfc", "[1.0,-Infinity]"},
        {RF_BF16, "\x80\x3f\0\x80", "[1.0,-0.0]"},
        {RF_F32, "\0\0\xc0\x3f\0\0\xc0\x7f", "[1.5,NaN]"},
        {RF_F64, "\x9a\x99\x99\x99\x99\x99\xb9\x3f\x9c\x75\0\x88\x3c\xe4\x37\x7e", "[0.1,1e300]"},
    };
    const struct rf_io x = IO("x", RF_U8, -1), y = IO("y", cases[_i].dtype, -1, 2);
    struct rf_model_io io = model_of(&x);
    const struct rf_tensor out = {.data = (void *)cases[_i].bytes,
                                  .dtype = cases[_i].dtype,
                                  .shape = {.rank = 2, .dim = {1, 2}}};
    struct rf_infer_request r;
    struct rf_buf b;
    char want[256];
    io.outputs = &y;
    assert_ok(decode_json(&r, &io, "{\"instances\":[1]}", &err));
    rf_buf_init(&b, 1000);
    assert_ok(rf_infer_encode(&b, RF_BODY_JSON, &io, &r, &out, NULL, &err));
    rf_buf_add(&b, "", 1);
    snprintf(want, sizeof want, "{\"predictions\":[%s]}", cases[_i].want);
    ck_assert_str_eq(b.data, want);
    b.len = 0;
    r.form = RF_FORM_OIP;
    assert_ok(rf_infer_encode(&b, RF_BODY_JSON, &io, &r, &out, NULL, &err));
    rf_buf_add(&b, "", 1);
    ck_assert_ptr_nonnull(strstr(b.data, cases[_i].want));
    ck_assert_ptr_nonnull(strstr(b.data, rf_dtype_name(cases[_i].dtype)));
    rf_buf_release(&b);
    rf_infer_request_release(&r);
}
END_TEST

/* Labels are for probabilities. */
START_TEST(no_labels_for_integers)
{
    static const int64_t row[2] = {1, 2};
    const struct rf_tensor out = {
        .data = (void *)row, .dtype = RF_I64, .shape = {.rank = 2, .dim = {1, 2}}};
    struct rf_infer_request r;
    struct rf_buf b;
    assert_ok(decode_json(&r, &m, "[1,2,3,4,5,6]", &err));
    rf_buf_init(&b, 1000);
    assert_ok(rf_infer_encode(&b, RF_BODY_JSON, &m, &r, &out, NULL, &err));
    rf_buf_add(&b, "", 1);
    ck_assert_ptr_null(strstr(b.data, "label"));
    rf_buf_release(&b);
    rf_infer_request_release(&r);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("infer_types");
    TCase *const t = tcase_create("all");
    tcase_add_loop_test(t, values_in_the_protocol, 0, sizeof sent / sizeof *sent);
    tcase_add_loop_test(t, values_that_do_not_fit, 0, sizeof refused / sizeof *refused);
    tcase_add_test(t, raw_of_the_inputs_own_type);
    tcase_add_test(t, raw_booleans);
    tcase_add_test(t, raw_of_fixed_size);
    tcase_add_loop_test(t, npy_of_each_type, 0, RF_N_DTYPE);
    tcase_add_test(t, npy_types_that_do_not_fit);
    tcase_add_loop_test(t, replies_of_each_type, 0, 13);
    tcase_add_test(t, no_labels_for_integers);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
