/*
 * Graph rewrites. Each keeps the network's results, its inputs' and outputs' names, and may be left
 * out. They run on a sorted graph and leave it sorted.
 */
#ifndef RF_CORE_PASSES_H
#define RF_CORE_PASSES_H

#include "core/graph.h"

/* In this order. The first two need no shapes; the others know those of all values. The last two
 * look at the variant of each operator that will run. */
#define RF_PASS_MAP(X)                                                                             \
    X(IDENTITY, identity)                                                                          \
    X(FOLD_CONSTANTS, fold_constants)                                                              \
    X(FOLD_PAD, fold_pad)                                                                          \
    X(LINEAR, linear)                                                                              \
    X(FOLD_NORM, fold_norm)                                                                        \
    X(FIND_ACTIVATIONS, find_activations)                                                          \
    X(FUSE_RESIDUAL, fuse_residual)                                                                \
    X(FUSE_ACTIVATION, fuse_activation)

enum rf_pass {
#define X(id, name) RF_PASS_##id,
    RF_PASS_MAP(X)
#undef X
        RF_N_PASS
};

#define X(id, name)                                                                                \
    enum rf_status rf_pass_##name(struct rf_graph *g, struct rf_error *err) RF_CHECKED;
RF_PASS_MAP(X)
#undef X

#define RF_PASSES_ALL ((1u << RF_N_PASS) - 1)

/* Needs every value's shape; sets every value's layout and inserts conversions. Not optional. */
enum rf_status rf_pass_layout(struct rf_graph *g, struct rf_error *err) RF_CHECKED;

/* ---- what passes share ---- */

/* The only node that reads the value, which is no output of the network; NULL when there is none.
 */
struct rf_node *rf_only_reader(const struct rf_graph *g, rf_value_id id);
/* An activation's parameters are one a channel: of dimension 1, while a row-major value may have
 * its channels last. */
bool rf_is_per_channel(const struct rf_graph *g, const struct rf_node *activation);
/* `node` now produces what `next`, its only reader, produced; `next` is removed. Joins paths. */
enum rf_status rf_absorb(struct rf_graph *g, struct rf_node *node, struct rf_node *next,
                         struct rf_error *err) RF_CHECKED;
bool rf_node_is(const struct rf_node *node, const char *op_type);
/* Elements of input i where it is a constant of this type, else NULL. */
const void *rf_constant_in(const struct rf_graph *g, const struct rf_node *node, int i,
                           enum rf_dtype dtype);
/* Makes it an operator of the first `n_in` inputs without attributes. */
void rf_turn_into(struct rf_node *node, const char *op_type, int n_in);

#endif
