/*
 * A network as values and nodes, and the builder that importers call.
 *
 * The graph owns everything it names; constants are heap blocks that are freed as soon as the model
 * has packed them. Names are copied. Values and nodes are referred to by index. Operators and their
 * attributes are ONNX's (op_type "Conv", attribute "pads"); see core/ops.
 *
 * Not thread-safe. Builder functions fail with RF_NOMEM, or RF_INVALID on wrong use.
 */
#ifndef RF_CORE_GRAPH_H
#define RF_CORE_GRAPH_H

#include "core/arena.h"
#include "core/tensor.h"

#define RF_MAX_IN 64       /* inputs of a node (Concat) */
#define RF_MAX_OUT 64      /* outputs of a node (Split) */
#define RF_MAX_NODES 32768 /* with the conversions between layouts */
#define RF_NO_VALUE (-1)   /* an optional input that is absent */
#define RF_MAX_NAME 128    /* bytes kept of a name shown to users */

typedef int32_t rf_value_id;

enum rf_attr_type {
    RF_ATTR_INT,
    RF_ATTR_FLOAT,
    RF_ATTR_STRING,
    RF_ATTR_INTS,
    RF_ATTR_FLOATS,
    RF_ATTR_TENSOR
};

struct rf_attr {
    const char *name;
    enum rf_attr_type type;
    bool used; /* an attribute that no operator reads is an error */
    size_t n;  /* elements of ints, floats */
    union {
        int64_t i;
        float f;
        const char *s;
        const int64_t *ints;
        const float *floats;
        rf_value_id tensor; /* a constant */
    } as;
    struct rf_attr *next;
};

struct rf_node;

struct rf_value {
    const char *name;
    enum rf_dtype dtype;
    /* Inputs: declared, -1 is any. Constants: exact. Others, once inferred: for nominal sizes of
     * what is open; rank -1 where it follows from the elements of an input, or from these sizes. */
    struct rf_shape shape;
    uint32_t open;          /* bit i: dimension i changes with the sizes of the inputs */
    uint32_t alone;         /* bit i: and some do when only those of input i change */
    enum rf_layout layout;  /* set by the layout pass */
    bool channels_last;     /* row-major, but its channels are the last dimension (after MatMul) */
    bool known;             /* its elements are there before a run: core/infer.h */
    bool is_key;            /* an input whose elements others' shapes follow from */
    void *constant;         /* dense row-major elements, or NULL; owned by the graph */
    int32_t producer;       /* node index, or -1 */
    uint32_t n_uses;        /* node inputs that read it; kept by rf_graph_tidy */
    struct rf_node *reader; /* one of the nodes that read it; kept by rf_graph_tidy */
    rf_value_id twin;       /* the layout pass: the same in the other layout, or RF_NO_VALUE */
    bool is_input, is_output;
};

struct rf_op;

struct rf_node {
    const char *name;
    const struct rf_op *base; /* what the file says; or what a pass made of it */
    const struct rf_op *op;   /* base, or the variant of it that fits (core/settle.c) */
    void *state;              /* op's */
    int n_in, n_out;
    rf_value_id *in, *out;
    struct rf_attr *attrs;
    bool removed; /* a pass took it out */
    bool known;   /* computed once a plan, not in a run */

    /* What the passes fused into it (core/passes). */
    struct rf_node *activation; /* applied to output 0, or NULL */
    int residual;               /* index in `in` of a value added before the activation, or -1 */
    const char *path;           /* "Conv+BatchNorm+Relu": what it came from */
    int64_t parameters;         /* trainable ones, those of fused nodes included */
};

struct rf_graph {
    struct rf_arena arena;
    const char *name;
    int opset;                 /* ONNX operator set the nodes are written for */
    size_t max_constant_bytes; /* that may be computed from constants */
    bool compact;              /* one copy of the weights, whatever a second one would bring */
    struct rf_value *values;
    size_t n_values, cap_values;
    struct rf_node **nodes; /* in the order of evaluation once rf_graph_sort has run */
    size_t n_nodes, cap_nodes;
    rf_value_id *inputs, *outputs;
    size_t n_inputs, n_outputs, cap_inputs, cap_outputs;
};

