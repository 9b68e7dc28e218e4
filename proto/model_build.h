/*
 * A graph while model.json's layers are read into it. Inside proto only.
 */
#ifndef RF_PROTO_MODEL_BUILD_H
#define RF_PROTO_MODEL_BUILD_H

#include <jansson.h>

#include "core/graph.h"
#include "core/init.h"
#include "proto/safetensors.h"

/* What a tensor is when it must be initialised. */
enum rf_tensor_role { RF_ROLE_WEIGHT, RF_ROLE_BIAS, RF_ROLE_ONES, RF_ROLE_ZEROS, RF_ROLE_SLOPE };

/* A tensor that was initialised: what `rectifier init` writes. */
struct rf_made_tensor {
    rf_value_id id;
    struct rf_shape shape; /* as PyTorch stores it */
};

struct rf_build {
    const char *source, *weights_source;
    struct rf_graph *graph;
    struct rf_safetensors *weights; /* or NULL */
    const char *prefix;             /* that all names in `weights` have; "" otherwise */
    bool prefix_used;
    struct rf_init init;
    float bias; /* initial */
    uint64_t seed;
    const uint64_t *given_seed; /* instead of the description's, or NULL */
    size_t init_bytes;
    struct rf_made_tensor *made;
    size_t n_made, cap_made;
    json_t *names; /* in use: layers, values, tensors */
    const char *output_name;
    size_t n_layers;
    struct rf_error *err;
};

/* One entry of "layers". */
struct rf_layer {
    struct rf_build *b;
    const json_t *json;
    const char *type, *name;
    bool last; /* its value is the network's output */
};

/* What goes from layer to layer: a value and the shape of one sample of it, batch left out. */
struct rf_flow {
    rf_value_id value;
    struct rf_shape sample;
};

/* "FILE: layer 'NAME' (TYPE): ..." */
enum rf_status rf_layer_fail(const struct rf_layer *l, enum rf_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), cold));

/* ---- arguments (model_args.c); what is missing without a default is an error ---- */
#define RF_REQUIRED INT64_MIN
#define RF_MAX_SIZE INT32_MAX /* of a dimension, kernel, stride */

enum rf_status rf_arg_int(const struct rf_layer *l, const char *key, int64_t def, int64_t min,
                          int64_t *out) RF_CHECKED;
enum rf_status rf_arg_bool(const struct rf_layer *l, const char *key, bool def,
                           bool *out) RF_CHECKED;
enum rf_status rf_arg_float(const struct rf_layer *l, const char *key, double def,
                            float *out) RF_CHECKED;
/* n sizes of at least `min`: one number for all, or a list of n. `def` (for all) or RF_REQUIRED. */
enum rf_status rf_arg_sizes(const struct rf_layer *l, const char *key, int n, int64_t def,
                            int64_t min, int64_t *out) RF_CHECKED;
/* "padding" into pads[0..n) at the begin and pads[n..2n) at the end: a number, a list of n, or
 * (2-D) [top, left, bottom, right]. */
enum rf_status rf_arg_padding(const struct rf_layer *l, int n, int64_t *pads) RF_CHECKED;
/* A string out of `choices` (NULL ends them): its index; the first is the default. */
enum rf_status rf_arg_choice(const struct rf_layer *l, const char *key, const char *const *choices,
                             int *out) RF_CHECKED;
/* Of "in_channels" and the like: what is given must be what was inferred. */
enum rf_status rf_arg_inferred(const struct rf_layer *l, const char *key,
                               int64_t inferred) RF_CHECKED;
/* Every key is among `keys` (NULL ends them) or, of a layer, "type" or "name"; `what` starts the
 * message. */
enum rf_status rf_check_keys(const json_t *object, const char *const *keys, bool layer,
                             const char *what, struct rf_error *err) RF_CHECKED;

/* ---- tensors (model_weights.c) ---- */
/* Constant "LAYER.LEAF" with the graph's shape, from the file (which has it as `stored`) or new. */
enum rf_status rf_build_tensor(const struct rf_layer *l, const char *leaf,
                               const struct rf_shape *stored, const struct rf_shape *shape,
                               enum rf_tensor_role role, rf_value_id *id) RF_CHECKED;
/* A constant of our own, all of one value. */
enum rf_status rf_build_constant(const struct rf_build *b, const char *name,
                                 const struct rf_shape *shape, float value, rf_value_id *id,
                                 float **data) RF_CHECKED;
void rf_build_find_prefix(struct rf_build *b);
/* Every tensor of the file was used. */
enum rf_status rf_build_check_used(const struct rf_build *b) RF_CHECKED;
enum rf_status rf_build_read_init(struct rf_build *b, const json_t *init) RF_CHECKED;

/* ---- layers ---- */
/* Takes a name; RF_FORMAT when it is in use. */
enum rf_status rf_build_claim(const struct rf_build *b, const char *name) RF_CHECKED;
/* A node of the layer's name from `in` to flow->value; `sample` becomes the flow's shape. */
enum rf_status rf_build_node(const struct rf_layer *l, const char *op, const rf_value_id *in,
                             int n_in, const struct rf_shape *sample, struct rf_flow *flow,
                             struct rf_node **node) RF_CHECKED;
/* A list of layers; names without one of their own are `prefix` and their index. */
enum rf_status rf_build_layers(struct rf_build *b, const json_t *layers, const char *prefix,
                               bool last, struct rf_flow *flow) RF_CHECKED;

/* A type: its keys besides "type" and "name", the ranks of samples it takes, how it is built. */
struct rf_layer_type {
    const char *name;
    const char *keys[10];
    int min_rank, max_rank;
    enum rf_status (*build)(const struct rf_layer *l, struct rf_flow *flow);
};

enum rf_status rf_build_conv(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_linear(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_norm(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_pool(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_adaptive(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_prelu(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_relu6(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_gelu(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_softmax(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_flatten(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_dropout(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_residual(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;
enum rf_status rf_build_concat(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;

/* Activations of one row (core/ops/unary.def). False: no row has this name. */
bool rf_is_unary(const char *type);
const char *const *rf_unary_names(size_t *n);
enum rf_status rf_build_unary(const struct rf_layer *l, struct rf_flow *flow) RF_CHECKED;

#endif
