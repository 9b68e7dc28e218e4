/* ONNX files: versions, names, inputs, nodes, attributes, constants, and files that are damaged. */
#include <stdio.h>

#include "tests/support/onnx_write.h"

static struct rf_error err;

static const float zeros[64];

/* Conv and Relu: x [1,1,4,4] -> y. */
static struct rf_buf small_graph(void)
{
    struct rf_buf graph = pb_new();
    onnx_add_node(&graph, "Conv", "conv", "x,w", "c");
    onnx_add_node(&graph, "Relu", "", "c", "y");
    onnx_add_raw(&graph, "w", FLOAT, DIMS(2, 1, 3, 3), zeros, sizeof(float) * 18);
    onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(1, 1, 4, 4));
    onnx_add_value(&graph, GRAPH_OUTPUT, "y", FLOAT, DIMS(1, 2, 2, 2));
    return graph;
}

static const struct rf_value *value_of(const struct rf_graph *g, const char *name)
{
    const rf_value_id id = rf_graph_find(g, name);
    ck_assert_msg(id != RF_NO_VALUE, "no value %s", name);
    return &g->values[id];
}

/* ---- the model ---- */

static const struct {
    int64_t ir, opset;
    enum rf_status status;
    const char *text;
} versions[] = {
    {8, 6, RF_OK, ""},
    {3, 9, RF_OK, ""},
    {10, 23, RF_OK, ""},
    {13, 27, RF_OK, ""},
    {8, 5, RF_UNSUPPORTED, "m.onnx: opset_import: opset 5; 6 to 27 are read"},
    {8, 28, RF_UNSUPPORTED, "opset 28"},
    {8, -1, RF_UNSUPPORTED, "opset -1"},
    {8, 999, RF_UNSUPPORTED, "opset 999"},
    {8, ((int64_t)1 << 32) + 13, RF_UNSUPPORTED, "opset 4294967309"},
    {8, 0, RF_FORMAT, "no version of the default operators"},
    {2, 13, RF_UNSUPPORTED, "ir_version 2; 3 to 20 are read"},
    {999, 13, RF_UNSUPPORTED, "ir_version 999"},
    {-1, 13, RF_UNSUPPORTED, "ir_version -1"},
};

START_TEST(versions_are_checked)
{
    struct rf_graph *g;
    struct rf_buf graph = small_graph();
    struct rf_buf model = onnx_model(versions[_i].ir, versions[_i].opset, &graph);
    if (versions[_i].status == RF_OK) {
        assert_ok(onnx_read(&g, &model, NULL, NULL, &err));
        ck_assert_int_eq(g->opset, versions[_i].opset);
        rf_graph_free(g);
    } else {
        assert_fails(versions[_i].status, versions[_i].text,
                     onnx_read(&g, &model, NULL, NULL, &err));
    }
}
END_TEST

static void add_opset(struct rf_buf *model, const char *domain, int64_t version)
{
    struct rf_buf set = pb_new();
    pb_text(&set, 1, domain);
    pb_number(&set, 2, version);
    pb_message(model, MODEL_OPSET, &set);
}

START_TEST(other_operator_sets)
{
    struct rf_graph *g;
    struct rf_buf graph = small_graph();
    struct rf_buf model = onnx_model(8, 0, &graph);
    add_opset(&model, "com.microsoft", 1);
    add_opset(&model, "ai.onnx", 11);
    assert_ok(onnx_read(&g, &model, NULL, NULL, &err));
    ck_assert_int_eq(g->opset, 11);
    rf_graph_free(g);
    graph = small_graph();
    model = onnx_model(8, 13, &graph);
    add_opset(&model, "ai.onnx", 11);
    assert_fails(RF_FORMAT, "versions 13 and 11", onnx_read(&g, &model, NULL, NULL, &err));
}
END_TEST

