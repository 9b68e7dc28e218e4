/* Requests in every body form, good and bad, and their replies. */
#include "proto/infer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/npy.h"
#include "tests/support/build_test.h"

static struct rf_error err;

static const struct rf_io one_input[] = {
    {.name = "x", .dtype = RF_F32, .shape = {.rank = 3, .dim = {-1, 2, 3}}}};
static const struct rf_io one_output[] = {
    {.name = "y", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 2}}}};
static const struct rf_io two_inputs[] = {
    {.name = "a", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 2}}},
    {.name = "b", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, -1}}}};
static const struct rf_io two_outputs[] = {
    {.name = "y", .dtype = RF_F32, .shape = {.rank = 2, .dim = {-1, 2}}},
    {.name = "z", .dtype = RF_F32, .shape = {.rank = 1, .dim = {-1}}}};
static char *const labels[] = {"cat", "a \"dog\""};

/* m: one input [-1,2,3], one output, labels. pair: two inputs, two outputs. */
static const struct rf_model_io m = {.name = "m",
                                     .version = "1",
                                     .inputs = one_input,
                                     .outputs = one_output,
                                     .n_inputs = 1,
                                     .n_outputs = 1,
                                     .labels = labels,
                                     .n_labels = 2};
static const struct rf_model_io pair = {.name = "pair",
                                        .version = "2",
                                        .inputs = two_inputs,
                                        .outputs = two_outputs,
                                        .n_inputs = 2,
                                        .n_outputs = 2};

static const struct rf_decode_options any_json = {.raw_dtype = RF_F32, .max_bytes = 1 << 20};
static const struct rf_decode_options oip_json = {
    .raw_dtype = RF_F32, .oip_only = true, .max_bytes = 1 << 20};

/* Decodes a copy of exactly these bytes; what in-place reading would borrow is not looked at. */
static enum rf_status decode_len(const struct rf_model_io *io, const struct rf_decode_options *o,
                                 const char *body, size_t len)
{
    struct rf_infer_request r;
    char *const copy = exact_copy(body, len);
    err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc = rf_infer_decode(&r, RF_BODY_JSON, io, o, copy, len, &err);
    rf_infer_request_release(&r);
    free(copy);
    return rc;
}

static void decode(struct rf_infer_request *r, const struct rf_model_io *io, const char *body)
{
    char *const copy = exact_copy(body, strlen(body));
    assert_ok(rf_infer_decode(r, RF_BODY_JSON, io, &any_json, copy, strlen(body), &err));
    free(copy);
}

#define OIP(shape, datatype, data)                                                                 \
    "{\"inputs\":[{\"name\":\"x\",\"shape\":" shape ",\"datatype\":\"" datatype                    \
    "\",\"data\":" data "}]}"

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
        ck_assert_msg(decode_len(&m, &any_json, body, n) == RF_FORMAT, "%.*s", (int)n, body);
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
            const enum rf_status rc = decode_len(&m, &any_json, body, len);
            ck_assert((rc == RF_OK) == (err.text[0] == '\0'));
        }
        body[i] = was;
    }
    free(body);
}
END_TEST

#define X1 "{\"name\":\"x\",\"shape\":[1,2,3],\"datatype\":\"FP32\",\"data\":[1,2,3,4,5,6]}"

