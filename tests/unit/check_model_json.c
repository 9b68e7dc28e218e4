/* model.json: what it builds, and descriptions and weights that are not right. */
#include "proto/model_json.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/op.h"
#include "tests/support/build_test.h"

static struct rf_error err;

#define INIT "\"init\":{\"scheme\":\"kaiming_normal\",\"seed\":1}"
#define NET(shape, layers)                                                                         \
    "{\"format\":1,\"name\":\"net\",\"input\":{\"shape\":" shape "},\"layers\":[" layers "]," INIT \
    "}"
#define IMAGE(layers) NET("[3,8,6]", layers)
#define VECTOR(layers) NET("[10]", layers)

static enum rf_status parse(struct rf_network *net, const char *json, const void *weights,
                            size_t len)
{
    char *const copy = exact_copy(json, strlen(json));
    err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc =
        rf_network_parse(net, "m.json", copy, strlen(json), weights, len, &err);
    free(copy);
    return rc;
}

static void parse_ok(struct rf_network *net, const char *json)
{
    ck_assert_msg(parse(net, json, NULL, 0) == RF_OK, "%s: %s", json, err.text);
}

/* ---- descriptions that are not right ---- */

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
    const enum rf_status rc = parse(&net, bad[_i].json, NULL, 0);
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
    ck_assert_int_eq(parse(&net, b.data, NULL, 0), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "nested more than 64 deep"));
    rf_buf_release(&b);
}
END_TEST

/* ---- what is built ---- */

static const struct rf_node *find_node(const struct rf_network *net, const char *name)
{
    for (size_t i = 0; i < net->graph->n_nodes; i++)
        if (strcmp(net->graph->nodes[i]->name, name) == 0)
            return net->graph->nodes[i];
    ck_abort_msg("no node %s", name);
}

static const struct rf_attr *find_attr(const struct rf_node *node, const char *name)
{
    for (const struct rf_attr *a = node->attrs; a; a = a->next)
        if (strcmp(a->name, name) == 0)
            return a;
    ck_abort_msg("node %s has no %s", node->name, name);
}

static void ints_are(const struct rf_node *node, const char *name, size_t n, const int64_t *want)
{
    const struct rf_attr *const a = find_attr(node, name);
    ck_assert_int_eq(a->type, RF_ATTR_INTS);
    ck_assert_uint_eq(a->n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(a->as.ints[i], want[i]);
}

static const struct rf_value *input_of(const struct rf_network *net, const struct rf_node *node,
                                       int i)
{
    return &net->graph->values[node->in[i]];
}

#define INTS(...)                                                                                  \
    sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[])                          \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

START_TEST(convolutions)
{
    struct rf_network net;
    char text[RF_SHAPE_TEXT];
    parse_ok(&net,
             IMAGE("{\"type\":\"conv2d\",\"out_channels\":6,\"kernel_size\":[3,2],\"stride\":[2,"
                   "1],\"padding\":[1,0,2,1],\"dilation\":[1,2],\"groups\":3},"
                   "{\"type\":\"conv2d\",\"out_channels\":2,\"kernel_size\":4,\"padding\":"
                   "\"same\",\"bias\":false}"));
    const struct rf_node *node = find_node(&net, "0");
    ck_assert_str_eq(node->op->name, "Conv");
    ints_are(node, "kernel_shape", INTS(3, 2));
    ints_are(node, "strides", INTS(2, 1));
    ints_are(node, "pads", INTS(1, 0, 2, 1));
    ints_are(node, "dilations", INTS(1, 2));
    ck_assert_int_eq(find_attr(node, "group")->as.i, 3);
    ck_assert_int_eq(node->n_in, 3);
    ck_assert_str_eq(input_of(&net, node, 1)->name, "0.weight");
    ck_assert_str_eq(rf_shape_text(&input_of(&net, node, 1)->shape, text, sizeof text),
                     "[6,1,3,2]");
    ck_assert_str_eq(rf_shape_text(&input_of(&net, node, 2)->shape, text, sizeof text), "[6]");
    node = find_node(&net, "1");
    ints_are(node, "pads", INTS(1, 1, 2, 2));
    ck_assert_int_eq(node->n_in, 2);
    ck_assert_str_eq(net.graph->values[node->out[0]].name, "output");
    ck_assert_int_eq(net.graph->outputs[0], node->out[0]);
    ck_assert_str_eq(net.name, "net");
    ck_assert_str_eq(net.format, "model.json");
    ck_assert_uint_eq(strlen(net.sha256), 64);
    ck_assert_int_eq(net.graph->values[net.graph->inputs[0]].shape.dim[0], -1);
    rf_network_release(&net);
    parse_ok(&net, NET("[5,20]", "{\"type\":\"conv1d\",\"out_channels\":7,\"kernel_size\":[3],"
                                 "\"padding\":1,\"stride\":2},{\"type\":\"prelu\","
                                 "\"num_parameters\":7}"));
    node = find_node(&net, "0");
    ints_are(node, "kernel_shape", INTS(3));
    ints_are(node, "pads", INTS(1, 1));
    ints_are(node, "strides", INTS(2));
    rf_shape_text(&input_of(&net, find_node(&net, "1"), 1)->shape, text, sizeof text);
    ck_assert_str_eq(text, "[7,1]");
    rf_network_release(&net);
}
END_TEST

