/*
 * A writer of ONNX files for tests: protobuf fields by number, and the messages of a small model.
 * Messages handed to pb_message are released by it.
 */
#ifndef RF_TESTS_ONNX_WRITE_H
#define RF_TESTS_ONNX_WRITE_H

#include <stdarg.h>

#include "proto/buf.h"
#include "proto/onnx.h"
#include "tests/support/build_test.h"

static inline void pb_varint(struct rf_buf *b, uint64_t v)
{
    for (; v > 0x7f; v >>= 7)
        rf_buf_add(b, (const unsigned char[]){(unsigned char)(v | 0x80)}, 1);
    rf_buf_add(b, (const unsigned char[]){(unsigned char)v}, 1);
}

static inline void pb_number(struct rf_buf *b, unsigned field, int64_t v)
{
    pb_varint(b, field << 3);
    pb_varint(b, (uint64_t)v);
}

static inline void pb_float(struct rf_buf *b, unsigned field, float v)
{
    pb_varint(b, field << 3 | 5);
    rf_buf_add(b, &v, sizeof v);
}

static inline void pb_bytes(struct rf_buf *b, unsigned field, const void *bytes, size_t n)
{
    pb_varint(b, field << 3 | 2);
    pb_varint(b, n);
    rf_buf_add(b, bytes, n);
}

static inline void pb_text(struct rf_buf *b, unsigned field, const char *text)
{
    pb_bytes(b, field, text, strlen(text));
}

static inline struct rf_buf pb_new(void)
{
    struct rf_buf b;
    rf_buf_init(&b, 1 << 20);
    return b;
}

static inline void pb_message(struct rf_buf *b, unsigned field, struct rf_buf *m)
{
    ck_assert_int_eq(m->status, RF_OK);
    pb_bytes(b, field, m->data ? m->data : "", m->len);
    rf_buf_release(m);
}

/* Numbers of fields, as onnx.proto has them. */
enum {
    MODEL_IR = 1,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    NODE_ATTRIBUTE = 5,
    TENSOR_FLOATS = 4,
    TENSOR_INT32S = 5,
    TENSOR_INT64S = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_DOUBLES = 10,
    TENSOR_UINT64S = 11,
    TENSOR_EXTERNAL = 13,
    TENSOR_LOCATION = 14
};

/* TensorProto.DataType */
enum {
    FLOAT = 1,
    UINT8,
    INT8,
    UINT16,
    INT16,
    INT32,
    INT64,
    STRING,
    BOOL,
    FLOAT16,
    DOUBLE,
    UINT32,
    UINT64,
    COMPLEX64,
    COMPLEX128,
    BFLOAT16
};

/* Name, type and dimensions; -1 ends them. The data are the caller's to add. */
static inline struct rf_buf onnx_tensor(const char *name, int type, const int64_t *dims)
{
    struct rf_buf t = pb_new();
    for (; *dims != -1; dims++)
        pb_number(&t, 1, *dims);
    pb_number(&t, 2, type);
    pb_text(&t, TENSOR_NAME, name);
    return t;
}

#define DIMS(...) ((const int64_t[]){__VA_ARGS__, -1})
#define SCALAR ((const int64_t[]){-1})
enum { SYMBOLIC = -2, UNSAID = -3 };

/* An input or output; SYMBOLIC is a dimension with a name, UNSAID one without anything. */
static inline struct rf_buf onnx_value(const char *name, int type, const int64_t *dims)
{
    struct rf_buf value = pb_new(), outer = pb_new(), tensor = pb_new(), shape = pb_new();
    for (; *dims != -1; dims++) {
        struct rf_buf dim = pb_new();
        if (*dims == SYMBOLIC)
            pb_text(&dim, 2, "batch");
        else if (*dims != UNSAID)
            pb_number(&dim, 1, *dims);
        pb_message(&shape, 1, &dim);
    }
    pb_number(&tensor, 1, type);
    pb_message(&tensor, 2, &shape);
    pb_message(&outer, 1, &tensor);
    pb_text(&value, 1, name);
    pb_message(&value, 2, &outer);
    return value;
}

/* inputs and outputs: names with commas between them. */
static inline struct rf_buf onnx_node(const char *op, const char *name, const char *inputs,
                                      const char *outputs)
{
    struct rf_buf n = pb_new();
    const char *const lists[2] = {inputs, outputs};
    for (unsigned i = 0; i < 2; i++) {
        for (const char *at = lists[i]; at && *lists[i];) {
            const char *const comma = strchr(at, ',');
            pb_bytes(&n, i + 1, at, comma ? (size_t)(comma - at) : strlen(at));
            at = comma ? comma + 1 : NULL;
        }
    }
    if (*name)
        pb_text(&n, 3, name);
    pb_text(&n, 4, op);
    return n;
}

static inline void onnx_add_node(struct rf_buf *graph, const char *op, const char *name,
                                 const char *inputs, const char *outputs)
{
    struct rf_buf n = onnx_node(op, name, inputs, outputs);
    pb_message(graph, GRAPH_NODE, &n);
}

static inline void onnx_add_value(struct rf_buf *graph, unsigned field, const char *name, int type,
                                  const int64_t *dims)
{
    struct rf_buf v = onnx_value(name, type, dims);
    pb_message(graph, field, &v);
}

/* An initializer of these raw bytes. */
static inline void onnx_add_raw(struct rf_buf *graph, const char *name, int type,
                                const int64_t *dims, const void *raw, size_t n)
{
    struct rf_buf t = onnx_tensor(name, type, dims);
    pb_bytes(&t, TENSOR_RAW, raw, n);
    pb_message(graph, GRAPH_INITIALIZER, &t);
}

/* The model around a graph, which is released; opset 0: no opset_import. */
static inline struct rf_buf onnx_model(int64_t ir, int64_t opset, struct rf_buf *graph)
{
    struct rf_buf model = pb_new(), set = pb_new();
    pb_number(&model, MODEL_IR, ir);
    pb_message(&model, MODEL_GRAPH, graph);
    pb_number(&set, 2, opset);
    if (opset)
        pb_message(&model, MODEL_OPSET, &set);
    rf_buf_release(&set);
    return model;
}

/* Reads the model, which is released. `path` for external data, or NULL. */
static inline enum rf_status onnx_read(struct rf_graph **g, struct rf_buf *model, const char *path,
                                       struct rf_sha256 *hash, struct rf_error *err)
{
    const struct rf_onnx_file file = {.source = "m.onnx",
                                      .bytes = exact_copy(model->data, model->len),
                                      .len = model->len,
                                      .path = path,
                                      .hash = hash};
    ck_assert_int_eq(model->status, RF_OK);
    rf_buf_release(model);
    return rf_onnx_read(g, &file, err);
}

/* The same of a graph, in a model of IR 8 and opset 13. */
static inline enum rf_status onnx_read_graph(struct rf_graph **g, struct rf_buf *graph,
                                             struct rf_error *err)
{
    struct rf_buf model = onnx_model(8, 13, graph);
    return onnx_read(g, &model, NULL, NULL, err);
}

#endif
