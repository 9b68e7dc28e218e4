/* Descriptions and weights that are not right: each text names the file, the layer, the key. */
#include "tests/support/build_model.h"

static struct rf_error err;

static const struct {
    const char *json;
    enum rf_status status;
    const char *text;
} bad[] = {
    {"", RF_FORMAT, "m.json: expected a JSON value"},
    {"[]", RF_FORMAT, "m.json: must be a JSON object"},
    {"{\"format\":1,", RF_FORMAT, "m.json: expected a key in quotes, but the text ends at line 1"},
    {"{\"format\":1,\"format\":1}", RF_FORMAT, "m.json: duplicate object key"},
    {"{}", RF_FORMAT, "m.json: \"format\" is missing"},
    {"{\"format\":2}", RF_FORMAT, "m.json: \"format\" must be 1"},
    {"{\"format\":1,\"layer\":[]}", RF_FORMAT, "unknown key \"layer\"; did you mean 'layers'?"},
    {"{\"format\":1,\"type\":1}", RF_FORMAT, "m.json: unknown key \"type\""},
    {"{\"format\":1,\"name\":1," INIT "}", RF_FORMAT, "\"name\" must be a string"},
    {"{\"format\":1," INIT "}", RF_FORMAT, "m.json: \"input\" is missing"},
    {"{\"format\":1," INIT ",\"input\":[]}", RF_FORMAT, "\"input\" must be an object"},
    {"{\"format\":1," INIT ",\"input\":{}}", RF_FORMAT, "\"shape\" must be a list of 1 to 3 sizes"},
    {"{\"format\":1," INIT ",\"input\":{\"shape\":[1,2,3,4]}}", RF_FORMAT, "1 to 3 sizes"},
    {"{\"format\":1," INIT ",\"input\":{\"shape\":[3,0,3]}}", RF_FORMAT,
     "\"input\": shape[1] must be an integer from 1"},
    {"{\"format\":1," INIT ",\"input\":{\"shape\":[3,-1,3]}}", RF_FORMAT, "shape[1] must be"},
    {"{\"format\":1," INIT ",\"input\":{\"shape\":[2147483647,2147483647,2147483647]}}", RF_LIMIT,
     "\"shape\" is too large"},
    {"{\"format\":1," INIT ",\"input\":{\"shape\":[3],\"mena\":0}}", RF_FORMAT,
     "\"input\": unknown key \"mena\"; did you mean 'mean'?"},
    {"{\"format\":1," INIT ",\"input\":{\"shape\":[3],\"std\":0}}", RF_FORMAT,
     "\"std\" must be positive"},
    {"{\"format\":1," INIT ",\"input\":{\"shape\":[3],\"mean\":[1,2]}}", RF_SHAPE,
     "\"mean\" has 2 numbers for 3 channels"},
    {"{\"format\":1," INIT ",\"input\":{\"shape\":[3],\"mean\":\"a\"}}", RF_FORMAT,
     "\"mean\" must be a number or one for each channel"},
    {"{\"format\":1," INIT ",\"input\":{\"shape\":[3]}}", RF_FORMAT,
     "\"layers\" must be a list of at least one layer"},
    {VECTOR(""), RF_FORMAT, "\"layers\" must be a list of at least one layer"},
    {VECTOR("1"), RF_FORMAT, "m.json: layer 0 must be an object"},
    {VECTOR("{}"), RF_FORMAT, "m.json: layer '0': \"type\" must be a string"},
    {VECTOR("{\"type\":\"relu\"},{\"type\":\"lineer\"}"), RF_UNSUPPORTED,
     "m.json: layer '1': unknown type 'lineer'; did you mean 'linear'?"},
    {VECTOR("{\"type\":\"Relu\"}"), RF_UNSUPPORTED, "unknown type 'Relu'; did you mean 'relu'?"},
    {VECTOR("{\"type\":\"gru\"}"), RF_UNSUPPORTED, "layer '0': unknown type 'gru'"},
    {VECTOR("{\"type\":\"\"}"), RF_UNSUPPORTED, "unknown type ''"},
    {VECTOR("{\"type\":\"relu\",\"name\":1}"), RF_FORMAT, "layer 0: \"name\" must be a string"},
    {VECTOR("{\"type\":\"relu\",\"name\":\"\"}"), RF_FORMAT, "layer 0: \"name\" must be a string"},
    {VECTOR("{\"type\":\"relu\",\"name\":\"a\\nb\"}"), RF_FORMAT, "holds a control character"},
    {VECTOR("{\"type\":\"relu\",\"name\":\"a\"},{\"type\":\"relu\",\"name\":\"a\"}"), RF_FORMAT,
     "m.json: the name 'a' is used twice"},
    {VECTOR("{\"type\":\"relu\",\"name\":\"input\"}"), RF_FORMAT, "the name 'input' is used twice"},
    {VECTOR("{\"type\":\"relu\",\"name\":\"output\"},{\"type\":\"relu\"}"), RF_FORMAT,
     "the name 'output' is used twice"},
    {VECTOR("{\"type\":\"linear\",\"name\":\"a\",\"out_features\":2},"
            "{\"type\":\"relu\",\"name\":\"a.weight\"}"),
     RF_FORMAT, "the name 'a.weight' is used twice"},
    /* arguments */
    {VECTOR("{\"type\":\"linear\"}"), RF_FORMAT,
     "m.json: layer '0' (linear): \"out_features\" is missing"},
    {VECTOR("{\"type\":\"linear\",\"out_features\":0}"), RF_FORMAT,
     "layer '0' (linear): \"out_features\" is 0, expected an integer of 1 or more"},
    {VECTOR("{\"type\":\"linear\",\"out_features\":2.5}"), RF_FORMAT, "\"out_features\" is 2.5"},
    {VECTOR("{\"type\":\"linear\",\"out_features\":\"2\"}"), RF_FORMAT, "is \"2\", expected"},
    {VECTOR("{\"type\":\"linear\",\"out_features\":99999999999}"), RF_FORMAT, "is 99999999999"},
    {VECTOR("{\"type\":\"linear\",\"out_feature\":2}"), RF_FORMAT,
     "layer '0' (linear): unknown key \"out_feature\"; did you mean 'out_features'?"},
    {VECTOR("{\"type\":\"linear\",\"out_features\":2,\"in_features\":9}"), RF_SHAPE,
     "layer '0' (linear): \"in_features\" is 9, but its input has 10"},
    {VECTOR("{\"type\":\"linear\",\"out_features\":2,\"bias\":1}"), RF_FORMAT,
     "\"bias\" must be true or false"},
    {VECTOR("{\"type\":\"linear\",\"out_features\":2147483647}"), RF_LIMIT,
     "more than 4 GiB to initialise"},
    {IMAGE("{\"type\":\"linear\",\"out_features\":2}"), RF_SHAPE,
     "layer '0' (linear): its input is [3,8,6], expected [features]: a flatten before it makes"},
    {VECTOR("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":3}"), RF_SHAPE,
     "layer '0' (conv2d): its input is [10], expected [channels,height,width]"},
    {IMAGE("{\"type\":\"conv1d\",\"out_channels\":2,\"kernel_size\":3}"), RF_SHAPE,
     "layer '0' (conv1d): its input is [3,8,6], expected [channels,length]"},
    {IMAGE("{\"type\":\"batchnorm1d\"}"), RF_SHAPE, "expected [features] or [channels,length]"},
    {VECTOR("{\"type\":\"batchnorm2d\"}"), RF_SHAPE, "layer '0' (batchnorm2d): its input is [10]"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2}"), RF_FORMAT, "\"kernel_size\" is missing"},
    {IMAGE("{\"type\":\"conv2d\",\"kernel_size\":3}"), RF_FORMAT, "\"out_channels\" is missing"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":[3]}"), RF_FORMAT,
     "\"kernel_size\" is [3], expected an integer of 1 or more, or [height, width]"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":[3,0]}"), RF_FORMAT,
     "\"kernel_size\" is [3,0]"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":3,\"stride\":0}"), RF_FORMAT,
     "\"stride\" is 0"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":3,\"padding\":-1}"), RF_FORMAT,
     "\"padding\" is -1, expected an integer of 0 or more, [height, width] or [top, left, bottom"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":3,\"padding\":[1,1,1]}"),
     RF_FORMAT, "\"padding\" is [1,1,1]"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":3,\"padding\":\"some\"}"),
     RF_FORMAT, "\"padding\" must be one of \"valid\", \"same\""},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":3,\"padding\":\"same\","
           "\"stride\":2}"),
     RF_UNSUPPORTED, "\"padding\": \"same\" needs a stride of 1"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":3,\"padding_mode\":"
           "\"reflect\"}"),
     RF_FORMAT, "\"padding_mode\" must be one of \"zeros\""},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":9}"), RF_SHAPE,
     "layer '0' (conv2d): its input [3,8,6], padded by 0, is smaller than the kernel of 9"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":3,\"dilation\":4}"), RF_SHAPE,
     "smaller than the kernel of 3 (dilation 4)"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":2147483647,\"dilation\":"
           "2147483647,\"padding\":2147483647}"),
     RF_SHAPE, "smaller than the kernel of 2147483647"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":1,\"padding\":2147483647}"),
     RF_LIMIT, "its output [2,4294967302,4294967300] is too large"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":4,\"kernel_size\":3,\"groups\":2}"), RF_SHAPE,
     "\"groups\" 2 does not divide 3 input and 4 output channels"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":4,\"kernel_size\":3,\"groups\":3}"), RF_SHAPE,
     "\"groups\" 3 does not divide 3 input and 4 output channels"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":4,\"kernel_size\":3,\"in_channels\":4}"),
     RF_SHAPE, "\"in_channels\" is 4, but its input has 3"},
    {IMAGE("{\"type\":\"conv2d\",\"out_channels\":4,\"kernal_size\":3}"), RF_FORMAT,
     "layer '0' (conv2d): unknown key \"kernal_size\"; did you mean 'kernel_size'?"},
    {IMAGE("{\"type\":\"batchnorm2d\",\"num_features\":4}"), RF_SHAPE,
     "\"num_features\" is 4, but its input has 3"},
    {IMAGE("{\"type\":\"batchnorm2d\",\"eps\":-1}"), RF_FORMAT, "\"eps\" must not be negative"},
    {IMAGE("{\"type\":\"batchnorm2d\",\"eps\":\"a\"}"), RF_FORMAT, "\"eps\" must be a number"},
    {IMAGE("{\"type\":\"batchnorm2d\",\"eps\":1e300}"), RF_FORMAT,
     "\"eps\" is beyond FP32's range"},
    {IMAGE("{\"type\":\"batchnorm2d\",\"track_running_stats\":false}"), RF_UNSUPPORTED,
     "it must have running statistics"},
    {IMAGE("{\"type\":\"maxpool2d\"}"), RF_FORMAT, "(maxpool2d): \"kernel_size\" is missing"},
    {IMAGE("{\"type\":\"maxpool2d\",\"kernel_size\":3,\"padding\":2}"), RF_SHAPE,
     "\"padding\" 2 is more than half the kernel of 3"},
    {IMAGE("{\"type\":\"maxpool2d\",\"kernel_size\":3,\"count_include_pad\":true}"), RF_FORMAT,
     "(maxpool2d): unknown key \"count_include_pad\""},
    {IMAGE("{\"type\":\"avgpool2d\",\"kernel_size\":3,\"dilation\":2}"), RF_FORMAT,
     "(avgpool2d): unknown key \"dilation\""},
    {IMAGE("{\"type\":\"maxpool2d\",\"kernel_size\":7}"), RF_SHAPE,
     "(maxpool2d): its input [3,8,6], padded by 0, is smaller than the kernel of 7"},
    {IMAGE("{\"type\":\"adaptiveavgpool2d\"}"), RF_FORMAT, "\"output_size\" is missing"},
    {IMAGE("{\"type\":\"adaptiveavgpool2d\",\"output_size\":[1,2,3]}"), RF_FORMAT, "is [1,2,3]"},
    {IMAGE("{\"type\":\"prelu\",\"num_parameters\":2}"), RF_SHAPE,
     "\"num_parameters\" is 2, expected 1 or its 3 channels"},
    {IMAGE("{\"type\":\"leakyrelu\",\"slope\":0.1}"), RF_FORMAT,
     "layer '0' (leakyrelu): unknown key \"slope\""},
    {IMAGE("{\"type\":\"leakyrelu\",\"negative_slope\":null}"), RF_FORMAT,
     "\"negative_slope\" must be a number"},
    {IMAGE("{\"type\":\"relu\",\"inplace\":1}"), RF_FORMAT, "\"inplace\" must be true or false"},
    {IMAGE("{\"type\":\"gelu\",\"approximate\":\"erf\"}"), RF_FORMAT,
     "\"approximate\" must be one of \"none\", \"tanh\""},
    {IMAGE("{\"type\":\"softmax\",\"dim\":0}"), RF_FORMAT, "\"dim\" must be from 1 to 3"},
    {IMAGE("{\"type\":\"softmax\",\"dim\":-4}"), RF_FORMAT, "or from -3 to -1"},
    {IMAGE("{\"type\":\"softmax\",\"dim\":\"1\"}"), RF_FORMAT, "\"dim\" must be from 1 to 3"},
    {NET("[3,8]", "{\"type\":\"softmax\"}"), RF_FORMAT, "(softmax): \"dim\" is missing"},
    {IMAGE("{\"type\":\"flatten\",\"start_dim\":0}"), RF_UNSUPPORTED, "only \"start_dim\" 1"},
    {IMAGE("{\"type\":\"flatten\",\"end_dim\":2}"), RF_UNSUPPORTED, "\"end_dim\" -1"},
    {IMAGE("{\"type\":\"dropout\",\"p\":1.5}"), RF_FORMAT, "\"p\" must be from 0 to 1"},
    /* blocks */
    {IMAGE("{\"type\":\"residual\"}"), RF_FORMAT,
     "(residual): \"layers\" must be a list of layers"},
    {IMAGE("{\"type\":\"residual\",\"layers\":[]}"), RF_FORMAT, "\"layers\" is empty"},
    {IMAGE("{\"type\":\"residual\",\"layers\":[{\"type\":\"relu\"}],\"shortcut\":1}"), RF_FORMAT,
     "\"shortcut\" must be a list of layers"},
    {IMAGE("{\"type\":\"residual\",\"layers\":[{\"type\":\"relo\"}]}"), RF_UNSUPPORTED,
     "layer '0.layers.0': unknown type 'relo'"},
    {IMAGE("{\"type\":\"residual\",\"name\":\"b\",\"layers\":[{\"type\":\"maxpool2d\","
           "\"kernel_size\":2}]}"),
     RF_SHAPE, "layer 'b' (residual): its layers give [3,4,3], its input is [3,8,6]"},
    {IMAGE("{\"type\":\"residual\",\"layers\":[{\"type\":\"relu\"}],\"shortcut\":[{\"type\":"
           "\"maxpool2d\",\"kernel_size\":2}]}"),
     RF_SHAPE, "its layers give [3,8,6], its shortcut [3,4,3]"},
    {IMAGE("{\"type\":\"concat\"}"), RF_FORMAT, "\"branches\" must be a list of 1 to 64 lists"},
    {IMAGE("{\"type\":\"concat\",\"branches\":[]}"), RF_FORMAT, "\"branches\" must be a list"},
    {IMAGE("{\"type\":\"concat\",\"branches\":[1]}"), RF_FORMAT,
     "\"branches.0\" must be a list of layers"},
    {IMAGE("{\"type\":\"concat\",\"branches\":[[],[{\"type\":\"maxpool2d\",\"kernel_size\":2}]]}"),
     RF_SHAPE, "branch 1 gives [3,4,3], expected [-1,8,6]"},
    {IMAGE("{\"type\":\"concat\",\"branches\":[[],[{\"type\":\"flatten\"}]]}"), RF_SHAPE,
     "branch 1 gives [144]"},
    /* the rest of the file */
    {"{\"format\":1,\"input\":{\"shape\":[3]},\"layers\":[{\"type\":\"relu\"}],\"output\":{\"n\":1}"
     "," INIT "}",
     RF_FORMAT, "\"output\": unknown key \"n\""},
    {"{\"format\":1,\"input\":{\"shape\":[3]},\"layers\":[{\"type\":\"relu\"}],\"output\":{"
     "\"name\":"
     "\"input\"}," INIT "}",
     RF_FORMAT, "the name 'input' is used twice"},
    {"{\"format\":1,\"input\":{\"shape\":[3]},\"layers\":[{\"type\":\"relu\"}],\"labels\":[\"a\"]"
     "," INIT "}",
     RF_SHAPE, "m.json: 1 labels, but the output is [3]"},
    {"{\"format\":1,\"input\":{\"shape\":[3]},\"layers\":[{\"type\":\"relu\"}],\"labels\":[\"a\",1,"
     "\"c\"]," INIT "}",
     RF_FORMAT, "labels[1] must be a string"},
    {"{\"format\":1,\"input\":{\"shape\":[3]},\"layers\":[{\"type\":\"relu\"}],\"labels\":{}," INIT
     "}",
     RF_FORMAT, "\"labels\" must be a list of strings"},
    {"{\"format\":1,\"input\":{\"shape\":[3]},\"layers\":[{\"type\":\"relu\"}]}", RF_NOT_FOUND,
     "m.json: there are no weights: no m.json's weights, and no \"init\""},
    {"{\"format\":1,\"init\":1}", RF_FORMAT, "\"init\" must be an object"},
    {"{\"format\":1,\"init\":{\"shceme\":\"zeros\"}}", RF_FORMAT,
     "\"init\": unknown key \"shceme\"; did you mean 'scheme'?"},
    {"{\"format\":1,\"init\":{\"scheme\":\"kaiming_norml\"}}", RF_FORMAT,
     "\"init\": unknown scheme 'kaiming_norml'; did you mean 'kaiming_normal'?"},
    {"{\"format\":1,\"init\":{\"nonlinearity\":\"swish\"}}", RF_FORMAT,
     "\"init\": unknown nonlinearity 'swish'"},
    {"{\"format\":1,\"init\":{\"mode\":\"fan\"}}", RF_FORMAT, "\"mode\" must be \"fan_in\""},
    {"{\"format\":1,\"init\":{\"seed\":-1}}", RF_FORMAT,
     "\"seed\" must be an integer of 0 or more"},
    {"{\"format\":1,\"init\":{\"bias\":\"x\"}}", RF_FORMAT, "\"init\": \"bias\" must be a number"},
};