/* Sizes behind windows, told by the linear layer behind them. */
static const struct {
    const char *layer;
    int64_t features;
} sizes[] = {
    {"{\"type\":\"maxpool2d\",\"kernel_size\":2}", 3 * 4 * 3},
    {"{\"type\":\"maxpool2d\",\"kernel_size\":3}", 3 * 2 * 2},
    {"{\"type\":\"maxpool2d\",\"kernel_size\":3,\"stride\":2}", 3 * 3 * 2},
    {"{\"type\":\"maxpool2d\",\"kernel_size\":3,\"stride\":2,\"ceil_mode\":true}", 3 * 4 * 3},
    {"{\"type\":\"maxpool2d\",\"kernel_size\":3,\"stride\":2,\"padding\":1}", 3 * 4 * 3},
    {"{\"type\":\"maxpool2d\",\"kernel_size\":2,\"stride\":3,\"padding\":1,\"ceil_mode\":true}",
     3 * 3 * 3},
    {"{\"type\":\"maxpool2d\",\"kernel_size\":1,\"stride\":5,\"ceil_mode\":true}", 3 * 2 * 2},
    {"{\"type\":\"maxpool2d\",\"kernel_size\":1,\"stride\":8,\"ceil_mode\":true}", 3 * 1 * 1},
    {"{\"type\":\"maxpool2d\",\"kernel_size\":2,\"stride\":1,\"dilation\":[3,2]}", 3 * 5 * 4},
    {"{\"type\":\"avgpool2d\",\"kernel_size\":[1,3],\"stride\":[2,1],\"padding\":[0,1]}",
     3 * 4 * 6},
    {"{\"type\":\"avgpool2d\",\"kernel_size\":3,\"stride\":1,\"padding\":[0,0,1,1]}", 3 * 7 * 5},
    {"{\"type\":\"adaptiveavgpool2d\",\"output_size\":1}", 3},
    {"{\"type\":\"adaptiveavgpool2d\",\"output_size\":[3,2]}", 3 * 3 * 2},
    {"{\"type\":\"conv2d\",\"out_channels\":5,\"kernel_size\":3}", 5 * 6 * 4},
    {"{\"type\":\"conv2d\",\"out_channels\":5,\"kernel_size\":3,\"padding\":\"valid\"}", 5 * 6 * 4},
    {"{\"type\":\"conv2d\",\"out_channels\":5,\"kernel_size\":3,\"stride\":2,\"padding\":1}",
     5 * 4 * 3},
    {"{\"type\":\"conv2d\",\"out_channels\":5,\"kernel_size\":2,\"stride\":3,\"dilation\":2}",
     5 * 2 * 2},
    {"{\"type\":\"concat\",\"branches\":[[],[{\"type\":\"relu\"}]]}", 6 * 8 * 6},
};

