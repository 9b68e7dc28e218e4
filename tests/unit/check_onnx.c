/* ONNX files: versions, inputs and outputs, and files that are damaged. */
#include <stdio.h>

#include "tests/support/onnx_small.h"

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
    tcase_add_test(t, many_nodes);
    tcase_add_test(t, damaged_files);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
