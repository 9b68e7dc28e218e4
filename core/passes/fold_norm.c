/*
 * Folds BatchNormalization into the constant weights of the Conv or Gemm before it:
 *     s = scale / sqrt(var + epsilon),   w' = w * s,   b' = (b - mean) * s + B
 * in double precision, an output channel at a time.
 */
#include <math.h>
#include <string.h>

#include "core/op.h"
#include "core/passes/passes.h"

static const float *floats(const struct rf_graph *g, const struct rf_node *node, int i)
{
    const struct rf_value *const v =
        i < node->n_in && node->in[i] != RF_NO_VALUE ? &g->values[node->in[i]] : NULL;

    return v && v->dtype == RF_F32 ? v->constant : NULL;
}

/* Where the weights of output channel c lie: `n` of them, `step` apart. */
struct rows {
    int64_t channels;
    size_t n, step, start_step;
};

static bool weight_rows(const struct rf_graph *g, const struct rf_node *node, struct rows *r)
{
    const struct rf_shape *const w = &g->values[node->in[1]].shape;
    const struct rf_attr *const trans_b = rf_node_attr(node, "transB");

    if (!floats(g, node, 1) || w->rank < 2)
        return false;
    if (rf_node_is(node, "Gemm") && !(trans_b && trans_b->as.i)) {
        *r = (struct rows){w->dim[1], (size_t)w->dim[0], (size_t)w->dim[1], 1};
        return w->rank == 2;
    }
    const int64_t n = w->dim[0] ? rf_numel(w) / w->dim[0] : 0;
    *r = (struct rows){w->dim[0], (size_t)n, 1, (size_t)n};
    return true;
}

static bool can_fold(const struct rf_graph *g, const struct rf_node *node,
                     const struct rf_node *norm, struct rows *r)
{
    const struct rf_attr *const beta = rf_node_attr(node, "beta");

    if (!(rf_node_is(node, "Conv") || rf_node_is(node, "Gemm")) || node->activation ||
        node->residual >= 0 || (beta && beta->as.f != 1) || !weight_rows(g, node, r))
        return false;
    /* Whatever is odd about the norm is the operator's to report. */
    for (int i = 1; i < 5; i++) {
        const struct rf_shape *const shape = &g->values[norm->in[i]].shape;

        if (!floats(g, norm, i) || shape->rank != 1 || shape->dim[0] != r->channels)
            return false;
    }
    if (node->n_in < 3 || node->in[2] == RF_NO_VALUE)
        return true;
    const struct rf_shape *const bias = &g->values[node->in[2]].shape;

    return floats(g, node, 2) && bias->rank == 1 && bias->dim[0] == r->channels;
}

/* The node's own copy of constant input i: another node may read the same one. */
static enum rf_status own_constant(struct rf_graph *g, struct rf_node *node, int i, float **data,
                                   struct rf_error *err)
{
    const rf_value_id old = node->in[i];
    const struct rf_shape shape = g->values[old].shape;
    rf_value_id id;

    if (g->values[old].n_uses == 1) {
        *data = g->values[old].constant;
        return RF_OK;
    }
    const enum rf_status rc =
        rf_graph_constant(g, g->values[old].name, RF_F32, &shape, &id, (void **)data, err);
    if (rc)
        return rc;
    memcpy(*data, g->values[old].constant, (size_t)rf_numel(&shape) * sizeof(float));
    node->in[i] = id;
    return RF_OK;
}

static enum rf_status own_bias(struct rf_graph *g, struct rf_node *node, int64_t n, float **data,
                               struct rf_error *err)
{
    const struct rf_shape shape = {.rank = 1, .dim = {n}};
    rf_value_id id;

    if (node->n_in >= 3 && node->in[2] != RF_NO_VALUE)
        return own_constant(g, node, 2, data, err);
    const enum rf_status rc =
        rf_graph_constant(g, node->name, RF_F32, &shape, &id, (void **)data, err);
    if (rc)
        return rc;
    memset(*data, 0, (size_t)n * sizeof(float));
    node->in[2] = id; /* rf_graph_node leaves room for it */
    node->n_in = 3;
    return RF_OK;
}

static enum rf_status fold(struct rf_graph *g, struct rf_node *node, struct rf_node *norm,
                           const struct rows *r, struct rf_error *err)
{
    const struct rf_attr *const epsilon = rf_node_attr(norm, "epsilon");
    const double eps = epsilon ? (double)epsilon->as.f : (double)1e-5f;
    float *w, *b;
    enum rf_status rc = own_constant(g, node, 1, &w, err);

    if (!rc)
        rc = own_bias(g, node, r->channels, &b, err);
    if (rc)
        return rc;
    const float *const scale = floats(g, norm, 1), *const shift = floats(g, norm, 2);
    const float *const mean = floats(g, norm, 3), *const var = floats(g, norm, 4);

    for (size_t c = 0; c < (size_t)r->channels; c++) {
        const double s = (double)scale[c] / sqrt((double)var[c] + eps);
        float *const row = w + c * r->start_step;

        for (size_t i = 0; i < r->n; i++)
            row[i * r->step] = (float)((double)row[i * r->step] * s);
        b[c] = (float)(((double)b[c] - (double)mean[c]) * s + (double)shift[c]);
    }
    return rf_absorb(g, node, norm, err);
}

enum rf_status rf_pass_fold_norm(struct rf_graph *g, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        struct rf_node *const node = g->nodes[i];
        struct rf_node *const next = rf_only_reader(g, node->out[0]);
        struct rows r;

        if (node->removed || !next || !rf_node_is(next, "BatchNormalization") ||
            next->in[0] != node->out[0] || !can_fold(g, node, next, &r))
            continue;
        rc = fold(g, node, next, &r, err);
    }
    return rc ? rc : rf_graph_sort(g, err);
}