START_TEST(sizes_behind_windows)
{
    struct rf_network net;
    char json[1000];
    snprintf(json, sizeof json,
             IMAGE("%s,{\"type\":\"flatten\"},{\"type\":\"linear\",\"out_features\":2,"
                   "\"in_features\":%lld}"),
             sizes[_i].layer, (long long)sizes[_i].features);
    parse_ok(&net, json);
    const struct rf_value *const weight = input_of(&net, find_node(&net, "2"), 1);
    ck_assert_int_eq(weight->shape.dim[1], sizes[_i].features);
    rf_network_release(&net);
}
END_TEST

START_TEST(pools)
{
    struct rf_network net;
    parse_ok(&net,
             IMAGE("{\"type\":\"maxpool2d\",\"kernel_size\":2,\"dilation\":2,\"stride\":1},"
                   "{\"type\":\"avgpool2d\",\"kernel_size\":2,\"padding\":1,\"ceil_mode\":true,"
                   "\"count_include_pad\":false},"
                   "{\"type\":\"adaptiveavgpool2d\",\"output_size\":[2,1]},"
                   "{\"type\":\"adaptiveavgpool2d\",\"output_size\":1}"));
    ck_assert_str_eq(find_node(&net, "0")->op->name, "MaxPool");
    ints_are(find_node(&net, "0"), "dilations", INTS(2, 2));
    ints_are(find_node(&net, "0"), "strides", INTS(1, 1));
    ck_assert_int_eq(find_attr(find_node(&net, "0"), "ceil_mode")->as.i, 0);
    ck_assert_str_eq(find_node(&net, "1")->op->name, "AveragePool");
    ints_are(find_node(&net, "1"), "strides", INTS(2, 2));
    ints_are(find_node(&net, "1"), "pads", INTS(1, 1, 1, 1));
    ck_assert_int_eq(find_attr(find_node(&net, "1"), "ceil_mode")->as.i, 1);
    ck_assert_int_eq(find_attr(find_node(&net, "1"), "count_include_pad")->as.i, 0);
    ck_assert_str_eq(find_node(&net, "2")->op->name, "AdaptiveAveragePool");
    ints_are(find_node(&net, "2"), "output_size", INTS(2, 1));
    ck_assert_str_eq(find_node(&net, "3")->op->name, "GlobalAveragePool");
    rf_network_release(&net);
}
END_TEST

static const struct {
    const char *layer, *op, *attribute;
    float value;
} activations[] = {
    {"{\"type\":\"relu\",\"inplace\":true}", "Relu", NULL, 0},
    {"{\"type\":\"leakyrelu\"}", "LeakyRelu", "alpha", 0.01f},
    {"{\"type\":\"leakyrelu\",\"negative_slope\":0.2}", "LeakyRelu", "alpha", 0.2f},
    {"{\"type\":\"elu\"}", "Elu", "alpha", 1},
    {"{\"type\":\"elu\",\"alpha\":0.5}", "Elu", "alpha", 0.5f},
    {"{\"type\":\"celu\",\"alpha\":2}", "Celu", "alpha", 2},
    {"{\"type\":\"selu\"}", "Selu", NULL, 0},
    {"{\"type\":\"gelu\"}", "Gelu", NULL, 0},
    {"{\"type\":\"gelu\",\"approximate\":\"none\"}", "Gelu", NULL, 0},
    {"{\"type\":\"gelu\",\"approximate\":\"tanh\"}", "GeluTanh", NULL, 0},
    {"{\"type\":\"silu\"}", "Silu", NULL, 0},
    {"{\"type\":\"sigmoid\"}", "Sigmoid", NULL, 0},
    {"{\"type\":\"tanh\"}", "Tanh", NULL, 0},
    {"{\"type\":\"hardsigmoid\"}", "HardSigmoid", "alpha", 1 / 6.f},
    {"{\"type\":\"hardswish\"}", "HardSwish", NULL, 0},
    {"{\"type\":\"softplus\"}", "Softplus", NULL, 0},
    {"{\"type\":\"identity\"}", "Identity", NULL, 0},
    {"{\"type\":\"dropout\",\"p\":0.2}", "Identity", NULL, 0},
    {"{\"type\":\"relu6\"}", "Clip", NULL, 0},
};