START_TEST(models_that_are_none)
{
    struct rf_graph *g;
    struct rf_buf model = pb_new();
    assert_fails(RF_FORMAT, "m.onnx: is no ONNX file: it has no ir_version",
                 onnx_read(&g, &model, NULL, NULL, &err));
    pb_number(&model, MODEL_IR, 8);
    assert_fails(RF_FORMAT, "m.onnx: holds no graph", onnx_read(&g, &model, NULL, NULL, &err));
    rf_buf_text(&model, "plain text");
    assert_fails(RF_FORMAT, "malformed protobuf", onnx_read(&g, &model, NULL, NULL, &err));
    struct rf_buf graph = small_graph(), function = pb_new();
    model = onnx_model(8, 13, &graph);
    pb_text(&function, 1, "Swish\n");
    pb_message(&model, 25, &function);
    assert_fails(RF_UNSUPPORTED, "local function 'Swish?'",
                 onnx_read(&g, &model, NULL, NULL, &err));
    graph = small_graph();
    pb_text(&graph, 15, "");
    assert_fails(RF_UNSUPPORTED, "sparse initializers", onnx_read_graph(&g, &graph, &err));
}
END_TEST

/* Fields that are not known cost memory, which has an end. */
START_TEST(unknown_fields)
{
    struct rf_graph *g;
    struct rf_buf graph = small_graph();
    struct rf_buf model = onnx_model(8, 13, &graph);
    pb_text(&model, 14, "metadata");
    assert_ok(onnx_read(&g, &model, NULL, NULL, &err));
    rf_graph_free(g);
    enum { N = 4 << 20 };
    char *const many = malloc(N);
    for (size_t i = 0; i < N; i++)
        many[i] = i % 2 ? 1 : 14 << 3; /* field 14 is 1 */
    const struct rf_onnx_file file = {.source = "m.onnx", .bytes = many, .len = N};
    assert_fails(RF_LIMIT, "may not unpack to more than", rf_onnx_read(&g, &file, &err));
}
END_TEST

/* ---- inputs and outputs ---- */

START_TEST(dimensions)
{
    struct rf_graph *g;
    struct rf_buf graph = pb_new();
    onnx_add_node(&graph, "Relu", "", "x", "y");
    onnx_add_value(&graph, GRAPH_INPUT, "x", DOUBLE, DIMS(SYMBOLIC, 3, UNSAID));
    onnx_add_value(&graph, GRAPH_INPUT, "n", INT64, SCALAR);
    onnx_add_value(&graph, GRAPH_OUTPUT, "y", DOUBLE, DIMS(SYMBOLIC, 3, UNSAID));
    onnx_add_value(&graph, GRAPH_OUTPUT, "n", INT64, SCALAR);
    assert_ok(onnx_read_graph(&g, &graph, &err));
    ck_assert_uint_eq(g->n_inputs, 2);
    ck_assert_uint_eq(g->n_outputs, 2);
    const struct rf_value *const x = &g->values[g->inputs[0]], *const n = &g->values[g->inputs[1]];
    ck_assert_str_eq(x->name, "x");
    ck_assert_int_eq(x->dtype, RF_F32);
    ck_assert_int_eq(x->shape.rank, 3);
    ck_assert_int_eq(x->shape.dim[0], -1);
    ck_assert_int_eq(x->shape.dim[1], 3);
    ck_assert_int_eq(x->shape.dim[2], -1);
    ck_assert_int_eq(n->dtype, RF_I64);
    ck_assert_int_eq(n->shape.rank, 0);
    ck_assert_str_eq(g->values[g->outputs[0]].name, "y");
    rf_graph_free(g);
}
END_TEST

/* What IR 3 demanded: weights are among the inputs. */
START_TEST(initializers_among_the_inputs)
{
    struct rf_graph *g;
    struct rf_buf graph = small_graph();
    onnx_add_value(&graph, GRAPH_INPUT, "w", FLOAT, DIMS(2, 1, 3, 3));
    struct rf_buf model = onnx_model(3, 9, &graph);
    assert_ok(onnx_read(&g, &model, NULL, NULL, &err));
    ck_assert_uint_eq(g->n_inputs, 1);
    ck_assert_ptr_nonnull(value_of(g, "w")->constant);
    rf_graph_free(g);
}
END_TEST

