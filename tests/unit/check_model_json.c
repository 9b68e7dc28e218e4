/* model.json: what its layers, weights and initialisation become. */
#include "proto/model_json.h"

#include <math.h>

#include "core/op.h"
#include "tests/support/build_model.h"

static struct rf_error err;

static void parse_ok(struct rf_network *net, const char *json)
{
    ck_assert_msg(parse(net, json, NULL, 0, &err) == RF_OK, "%s: %s", json, err.text);
}

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

START_TEST(weights_by_name)
{
    static const char *const prefixes[] = {"", "module.", "_orig_mod.", "module._orig_mod.",
                                           "_orig_mod.module."};
    for (size_t p = 0; p < 5; p++) {
        struct rf_safetensor t[8];
        struct rf_network net;
        char names[8][64], note[100];
        const size_t n = mlp_tensors(t, prefixes[p], names);
        ck_assert_msg(parse_with(&net, t, n, &err) == RF_OK, "%s", err.text);
        const struct rf_node *const node = find_node(&net, "fc");
        ck_assert_int_eq(memcmp(input_of(&net, node, 1)->constant, values, 24), 0);
        ck_assert_int_eq(find_attr(node, "transB")->as.i, 1);
        snprintf(note, sizeof note, "prefix '%s' of", prefixes[p]);
        ck_assert(p == 0 ? !*net.note : strncmp(net.note, note, strlen(note)) == 0);
        rf_network_release(&net);
    }
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
    ck_assert_int_eq(parse(&net, json, b.data, b.len, &err), RF_OK);
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
    ck_assert_int_eq(parse(&net, MLP, b.data, b.len, &err), RF_OK);
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

int main(void)
{
    Suite *const suite = suite_create("model_json");
    TCase *const t = tcase_create("all");
    tcase_add_test(t, convolutions);
    tcase_add_loop_test(t, sizes_behind_windows, 0, sizeof sizes / sizeof *sizes);
    tcase_add_test(t, pools);
    tcase_add_loop_test(t, every_activation, 0, sizeof activations / sizeof *activations);
    tcase_add_test(t, other_layers);
    tcase_add_test(t, names_in_blocks);
    tcase_add_test(t, input_and_output);
    tcase_add_test(t, weights_by_name);
    tcase_add_test(t, initialised_weights);
    tcase_add_test(t, initialising_needs_no_section);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
