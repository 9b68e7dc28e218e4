/*
 * An operator: one file in core/ops, one const struct, one line of registration.
 *
 * - fits, at load: is this row for such inputs, or its plainer variant?
 * - prepare, at load: attributes and constant inputs -> state. Leaves the node alone, as it may be
 *   called again after the passes.
 * - infer, once a plan: output shapes, halos and scratch wanted, every check.
 * - pack, once a node, at load: weights -> what run reads, once the layouts are known.
 * - run, once a request: arithmetic only: no allocation, no lock, no log, no error.
 *
 * The executor fills rf_exec; operators only read it. `run` is called for every part in [0,
 * n_parts) in any order, in several threads at once; each part writes its own share of the output.
 */
#ifndef RF_CORE_OP_H
#define RF_CORE_OP_H

#include <limits.h>

#include "core/activity.h"
#include "core/graph.h"
#include "core/kernels/kernels.h"

/* ---- prepare ---- */

/* Errors stick: the first one wins, later calls are harmless, and rf_prepare_done reports it. */
struct rf_prepare {
    struct rf_graph *graph;
    struct rf_node *node;
    struct rf_arena *arena; /* lives as long as the model */
    struct rf_error *err;
    enum rf_status status;
};

/* An attribute, or the fallback; a wrong type is an error. Marks it as read. */
int64_t rf_attr_int(struct rf_prepare *p, const char *name, int64_t fallback);
float rf_attr_float(struct rf_prepare *p, const char *name, float fallback);
const char *rf_attr_string(struct rf_prepare *p, const char *name, const char *fallback);
/* NULL and *n = 0 when absent; each element lies in [lo, hi] or it is an error. */
const int64_t *rf_attr_ints(struct rf_prepare *p, const char *name, size_t *n, int64_t lo,
                            int64_t hi);
/* The same of FLOATS, of any value. */
const float *rf_attr_floats(struct rf_prepare *p, const char *name, size_t *n);
/* rf_attr_int that must lie in [lo, hi]. */
int64_t rf_attr_int_in(struct rf_prepare *p, const char *name, int64_t fallback, int64_t lo,
                       int64_t hi);

/* The constant of a TENSOR attribute, or NULL when absent. */
const struct rf_value *rf_attr_tensor(struct rf_prepare *p, const char *name);