START_TEST(a_graph_without_inputs)
{
    struct rf_graph *g;
    struct rf_buf graph = pb_new();
    onnx_add_node(&graph, "Relu", "", "w", "y");
    onnx_add_raw(&graph, "w", FLOAT, DIMS(2), zeros, 8);
    onnx_add_value(&graph, GRAPH_OUTPUT, "y", FLOAT, DIMS(2));
    assert_ok(onnx_read_graph(&g, &graph, &err));
    ck_assert_uint_eq(g->n_inputs, 0);
    rf_graph_free(g);
}
END_TEST

/* A value with `type` (field 2) instead of a tensor's. */
static void add_input(struct rf_buf *graph, const char *name, const char *type, size_t n)
{
    struct rf_buf v = pb_new();
    pb_text(&v, 1, name);
    pb_bytes(&v, 2, type, n);
    pb_message(graph, GRAPH_INPUT, &v);
}

START_TEST(values_that_are_wrong)
{
    struct rf_graph *g;
#define CASE(status, text, ...)                                                                    \
    do {                                                                                           \
        struct rf_buf graph = small_graph();                                                       \
        __VA_ARGS__;                                                                               \
        assert_fails(status, text, onnx_read_graph(&g, &graph, &err));                             \
    } while (0)
    CASE(RF_FORMAT, "m.onnx: value 'x' is defined twice",
         onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(1)));
    CASE(RF_FORMAT, "value 'w' is defined twice",
         onnx_add_raw(&graph, "w", FLOAT, DIMS(1), zeros, 4));
    CASE(RF_FORMAT, "value 'c' is defined twice", onnx_add_node(&graph, "Relu", "", "x", "c"));
    CASE(RF_FORMAT, "value 'x' is defined twice", onnx_add_node(&graph, "Relu", "", "c", "x"));
    CASE(RF_FORMAT, "initializer 1 has no name",
         onnx_add_raw(&graph, "", FLOAT, DIMS(1), zeros, 4));
    CASE(RF_FORMAT, "input 1 has no name", onnx_add_value(&graph, GRAPH_INPUT, "", FLOAT, DIMS(1)));
    CASE(RF_FORMAT, "output 1 has no name",
         onnx_add_value(&graph, GRAPH_OUTPUT, "", FLOAT, DIMS(1)));
    CASE(RF_FORMAT, "input 1: its name is not printable UTF-8",
         onnx_add_value(&graph, GRAPH_INPUT, "\xff", FLOAT, DIMS(1)));
    CASE(RF_FORMAT, "node 2: its name is not printable UTF-8",
         onnx_add_node(&graph, "Relu", "\xc0\x80", "c", "z"));
    CASE(RF_FORMAT, "an output of node 2: its name is not printable UTF-8",
         onnx_add_node(&graph, "Relu", "", "c", "z\x1b[31m"));
    CASE(RF_FORMAT, "output 'nowhere': nothing produces it",
         onnx_add_value(&graph, GRAPH_OUTPUT, "nowhere", FLOAT, DIMS(1)));
    CASE(RF_FORMAT, "output 'y': is listed twice",
         onnx_add_value(&graph, GRAPH_OUTPUT, "y", FLOAT, DIMS(1)));
    CASE(RF_FORMAT, "input 'z': dimension 1 is -5",
         onnx_add_value(&graph, GRAPH_INPUT, "z", FLOAT, DIMS(1, -5)));
    CASE(RF_LIMIT, "input 'z': 9 dimensions, at most 8",
         onnx_add_value(&graph, GRAPH_INPUT, "z", FLOAT, DIMS(1, 1, 1, 1, 1, 1, 1, 1, 1)));
    CASE(RF_UNSUPPORTED, "input 'z': strings are not supported",
         onnx_add_value(&graph, GRAPH_INPUT, "z", STRING, DIMS(1)));
    CASE(RF_UNSUPPORTED, "input 'z': data type 99 is not supported",
         onnx_add_value(&graph, GRAPH_INPUT, "z", 99, DIMS(1)));
    CASE(RF_UNSUPPORTED, "input 'z': is not declared as a tensor", add_input(&graph, "z", "", 0));
    CASE(RF_UNSUPPORTED, "input 'z': is not declared as a tensor",
         add_input(&graph, "z", "\x22\x00", 2)); /* a sequence */
    CASE(RF_UNSUPPORTED, "input 'z': has no shape; its rank must be known",
         add_input(&graph, "z", "\x0a\x02\x08\x01", 4));
    struct rf_buf graph = pb_new();
    onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(1));
    assert_fails(RF_FORMAT, "m.onnx: the graph has no output", onnx_read_graph(&g, &graph, &err));
}
END_TEST

