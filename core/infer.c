#include "core/infer.h"

#include <stdlib.h>
#include <string.h>

#include "core/fpenv.h"

/* ---- what is known ---- */

/* From the back: what an operator must know, and what that is computed from. */
static void find_keys(struct rf_graph *g, bool *needed)
{
    for (size_t i = g->n_nodes; i-- > 0;) {
        const struct rf_node *const node = g->nodes[i];
        bool all = false;

        for (int k = 0; k < node->n_out; k++)
            all |= needed[node->out[k]];
        all &= !(node->base->flags & RF_OP_SHAPES);
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] != RF_NO_VALUE && (all || (node->base->known_in >> k & 1)))
                needed[node->in[k]] = true;
    }
    for (size_t i = 0; i < g->n_inputs; i++)
        g->values[g->inputs[i]].is_key = needed[g->inputs[i]];
}

static bool is_known(const struct rf_graph *g, const struct rf_node *node)
{
    if (node->base->flags & RF_OP_SHAPES)
        return true;
    for (int k = 0; k < node->n_in; k++)
        if (node->in[k] != RF_NO_VALUE && !g->values[node->in[k]].known)
            return false;
    return true;
}

enum rf_status rf_find_known(struct rf_graph *g, struct rf_error *err)
{
    bool *const needed = calloc(g->n_values + 1, sizeof(*needed));
    char text[RF_SHAPE_TEXT];

    if (!needed)
        return rf_fail_nomem(err, "known values", g->n_values);
    find_keys(g, needed);
    free(needed);
    for (size_t i = 0; i < g->n_values; i++) {
        struct rf_value *const v = &g->values[i];
        int64_t n;

        v->known = v->constant || v->is_key;
        if (v->is_key && rf_shape_numel(&v->shape, &n) && n > RF_MAX_KEY)
            return rf_fail(err, RF_UNSUPPORTED,
                           "input %s of shape %s: shapes follow from its elements; at most %d may",
                           v->name, rf_shape_text(&v->shape, text, sizeof(text)), RF_MAX_KEY);
    }
    for (size_t i = 0; i < g->n_nodes; i++) {
        g->nodes[i]->known = is_known(g, g->nodes[i]);
        for (int k = 0; k < g->nodes[i]->n_out; k++)
            g->values[g->nodes[i]->out[k]].known = g->nodes[i]->known;
    }
    return RF_OK;
}

/* ---- shapes ---- */

void rf_infer_start(const struct rf_inference *x, const struct rf_given *given)
{
    for (size_t i = 0; i < x->g->n_values; i++) {
        const struct rf_value *const v = &x->g->values[i];

        x->tensors[i] = (struct rf_tensor){.dtype = v->dtype,
                                           .layout = v->layout,
                                           .channels_last = v->channels_last,
                                           .shape = v->shape,
                                           .data = v->constant};
    }
    for (size_t i = 0; i < x->g->n_inputs; i++) {
        struct rf_tensor *const t = &x->tensors[x->g->inputs[i]];

        t->shape = given->shapes[i];
        if (x->g->values[x->g->inputs[i]].is_key && given->values)
            t->data = (void *)(uintptr_t)given->values[i];
    }
}

/* Something that the node's shapes follow from was not given. */
static bool is_vague(const struct rf_inference *x, const struct rf_node *node)
{
    for (int k = 0; k < node->n_in; k++) {
        const struct rf_tensor *const t =
            node->in[k] == RF_NO_VALUE ? NULL : &x->tensors[node->in[k]];

        if (t && (t->shape.rank < 0 ||
                  ((node->op->known_in >> k & 1) && !t->data && rf_numel(&t->shape) > 0)))
            return true;
    }
    return false;
}

/* Layouts and operators were chosen for the ranks that settling found. */
static bool has_settled_rank(const struct rf_inference *x, rf_value_id id)
{
    const int settled = x->g->values[id].shape.rank;

    return x->loading || settled < 0 || x->tensors[id].shape.rank == settled;
}

