/*
 * Shapes, and the elements that are known before a run. A value is known when it is a constant, a
 * shape, an input whose elements others' shapes follow from (a *key* input), or computed from known
 * values alone. Known values are computed once a plan; a run does not see their nodes.
 */
#ifndef RF_CORE_INFER_H
#define RF_CORE_INFER_H

#include "core/op.h"

#define RF_MAX_KEY 64                         /* elements of a key input */
#define RF_MAX_KNOWN_BYTES ((size_t)64 << 20) /* of a plan */

/* What is given of the graph's inputs. */
struct rf_given {
    const struct rf_shape *shapes;
    const void *const
        *values; /* dense elements of the key inputs; NULL, or NULL in it: not given */
};

struct rf_inference {
    const struct rf_graph *g;
    struct rf_tensor *tensors; /* one a value */
    struct rf_infer *wishes;   /* one a node, or NULL */
    struct rf_arena *arena;    /* takes what is known */
    size_t known_bytes, max_known_bytes;
    /* What follows from a key that is not given gets rank -1, instead of an error. */
    bool loading;
};

/* Finds key inputs and marks what is known; of a sorted graph. RF_LIMIT: a key is too large. */
enum rf_status rf_find_known(struct rf_graph *g, struct rf_error *err) RF_CHECKED;

/* Sets tensors to what inputs and constants are. */
void rf_infer_start(const struct rf_inference *x, const struct rf_given *given);
/* Infers node i, which is prepared, and computes it if it is known. */
enum rf_status rf_infer_node(struct rf_inference *x, size_t i, struct rf_error *err) RF_CHECKED;
/* All of them. */
enum rf_status rf_infer_graph(struct rf_inference *x, const struct rf_given *given,
                              struct rf_error *err) RF_CHECKED;

/* ---- settle: from values' shapes to operators ---- */

/* The variant of the node's operator that fits its inputs. */
const struct rf_op *rf_select(const struct rf_graph *g, const struct rf_node *node);
/* Selects and prepares node i. */
enum rf_status rf_prepare_node(struct rf_graph *g, size_t i, struct rf_error *err) RF_CHECKED;
/*
 * Selects, prepares and infers every node, and writes what came out into the graph's values: shapes
 * for the given sizes, and which dimensions are open. May be called again after the graph changed.
 */
enum rf_status rf_settle(struct rf_graph *g, const struct rf_given *given,
                         struct rf_error *err) RF_CHECKED;
/* Sizes that the network takes, for what its inputs leave open: found by trying, and settled. */
enum rf_status rf_settle_nominal(struct rf_graph *g, struct rf_shape *shapes,
                                 struct rf_error *err) RF_CHECKED;

#endif
