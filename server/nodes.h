/*
 * What the nodes of a network took of its runs' time. Every run is timed; of a quick network one in
 * 64, which then counts for all of them, so that reading the clock is no cost to it.
 */
#ifndef SRV_NODES_H
#define SRV_NODES_H

#include <stdatomic.h>

#include "core/rectifier.h"

struct srv_node {
    char *name;  /* NULL: a step that has nothing to do */
    size_t same; /* the first node of that name, which counts for all */
    atomic_uint_fast64_t ns;
};

struct srv_nodes {
    size_t n; /* steps of the plan; 0: not known, nothing is timed */
    struct srv_node *list;
    atomic_uint_fast64_t runs;
    atomic_bool quick; /* by the last run that was timed */
};

enum rf_status srv_nodes_init(struct srv_nodes *nodes, struct rf_model *model,
                              struct rf_error *err) RF_CHECKED;
void srv_nodes_release(struct srv_nodes *nodes);

/* rf_session_run, counted. */
enum rf_status srv_nodes_run(struct srv_nodes *nodes, struct rf_session *session,
                             const void *const *in, size_t n_in, struct rf_tensor *out,
                             size_t n_out, struct rf_error *err) RF_CHECKED;

#endif