START_TEST(every_activation)
{
    struct rf_network net;
    char json[500];
    snprintf(json, sizeof json, IMAGE("%s"), activations[_i].layer);
    parse_ok(&net, json);
    const struct rf_node *const node = find_node(&net, "0");
    ck_assert_str_eq(node->op->name, activations[_i].op);
    if (activations[_i].attribute)
        ck_assert_float_eq(find_attr(node, activations[_i].attribute)->as.f, activations[_i].value);
    rf_network_release(&net);
}
END_TEST

START_TEST(other_layers)
{
    struct rf_network net;
    char text[RF_SHAPE_TEXT];
    parse_ok(&net, IMAGE("{\"type\":\"batchnorm2d\",\"eps\":0.001,\"momentum\":0.2},"
                         "{\"type\":\"batchnorm2d\",\"affine\":false},"
                         "{\"type\":\"prelu\",\"num_parameters\":3},{\"type\":\"prelu\"},"
                         "{\"type\":\"relu6\"},{\"type\":\"softmax\",\"dim\":-1},"
                         "{\"type\":\"flatten\",\"end_dim\":-1},{\"type\":\"prelu\","
                         "\"num_parameters\":144},{\"type\":\"logsoftmax\"}"));
    const struct rf_node *node = find_node(&net, "0");
    ck_assert_str_eq(node->op->name, "BatchNormalization");
    ck_assert_float_eq(find_attr(node, "epsilon")->as.f, 0.001f);
    ck_assert_str_eq(input_of(&net, node, 3)->name, "0.running_mean");
    node = find_node(&net, "1");
    ck_assert_float_eq(((const float *)input_of(&net, node, 1)->constant)[2], 1);
    ck_assert_float_eq(((const float *)input_of(&net, node, 2)->constant)[2], 0);
    rf_shape_text(&input_of(&net, find_node(&net, "2"), 1)->shape, text, sizeof text);
    ck_assert_str_eq(text, "[3,1,1]");
    rf_shape_text(&input_of(&net, find_node(&net, "3"), 1)->shape, text, sizeof text);
    ck_assert_str_eq(text, "[1]");
    ck_assert_float_eq(*(const float *)input_of(&net, find_node(&net, "3"), 1)->constant, 0.25f);
    node = find_node(&net, "4");
    ck_assert_int_eq(input_of(&net, node, 2)->shape.rank, 0);
    ck_assert_float_eq(*(const float *)input_of(&net, node, 1)->constant, 0);
    ck_assert_float_eq(*(const float *)input_of(&net, node, 2)->constant, 6);
    ck_assert_int_eq(find_attr(find_node(&net, "5"), "axis")->as.i, 3);
    ck_assert_int_eq(find_attr(find_node(&net, "6"), "axis")->as.i, 1);
    rf_shape_text(&input_of(&net, find_node(&net, "7"), 1)->shape, text, sizeof text);
    ck_assert_str_eq(text, "[144]");
    ck_assert_int_eq(find_attr(find_node(&net, "8"), "axis")->as.i, 1);
    rf_network_release(&net);
}
END_TEST