/* Input i's value, or NULL when absent. */
const struct rf_value *rf_prepare_in(const struct rf_prepare *p, int i);
/* An FP32 constant that must be there; its elements, or NULL after an error. */
const float *rf_prepare_weights(struct rf_prepare *p, int i, const char *what);
/* The same for a vector of `n` elements that may be absent (NULL without an error). */
const float *rf_prepare_vector(struct rf_prepare *p, int i, const char *what, int64_t n);
/* Zeroed, RF_ALIGN-ed, freed with the model; NULL after an error. */
void *rf_prepare_alloc(struct rf_prepare *p, size_t n, size_t size);
/* `prepare` of operators without attributes. */
enum rf_status rf_prepare_nothing(struct rf_prepare *p, void *state);
/* "node features.0 (Conv): " comes before the text. */
enum rf_status rf_prepare_fail(struct rf_prepare *p, enum rf_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- infer ---- */

struct rf_infer {
    const struct rf_node *node;
    /* Shape, dtype, layout; `data` is there where the elements are known before a run (constants,
     * shapes, what follows from them), else NULL. The tensor is NULL when the input is absent. */
    const struct rf_tensor *in[RF_MAX_IN];
    struct rf_tensor *out[RF_MAX_OUT]; /* infer sets shape and dtype */
    struct rf_error *err;

    /* Wishes, zero to begin with. */
    struct rf_halo halo;   /* around input 0 */
    float halo_value;      /* that it is to hold */
    size_t scratch;        /* bytes for each part */
    size_t max_parts;      /* how far the work can be split; 0 is 1 */
    int64_t macs;          /* multiply-accumulates, for `inspect` */
    int64_t cost;          /* in multiply-accumulates: decides whether splitting pays */
    const char *algorithm; /* for `inspect` */
};

enum rf_status rf_infer_fail(struct rf_infer *x, enum rf_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Checks that input i is one of the dtypes of a mask (1u << RF_F32 | ...). */
enum rf_status rf_infer_dtype(struct rf_infer *x, int i, uint32_t dtypes) RF_CHECKED;
/*
 * The elements of input i, INT64 or INT32 and known before the run, of rank 0 or 1: `*n` of them,
 * at most `max`. An absent input has none. `run` may call it again with rf_tensor_ints.
 */
enum rf_status rf_infer_ints(struct rf_infer *x, int i, const char *what, int64_t *v, size_t max,
                             size_t *n) RF_CHECKED;
/* The same from a tensor that was checked, or NULL: 0 elements. */
size_t rf_tensor_ints(const struct rf_tensor *t, int64_t *v, size_t max);
/* -rank <= axis < rank -> 0 <= axis < rank; RF_SHAPE otherwise. */
enum rf_status rf_infer_axis(struct rf_infer *x, int64_t axis, int rank, int *out) RF_CHECKED;
/* Saturating product of what is not negative: costs only steer, they must not overflow. */
int64_t rf_cost(int64_t a, int64_t b);
/* Output 0 has input 0's shape and type. */
enum rf_status rf_infer_same(const void *state, struct rf_infer *x);

/* ---- run ---- */

struct rf_layer_run;

struct rf_exec {
    const void *state;
    const struct rf_tensor *const *in;
    const struct rf_tensor *const *out;
    const struct rf_kernels *k;
    struct rf_layer_run *layer; /* this run's counters, or NULL when not counted */
    void *scratch;              /* this part's */
};

/* ---- the operator ---- */

#define RF_OP_INPLACE (1u << 0)  /* output 0 may share input 0's memory */
#define RF_OP_EPILOGUE (1u << 1) /* can apply a fused activation (core/epilogue.h) */
#define RF_OP_RESIDUAL (1u << 2) /* ... and add a residual before it */
#define RF_OP_VIEW (1u << 3)     /* output 0 is input 0's memory under another shape */
#define RF_OP_SHAPES (1u << 4)   /* outputs follow from the inputs' shapes alone */
/* Reads inputs of any mix of layouts (core/view.h); `layouts` says which ones it writes: NHWC where
 * it may and an input of the output's rank is NHWC. */
#define RF_OP_READS_ANY (1u << 5)
#define RF_OP_CHANNELS_LAST (1u << 6) /* row-major outputs have their channels last */
#define RF_OP_READS_PIXELS (1u << 7)  /* takes a channels-last image for the rows it flattens to */
/* Where output 0 is an NHWC batch, each image of it follows from the same image of the inputs. */
#define RF_OP_IMAGEWISE (1u << 8)

#define RF_ACCEPTS_ROWMAJOR (1u << RF_ROWMAJOR)
#define RF_ACCEPTS_NHWC (1u << RF_NHWC)
#define RF_ACCEPTS_ANY (RF_ACCEPTS_ROWMAJOR | RF_ACCEPTS_NHWC)

struct rf_epilogue;

struct rf_op {
    const char *name;  /* ONNX op_type */
    const char *label; /* in paths; NULL: the name */
    int since;         /* first opset this row implements; the newest row <= the model's wins */
    uint8_t min_in, max_in, min_out, max_out;
    uint32_t flags;
    uint32_t layouts;           /* of rank 3 and 4 data inputs; other ranks are always row-major */
    uint32_t const_in;          /* bit i: input i is read at load and not needed afterwards */
    uint32_t known_in;          /* bit i: input i must be known before a run */
    uint32_t param_in;          /* bit i: input i is trainable */
    enum rf_activity_kind kind; /* of an elementwise activation */
    size_t state_bytes;         /* zeroed, lives as long as the model */

    /* Whether the row is for this node; NULL: always. If not, or where the input is row-major for
     * good and the row cannot read that, `otherwise` is asked. Shapes and constants are there. */
    bool (*fits)(const struct rf_graph *g, const struct rf_node *node);
    const struct rf_op *otherwise;

    enum rf_status (*prepare)(struct rf_prepare *p, void *state);
    enum rf_status (*infer)(const void *state, struct rf_infer *x);
    /* Packs weights, once layouts are settled; may be NULL. */
    enum rf_status (*pack)(struct rf_prepare *p, void *state);
    void (*run)(const struct rf_exec *x, int part, int n_parts);
    /* Elementwise activations: what an epilogue needs to apply it; NULL for other operators. */
    enum rf_status (*activation)(struct rf_prepare *p, struct rf_epilogue *e);
};

/* RF_OP(Name) = {...}; at column 0 of a file in core/ops: all the registration there is. */
#define RF_OP(id) const struct rf_op rf_op_##id
/* `since` of operators that ONNX does not have: passes and readers of other formats make them. */
#define RF_OWN 0
/* `since` of rows that are only reached through `otherwise`. */
#define RF_NO_OPSET INT_MAX
#define RF_NEWEST_OPSET (INT_MAX - 1)

/* What is said of networks as they are trained. */
#define RF_NO_TRAINING "training mode is not offered: export the network after net.eval()"

const struct rf_op *rf_op_find(const char *name, int opset);
/* Any opset: to tell "unknown operator" from "too old an opset". */
bool rf_op_exists(const char *name);
/* Ours, not ONNX's: no ONNX file may name it. */
bool rf_op_is_own(const char *name);

/* [first, last) of `n` items for a part. */
void rf_part_range(size_t n, int part, int n_parts, size_t *first, size_t *last);

#endif
