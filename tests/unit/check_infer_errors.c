/* Requests that are not right: each is refused, and the text says what and where. */
#include <stdlib.h>

#include "tests/support/build_infer.h"

static struct rf_error err;

static const struct {
    const char *body;
    enum rf_status status;
    const char *text;
} bad[] = {
    {"", RF_FORMAT, "request body: empty, expected JSON"},
    {"   ", RF_FORMAT, "expected a JSON value"},
    {"[]", RF_SHAPE, "array of shape [0]: input 'x' takes [2,3], [-1,2,3], [6] or [-1,6]"},
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
    {"{\"instances\":\"{\"}", RF_FORMAT, "instances is a string, expected an array of numbers"},
    {"{\"instances\":{\"x\":[1]}}", RF_FORMAT, "instances is an object, expected an array"},
    {"{\"instances\":[1,2,3,4,5,6]}", RF_SHAPE,
     "instances of shape [6]: input 'x' takes [-1,2,3] or [-1,6]"},
    {"{\"instances\":[[1,2,3],[4,5,6]]}", RF_SHAPE, "instances of shape [2,3]"},
    {"{\"instances\":[{\"x\":1}]}", RF_FORMAT,
     "instances[0]: \"x\" is a number, expected an array of numbers"},
    {"{\"instances\":[[1],{\"x\":[1]}]}", RF_FORMAT, "instances[1] is an object"},
    {"{\"instances\":[{\"x\":[[1,2,3],[4,5,6]]},[1]]}", RF_FORMAT,
     "instances[1] is an array, expected an object"},
    {"{\"instances\":[{}]}", RF_INVALID, "instances[0]: input 'x' is missing"},
    {"{\"instances\":[{\"x\":[[1,2,3],[4,5,6]]},{}]}", RF_INVALID,
     "instances[1]: input 'x' is missing"},
    {"{\"instances\":[{\"q\":[1]}]}", RF_INVALID, "instances[0]: \"q\" is no input of model 'm'"},
    {"{\"instances\":[{\"x\":[1],\"x\":[1]}]}", RF_FORMAT, "instances[0]: \"x\" is there twice"},
    {"{\"instances\":[{\"x\":[[1,2,3],[4,5,6]]},{\"x\":[1,2]}]}", RF_SHAPE,
     "instances[1]: \"x\" has shape [2], the rows before it have [2,3]"},
    {"{\"instances\":[{\"x\":[1,2]},{\"x\":[1,2]}]}", RF_SHAPE,
     "2 instances of shape [2]: input 'x' takes [-1,2,3]"},
    {"{\"instances\":[{\"x\":[[[[[[[[1]]]]]]]]}]}", RF_SHAPE,
     "1 instances of shape [1,1,1,1,1,1,1,1]: input 'x' takes [-1,2,3]"},
    {"{\"instances\":[{\"x\":[[1,2,3],[4,5]]}]}", RF_SHAPE,
     "instances[0]: \"x\"[1] has 2 elements"},
    {"{\"instances\":[{\"x\":[[1,2,3],[4,5,1e39]]}]}", RF_FORMAT,
     "instances[0]: \"x\"[1][2] is 1e39, which does not fit FP32"},
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
    {"{\"parameters\":{\"binary_data_output\":1},\"inputs\":[" X1 "]}", RF_FORMAT,
     "request body: \"parameters\": \"binary_data_output\" is a number, expected true or false"},
    {"{\"parameters\":{\"timeout\":-1},\"inputs\":[" X1 "]}", RF_FORMAT,
     "\"parameters\": \"timeout\" is -1, expected an integer from 0 to 2^64-1"},
    {"{\"parameters\":{\"timeout\":\"1s\"},\"inputs\":[" X1 "]}", RF_FORMAT,
     "\"timeout\" is \"1s\", expected an integer"},
    {"{\"parameters\":{\"priority\":1.5},\"inputs\":[" X1 "]}", RF_FORMAT,
     "\"priority\" is 1.5, expected an integer"},
    {"{\"parameters\":{\"priority\":1,\"priority\":1},\"inputs\":[" X1 "]}", RF_FORMAT,
     "\"priority\" is there twice"},
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
     RF_INVALID, "input 'x': binary data need the header Inference-Header-Content-Length"},
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
     "from -9007199254740992 to 9007199254740992 (2^53) for an input of FP32"},
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
    {"{\"inputs\":[" X1
     "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"binary_data\":\"yes\"}}]}",
     RF_FORMAT, "outputs[0]: \"parameters\": \"binary_data\" is a string, expected true or false"},
    {"{\"inputs\":[" X1 "],\"outputs\":[{\"name\":\"y\",\"parameters\":{\"shared_memory_region\":"
     "\"r\"}}]}",
     RF_UNSUPPORTED, "outputs[0]: \"parameters\": shared memory is not offered"},
    {"{\"inputs\":[" X1 "],\"outputs\":[{\"name\":\"y\",\"parameters\":0}]}", RF_FORMAT,
     "outputs[0]: \"parameters\" is a number"},
};

START_TEST(bad_bodies)
{
    const enum rf_status rc = decode_len(&m, &any_json, bad[_i].body, strlen(bad[_i].body), &err);
    ck_assert_msg(rc == bad[_i].status, "%s: status %d: %s", bad[_i].body, rc, err.text);
    ck_assert_msg(strstr(err.text, bad[_i].text) != NULL, "%s: %s", bad[_i].body, err.text);
}
END_TEST

START_TEST(two_inputs_gone_wrong)
{
    static const struct {
        const char *body;
        enum rf_status status;
        const char *text;
    } cases[] = {
        {"{\"inputs\":[" INPUT_A "]}", RF_INVALID,
         "expected 2 inputs but got 1 inputs for model 'pair'. Got input(s) ['a'], but missing "
         "required input(s) ['b']. Please provide all required input(s)."},
        {"{\"inputs\":[" INPUT_A
         ",{\"name\":\"b\",\"shape\":[2,0],\"datatype\":\"FP32\",\"data\":[]}]}",
         RF_SHAPE, "Expected [-1,-1], got [2,0]"},
        {"[1,2]", RF_INVALID, "array needs a model with one input; model 'pair' has 2"},
        {"{\"instances\":[[1,2]]}", RF_INVALID, "instances needs a model with one input"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(decode_len(&pair, &any_json, cases[i].body, strlen(cases[i].body), &err),
                         cases[i].status);
        ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%s", err.text);
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

int main(void)
{
    Suite *const suite = suite_create("infer_errors");
    TCase *const t = tcase_create("all");
    tcase_add_loop_test(t, bad_bodies, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, two_inputs_gone_wrong);
    tcase_add_test(t, raw_gone_wrong);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