static const struct {
    const char *body;
    enum rf_status status;
    const char *text;
} bad[] = {
    {"", RF_FORMAT, "request body: empty, expected JSON"},
    {"   ", RF_FORMAT, "expected a JSON value"},
    {"[]", RF_SHAPE, "array of shape [0]: input 'x' takes [2,3], [n]+[2,3], [6] or [n,6]"},
    {"{}", RF_FORMAT, "expected \"inputs\" or \"instances\""},
    {"1", RF_FORMAT,
     "is a number, expected an object with \"inputs\" or \"instances\", or an array"},
    {"\"x\"", RF_FORMAT, "is a string"},
    {"null", RF_FORMAT, "is null"},
    {"[1,2,3,4,5,6]]", RF_FORMAT, "expected the end of the text"},
    {"\xef\xbb\xbf[1]", RF_FORMAT, "expected a JSON value"},
    {"[\0", RF_FORMAT, "the text ends"},
    {"hello", RF_FORMAT, "request body: expected a JSON value at line 1, column 1 (at \"hello\")"},
    /* bare arrays */
    {"[1,2,3]", RF_SHAPE, "array of shape [3]: input 'x' takes"},
    {"[1,2,3,4,5,6,7]", RF_SHAPE, "array of shape [7]"},
    {"[[1,2],[3,4],[5,6]]", RF_SHAPE, "array of shape [3,2]"},
    {"[[1,2,3,4,5,6],[7,8,9,10,11]]", RF_SHAPE,
     "array[1] has 5 elements, the arrays before it have 6: the array is ragged"},
    {"[[1,2,3],[4,5]]", RF_SHAPE, "array[1] has 2 elements, the arrays before it have 3"},
    {"[[[1,2,3],[4,5,6]],[[7,8,9],[10,11,12,13]]]", RF_SHAPE,
     "array[1][1] has 4 elements, the arrays before it have 3"},
    {"[[1,2,3],4]", RF_SHAPE, "array[1] is a number, but others beside it are arrays"},
    {"[1,[2,3]]", RF_SHAPE, "array[1] is an array, but others beside it are numbers"},
    {"[[1,2,3],[[4],5,6]]", RF_SHAPE, "array[1][0] is an array"},
    {"[[],[1]]", RF_SHAPE, "array[1] has 1 elements, the arrays before it have 0"},
    {"[[[[[[[[[1]]]]]]]]]", RF_SHAPE, "array is nested more than 8 deep"},
    {"[1,2,\"3\",4,5,6]", RF_FORMAT, "array[2] is a string, expected a number"},
    {"[1,2,null,4,5,6]", RF_FORMAT, "array[2] is null, expected a number"},
    {"[1,2,true,4,5,6]", RF_FORMAT, "array[2] is a boolean, expected a number"},
    {"[1,2,{},4,5,6]", RF_FORMAT, "array[2] is an object, expected a number"},
    {"[1,2,1e999,4,5,6]", RF_FORMAT, "array[2] is 1e999, which does not fit FP32"},
    {"[1,2,-1e39,4,5,6]", RF_FORMAT, "array[2] is -1e39, which does not fit FP32"},
    {"[1,2,3.4028236e38,4,5,6]", RF_FORMAT, "does not fit FP32"},
    {"[1,2,nan,4,5,6]", RF_FORMAT, "expected a JSON value"},
    {"[1,2,03,4,5,6]", RF_FORMAT, "malformed number"},
    /* instances */
    {"{\"instances\":1}", RF_FORMAT, "instances is a number, expected an array of numbers"},
    {"{\"instances\":[1,2,3,4,5,6]}", RF_SHAPE,
     "instances of shape [6]: input 'x' takes [n]+[2,3] or [n,6]"},
    {"{\"instances\":[[1,2,3],[4,5,6]]}", RF_SHAPE, "instances of shape [2,3]"},
    {"{\"instances\":[{\"x\":1}]}", RF_FORMAT, "instances[0] is an object, expected a number"},
    {"{\"instances\":[[1]],\"instances\":[[1]]}", RF_FORMAT, "\"instances\" is there twice"},
    {"{\"instances\":[[1]],\"inputs\":[]}", RF_FORMAT, "both \"inputs\" and \"instances\""},
    /* the object */
    {"{\"inputs\":{}}", RF_FORMAT, "\"inputs\" is an object, expected an array"},
    {"{\"inputs\":[" X1 "],\"inputs\":[]}", RF_FORMAT, "\"inputs\" is there twice"},
    {"{\"id\":1,\"inputs\":[" X1 "]}", RF_FORMAT, "\"id\" is a number, expected a string"},
    {"{\"id\":null,\"inputs\":[" X1 "]}", RF_FORMAT, "\"id\" is null, expected a string"},
    {"{\"id\":\"a\",\"id\":\"b\",\"inputs\":[" X1 "]}", RF_FORMAT, "\"id\" is there twice"},
    {"{\"id\":\"a\\u0000\",\"inputs\":[" X1 "]}", RF_INVALID, "holds U+0000"},
    {"{\"parameters\":1,\"inputs\":[" X1 "]}", RF_FORMAT,
     "request body: \"parameters\" is a number, expected an object"},
    {"{\"parameters\":{\"binary_data_output\":true},\"inputs\":[" X1 "]}", RF_UNSUPPORTED,
     "the binary tensor data extension is not offered"},
    {"{\"parameters\":[],\"inputs\":[" X1 "]}", RF_FORMAT, "is an array, expected an object"},
    /* inputs */
    {"{\"inputs\":[]}", RF_INVALID,
     "expected 1 inputs but got 0 inputs for model 'm'. Got input(s) [], but missing required "
     "input(s) ['x']. Please provide all required input(s)."},
    {"{\"inputs\":[1]}", RF_FORMAT, "inputs[0] is a number, expected an object"},
    {"{\"inputs\":[{}]}", RF_FORMAT, "inputs[0]: \"name\" is missing"},
    {"{\"inputs\":[{\"name\":1}]}", RF_FORMAT, "inputs[0]: \"name\" is a number"},
    {"{\"inputs\":[{\"name\":\"q\"}]}", RF_INVALID, "unexpected inference input 'q' for model 'm'"},
    {"{\"inputs\":[{\"name\":\"x\\u0000\"}]}", RF_FORMAT, "inputs[0]: \"name\" is longer than"},
    {"{\"inputs\":[" X1 "," X1 "]}", RF_INVALID, "input 'x' already exists in request"},
    {"{\"inputs\":[{\"name\":\"x\",\"name\":\"x\"}]}", RF_FORMAT, "\"name\" is there twice"},
    {"{\"inputs\":[{\"name\":\"x\"}]}", RF_FORMAT, "input 'x': \"datatype\" is missing"},
    {"{\"inputs\":[{\"name\":\"x\",\"datatype\":32}]}", RF_FORMAT,
     "input 'x': \"datatype\" is a number, expected a string"},
    {OIP("[1,2,3]", "BOOL", "[true,true,true,true,true,true]"), RF_UNSUPPORTED,
     "inference input 'x' data-type is 'BOOL', but model 'm' expects 'FP32'"},
    {OIP("[1,2,3]", "BYTES", "[\"a\"]"), RF_UNSUPPORTED,
     "inference input 'x' data-type is 'BYTES', but model 'm' expects 'FP32'"},
    {OIP("[1,2,3]", "fp32", "[1]"), RF_UNSUPPORTED, "data-type is 'fp32'"},
    {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\"}]}", RF_FORMAT,
     "input 'x': \"shape\" is missing"},
    {OIP("3", "FP32", "[1]"), RF_FORMAT, "\"shape\" is a number, expected an array of integers"},
    {OIP("[1,2,\"3\"]", "FP32", "[1]"), RF_SHAPE, "shape[2] is \"3\", expected an integer"},
    {OIP("[1,2,3.0]", "FP32", "[1]"), RF_SHAPE, "shape[2] is 3.0, expected an integer"},
    {OIP("[-1,2,3]", "FP32", "[1]"), RF_SHAPE, "shape[0] is -1, expected an integer from 0"},
    {OIP("[9223372036854775808,2,3]", "FP32", "[1]"), RF_SHAPE, "shape[0] is 9223372036854775808"},
    {OIP("[1,1,1,1,1,1,1,1,1]", "FP32", "[1]"), RF_SHAPE, "more than 8 dimensions"},
    {OIP("[4611686018427387904,2,3]", "FP32", "[1]"), RF_SHAPE,
     "shape [4611686018427387904,2,3] has more than 2^63-1 elements"},
    {OIP("[]", "FP32", "[1]"), RF_SHAPE,
     "unexpected shape for input 'x' for model 'm'. Expected [-1,2,3], got []"},
    {OIP("[2,3]", "FP32", "[1,2,3,4,5,6]"), RF_SHAPE,
     "Expected [-1,2,3], got [2,3]. The batch dimension comes first."},
    {OIP("[1,3,2]", "FP32", "[1,2,3,4,5,6]"), RF_SHAPE, "Expected [-1,2,3], got [1,3,2]"},
    {OIP("[1,6]", "FP32", "[1,2,3,4,5,6]"), RF_SHAPE, "got [1,6]"},
    {OIP("[1,2,0]", "FP32", "[]"), RF_SHAPE, "got [1,2,0]"},
    {"{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2,3],\"datatype\":\"FP32\"}]}", RF_FORMAT,
     "input 'x': \"data\" is missing"},
    {"{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2,3],\"datatype\":\"FP32\",\"parameters\":{"
     "\"binary_data_size\":24}}]}",
     RF_UNSUPPORTED, "input 'x': \"parameters\": the binary tensor data extension"},
    {"{\"inputs\":[{\"name\":\"x\",\"shape\":[1,2,3],\"datatype\":\"FP32\",\"parameters\":3}]}",
     RF_FORMAT, "input 'x': \"parameters\" is a number"},
    {OIP("[1,2,3]", "FP32", "5"), RF_FORMAT, "input 'x': data is a number, expected an array"},
    {OIP("[1,2,3]", "FP32", "[1,2,3,4,5]"), RF_SHAPE,
     "input 'x': shape [1,2,3] has 6 elements, \"data\" has 5"},
    {OIP("[1,2,3]", "FP32", "[1,2,3,4,5,6,7]"), RF_SHAPE, "has 6 elements, \"data\" has 7"},
    {OIP("[1000000000000,2,3]", "FP32", "[1]"), RF_SHAPE, "\"data\" has 1"},
    {OIP("[1,2,3]", "FP32", "[[1,2],[3,4],[5,6]]"), RF_SHAPE,
     "input 'x': \"data\" is nested as [3,2], but its shape is [1,2,3]"},
    {OIP("[1,2,3]", "FP32", "[[[1,2,3],[4,5]]]"), RF_SHAPE, "input 'x': data[0][1] has 2 elements"},
    {OIP("[1,2,3]", "FP32", "[1,2,3,4,5,\"6\"]"), RF_FORMAT,
     "input 'x': data[5] is a string, expected a number"},
    {OIP("[1,2,3]", "FP32", "[1,2,3,4,5,1e39]"), RF_FORMAT, "data[5] is 1e39, which does not fit"},
    {OIP("[1,2,3]", "FP64", "[1,2,3,4,5,1e39]"), RF_FORMAT,
     "data[5] is 1e39, which does not fit FP64 converted to FP32"},
    {OIP("[1,2,3]", "FP64", "[1,2,3,4,5,1e309]"), RF_FORMAT, "does not fit FP64"},
    {OIP("[1,2,3]", "FP16", "[1,2,3,4,5,65520]"), RF_FORMAT,
     "data[5] is 65520, which does not fit"},
    {OIP("[1,2,3]", "BF16", "[1,2,3,4,5,3.4e38]"), RF_FORMAT, "does not fit BF16"},
    {OIP("[1,2,3]", "INT8", "[1,2,3,4,5,128]"), RF_FORMAT,
     "data[5] is 128; INT8 takes integers from -128 to 127"},
    {OIP("[1,2,3]", "INT8", "[[[1,2,3],[4,-129,6]]]"), RF_FORMAT, "data[0][1][1] is -129"},
    {OIP("[1,2,3]", "UINT8", "[1,2,300,4,5,6]"), RF_FORMAT, "UINT8 takes integers from 0 to 255"},
    {OIP("[1,2,3]", "UINT8", "[1,2,-1,4,5,6]"), RF_FORMAT, "data[2] is -1"},
    {OIP("[1,2,3]", "INT16", "[1,2,40000,4,5,6]"), RF_FORMAT, "INT16 takes"},
    {OIP("[1,2,3]", "UINT16", "[1,2,70000,4,5,6]"), RF_FORMAT, "UINT16 takes"},
    {OIP("[1,2,3]", "INT32", "[1,2,1.5,4,5,6]"), RF_FORMAT, "data[2] is 1.5; INT32 takes integers"},
    {OIP("[1,2,3]", "INT32", "[1,2,2147483648,4,5,6]"), RF_FORMAT, "to 2147483647"},
    {OIP("[1,2,3]", "INT32", "[1,2,NaN,4,5,6]"), RF_FORMAT, "data[2] is NaN; INT32"},
    {OIP("[1,2,3]", "UINT32", "[1,2,4294967296,4,5,6]"), RF_FORMAT, "to 4294967295"},
    {OIP("[1,2,3]", "INT64", "[1,2,9007199254740993,4,5,6]"), RF_FORMAT,
     "from -9007199254740992 to 9007199254740992 (2^53) for an FP32 input"},
    {OIP("[1,2,3]", "UINT64", "[1,2,18446744073709551615,4,5,6]"), RF_FORMAT, "(2^53)"},
    {OIP("[1,2,3]", "INT64", "[1,2,1e2,4,5,6]"), RF_FORMAT, "data[2] is 1e2"},
    /* outputs */
    {"{\"inputs\":[" X1 "],\"outputs\":{}}", RF_FORMAT, "\"outputs\" is an object"},
    {"{\"inputs\":[" X1 "],\"outputs\":[1]}", RF_FORMAT, "outputs[0] is a number"},
    {"{\"inputs\":[" X1 "],\"outputs\":[{}]}", RF_FORMAT, "outputs[0]: \"name\" is missing"},
    {"{\"inputs\":[" X1 "],\"outputs\":[{\"name\":\"q\"}]}", RF_INVALID,
     "unexpected inference output 'q' for model 'm'"},
    {"{\"inputs\":[" X1 "],\"outputs\":[{\"name\":\"y\"},{\"name\":\"y\"}]}", RF_INVALID,
     "output 'y' already exists in request"},
    {"{\"inputs\":[" X1 "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":true}}]}",
     RF_UNSUPPORTED, "outputs[0]: \"parameters\": the binary tensor data extension"},
    {"{\"inputs\":[" X1 "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"classification\":2}}]}",
     RF_UNSUPPORTED, "the classification extension is not offered"},
    {"{\"inputs\":[" X1 "],\"outputs\":[{\"name\":\"y\",\"parameters\":0}]}", RF_FORMAT,
     "outputs[0]: \"parameters\" is a number"},
};

