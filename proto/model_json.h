/*
 * model.json -> graph: layers named and parameterised as in torch.nn, weights from safetensors
 * under state_dict's names, or initialised. Emits ONNX operators.
 */
#ifndef RF_PROTO_MODEL_JSON_H
#define RF_PROTO_MODEL_JSON_H

#include "proto/buf.h"
#include "proto/load.h"
#include "proto/safetensors.h"

#define RF_MODEL_JSON_OPSET 20 /* the first with Gelu */

struct rf_model_json {
    const char *source; /* path in messages */
    const void *text;
    size_t len;
    const char *weights_source;     /* path in messages about tensors */
    struct rf_safetensors *weights; /* NULL: initialised, as the file's "init" says */
    const uint64_t *seed;           /* instead of that of "init"; or NULL */
    bool always_init;               /* initialise without an "init", too: kaiming_normal */
};

/* Fills graph, name ("" when the file gives none), format, labels and note. The caller releases
 * `out` on failure, too. */
enum rf_status rf_model_json_read(struct rf_network *out, const struct rf_model_json *in,
                                  struct rf_error *err) RF_CHECKED;

/* A safetensors file with all of the model's tensors, initialised from `seed`. */
enum rf_status rf_model_json_init(struct rf_buf *file, const char *source, const void *text,
                                  size_t len, uint64_t seed, struct rf_error *err) RF_CHECKED;

#endif
