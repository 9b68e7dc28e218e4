/*
 * An operator: one file in core/ops, one const struct, one line of registration.
 *
 *   prepare  once a node, at load:   attributes and constant inputs -> state
 *   infer    once a plan:            output shapes, halos and scratch wanted, every check
 *   pack     once a node, at load:   weights -> what run reads, once the layouts are known
 *   run      once a request:         arithmetic only: no allocation, no lock, no log, no error
 *
 * The executor fills rf_exec; operators only read it. `run` is called for every part in [0,
 * n_parts) in any order, in several threads at once; each part writes its own share of the output.
 */
#ifndef RF_CORE_OP_H
#define RF_CORE_OP_H

#include "core/activity.h"
#include "core/graph.h"
#include "core/kernels/kernels.h"

/* ---- prepare ----------------------------------------------------------------------------------
 */

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
/* rf_attr_int that must lie in [lo, hi]. */
int64_t rf_attr_int_in(struct rf_prepare *p, const char *name, int64_t fallback, int64_t lo,
                       int64_t hi);

/* Input i's value, or NULL when absent. */
const struct rf_value *rf_prepare_in(const struct rf_prepare *p, int i);
/* An FP32 constant that must be there; its elements, or NULL after an error. */
const float *rf_prepare_weights(struct rf_prepare *p, int i, const char *what);
/* The same for a vector of `n` elements that may be absent (NULL without an error). */
const float *rf_prepare_vector(struct rf_prepare *p, int i, const char *what, int64_t n);
/* Zeroed, RF_ALIGN-ed, freed with the model; NULL after an error. */
void *rf_prepare_alloc(struct rf_prepare *p, size_t n, size_t size);
/* "node features.0 (Conv): " comes before the text. */
enum rf_status rf_prepare_fail(struct rf_prepare *p, enum rf_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- infer ------------------------------------------------------------------------------------
 */

struct rf_infer {
    const struct rf_node *node;
    const struct rf_tensor *in[RF_MAX_IN]; /* shape, dtype, layout; NULL when absent */
    struct rf_tensor *out[RF_MAX_OUT];     /* infer sets shape and dtype */
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
/* Saturating product of what is not negative: costs only steer, they must not overflow. */
int64_t rf_cost(int64_t a, int64_t b);
/* Output 0 has input 0's shape and type. */
enum rf_status rf_infer_same(const void *state, struct rf_infer *x);

/* ---- run --------------------------------------------------------------------------------------
 */

struct rf_layer_run;

struct rf_exec {
    const void *state;
    const struct rf_tensor *const *in;
    const struct rf_tensor *const *out;
    const struct rf_kernels *k;
    struct rf_layer_run *layer; /* this run's counters, or NULL when not counted */
    void *scratch;              /* this part's */
};

/* ---- the operator -----------------------------------------------------------------------------
 */

#define RF_OP_INPLACE (1u << 0)  /* output 0 may share input 0's memory */
#define RF_OP_EPILOGUE (1u << 1) /* can apply a fused activation (core/epilogue.h) */
#define RF_OP_RESIDUAL (1u << 2) /* ... and add a residual before it */
#define RF_OP_VIEW (1u << 3)     /* output 0 is input 0's memory under another shape */

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
    uint32_t param_in;          /* bit i: input i is trainable */
    enum rf_activity_kind kind; /* of an elementwise activation */
    size_t state_bytes;         /* zeroed, lives as long as the model */

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

const struct rf_op *rf_op_find(const char *name, int opset);
/* Any opset: to tell "unknown operator" from "too old an opset". */
bool rf_op_exists(const char *name);

/* [first, last) of `n` items for a part. */
void rf_part_range(size_t n, int part, int n_parts, size_t *first, size_t *last);

#endif
