/*
 * A small ONNX network, and what the tests of its reading add to it.
 */
#ifndef RF_TESTS_ONNX_SMALL_H
#define RF_TESTS_ONNX_SMALL_H

#include "tests/support/onnx_write.h"

static struct rf_error err;

static const float zeros[64];

/* Conv and Relu: x [1,1,4,4] -> y. */
static inline struct rf_buf small_graph(void)
{
    struct rf_buf graph = pb_new();
    onnx_add_node(&graph, "Conv", "conv", "x,w", "c");
    onnx_add_node(&graph, "Relu", "", "c", "y");
    onnx_add_raw(&graph, "w", FLOAT, DIMS(2, 1, 3, 3), zeros, sizeof(float) * 18);
    onnx_add_value(&graph, GRAPH_INPUT, "x", FLOAT, DIMS(1, 1, 4, 4));
    onnx_add_value(&graph, GRAPH_OUTPUT, "y", FLOAT, DIMS(1, 2, 2, 2));
    return graph;
}

static inline const struct rf_value *value_of(const struct rf_graph *g, const char *name)
{
    const rf_value_id id = rf_graph_find(g, name);
    ck_assert_msg(id != RF_NO_VALUE, "no value %s", name);
    return &g->values[id];
}

static inline void add_attribute(struct rf_buf *node, struct rf_buf *a)
{
    pb_message(node, NODE_ATTRIBUTE, a);
}

/* An attribute of a type, without a value yet. */
static inline struct rf_buf attribute(const char *name, int type)
{
    struct rf_buf a = pb_new();
    pb_text(&a, 1, name);
    pb_number(&a, 20, type);
    return a;
}

enum { A_FLOAT = 1, A_INT, A_STRING, A_TENSOR, A_GRAPH, A_FLOATS, A_INTS, A_STRINGS };

/* The network above with something added fails. */
#define CASE(status, text, ...)                                                                    \
    do {                                                                                           \
        struct rf_buf graph = small_graph();                                                       \
        __VA_ARGS__;                                                                               \
        assert_fails(status, text, onnx_read_graph(&g, &graph, &err));                             \
    } while (0)

#endif
