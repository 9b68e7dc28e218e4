/*
 * ONNX files -> graphs. Operators are core's business, but for Constant, which becomes a constant
 * of the graph, and control flow, which is refused by name.
 */
#ifndef RF_PROTO_ONNX_H
#define RF_PROTO_ONNX_H

#include "core/graph.h"
#include "proto/sha256.h"

struct rf_onnx_file {
    const char *source; /* path in messages */
    void *bytes;        /* on the heap; taken, and freed as soon as it is unpacked */
    size_t len;
    const char *path;       /* external data lies in this file's folder; NULL: there is none */
    struct rf_sha256 *hash; /* gets the bytes of external data that are used */
};

/* A file's bytes, taken on failure, too; each message starts with the source. */
enum rf_status rf_onnx_read(struct rf_graph **out, const struct rf_onnx_file *file,
                            struct rf_error *err) RF_CHECKED;

#endif
