/* Requests in every body form, and their replies. */
#include "proto/infer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/npy.h"
#include "tests/support/build_infer.h"

static struct rf_error err;

static void decode(struct rf_infer_request *r, const struct rf_model_io *io, const char *body)
{
    char *const copy = exact_copy(body, strlen(body));
    assert_ok(rf_infer_decode(r, RF_BODY_JSON, io, &any_json, copy, strlen(body), &err));
    free(copy);
}

/* Bodies that are 1..6 or 1..12 for model m. */
static const struct {
    const char *body;
    int64_t rows;
    enum rf_json_form form;
} good[] = {
    {OIP("[1,2,3]", "FP32", "[1,2,3,4,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "FP32", "[[[1,2,3],[4,5,6]]]"), 1, RF_FORM_OIP},
    {OIP("[2,2,3]", "FP32", "[1,2,3,4,5,6,7,8,9,10,11,12]"), 2, RF_FORM_OIP},
    {OIP("[2,2,3]", "FP32", "[[[1,2,3],[4,5,6]],[[7,8,9],[10,11,12]]]"), 2, RF_FORM_OIP},
    {OIP("[1,2,3]", "FP64", "[1.0,2e0,3,40e-1,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "FP16", "[1.0,2e0,3,40e-1,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "BF16", "[1.0,2e0,3,40e-1,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "INT8", "[1,2,3,4,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "INT16", "[1,2,3,4,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "INT32", "[1,2,3,4,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "INT64", "[1,2,3,4,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "UINT8", "[1,2,3,4,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "UINT16", "[1,2,3,4,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "UINT32", "[1,2,3,4,5,6]"), 1, RF_FORM_OIP},
    {OIP("[1,2,3]", "UINT64", "[1,2,3,4,5,6]"), 1, RF_FORM_OIP},
    {" {\"model_name\":\"x\",\"inputs\" : [ {\"data\" : [ 1 ,2,3,\n4,5,6 ], \"datatype\":\"FP32\","
     "\"shape\":[1, 2, 3] , \"name\" : \"\\u0078\"}], \"unknown\":[1,\"a\",{}],"
     "\"outputs\":[],\"parameters\":{\"binary_data_output\":false,\"k\":[]}}\n",
     1, RF_FORM_OIP},
    {"[[1,2,3],[4,5,6]]", 1, RF_FORM_ARRAY},
    {"[[[1,2,3],[4,5,6]]]", 1, RF_FORM_ARRAY},
    {"[[[1,2,3],[4,5,6]],[[7,8,9],[10,11,12]]]", 2, RF_FORM_ARRAY},
    {"[1,2,3,4,5,6]", 1, RF_FORM_ARRAY},
    {"[[1,2,3,4,5,6]]", 1, RF_FORM_ARRAY},
    {"[[1,2,3,4,5,6],[7,8,9,10,11,12]]", 2, RF_FORM_ARRAY},
    {"{\"instances\":[[[1,2,3],[4,5,6]]]}", 1, RF_FORM_INSTANCES},
    {"{\"instances\":[{\"x\":[[1,2,3],[4,5,6]]},{\"x\":[[7,8,9],[10,11,12]]}]}", 2,
     RF_FORM_INSTANCES},
    {"{\"instances\":[[1,2,3,4,5,6],[7,8,9,10,11,12]],\"signature_name\":\"s\"}", 2,
     RF_FORM_INSTANCES},
};

START_TEST(good_bodies)
{
    struct rf_infer_request r;
    decode(&r, &m, good[_i].body);
    ck_assert_int_eq(r.rows, good[_i].rows);
    ck_assert_int_eq(r.form, good[_i].form);
    ck_assert_uint_eq(r.n_inputs, 1);
    ck_assert_uint_eq(r.n_outputs, 1);
    const struct rf_shape want = {.rank = 3, .dim = {good[_i].rows, 2, 3}};
    ck_assert(rf_shape_equal(&r.inputs[0].shape, &want));
    ck_assert_int_eq(r.inputs[0].dtype, RF_F32);
    const float *const data = r.inputs[0].data;
    for (int i = 0; i < 6 * good[_i].rows; i++)
        ck_assert_float_eq(data[i], (float)(i + 1));
    rf_infer_request_release(&r);
}
END_TEST

START_TEST(good_bodies_cut_short)
{
    const char *const body = good[_i].body;
    size_t len = strlen(body);
    while (len > 0 && (body[len - 1] == ' ' || body[len - 1] == '\n'))
        len--;
    for (size_t n = 0; n < len; n++)
        ck_assert_msg(decode_len(&m, &any_json, body, n, &err) == RF_FORMAT, "%.*s", (int)n, body);
}
END_TEST

/* One byte of a good body replaced: anything may come out, but nothing breaks. */
START_TEST(good_bodies_changed)
{
    static const char changes[] = "\0\"[]{},:0-eN\\\xff";
    const size_t len = strlen(good[_i].body);
    char *const body = exact_copy(good[_i].body, len);
    for (size_t i = 0; i < len; i++) {
        const char was = body[i];
        for (size_t c = 0; c < sizeof changes - 1; c++) {
            body[i] = changes[c];
            const enum rf_status rc = decode_len(&m, &any_json, body, len, &err);
            ck_assert((rc == RF_OK) == (err.text[0] == '\0'));
        }
        body[i] = was;
    }
    free(body);
}
END_TEST

START_TEST(numbers_are_rounded_once)
{
    struct rf_infer_request r;
    decode(&r, &m, "[NaN,-Infinity,Infinity,-0,1e-999,16777217]");
    const float *v = r.inputs[0].data;
    ck_assert(isnan(v[0]) && v[1] == -INFINITY && v[2] == INFINITY);
    ck_assert(v[3] == 0 && signbit(v[3]) && v[4] == 0 && v[5] == 16777216.0f);
    rf_infer_request_release(&r);
    decode(&r, &m, OIP("[1,2,3]", "FP16", "[0.1,65519,6e-8,NaN,-0.0,1e-9]"));
    v = r.inputs[0].data;
    ck_assert(v[0] == 0.0999755859375f && v[1] == 65504.0f && v[2] == 5.9604644775390625e-08f);
    ck_assert(isnan(v[3]) && signbit(v[4]) && v[5] == 0);
    rf_infer_request_release(&r);
    decode(&r, &m,
           OIP("[1,2,3]", "INT64", "[9007199254740992,-9007199254740992,16777217,16777219,0,-1]"));
    v = r.inputs[0].data;
    ck_assert(v[0] == 0x1p53f && v[1] == -0x1p53f && v[2] == 16777216.0f && v[3] == 16777220.0f);
    rf_infer_request_release(&r);
    decode(&r, &m, OIP("[1,2,3]", "FP64", "[0.1,1e-50,Infinity,3.4028235e38,-0.0,1]"));
    v = r.inputs[0].data;
    ck_assert(v[0] == 0.1f && v[1] == 0 && v[2] == INFINITY && v[3] == 3.4028235e38f);
    rf_infer_request_release(&r);
}
END_TEST

START_TEST(empty_batches)
{
    static const char *const bodies[] = {OIP("[0,2,3]", "FP32", "[]"), "{\"instances\":[]}"};
    for (size_t i = 0; i < 2; i++) {
        struct rf_infer_request r;
        decode(&r, &m, bodies[i]);
        ck_assert_int_eq(r.rows, 0);
        ck_assert_int_eq(r.inputs[0].shape.dim[0], 0);
        ck_assert_int_eq(r.inputs[0].shape.rank, 3);
        rf_infer_request_release(&r);
    }
}
END_TEST

START_TEST(protocol_only)
{
    static const char array[] = "[1,2,3,4,5,6]", instances[] = "{\"instances\":[[1,2,3,4,5,6]]}";
    static const char object[] = "{\"inputs\":[" X1 "],\"instances\":0}";
    ck_assert_int_eq(decode_len(&m, &oip_json, array, strlen(array), &err), RF_FORMAT);
    ck_assert_str_eq(err.text, "request body: is an array, expected an object with \"inputs\"");
    ck_assert_int_eq(decode_len(&m, &oip_json, instances, strlen(instances), &err), RF_FORMAT);
    ck_assert_str_eq(err.text, "request body: \"inputs\" is missing, expected an array");
    ck_assert_int_eq(decode_len(&m, &oip_json, object, strlen(object), &err), RF_OK);
}
END_TEST

START_TEST(instances_only)
{
    struct rf_decode_options o = any_json;
    const char *const instances = "{\"instances\":[[1,2,3,4,5,6]]}";
    const char *const object = "{\"inputs\":[" X1 "]}";
    o.takes = RF_TAKES_INSTANCES;
    ck_assert_int_eq(decode_len(&m, &o, instances, strlen(instances), &err), RF_OK);
    ck_assert_int_eq(decode_len(&m, &o, object, strlen(object), &err), RF_FORMAT);
    ck_assert_str_eq(err.text, "request body: expected \"instances\"");
    ck_assert_int_eq(decode_len(&m, &o, "[1]", 3, &err), RF_FORMAT);
    ck_assert_str_eq(err.text, "request body: is an array, expected an object with \"instances\"");
}
END_TEST

START_TEST(named_rows)
{
    struct rf_infer_request r;
    decode(&r, &pair,
           "{\"instances\" : [ {\"b\":[1,2,3],\"a\":[1,2]} , {\"a\":[3,4],\"b\":[4,5,6]}]}");
    ck_assert_int_eq(r.rows, 2);
    ck_assert_int_eq(r.form, RF_FORM_INSTANCES);
    ck_assert_int_eq(r.inputs[0].shape.dim[1], 2);
    ck_assert_int_eq(r.inputs[1].shape.dim[0], 2);
    ck_assert_int_eq(r.inputs[1].shape.dim[1], 3);
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq(((const float *)r.inputs[0].data)[i], (float)(i + 1));
    for (int i = 0; i < 6; i++)
        ck_assert_float_eq(((const float *)r.inputs[1].data)[i], (float)(i + 1));
    rf_infer_request_release(&r);
}
END_TEST

START_TEST(two_inputs_in_any_order)
{
    struct rf_infer_request r;
    decode(&r, &pair,
           "{\"inputs\":[" INPUT_B "," INPUT_A
           "],\"id\":\"i\\u00e9\",\"outputs\":[{\"name\":\"z\"},"
           "{\"name\":\"y\",\"parameters\":{\"binary_data\":false}}]}");
    ck_assert_int_eq(r.rows, 2);
    ck_assert_str_eq(r.id, "i\xc3\xa9");
    ck_assert_int_eq(r.inputs[0].shape.dim[1], 2);
    ck_assert_int_eq(r.inputs[1].shape.dim[1], 3);
    ck_assert_float_eq(((const float *)r.inputs[1].data)[5], 6);
    ck_assert_uint_eq(r.n_outputs, 2);
    ck_assert_uint_eq(r.outputs[0].index, 1);
    ck_assert_uint_eq(r.outputs[1].index, 0);
    rf_infer_request_release(&r);
}
END_TEST

START_TEST(budget)
{
    static const char body[] = OIP("[2,2,3]", "FP32", "[1,2,3,4,5,6,7,8,9,10,11,12]");
    struct rf_decode_options o = any_json;
    o.max_bytes = 48;
    ck_assert_int_eq(decode_len(&m, &o, body, strlen(body), &err), RF_OK);
    o.max_bytes = 47;
    ck_assert_int_eq(decode_len(&m, &o, body, strlen(body), &err), RF_LIMIT);
    ck_assert_ptr_nonnull(
        strstr(err.text, "input 'x' of shape [2,2,3] is over the limit of 47 bytes"));
}
END_TEST

START_TEST(long_ids)
{
    char body[2200], id[1100];
    for (size_t n = 1024; n <= 1025; n++) {
        memset(id, 'i', n);
        id[n] = '\0';
        snprintf(body, sizeof body, "{\"id\":\"%s\",\"inputs\":[" X1 "]}", id);
        ck_assert_int_eq(decode_len(&m, &any_json, body, strlen(body), &err),
                         n == 1024 ? RF_OK : RF_INVALID);
    }
}
END_TEST

/* ---- raw and npy ---- */

START_TEST(raw_in_place)
{
    static const float body[13] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct rf_infer_request r;
    assert_ok(rf_infer_decode(&r, RF_BODY_RAW, &m, &any_json, body, 48, &err));
    ck_assert_int_eq(r.rows, 2);
    ck_assert_ptr_eq(r.inputs[0].data, body);
    ck_assert_ptr_null(r.storage[0]);
    rf_infer_request_release(&r);
    char *const moved = malloc(49);
    memcpy(moved + 1, body, 48);
    assert_ok(rf_infer_decode(&r, RF_BODY_RAW, &m, &any_json, moved + 1, 48, &err));
    ck_assert_int_eq(memcmp(r.inputs[0].data, body, 48), 0);
    ck_assert_ptr_eq(r.inputs[0].data, r.storage[0]);
    rf_infer_request_release(&r);
    free(moved);
}
END_TEST

START_TEST(raw_types)
{
    static const struct {
        enum rf_dtype dtype;
        const char *bytes;
        size_t len;
    } cases[] = {
        {RF_U8, "\1\2\3\4\5\6", 6},
        {RF_I8, "\1\2\3\4\5\6", 6},
        {RF_I16, "\1\0\2\0\3\0\4\0\5\0\6", 12},
        {RF_F16, "\0\x3c\0\x40\0\x42\0\x44\0\x45\0\x46", 12},
        {RF_BF16, "\x80\x3f\0\x40\x40\x40\x80\x40\xa0\x40\xc0\x40", 12},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct rf_infer_request r;
        struct rf_decode_options o = any_json;
        o.raw_dtype = cases[c].dtype;
        assert_ok(rf_infer_decode(&r, RF_BODY_RAW, &m, &o, cases[c].bytes, cases[c].len, &err));
        ck_assert_int_eq(r.rows, 1);
        for (int i = 0; i < 6; i++)
            ck_assert_float_eq(((const float *)r.inputs[0].data)[i], (float)(i + 1));
        rf_infer_request_release(&r);
    }
}
END_TEST

START_TEST(npy_bodies)
{
    static const float values[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const struct {
        struct rf_shape shape;
        int64_t rows; /* 0: refused */
    } cases[] = {
        {{.rank = 2, .dim = {2, 3}}, 1},    {{.rank = 3, .dim = {1, 2, 3}}, 1},
        {{.rank = 3, .dim = {2, 2, 3}}, 2}, {{.rank = 1, .dim = {6}}, 1},
        {{.rank = 2, .dim = {2, 6}}, 2},    {{.rank = 1, .dim = {5}}, 0},
        {{.rank = 2, .dim = {3, 2}}, 0},    {{.rank = 0}, 0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct rf_infer_request r;
        struct rf_buf b;
        rf_buf_init(&b, 1000);
        rf_npy_write(&b, RF_F32, &cases[c].shape, values);
        if (cases[c].rows) {
            assert_ok(rf_infer_decode(&r, RF_BODY_NPY, &m, &any_json, b.data, b.len, &err));
            ck_assert_int_eq(r.rows, cases[c].rows);
            ck_assert_int_eq(memcmp(r.inputs[0].data, values, (size_t)r.rows * 24), 0);
            ck_assert_ptr_null(r.storage[0]);
            rf_infer_request_release(&r);
        } else {
            assert_fails(RF_SHAPE, "input 'x' takes [2,3], [-1,2,3], [6] or [-1,6]",
                         rf_infer_decode(&r, RF_BODY_NPY, &m, &any_json, b.data, b.len, &err));
        }
        for (size_t n = 0; n < b.len; n += 7)
            ck_assert(rf_infer_decode(&r, RF_BODY_NPY, &m, &any_json, b.data, n, NULL) != RF_OK);
        rf_buf_release(&b);
    }
}
END_TEST

/* ---- replies ---- */

static void reply_is(const struct rf_model_io *io, const char *body, const struct rf_tensor *out,
                     const char *want)
{
    struct rf_infer_request r;
    struct rf_buf b;
    decode(&r, io, body);
    rf_buf_init(&b, 10000);
    assert_ok(rf_infer_encode(&b, RF_BODY_JSON, io, &r, out, NULL, &err));
    rf_buf_add(&b, "", 1);
    ck_assert_str_eq(b.data, want);
    rf_buf_release(&b);
    rf_infer_request_release(&r);
}

static struct rf_tensor tensor(const float *data, struct rf_shape shape)
{
    return (struct rf_tensor){.data = (void *)data, .dtype = RF_F32, .shape = shape};
}

START_TEST(replies)
{
    static const float row[2] = {0.25f, 0.75f}, rows[4] = {1, NAN, INFINITY, -0.0f};
    const struct rf_tensor one = tensor(row, (struct rf_shape){.rank = 2, .dim = {1, 2}});
    const struct rf_tensor two = tensor(rows, (struct rf_shape){.rank = 2, .dim = {2, 2}});
    const struct rf_tensor none = tensor(rows, (struct rf_shape){.rank = 2, .dim = {0, 2}});
    reply_is(&m, "{\"id\":\"q\\\"\",\"inputs\":[" X1 "]}", &one,
             "{\"model_name\":\"m\",\"model_version\":\"1\",\"id\":\"q\\\"\",\"parameters\":{"
             "\"label\":\"a \\\"dog\\\"\",\"confidence\":0.75},\"outputs\":[{\"name\":\"y\","
             "\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[0.25,0.75]}]}");
    reply_is(&m, "[1,2,3,4,5,6]", &one,
             "{\"model_name\":\"m\",\"model_version\":\"1\",\"parameters\":{\"label\":\"a "
             "\\\"dog\\\"\",\"confidence\":0.75},\"outputs\":[{\"name\":\"y\",\"datatype\":"
             "\"FP32\",\"shape\":[1,2],\"data\":[0.25,0.75]}]}");
    reply_is(&m, "[[1,2,3,4,5,6],[1,2,3,4,5,6]]", &two,
             "{\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"y\","
             "\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[1.0,NaN,Infinity,-0.0]}]}");
    reply_is(&m, OIP("[0,2,3]", "FP32", "[]"), &none,
             "{\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"y\","
             "\"datatype\":\"FP32\",\"shape\":[0,2],\"data\":[]}]}");
    reply_is(&m, "{\"instances\":[[1,2,3,4,5,6],[1,2,3,4,5,6]]}", &two,
             "{\"predictions\":[[1.0,NaN],[Infinity,-0.0]]}");
    reply_is(&m, "{\"instances\":[]}", &none, "{\"predictions\":[]}");
}
END_TEST

START_TEST(labels_need_a_largest_value)
{
    static const float row[2] = {NAN, 1};
    const struct rf_tensor one = tensor(row, (struct rf_shape){.rank = 2, .dim = {1, 2}});
    reply_is(&m, "[1,2,3,4,5,6]", &one,
             "{\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"y\","
             "\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[NaN,1.0]}]}");
}
END_TEST

START_TEST(replies_of_two_outputs)
{
    static const float y[4] = {1, 2, 3, 4}, z[2] = {5, 6};
    const struct rf_tensor out[2] = {tensor(y, (struct rf_shape){.rank = 2, .dim = {2, 2}}),
                                     tensor(z, (struct rf_shape){.rank = 1, .dim = {2}})};
    const struct rf_model_io io = {.name = "m2",
                                   .version = "1",
                                   .inputs = one_input,
                                   .outputs = two_outputs,
                                   .n_inputs = 1,
                                   .n_outputs = 2};
    reply_is(&pair, "{\"inputs\":[" INPUT_A "," INPUT_B "],\"outputs\":[{\"name\":\"z\"}]}", out,
             "{\"model_name\":\"pair\",\"model_version\":\"2\",\"outputs\":[{\"name\":\"z\","
             "\"datatype\":\"FP32\",\"shape\":[2],\"data\":[5.0,6.0]}]}");
    reply_is(&pair, "{\"inputs\":[" INPUT_A "," INPUT_B "]}", out,
             "{\"model_name\":\"pair\",\"model_version\":\"2\",\"outputs\":[{\"name\":\"y\","
             "\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[1.0,2.0,3.0,4.0]},{\"name\":\"z\","
             "\"datatype\":\"FP32\",\"shape\":[2],\"data\":[5.0,6.0]}]}");
    reply_is(&io, "{\"instances\":[[1,2,3,4,5,6],[1,2,3,4,5,6]]}", out,
             "{\"predictions\":[{\"y\":[1.0,2.0],\"z\":5.0},{\"y\":[3.0,4.0],\"z\":6.0}]}");
}
END_TEST

START_TEST(binary_replies)
{
    static const float y[4] = {1, 2, 3, 4};
    const struct rf_tensor out = tensor(y, (struct rf_shape){.rank = 2, .dim = {2, 2}});
    struct rf_infer_request r;
    struct rf_npy npy;
    struct rf_buf b;
    decode(&r, &m, "[[1,2,3,4,5,6],[1,2,3,4,5,6]]");
    rf_buf_init(&b, 200);
    assert_ok(rf_infer_encode(&b, RF_BODY_RAW, &m, &r, &out, NULL, &err));
    ck_assert_uint_eq(b.len, sizeof y);
    ck_assert_int_eq(memcmp(b.data, y, sizeof y), 0);
    b.len = 0;
    assert_ok(rf_infer_encode(&b, RF_BODY_NPY, &m, &r, &out, NULL, &err));
    assert_ok(rf_npy_read(&npy, "npy", b.data, b.len, &err));
    ck_assert(rf_shape_equal(&npy.shape, &out.shape));
    ck_assert_int_eq(memcmp(npy.data, y, sizeof y), 0);
    assert_fails(RF_LIMIT, "the reply is over the limit of 200 bytes",
                 rf_infer_encode(&b, RF_BODY_NPY, &m, &r, &out, NULL, &err));
    rf_buf_release(&b);
    rf_infer_request_release(&r);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("infer");
    TCase *const t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, good_bodies, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(t, good_bodies_cut_short, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(t, good_bodies_changed, 0, sizeof good / sizeof *good);
    tcase_add_test(t, numbers_are_rounded_once);
    tcase_add_test(t, empty_batches);
    tcase_add_test(t, protocol_only);
    tcase_add_test(t, instances_only);
    tcase_add_test(t, named_rows);
    tcase_add_test(t, two_inputs_in_any_order);
    tcase_add_test(t, budget);
    tcase_add_test(t, long_ids);
    tcase_add_test(t, raw_in_place);
    tcase_add_test(t, raw_types);
    tcase_add_test(t, npy_bodies);
    tcase_add_test(t, replies);
    tcase_add_test(t, labels_need_a_largest_value);
    tcase_add_test(t, replies_of_two_outputs);
    tcase_add_test(t, binary_replies);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