START_TEST(names_in_blocks)
{
    struct rf_network net;
    parse_ok(&net,
             IMAGE("{\"type\":\"residual\",\"name\":\"b\",\"layers\":[{\"type\":\"relu\"},"
                   "{\"type\":\"conv2d\",\"name\":\"abs\",\"out_channels\":5,\"kernel_size\":1}],"
                   "\"shortcut\":[{\"type\":\"conv2d\",\"out_channels\":5,\"kernel_size\":1}]},"
                   "{\"type\":\"concat\",\"branches\":[[],[{\"type\":\"relu\"},{\"type\":"
                   "\"residual\",\"layers\":[{\"type\":\"tanh\"}]}]]}"));
    const struct rf_node *const add = find_node(&net, "b"), *const mix = find_node(&net, "1");
    ck_assert_str_eq(add->op->name, "Add");
    ck_assert_str_eq(input_of(&net, add, 0)->name, "abs");
    ck_assert_str_eq(input_of(&net, add, 1)->name, "b.shortcut.0");
    ck_assert_str_eq(input_of(&net, find_node(&net, "abs"), 0)->name, "b.layers.0");
    ck_assert_str_eq(input_of(&net, find_node(&net, "b.layers.0"), 0)->name, "input");
    ck_assert_str_eq(mix->op->name, "Concat");
    ck_assert_int_eq(find_attr(mix, "axis")->as.i, 1);
    ck_assert_str_eq(input_of(&net, mix, 0)->name, "b");
    ck_assert_str_eq(input_of(&net, mix, 1)->name, "1.branches.1.1");
    ck_assert_str_eq(find_node(&net, "1.branches.1.1.layers.0")->op->name, "Tanh");
    ck_assert_str_eq(net.graph->values[mix->out[0]].name, "output");
    rf_network_release(&net);
}
END_TEST

START_TEST(input_and_output)
{
    struct rf_network net;
    parse_ok(
        &net,
        "{\"format\":1,\"input\":{\"name\":\"image\",\"shape\":[2,4,4],\"scale\":0.5,\"mean\":[1,"
        "2],\"std\":[0.25,4]},\"layers\":[{\"type\":\"flatten\"},{\"type\":\"linear\",\"name\":"
        "\"fc\",\"out_features\":2}],\"output\":{\"name\":\"probabilities\"},\"labels\":[\"no\","
        "\"yes\"]," INIT "}");
    ck_assert_str_eq(net.name, "m.json");
    ck_assert_uint_eq(net.n_labels, 2);
    ck_assert_str_eq(net.labels[1], "yes");
    ck_assert_str_eq(net.graph->values[net.graph->outputs[0]].name, "probabilities");
    ck_assert_str_eq(net.graph->values[net.graph->inputs[0]].name, "image");
    const struct rf_node *const node = find_node(&net, "image/normalize");
    const float *const scale = input_of(&net, node, 1)->constant;
    const float *const bias = input_of(&net, node, 2)->constant;
    ck_assert(scale[0] == 2 && scale[1] == 0.125f && bias[0] == -4 && bias[1] == -0.5f);
    ck_assert_float_eq(*(const float *)input_of(&net, node, 4)->constant, 1);
    ck_assert_float_eq(find_attr(node, "epsilon")->as.f, 0);
    rf_network_release(&net);
}
END_TEST

/* ---- weights ---- */

#define MLP                                                                                        \
    "{\"format\":1,\"input\":{\"shape\":[2]},\"layers\":[{\"type\":\"linear\",\"name\":\"fc\","    \
    "\"out_features\":3},{\"type\":\"batchnorm1d\",\"name\":\"bn\"}]}"