/* ---- nodes ---- */

START_TEST(names_of_nodes)
{
    struct rf_graph *g;
    struct rf_buf graph = pb_new();
    onnx_add_node(&graph, "Relu", "act", "x", "a");
    onnx_add_node(&graph, "Relu", "", "a", "b");
    onnx_add_node(&graph, "MaxPool", "", "b", "");
    onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(1, 1, 4, 4));
    onnx_add_value(&graph, GRAPH_OUTPUT, "b", FLOAT, DIMS(1, 1, 4, 4));
    assert_fails(RF_INVALID, "node Op_2 (MaxPool)", onnx_read_graph(&g, &graph, &err));
    graph = pb_new();
    onnx_add_node(&graph, "Relu", "act", "x", "a");
    onnx_add_node(&graph, "Relu", "", "a", "b");
    onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(4));
    onnx_add_value(&graph, GRAPH_OUTPUT, "b", FLOAT, DIMS(4));
    assert_ok(onnx_read_graph(&g, &graph, &err));
    ck_assert_str_eq(g->nodes[0]->name, "act");
    ck_assert_str_eq(g->nodes[1]->name, "b");
    rf_graph_free(g);
}
END_TEST

START_TEST(any_order)
{
    struct rf_graph *g;
    struct rf_buf graph = pb_new();
    onnx_add_node(&graph, "Relu", "last", "b", "c");
    onnx_add_node(&graph, "Sigmoid", "middle", "a", "b");
    onnx_add_node(&graph, "Relu", "first", "x", "a");
    onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(4));
    onnx_add_value(&graph, GRAPH_OUTPUT, "c", FLOAT, DIMS(4));
    assert_ok(onnx_read_graph(&g, &graph, &err));
    assert_ok(rf_graph_sort(g, &err));
    ck_assert_str_eq(g->nodes[0]->name, "first");
    ck_assert_str_eq(g->nodes[2]->name, "last");
    rf_graph_free(g);
}
END_TEST

START_TEST(optional_inputs_and_outputs)
{
    struct rf_graph *g;
    struct rf_buf graph = pb_new();
    onnx_add_node(&graph, "Conv", "conv", "x,w,", "c,");
    onnx_add_node(&graph, "Clip", "clip", "c,,m", "y");
    onnx_add_raw(&graph, "w", FLOAT, DIMS(2, 1, 3, 3), zeros, sizeof(float) * 18);
    onnx_add_raw(&graph, "m", FLOAT, SCALAR, zeros, 4);
    onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(1, 1, 4, 4));
    onnx_add_value(&graph, GRAPH_OUTPUT, "y", FLOAT, DIMS(1, 2, 2, 2));
    assert_ok(onnx_read_graph(&g, &graph, &err));
    ck_assert_int_eq(g->nodes[0]->n_in, 2);
    ck_assert_int_eq(g->nodes[0]->n_out, 1);
    ck_assert_int_eq(g->nodes[1]->n_in, 3);
    ck_assert_int_eq(g->nodes[1]->in[1], RF_NO_VALUE);
    ck_assert_int_eq(g->nodes[1]->in[2], rf_graph_find(g, "m"));
    rf_graph_free(g);
}
END_TEST

