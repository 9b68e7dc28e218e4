/*
 * Models on disk -> graphs. What MODEL may be:
 *   an .onnx file; its external data lie in the same folder or below;
 *   a folder with model.onnx, or with model.json and, unless it has "init", model.safetensors;
 *   a .json file itself; its weights have the same name, ending in .safetensors.
 * Each message names the file and the item.
 */
#ifndef RF_PROTO_LOAD_H
#define RF_PROTO_LOAD_H

#include "core/graph.h"

/* What a model's file says besides the network. */
struct rf_network {
    struct rf_graph *graph; /* the caller hands it to rf_model_new, which takes it */
    char *name;             /* "name" of the file, or its folder's or file's name */
    const char *format;     /* "model.json" or "onnx" */
    char sha256[65];        /* of the files' bytes in order, hexadecimal */
    char **labels;          /* class names of output 0, or NULL */
    size_t n_labels;
    char note[128]; /* something the log should say, or "" */
};

/* Regular files only; one that changes while it is read is refused. */
enum rf_status rf_network_load(struct rf_network *out, const char *path,
                               struct rf_error *err) RF_CHECKED;
/* The same from memory; `source` stands for the path in messages. weights may be NULL. */
enum rf_status rf_network_parse(struct rf_network *out, const char *source, const void *json,
                                size_t json_len, const void *weights, size_t weights_len,
                                struct rf_error *err) RF_CHECKED;
/* Frees all that is left in it; graph included unless the caller took it (set it to NULL). */
void rf_network_release(struct rf_network *net);

#endif
