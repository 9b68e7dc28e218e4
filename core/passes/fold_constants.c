/* Computes what follows from constants alone, once and for all. */
#include <stdlib.h>
#include <string.h>

#include "core/infer.h"
#include "core/passes/passes.h"

static bool is_constant(const struct rf_graph *g, const struct rf_node *node)
{
    for (int k = 0; k < node->n_in; k++)
        if (node->in[k] != RF_NO_VALUE && !g->values[node->in[k]].constant)
            return false;
    return true;
}

static enum rf_status keep(struct rf_graph *g, rf_value_id id, const struct rf_tensor *t,
                           struct rf_error *err)
{
    struct rf_value *const v = &g->values[id];
    const size_t bytes = rf_shape_bytes(&t->shape, t->dtype);

    v->constant = aligned_alloc(RF_ALIGN, bytes / RF_ALIGN * RF_ALIGN + RF_ALIGN);
    if (!v->constant)
        return rf_fail_nomem(err, v->name, bytes);
    memcpy(v->constant, t->data, bytes);
    v->dtype = t->dtype;
    v->shape = t->shape;
    v->producer = -1;
    return RF_OK;
}

static enum rf_status fold(struct rf_inference *x, struct rf_graph *g, size_t i,
                           struct rf_error *err)
{
    struct rf_node *const node = g->nodes[i];
    enum rf_status rc = rf_prepare_node(g, i, err);

    if (!rc)
        rc = rf_infer_node(x, i, err);
    for (int k = 0; k < node->n_out && !rc; k++) {
        rc = keep(g, node->out[k], &x->tensors[node->out[k]], err);
        x->tensors[node->out[k]].data = g->values[node->out[k]].constant;
    }
    rf_arena_release(x->arena);
    node->removed = true;
    return rc;
}

enum rf_status rf_pass_fold_constants(struct rf_graph *g, struct rf_error *err)
{
    struct rf_arena arena = {0};
    struct rf_inference x = {.g = g,
                             .arena = &arena,
                             .tensors = calloc(g->n_values + 1, sizeof(*x.tensors)),
                             .max_known_bytes = g->max_constant_bytes};
    struct rf_shape *const shapes = calloc(g->n_inputs + 1, sizeof(*shapes));
    const struct rf_given given = {.shapes = shapes};
    enum rf_status rc = RF_OK;

    if (!x.tensors || !shapes)
        rc = rf_fail_nomem(err, "constants", g->n_values * sizeof(*x.tensors));
    else
        rf_infer_start(&x, &given);
    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        if (!is_constant(g, g->nodes[i]))
            continue;
        g->nodes[i]->known = true;
        rc = fold(&x, g, i, err);
    }
    rf_arena_release(&arena);
    free(x.tensors);
    free(shapes);
    if (rc)
        return rc;
    rf_graph_tidy(g);
    return rf_graph_sort(g, err);
}