static void add_attribute(struct rf_buf *node, struct rf_buf *a)
{
    pb_message(node, NODE_ATTRIBUTE, a);
}

/* An attribute of a type, without a value yet. */
static struct rf_buf attribute(const char *name, int type)
{
    struct rf_buf a = pb_new();
    pb_text(&a, 1, name);
    pb_number(&a, 20, type);
    return a;
}

enum { A_FLOAT = 1, A_INT, A_STRING, A_TENSOR, A_GRAPH, A_FLOATS, A_INTS, A_STRINGS };

START_TEST(attributes)
{
    struct rf_graph *g;
    struct rf_buf graph = pb_new(), n = onnx_node("Conv", "conv", "x,w", "y");
    struct rf_buf a = attribute("group", A_INT), pads = attribute("pads", A_INTS);
    struct rf_buf f = attribute("f", A_FLOAT), s = attribute("auto_pad", A_STRING);
    struct rf_buf fs = attribute("fs", A_FLOATS), t = attribute("t", A_TENSOR);
    struct rf_buf tensor = onnx_tensor("", INT64, DIMS(1));
    pb_number(&a, 3, -7);
    pb_number(&pads, 8, 1);
    pb_bytes(&pads, 8, "\x02\x03", 2); /* packed */
    pb_float(&f, 2, 0.5f);
    pb_text(&s, 4, "SAME_UPPER");
    pb_float(&fs, 7, 0.25f);
    pb_number(&tensor, TENSOR_INT64S, 11);
    pb_message(&t, 5, &tensor);
    add_attribute(&n, &a);
    add_attribute(&n, &pads);
    add_attribute(&n, &f);
    add_attribute(&n, &s);
    add_attribute(&n, &fs);
    add_attribute(&n, &t);
    pb_message(&graph, GRAPH_NODE, &n);
    onnx_add_raw(&graph, "w", FLOAT, DIMS(1), zeros, 4);
    onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(1));
    onnx_add_value(&graph, GRAPH_OUTPUT, "y", FLOAT, DIMS(1));
    assert_ok(onnx_read_graph(&g, &graph, &err));
    const struct rf_node *const node = g->nodes[0];
    ck_assert_int_eq(rf_node_attr(node, "group")->as.i, -7);
    ck_assert_uint_eq(rf_node_attr(node, "pads")->n, 3);
    ck_assert_int_eq(rf_node_attr(node, "pads")->as.ints[2], 3);
    ck_assert(rf_node_attr(node, "f")->as.f == 0.5f);
    ck_assert_str_eq(rf_node_attr(node, "auto_pad")->as.s, "SAME_UPPER");
    ck_assert(rf_node_attr(node, "fs")->as.floats[0] == 0.25f);
    const struct rf_value *const v = &g->values[rf_node_attr(node, "t")->as.tensor];
    ck_assert_int_eq(v->dtype, RF_I64);
    ck_assert_int_eq(*(const int64_t *)v->constant, 11);
    rf_graph_free(g);
}
END_TEST

/* A Relu "n" with this attribute behind Conv and Relu. */
static enum rf_status read_with(struct rf_graph **g, const char *op, struct rf_buf *a)
{
    struct rf_buf graph = small_graph(), n = onnx_node(op, "n", "y", "z");
    add_attribute(&n, a);
    pb_message(&graph, GRAPH_NODE, &n);
    return onnx_read_graph(g, &graph, &err);
}