START_TEST(bad_bodies)
{
    const enum rf_status rc = decode_len(&m, &any_json, bad[_i].body, strlen(bad[_i].body));
    ck_assert_msg(rc == bad[_i].status, "%s: status %d: %s", bad[_i].body, rc, err.text);
    ck_assert_msg(strstr(err.text, bad[_i].text) != NULL, "%s: %s", bad[_i].body, err.text);
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
    ck_assert_int_eq(decode_len(&m, &oip_json, array, strlen(array)), RF_FORMAT);
    ck_assert_str_eq(err.text, "request body: is an array, expected an object with \"inputs\"");
    ck_assert_int_eq(decode_len(&m, &oip_json, instances, strlen(instances)), RF_FORMAT);
    ck_assert_str_eq(err.text, "request body: \"inputs\" is missing, expected an array");
    ck_assert_int_eq(decode_len(&m, &oip_json, object, strlen(object)), RF_OK);
}
END_TEST

#define A "{\"name\":\"a\",\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[1,2,3,4]}"
#define B "{\"name\":\"b\",\"shape\":[2,3],\"datatype\":\"INT8\",\"data\":[[1,2,3],[4,5,6]]}"

START_TEST(two_inputs_in_any_order)
{
    struct rf_infer_request r;
    decode(&r, &pair,
           "{\"inputs\":[" B "," A "],\"id\":\"i\\u00e9\",\"outputs\":[{\"name\":\"z\"},"
           "{\"name\":\"y\",\"parameters\":{\"binary_data\":false}}]}");
    ck_assert_int_eq(r.rows, 2);
    ck_assert_str_eq(r.id, "i\xc3\xa9");
    ck_assert_int_eq(r.inputs[0].shape.dim[1], 2);
    ck_assert_int_eq(r.inputs[1].shape.dim[1], 3);
    ck_assert_float_eq(((const float *)r.inputs[1].data)[5], 6);
    ck_assert_uint_eq(r.n_outputs, 2);
    ck_assert_uint_eq(r.outputs[0], 1);
    ck_assert_uint_eq(r.outputs[1], 0);
    rf_infer_request_release(&r);
}
END_TEST