static const float values[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

#define TENSOR(name_, n, ...)                                                                      \
    {                                                                                              \
        .name = (name_), .dtype = RF_F32, .shape = __VA_ARGS__, .data = values, .bytes = 4 * (n)   \
    }
#define VEC3                                                                                       \
    {                                                                                              \
        .rank = 1, .dim = { 3 }                                                                    \
    }

/* The tensors of MLP, with `prefix` before each name. */
static size_t mlp_tensors(struct rf_safetensor *t, const char *prefix, char names[8][64])
{
    static const struct rf_safetensor tensors[] = {
        TENSOR("fc.weight", 6, {.rank = 2, .dim = {3, 2}}),
        TENSOR("fc.bias", 3, VEC3),
        TENSOR("bn.weight", 3, VEC3),
        TENSOR("bn.bias", 3, VEC3),
        TENSOR("bn.running_mean", 3, VEC3),
        TENSOR("bn.running_var", 3, VEC3),
        {.name = "bn.num_batches_tracked", .dtype = RF_I64, .data = values, .bytes = 8},
    };
    const size_t n = sizeof tensors / sizeof *tensors;
    for (size_t i = 0; i < n; i++) {
        t[i] = tensors[i];
        snprintf(names[i], 64, "%s%s", prefix, tensors[i].name);
        t[i].name = names[i];
    }
    return n;
}

static enum rf_status parse_with(struct rf_network *net, const struct rf_safetensor *t, size_t n)
{
    struct rf_buf b;
    rf_buf_init(&b, 100000);
    rf_safetensors_write(&b, t, n);
    ck_assert_int_eq(b.status, RF_OK);
    const enum rf_status rc = parse(net, MLP, b.data, b.len);
    rf_buf_release(&b);
    return rc;
}

START_TEST(weights_by_name)
{
    static const char *const prefixes[] = {"", "module.", "_orig_mod.", "module._orig_mod.",
                                           "_orig_mod.module."};
    for (size_t p = 0; p < 5; p++) {
        struct rf_safetensor t[8];
        struct rf_network net;
        char names[8][64], note[100];
        const size_t n = mlp_tensors(t, prefixes[p], names);
        ck_assert_msg(parse_with(&net, t, n) == RF_OK, "%s", err.text);
        const struct rf_node *const node = find_node(&net, "fc");
        ck_assert_int_eq(memcmp(input_of(&net, node, 1)->constant, values, 24), 0);
        ck_assert_int_eq(find_attr(node, "transB")->as.i, 1);
        snprintf(note, sizeof note, "prefix '%s' of", prefixes[p]);
        ck_assert(p == 0 ? !*net.note : strncmp(net.note, note, strlen(note)) == 0);
        rf_network_release(&net);
    }
}
END_TEST

START_TEST(weights_gone_wrong)
{
    struct rf_safetensor t[8];
    struct rf_network net;
    char names[8][64];
    const size_t n = mlp_tensors(t, "", names);
    ck_assert_int_eq(parse_with(&net, t + 1, n - 1), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "m.json's weights: tensor 'fc.weight' is missing: layer "
                                           "'fc' (linear) wants it, [3,2]"));
    strcpy(names[5], "bn.runing_var");
    ck_assert_int_eq(parse_with(&net, t, n), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "tensor 'bn.running_var' is missing"));
    ck_assert_ptr_nonnull(strstr(err.text, "did you mean 'bn.runing_var'?"));
    mlp_tensors(t, "", names);
    t[0].shape = (struct rf_shape){.rank = 2, .dim = {2, 3}};
    ck_assert_int_eq(parse_with(&net, t, n), RF_SHAPE);
    ck_assert_ptr_nonnull(
        strstr(err.text, "tensor 'fc.weight' is [2,3], layer 'fc' (linear) wants [3,2]"));
    mlp_tensors(t, "", names);
    t[7] = (struct rf_safetensor)TENSOR("fc2.bias", 3, VEC3);
    ck_assert_int_eq(parse_with(&net, t, n + 1), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "tensor 'fc2.bias' [3] belongs to no layer of m.json"));
    t[1].dtype = RF_I32;
    ck_assert_int_eq(parse_with(&net, t, n), RF_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "tensor 'fc.bias' holds I32; expected F32"));
    ck_assert_int_eq(parse(&net, MLP, "xyz", 3), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "m.json's weights: 3 bytes"));
}
END_TEST