START_TEST(attributes_that_are_wrong)
{
    struct rf_graph *g;
    static const char big[2000];
#define ATTRIBUTE(status, text, type, ...)                                                         \
    do {                                                                                           \
        struct rf_buf a = attribute("a", type);                                                    \
        __VA_ARGS__;                                                                               \
        assert_fails(status, text, read_with(&g, "Relu", &a));                                     \
    } while (0)
    ATTRIBUTE(RF_UNSUPPORTED, "m.onnx: node 'n' (Relu): attribute 'a' has an unknown type (0)", 0);
    ATTRIBUTE(RF_UNSUPPORTED, "has an unknown type (99)", 99);
    ATTRIBUTE(RF_UNSUPPORTED, "has an unknown type (-1)", -1);
    ATTRIBUTE(RF_UNSUPPORTED, "is a subgraph; control flow is not supported", A_GRAPH);
    ATTRIBUTE(RF_UNSUPPORTED, "is of type STRINGS, which is not", A_STRINGS);
    ATTRIBUTE(RF_FORMAT, "is of type INT, but has other values, too", A_INT, pb_float(&a, 2, 1));
    ATTRIBUTE(RF_FORMAT, "is of type INTS, but has other values, too", A_INTS, pb_number(&a, 3, 1));
    ATTRIBUTE(RF_FORMAT, "has no tensor", A_TENSOR);
    ATTRIBUTE(RF_FORMAT, "is too long a string", A_STRING, pb_bytes(&a, 4, big, sizeof big));
    ATTRIBUTE(RF_FORMAT, "or holds a zero byte", A_STRING, pb_bytes(&a, 4, big, 1));
    ATTRIBUTE(RF_UNSUPPORTED, "refers to a function's attribute", A_INT, pb_text(&a, 21, "b"));
    struct rf_buf nameless = pb_new();
    assert_fails(RF_FORMAT, "attribute 0 has no name", read_with(&g, "Relu", &nameless));
    struct rf_buf twice = attribute("a", A_INT);
    struct rf_buf graph = small_graph(), n = onnx_node("Relu", "n", "y", "z");
    pb_bytes(&n, NODE_ATTRIBUTE, twice.data, twice.len);
    add_attribute(&n, &twice);
    pb_message(&graph, GRAPH_NODE, &n);
    assert_fails(RF_FORMAT, "attribute 'a' is given twice", onnx_read_graph(&g, &graph, &err));
    graph = small_graph();
    n = onnx_node("Relu", "n", "y", "z");
    for (int i = 0; i < 65; i++)
        pb_text(&n, NODE_ATTRIBUTE, "");
    pb_message(&graph, GRAPH_NODE, &n);
    assert_fails(RF_LIMIT, "65 attributes, at most 64", onnx_read_graph(&g, &graph, &err));
}
END_TEST

static void add_training(struct rf_buf *graph)
{
    struct rf_buf n = onnx_node("BatchNormalization", "bn", "y", "z");
    pb_text(&n, 2, "mean");
    pb_text(&n, 2, "var");
    pb_message(graph, GRAPH_NODE, &n);
}

static void add_foreign(struct rf_buf *graph, const char *domain)
{
    struct rf_buf n = onnx_node("FusedConv", "n", "y", "z");
    pb_text(&n, 7, domain);
    pb_message(graph, GRAPH_NODE, &n);
}