START_TEST(two_inputs_gone_wrong)
{
    static const struct {
        const char *body;
        enum rf_status status;
        const char *text;
    } cases[] = {
        {"{\"inputs\":[" A "]}", RF_INVALID,
         "expected 2 inputs but got 1 inputs for model 'pair'. Got input(s) ['a'], but missing "
         "required input(s) ['b']. Please provide all required input(s)."},
        {"{\"inputs\":[" A
         ",{\"name\":\"b\",\"shape\":[1,3],\"datatype\":\"FP32\",\"data\":[1,2,3]}]}",
         RF_SHAPE, "input 'b' batch size does not match other inputs for 'pair'"},
        {"{\"inputs\":[" A ",{\"name\":\"b\",\"shape\":[2,0],\"datatype\":\"FP32\",\"data\":[]}]}",
         RF_SHAPE, "Expected [-1,-1], got [2,0]"},
        {"[1,2]", RF_INVALID, "array needs a model with one input; model 'pair' has 2"},
        {"{\"instances\":[[1,2]]}", RF_INVALID, "instances needs a model with one input"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(decode_len(&pair, &any_json, cases[i].body, strlen(cases[i].body)),
                         cases[i].status);
        ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(budget)
{
    static const char body[] = OIP("[2,2,3]", "FP32", "[1,2,3,4,5,6,7,8,9,10,11,12]");
    struct rf_decode_options o = any_json;
    o.max_bytes = 48;
    ck_assert_int_eq(decode_len(&m, &o, body, strlen(body)), RF_OK);
    o.max_bytes = 47;
    ck_assert_int_eq(decode_len(&m, &o, body, strlen(body)), RF_LIMIT);
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
        ck_assert_int_eq(decode_len(&m, &any_json, body, strlen(body)),
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

START_TEST(raw_gone_wrong)
{
    static const char body[64] = {0};
    struct rf_infer_request r;
    struct rf_decode_options o = any_json;
    assert_fails(RF_FORMAT, "body is empty; one sample of 'x' has 6 elements of FP32",
                 rf_infer_decode(&r, RF_BODY_RAW, &m, &o, body, 0, &err));
    assert_fails(RF_SHAPE,
                 "raw body of 25 bytes is not a multiple of a sample of 'x': 6 elements of FP32, "
                 "24 bytes",
                 rf_infer_decode(&r, RF_BODY_RAW, &m, &o, body, 25, &err));
    assert_fails(RF_INVALID, "a raw body needs a model with one input; model 'pair' has 2",
                 rf_infer_decode(&r, RF_BODY_RAW, &pair, &o, body, 24, &err));
    o.raw_dtype = RF_BOOL;
    assert_fails(RF_UNSUPPORTED, "data-type is 'BOOL', but model 'm' expects 'FP32'",
                 rf_infer_decode(&r, RF_BODY_RAW, &m, &o, body, 6, &err));
    o.raw_dtype = RF_I64;
    assert_fails(
        RF_FORMAT, "raw body: element 1 is",
        rf_infer_decode(&r, RF_BODY_RAW, &m, &o,
                        "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                        48, &err));
    o.raw_dtype = RF_U8;
    o.max_bytes = 10;
    assert_fails(RF_LIMIT, "over the limit of 10 bytes",
                 rf_infer_decode(&r, RF_BODY_RAW, &m, &o, body, 6, &err));
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
            assert_fails(RF_SHAPE, "input 'x' takes [2,3], [n]+[2,3], [6] or [n,6]",
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
    assert_ok(rf_infer_encode(&b, RF_BODY_JSON, io, &r, out, &err));
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
    reply_is(&pair, "{\"inputs\":[" A "," B "],\"outputs\":[{\"name\":\"z\"}]}", out,
             "{\"model_name\":\"pair\",\"model_version\":\"2\",\"outputs\":[{\"name\":\"z\","
             "\"datatype\":\"FP32\",\"shape\":[2],\"data\":[5.0,6.0]}]}");
    reply_is(&pair, "{\"inputs\":[" A "," B "]}", out,
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
    assert_ok(rf_infer_encode(&b, RF_BODY_RAW, &m, &r, &out, &err));
    ck_assert_uint_eq(b.len, sizeof y);
    ck_assert_int_eq(memcmp(b.data, y, sizeof y), 0);
    b.len = 0;
    assert_ok(rf_infer_encode(&b, RF_BODY_NPY, &m, &r, &out, &err));
    assert_ok(rf_npy_read(&npy, "npy", b.data, b.len, &err));
    ck_assert(rf_shape_equal(&npy.shape, &out.shape));
    ck_assert_int_eq(memcmp(npy.data, y, sizeof y), 0);
    assert_fails(RF_LIMIT, "the reply is over the limit of 200 bytes",
                 rf_infer_encode(&b, RF_BODY_NPY, &m, &r, &out, &err));
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
    tcase_add_loop_test(t, bad_bodies, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, numbers_are_rounded_once);
    tcase_add_test(t, empty_batches);
    tcase_add_test(t, protocol_only);
    tcase_add_test(t, two_inputs_in_any_order);
    tcase_add_test(t, two_inputs_gone_wrong);
    tcase_add_test(t, budget);
    tcase_add_test(t, long_ids);
    tcase_add_test(t, raw_in_place);
    tcase_add_test(t, raw_types);
    tcase_add_test(t, raw_gone_wrong);
    tcase_add_test(t, npy_bodies);
    tcase_add_test(t, replies);
    tcase_add_test(t, labels_need_a_largest_value);
    tcase_add_test(t, replies_of_two_outputs);
    tcase_add_test(t, binary_replies);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