enum rf_status rf_graph_new(struct rf_graph **out, const char *name, int opset,
                            struct rf_error *err) RF_CHECKED;
void rf_graph_free(struct rf_graph *g); /* NULL is fine */

/* An input of the network; -1 in `shape` is any size. */
enum rf_status rf_graph_input(struct rf_graph *g, const char *name, enum rf_dtype dtype,
                              const struct rf_shape *shape, rf_value_id *id,
                              struct rf_error *err) RF_CHECKED;
/* A constant; the caller fills `*data` (rf_numel elements, RF_ALIGN-ed, not zeroed). */
enum rf_status rf_graph_constant(struct rf_graph *g, const char *name, enum rf_dtype dtype,
                                 const struct rf_shape *shape, rf_value_id *id, void **data,
                                 struct rf_error *err) RF_CHECKED;
/* A value that some node will produce; a node names its outputs first. */
enum rf_status rf_graph_value(struct rf_graph *g, const char *name, rf_value_id *id,
                              struct rf_error *err) RF_CHECKED;
/*
 * A node reading `in` (RF_NO_VALUE where an optional input is absent) and producing `out`. Fails
 * with RF_UNSUPPORTED for an operator that is not there, RF_INVALID for a wrong number of inputs.
 */
enum rf_status rf_graph_node(struct rf_graph *g, const char *op_type, const char *name,
                             const rf_value_id *in, int n_in, const rf_value_id *out, int n_out,
                             struct rf_node **node, struct rf_error *err) RF_CHECKED;
/* The frequent case: inputs -> one new value of the node's name. */
enum rf_status rf_graph_op(struct rf_graph *g, const char *op_type, const char *name,
                           const rf_value_id *in, int n_in, rf_value_id *out, struct rf_node **node,
                           struct rf_error *err) RF_CHECKED;
enum rf_status rf_graph_output(struct rf_graph *g, rf_value_id id, struct rf_error *err) RF_CHECKED;

enum rf_status rf_node_set_int(struct rf_graph *g, struct rf_node *node, const char *attr,
                               int64_t value, struct rf_error *err) RF_CHECKED;
enum rf_status rf_node_set_float(struct rf_graph *g, struct rf_node *node, const char *attr,
                                 float value, struct rf_error *err) RF_CHECKED;
enum rf_status rf_node_set_string(struct rf_graph *g, struct rf_node *node, const char *attr,
                                  const char *value, struct rf_error *err) RF_CHECKED;
enum rf_status rf_node_set_ints(struct rf_graph *g, struct rf_node *node, const char *attr,
                                const int64_t *values, size_t n, struct rf_error *err) RF_CHECKED;
enum rf_status rf_node_set_floats(struct rf_graph *g, struct rf_node *node, const char *attr,
                                  const float *values, size_t n, struct rf_error *err) RF_CHECKED;
/* `constant` is a value of rf_graph_constant. */
enum rf_status rf_node_set_tensor(struct rf_graph *g, struct rf_node *node, const char *attr,
                                  rf_value_id constant, struct rf_error *err) RF_CHECKED;
/* The node's attribute of this name, or NULL; for passes, that do not mark it as read. */
const struct rf_attr *rf_node_attr(const struct rf_node *node, const char *name);
/* Makes it another operator, of the newest opset, whose attributes it has. */
void rf_node_become(struct rf_node *node, const char *op_type);

/* The value of this name, or RF_NO_VALUE. */
rf_value_id rf_graph_find(const struct rf_graph *g, const char *name);

/* Orders the nodes by their data; RF_FORMAT names a node on a cycle or without a producer. */
enum rf_status rf_graph_sort(struct rf_graph *g, struct rf_error *err) RF_CHECKED;
/* Drops removed nodes and recounts values' uses, readers and producers; passes end with it. */
void rf_graph_tidy(struct rf_graph *g);
/* Frees a constant's elements. */
void rf_graph_drop_constant(struct rf_graph *g, rf_value_id id);

#endif