START_TEST(nodes_that_are_wrong)
{
    static const char *const own[] = {"Silu", "GeluTanh", "AdaptiveAveragePool", "rectifier.Linear",
                                      "rectifier.ToNHWC"};
    struct rf_graph *g;
    char many[200] = "y";
    CASE(RF_UNSUPPORTED,
         "m.onnx: node 'n' (FusedConv): operators of domain 'com.microsoft' are not supported",
         add_foreign(&graph, "com.microsoft"));
    CASE(RF_UNSUPPORTED, "node n: unknown operator FusedConv", add_foreign(&graph, "ai.onnx"));
    CASE(RF_UNSUPPORTED, "node 'z' (If): control flow is not supported",
         onnx_add_node(&graph, "If", "", "y", "z"));
    CASE(RF_UNSUPPORTED, "(Loop): control flow", onnx_add_node(&graph, "Loop", "", "y", "z"));
    CASE(RF_UNSUPPORTED, "(Scan): control flow", onnx_add_node(&graph, "Scan", "", "y", "z"));
    CASE(RF_UNSUPPORTED, "node 'bn' (BatchNormalization): training mode is not offered",
         add_training(&graph));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        CASE(RF_UNSUPPORTED, "): unknown operator (opset 13)",
             onnx_add_node(&graph, own[i], "n", "y", "z"));
    CASE(RF_FORMAT, "node 'n' (): has no operator", onnx_add_node(&graph, "", "n", "y", "z"));
    CASE(RF_FORMAT, "node 'n' (Relu): nothing produces its input 'nowhere'",
         onnx_add_node(&graph, "Relu", "n", "nowhere", "z"));
    CASE(RF_INVALID, "node n (Relu): takes 1 to 1 inputs, has 2",
         onnx_add_node(&graph, "Relu", "n", "y,y", "z"));
    CASE(RF_INVALID, "node n (Relu)", onnx_add_node(&graph, "Relu", "n", "y", ""));
    for (int i = 0; i < 64; i++)
        strcat(many, ",y");
    CASE(RF_LIMIT, "node 'n' (Concat): 65 inputs and 1 outputs, at most 64 and 64",
         onnx_add_node(&graph, "Concat", "n", many, "z"));
}
END_TEST

/* ---- Constant ---- */

static struct rf_buf constant_graph(struct rf_buf *a)
{
    struct rf_buf graph = small_graph(), n = onnx_node("Constant", "k", "", "k0");
    add_attribute(&n, a);
    pb_message(&graph, GRAPH_NODE, &n);
    return graph;
}

START_TEST(constants)
{
    static const struct {
        const char *name;
        int type;
        enum rf_dtype dtype;
        int rank;
    } forms[] = {{"value", A_TENSOR, RF_I64, 1},
                 {"value_float", A_FLOAT, RF_F32, 0},
                 {"value_floats", A_FLOATS, RF_F32, 1},
                 {"value_int", A_INT, RF_I64, 0},
                 {"value_ints", A_INTS, RF_I64, 1}};
    struct rf_graph *g;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct rf_buf a = attribute(forms[i].name, forms[i].type);
        struct rf_buf t = onnx_tensor("", INT64, DIMS(1));
        pb_number(&t, TENSOR_INT64S, 3);
        if (forms[i].type == A_TENSOR)
            pb_bytes(&a, 5, t.data, t.len);
        else if (forms[i].dtype == RF_F32)
            pb_float(&a, forms[i].rank ? 7 : 2, 3);
        else
            pb_number(&a, forms[i].rank ? 8 : 3, 3);
        rf_buf_release(&t);
        struct rf_buf graph = constant_graph(&a);
        assert_ok(onnx_read_graph(&g, &graph, &err));
        ck_assert_uint_eq(g->n_nodes, 2); /* Constant is none of them */
        const struct rf_value *const v = value_of(g, "k0");
        ck_assert_int_eq(v->dtype, forms[i].dtype);
        ck_assert_int_eq(v->shape.rank, forms[i].rank);
        if (v->dtype == RF_F32)
            ck_assert(*(const float *)v->constant == 3);
        else
            ck_assert_int_eq(*(const int64_t *)v->constant, 3);
        rf_graph_free(g);
    }
}
END_TEST

START_TEST(constants_that_are_wrong)
{
    struct rf_graph *g;
    CASE(RF_FORMAT, "node 'k' (Constant): 0 attributes, expected one value",
         onnx_add_node(&graph, "Constant", "k", "", "z"));
    CASE(RF_FORMAT, "node 'k' (Constant): 1 inputs and 1 outputs, expected 0 and 1",
         onnx_add_node(&graph, "Constant", "k", "y", "z"));
    struct rf_buf a = attribute("value_string", A_STRING), graph = constant_graph(&a);
    assert_fails(RF_UNSUPPORTED,
                 "node 'k' (Constant): attribute 'value_string' is no value that is supported",
                 onnx_read_graph(&g, &graph, &err));
    a = attribute("value_int", A_FLOAT);
    graph = constant_graph(&a);
    assert_fails(RF_UNSUPPORTED, "'value_int' is no value", onnx_read_graph(&g, &graph, &err));
}
END_TEST