START_TEST(broken_descriptions)
{
    struct rf_network net;
    const enum rf_status rc = parse(&net, bad[_i].json, NULL, 0, &err);
    ck_assert_msg(rc == bad[_i].status, "%s: status %d: %s", bad[_i].json, rc, err.text);
    ck_assert_msg(strstr(err.text, bad[_i].text) != NULL, "%s: %s", bad[_i].json, err.text);
    ck_assert_ptr_null(net.graph);
}
END_TEST

START_TEST(deep_blocks)
{
    struct rf_network net;
    struct rf_buf b;
    rf_buf_init(&b, 1 << 20);
    rf_buf_text(&b, "{\"format\":1," INIT ",\"input\":{\"shape\":[3]},\"layers\":[");
    for (int i = 0; i < 1000; i++)
        rf_buf_text(&b, "{\"type\":\"residual\",\"layers\":[");
    rf_buf_add(&b, "", 1);
    ck_assert_int_eq(parse(&net, b.data, NULL, 0, &err), RF_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.text, "JSON nesting depth exceeds maximum allowed limit (64)"));
    rf_buf_release(&b);
}
END_TEST

START_TEST(weights_gone_wrong)
{
    struct rf_safetensor t[8];
    struct rf_network net;
    char names[8][64];
    const size_t n = mlp_tensors(t, "", names);
    ck_assert_int_eq(parse_with(&net, t + 1, n - 1, &err), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "m.json's weights: tensor 'fc.weight' is missing: layer "
                                           "'fc' (linear) wants it, [3,2]"));
    strcpy(names[5], "bn.runing_var");
    ck_assert_int_eq(parse_with(&net, t, n, &err), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "tensor 'bn.running_var' is missing"));
    ck_assert_ptr_nonnull(strstr(err.text, "did you mean 'bn.runing_var'?"));
    mlp_tensors(t, "", names);
    t[0].shape = (struct rf_shape){.rank = 2, .dim = {2, 3}};
    ck_assert_int_eq(parse_with(&net, t, n, &err), RF_SHAPE);
    ck_assert_ptr_nonnull(
        strstr(err.text, "tensor 'fc.weight' is [2,3], layer 'fc' (linear) wants [3,2]"));
    mlp_tensors(t, "", names);
    t[7] = (struct rf_safetensor)TENSOR("fc2.bias", 3, VEC3);
    ck_assert_int_eq(parse_with(&net, t, n + 1, &err), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "tensor 'fc2.bias' [3] belongs to no layer of m.json"));
    t[1].dtype = RF_I32;
    ck_assert_int_eq(parse_with(&net, t, n, &err), RF_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "tensor 'fc.bias' holds I32; expected F32"));
    ck_assert_int_eq(parse(&net, MLP, "xyz", 3, &err), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "m.json's weights: 3 bytes"));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("model_errors");
    TCase *const t = tcase_create("all");
    tcase_add_loop_test(t, broken_descriptions, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, deep_blocks);
    tcase_add_test(t, weights_gone_wrong);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
