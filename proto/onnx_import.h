/*
 * A graph while an ONNX file is read into it. Inside proto only.
 */
#ifndef RF_PROTO_ONNX_IMPORT_H
#define RF_PROTO_ONNX_IMPORT_H

#include <jansson.h>
#include <sys/stat.h>

#include "proto/onnx.h"
#include "proto/onnx.pb-c.h"

/* Where external data comes from: one file is open at a time, most models have only one. */
struct rf_external {
    const char *path; /* of the model; or NULL */
    int folder;       /* the model's, opened when it is first asked for; or -1 */
    int file;         /* or -1 */
    char *location;   /* of the file */
    struct stat before;
    size_t total; /* bytes read */
    struct rf_sha256 *hash;
};

struct rf_import {
    RfOnnx__Model *model;
    ProtobufCAllocator *allocator; /* of the model */
    struct rf_graph *graph;
    json_t *names; /* value -> id; jansson's table is seeded, so no file can choose collisions */
    struct rf_external external;
    struct rf_error *err;
};

/* What a tensor's elements are in the file; in the graph all floating types are FP32. */
struct rf_onnx_type {
    int number; /* TensorProto.DataType */
    const char *name;
    enum rf_dtype stored;
};

/* RF_UNSUPPORTED, with `what` before it, for types that are none of ours. */
enum rf_status rf_onnx_find_type(int number, const char *what, const struct rf_onnx_type **type,
                                 struct rf_error *err) RF_CHECKED;
enum rf_dtype rf_onnx_graph_dtype(enum rf_dtype stored);
/* n stored elements at any alignment -> elements of the graph. */
void rf_onnx_elements(void *dst, enum rf_dtype stored, const void *src, size_t n);
/* The tensor as a constant; its data are freed. `name` is the constant's. */
enum rf_status rf_import_tensor(struct rf_import *imp, RfOnnx__Tensor *t, const char *name,
                                rf_value_id *id) RF_CHECKED;

/* ---- external data: its bytes are looked for first, then read where they are wanted ---- */
enum rf_status rf_external_find(struct rf_import *imp, const RfOnnx__Tensor *t, const char *what,
                                size_t bytes, off_t *offset) RF_CHECKED;
enum rf_status rf_external_read(struct rf_import *imp, off_t offset, enum rf_dtype stored, size_t n,
                                void *dst) RF_CHECKED;
/* RF_IO when the open file changed meanwhile. */
enum rf_status rf_external_close(struct rf_import *imp) RF_CHECKED;

/* ---- nodes ---- */
/* "node 'NAME' (OP): " comes before the text. */
enum rf_status rf_import_fail(struct rf_import *imp, size_t node, enum rf_status status,
                              const char *fmt, ...) __attribute__((format(printf, 4, 5), cold));
/* The node's own name, else its first output's, else Op_<index>. */
#define RF_NODE_TEXT 64
const char *rf_import_node_name(const struct rf_import *imp, size_t node, char text[RF_NODE_TEXT]);
enum rf_status rf_import_attributes(struct rf_import *imp, size_t node,
                                    struct rf_node *to) RF_CHECKED;
/* A Constant's value, called `name`. */
enum rf_status rf_import_constant(struct rf_import *imp, size_t node, const char *name,
                                  rf_value_id *id) RF_CHECKED;
enum rf_status rf_import_graph(struct rf_import *imp) RF_CHECKED;

#endif