START_TEST(initialised_weights)
{
    static const char json[] =
        "{\"format\":1,\"input\":{\"shape\":[100]},\"layers\":[{\"type\":\"linear\",\"name\":\"a\","
        "\"out_features\":200},{\"type\":\"linear\",\"name\":\"b\",\"out_features\":200},{\"type\":"
        "\"batchnorm1d\",\"name\":\"n\"}],\"init\":{\"scheme\":\"kaiming_normal\",\"nonlinearity\":"
        "\"relu\",\"bias\":0.01,\"seed\":3}}";
    struct rf_network net;
    struct rf_safetensors *st;
    struct rf_buf b, other;
    parse_ok(&net, json);
    const float *const w = input_of(&net, find_node(&net, "a"), 1)->constant;
    double squares = 0;
    for (int i = 0; i < 20000; i++)
        squares += (double)w[i] * (double)w[i];
    ck_assert_double_eq_tol(sqrt(squares / 20000), sqrt(2.0 / 100), 0.003);
    ck_assert_float_eq(*(const float *)input_of(&net, find_node(&net, "a"), 2)->constant, 0.01f);
    ck_assert_float_eq(*(const float *)input_of(&net, find_node(&net, "n"), 1)->constant, 1);
    ck_assert_float_eq(*(const float *)input_of(&net, find_node(&net, "n"), 4)->constant, 1);

    /* The same seed gives the file the same weights, another one others. */
    rf_buf_init(&b, 1 << 20);
    rf_buf_init(&other, 1 << 20);
    assert_ok(rf_model_json_init(&b, "m.json", json, strlen(json), 3, &err));
    assert_ok(rf_model_json_init(&other, "m.json", json, strlen(json), 4, &err));
    assert_ok(rf_safetensors_read(&st, "out", b.data, b.len, &err));
    ck_assert_uint_eq(st->n, 8);
    ck_assert_int_eq(memcmp(rf_safetensors_find(st, "a.weight")->data, w, 80000), 0);
    ck_assert_int_ne(memcmp(rf_safetensors_find(st, "b.weight")->data, w, 80000), 0);
    ck_assert_uint_eq(b.len, other.len);
    ck_assert_int_ne(memcmp(b.data, other.data, b.len), 0);
    rf_network_release(&net);
    ck_assert_int_eq(parse(&net, json, b.data, b.len), RF_OK);
    rf_network_release(&net);
    rf_safetensors_free(st);
    rf_buf_release(&b);
    rf_buf_release(&other);
}
END_TEST

START_TEST(initialising_needs_no_section)
{
    struct rf_network net;
    struct rf_buf b;
    rf_buf_init(&b, 10000);
    assert_ok(rf_model_json_init(&b, "m.json", MLP, strlen(MLP), 1, &err));
    ck_assert_int_eq(parse(&net, MLP, b.data, b.len), RF_OK);
    rf_network_release(&net);
    rf_buf_release(&b);
    rf_buf_init(&b, 100);
    assert_fails(RF_LIMIT, "the weights are over the limit of 100 bytes",
                 rf_model_json_init(&b, "m.json", MLP, strlen(MLP), 1, &err));
    rf_buf_release(&b);
    assert_fails(RF_FORMAT, "m.json: expected a JSON value",
                 rf_model_json_init(&b, "m.json", "", 0, 1, &err));
}
END_TEST

/* ---- files ---- */

