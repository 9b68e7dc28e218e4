/* ONNX files: nodes, their attributes, and constants. */
#include "tests/support/onnx_small.h"

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

int main(void)
{
    Suite *const suite = suite_create("onnx_nodes");
    TCase *const t = tcase_create("all");
    tcase_add_test(t, names_of_nodes);
    tcase_add_test(t, any_order);
    tcase_add_test(t, optional_inputs_and_outputs);
    tcase_add_test(t, attributes);
    tcase_add_test(t, attributes_that_are_wrong);
    tcase_add_test(t, nodes_that_are_wrong);
    tcase_add_test(t, constants);
    tcase_add_test(t, constants_that_are_wrong);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