static enum rf_status check_outputs(const struct rf_inference *x, const struct rf_node *node,
                                    struct rf_infer *wish)
{
    for (int k = 0; k < node->n_out; k++) {
        const struct rf_shape *const shape = &wish->out[k]->shape;
        char text[RF_SHAPE_TEXT];
        int64_t n;

        rf_shape_text(shape, text, sizeof(text));
        if (!rf_shape_numel(shape, &n) || n > INT64_MAX / 16)
            return rf_infer_fail(wish, RF_LIMIT, "output of shape %s is too large", text);
        if (!has_settled_rank(x, node->out[k]))
            return rf_infer_fail(wish, RF_UNSUPPORTED,
                                 "output of shape %s, whose rank was %d when the model was loaded",
                                 text, x->g->values[node->out[k]].shape.rank);
    }
    return RF_OK;
}

static enum rf_status make_room(struct rf_inference *x, struct rf_infer *wish, int n_out)
{
    for (int k = 0; k < n_out; k++) {
        struct rf_tensor *const t = wish->out[k];
        const size_t bytes = rf_shape_bytes(&t->shape, t->dtype);

        if (bytes > x->max_known_bytes - x->known_bytes)
            return rf_infer_fail(wish, RF_LIMIT,
                                 "%zu bytes known before a run, beyond the limit of %zu in all",
                                 bytes, x->max_known_bytes);
        x->known_bytes += bytes;
        t->data = rf_arena_alloc_aligned(x->arena, bytes + RF_ALIGN);
        if (!t->data)
            return rf_fail_nomem(wish->err, "known values", bytes);
    }
    return RF_OK;
}

/* The node's elements, as a run would compute them. */
static enum rf_status compute(struct rf_inference *x, const struct rf_node *node,
                              struct rf_infer *wish)
{
    const struct rf_tensor *out[RF_MAX_OUT] = {NULL};

    for (int k = 0; k < node->n_in && !(node->op->flags & RF_OP_SHAPES); k++)
        if (wish->in[k] && !wish->in[k]->data && rf_numel(&wish->in[k]->shape) > 0)
            return RF_OK; /* of a key that is not given */
    const enum rf_status rc = make_room(x, wish, node->n_out);
    void *const scratch =
        rc ? NULL : aligned_alloc(RF_ALIGN, wish->scratch / RF_ALIGN * RF_ALIGN + RF_ALIGN);

    if (rc)
        return rc;
    if (!scratch)
        return rf_fail_nomem(wish->err, "scratch", wish->scratch);
    for (int k = 0; k < node->n_out; k++)
        out[k] = wish->out[k];
    const struct rf_exec exec = {.state = node->state,
                                 .in = wish->in,
                                 .out = out,
                                 .k = rf_kernels_best(),
                                 .scratch = scratch};
    const uint64_t saved = rf_fp_enter();

    node->op->run(&exec, 0, 1);
    rf_fp_leave(saved);
    free(scratch);
    return RF_OK;
}

enum rf_status rf_infer_node(struct rf_inference *x, size_t i, struct rf_error *err)
{
    const struct rf_node *const node = x->g->nodes[i];
    struct rf_infer once = {0};
    struct rf_infer *const wish = x->wishes ? &x->wishes[i] : &once;
    enum rf_status rc = RF_OK;

    *wish = (struct rf_infer){.node = node, .err = err};
    for (int k = 0; k < node->n_in; k++)
        wish->in[k] = node->in[k] == RF_NO_VALUE ? NULL : &x->tensors[node->in[k]];
    for (int k = 0; k < node->n_out; k++) {
        wish->out[k] = &x->tensors[node->out[k]];
        wish->out[k]->shape.rank = -1;
    }
    if (x->loading && is_vague(x, node))
        return RF_OK;
    rc = node->op->infer(node->state, wish);
    if (!rc)
        rc = check_outputs(x, node, wish);
    return rc || !node->known ? rc : compute(x, node, wish);
}

enum rf_status rf_infer_graph(struct rf_inference *x, const struct rf_given *given,
                              struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    rf_infer_start(x, given);
    for (size_t i = 0; i < x->g->n_nodes && !rc; i++)
        rc = rf_infer_node(x, i, err);
    return rc;
}