static char folder[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/rectifier-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remove_folder(void)
{
    static const char *const names[] = {"model.json",        "model.safetensors", "other.json",
                                        "other.safetensors", "fifo.json",         "notes.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_folder(names[i]));
    rmdir(in_folder("dir.json"));
    ck_assert_int_eq(rmdir(folder), 0);
}

static void write_file(const char *name, const void *bytes, size_t len)
{
    FILE *const file = fopen(in_folder(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(folders_and_files)
{
    struct rf_network net;
    struct rf_safetensor t[8];
    struct rf_buf b;
    char names[8][64];
    const size_t n = mlp_tensors(t, "", names);
    rf_buf_init(&b, 10000);
    rf_safetensors_write(&b, t, n);
    write_file("model.json", MLP, strlen(MLP));
    assert_fails(RF_NOT_FOUND, "no weights", rf_network_load(&net, folder, &err));
    write_file("model.safetensors", b.data, b.len);
    assert_ok(rf_network_load(&net, folder, &err));
    ck_assert_str_eq(net.name, strrchr(folder, '/') + 1);
    ck_assert_uint_eq(strlen(net.sha256), 64);
    char sum[65];
    strcpy(sum, net.sha256);
    rf_network_release(&net);
    assert_ok(rf_network_load(&net, in_folder("model.json"), &err));
    ck_assert_str_eq(net.name, strrchr(folder, '/') + 1);
    ck_assert_str_eq(net.sha256, sum);
    rf_network_release(&net);
    write_file("other.json", MLP, strlen(MLP));
    assert_fails(RF_NOT_FOUND, "other.safetensors",
                 rf_network_load(&net, in_folder("other.json"), &err));
    write_file("other.safetensors", b.data, b.len);
    assert_ok(rf_network_load(&net, in_folder("other.json"), &err));
    ck_assert_str_eq(net.name, "other");
    rf_network_release(&net);
    write_file("model.safetensors", b.data, b.len - 1);
    assert_fails(RF_FORMAT, "model.safetensors: tensor '", rf_network_load(&net, folder, &err));
    rf_buf_release(&b);
}
END_TEST

START_TEST(files_that_are_none)
{
    struct rf_network net;
    assert_fails(RF_NOT_FOUND, "model.json: cannot be opened: No such file",
                 rf_network_load(&net, folder, &err));
    assert_fails(RF_NOT_FOUND, "cannot be found", rf_network_load(&net, in_folder("no"), &err));
    write_file("notes.txt", "x", 1);
    assert_fails(RF_UNSUPPORTED, "expected a folder with model.json, or a .json file",
                 rf_network_load(&net, in_folder("notes.txt"), &err));
    ck_assert_int_eq(mkfifo(in_folder("fifo.json"), 0600), 0);
    assert_fails(RF_IO, "fifo.json: is not a regular file",
                 rf_network_load(&net, in_folder("fifo.json"), &err));
    ck_assert_int_eq(mkdir(in_folder("dir.json"), 0700), 0);
    assert_fails(RF_NOT_FOUND, "dir.json/model.json: cannot be opened",
                 rf_network_load(&net, in_folder("dir.json"), &err));
    ck_assert_int_eq(symlink("/dev/zero", in_folder("model.json")), 0);
    assert_fails(RF_IO, "model.json: is not a regular file", rf_network_load(&net, folder, &err));
    unlink(in_folder("model.json"));
    write_file("model.json", MLP, strlen(MLP));
    ck_assert_int_eq(symlink("loop", in_folder("model.safetensors")), 0);
    assert_fails(RF_NOT_FOUND, "no weights", rf_network_load(&net, folder, &err));
    unlink(in_folder("model.safetensors"));
    ck_assert_int_eq(symlink("model.safetensors", in_folder("model.safetensors")), 0);
    assert_fails(RF_IO, "model.safetensors: cannot be opened", rf_network_load(&net, folder, &err));
}
END_TEST

START_TEST(file_limits)
{
    char *text;
    size_t len;
    write_file("notes.txt", "0123456789", 10);
    assert_ok(rf_file_read(&text, &len, in_folder("notes.txt"), 10, &err));
    ck_assert_uint_eq(len, 10);
    ck_assert_str_eq(text, "0123456789");
    free(text);
    assert_fails(RF_LIMIT, "notes.txt: 10 bytes; at most 9 are read",
                 rf_file_read(&text, &len, in_folder("notes.txt"), 9, &err));
    ck_assert_ptr_null(text);
    write_file("notes.txt", "", 0);
    assert_ok(rf_file_read(&text, &len, in_folder("notes.txt"), 9, &err));
    ck_assert_str_eq(text, "");
    free(text);
    /* A file that holds more than its size says. */
    assert_fails(RF_IO, "changed while it was read",
                 rf_file_read(&text, &len, "/proc/self/status", 10, &err));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("model_json");
    TCase *const t = tcase_create("graphs"), *const files = tcase_create("files");
    tcase_add_loop_test(t, broken_descriptions, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, deep_blocks);
    tcase_add_test(t, convolutions);
    tcase_add_loop_test(t, sizes_behind_windows, 0, sizeof sizes / sizeof *sizes);
    tcase_add_test(t, pools);
    tcase_add_loop_test(t, every_activation, 0, sizeof activations / sizeof *activations);
    tcase_add_test(t, other_layers);
    tcase_add_test(t, names_in_blocks);
    tcase_add_test(t, input_and_output);
    tcase_add_test(t, weights_by_name);
    tcase_add_test(t, weights_gone_wrong);
    tcase_add_test(t, initialised_weights);
    tcase_add_test(t, initialising_needs_no_section);
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, folders_and_files);
    tcase_add_test(files, files_that_are_none);
    tcase_add_test(files, file_limits);
    suite_add_tcase(suite, files);
    return run_suite(suite);
}