/* ---- size and damage ---- */

/* A chain of n Relus. */
static struct rf_buf chain(int n)
{
    struct rf_buf graph = pb_new();
    char in[32] = "x", out[32] = "x";
    graph.limit = 100 << 20;
    for (int i = 0; i < n; i++) {
        snprintf(out, sizeof out, "v%d", i);
        onnx_add_node(&graph, "Relu", "", in, out);
        strcpy(in, out);
    }
    onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(1));
    onnx_add_value(&graph, GRAPH_OUTPUT, out, FLOAT, DIMS(1));
    struct rf_buf set = pb_new(), model = pb_new();
    model.limit = graph.limit;
    pb_number(&model, MODEL_IR, 8);
    pb_message(&model, MODEL_GRAPH, &graph);
    pb_number(&set, 2, 13);
    pb_message(&model, MODEL_OPSET, &set);
    return model;
}

START_TEST(many_nodes)
{
    struct rf_graph *g;
    struct rf_buf model = chain(32768);
    assert_ok(onnx_read(&g, &model, NULL, NULL, &err));
    ck_assert_uint_eq(g->n_nodes, 32768);
    rf_graph_free(g);
    model = chain(32769);
    assert_fails(RF_LIMIT, "m.onnx: 32769 nodes; at most 32768 are read",
                 onnx_read(&g, &model, NULL, NULL, &err));
}
END_TEST

/* Cut or bent at every place: an error that names the file, or a network, and no crash. */
static void read_damaged(const char *bytes, size_t len)
{
    struct rf_graph *g;
    const struct rf_onnx_file file = {
        .source = "m.onnx", .bytes = exact_copy(bytes, len), .len = len};
    err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc = rf_onnx_read(&g, &file, &err);
    ck_assert((rc == RF_OK) == (g != NULL));
    ck_assert(rc == RF_OK || strncmp(err.text, "m.onnx: ", 8) == 0);
    rf_graph_free(g);
}

START_TEST(damaged_files)
{
    struct rf_buf graph = small_graph(), a = attribute("value_floats", A_FLOATS);
    struct rf_buf n = onnx_node("Constant", "k", "", "k0");
    pb_float(&a, 7, 1);
    add_attribute(&n, &a);
    pb_message(&graph, GRAPH_NODE, &n);
    struct rf_buf model = onnx_model(8, 13, &graph);
    for (size_t len = 0; len <= model.len; len++)
        read_damaged(model.data, len);
    for (size_t bit = 0; bit < model.len * 8; bit++) {
        model.data[bit / 8] = (char)(model.data[bit / 8] ^ 1 << bit % 8);
        read_damaged(model.data, model.len);
        model.data[bit / 8] = (char)(model.data[bit / 8] ^ 1 << bit % 8);
    }
    rf_buf_release(&model);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("onnx");
    TCase *const t = tcase_create("all");
    tcase_add_loop_test(t, versions_are_checked, 0, (int)(sizeof versions / sizeof *versions));
    tcase_add_test(t, other_operator_sets);
    tcase_add_test(t, models_that_are_none);
    tcase_add_test(t, unknown_fields);
    tcase_add_test(t, dimensions);
    tcase_add_test(t, initializers_among_the_inputs);
    tcase_add_test(t, a_graph_without_inputs);
    tcase_add_test(t, values_that_are_wrong);
    tcase_add_test(t, names_of_nodes);
    tcase_add_test(t, any_order);
    tcase_add_test(t, optional_inputs_and_outputs);
    tcase_add_test(t, attributes);
    tcase_add_test(t, attributes_that_are_wrong);
    tcase_add_test(t, nodes_that_are_wrong);
    tcase_add_test(t, constants);
    tcase_add_test(t, constants_that_are_wrong);
    tcase_add_test(t, many_nodes);
    tcase_add_test(t, damaged_files);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
