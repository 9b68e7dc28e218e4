/*
 * Folds what scales and shifts each channel into the constant weights before it:
 *     y = s * x + t   turns   weights w, bias b   into   s * w, s * b + t
 * in double precision, a channel at a time. That is BatchNormalization, and Mul and Add by one
 * number a channel, in any sequence. Where it follows nothing that has weights, BatchNormalization
 * itself takes what comes after it.
 */
#include <math.h>
#include <string.h>

#include "core/op.h"
#include "core/passes/passes.h"

#define MAX_FOLDS 8 /* into one node: each reads all of its weights */

static const float *floats(const struct rf_graph *g, const struct rf_node *node, int i)
{
    return rf_constant_in(g, node, i, RF_F32);
}

/* ---- where the weights are ---- */

/* The weights of output channel c: `n_runs` runs of `run` neighbours, `step` apart. The first one
 * lies at c / per_group * group_step + c % per_group * channel_step. */
struct rows {
    int64_t channels;
    int axis; /* of the channels in the output */
    size_t per_group, group_step, channel_step, n_runs, step, run;
};

/* [channels][...] */
static struct rows leading(const struct rf_shape *w)
{
    const size_t n = (size_t)(rf_numel(w) / w->dim[0]);

    return (struct rows){.channels = w->dim[0],
                         .axis = 1,
                         .per_group = (size_t)w->dim[0],
                         .channel_step = n,
                         .n_runs = 1,
                         .run = n};
}

/* [in][channels] */
static struct rows trailing(const struct rf_shape *w, int axis)
{
    return (struct rows){.channels = w->dim[1],
                         .axis = axis,
                         .per_group = (size_t)w->dim[1],
                         .channel_step = 1,
                         .n_runs = (size_t)w->dim[0],
                         .step = (size_t)w->dim[1],
                         .run = 1};
}

/* [in][channels / groups][...] */
static struct rows transposed(const struct rf_shape *w, int64_t groups)
{
    const size_t step = (size_t)(rf_numel(w) / w->dim[0]), in = (size_t)(w->dim[0] / groups);

    return (struct rows){.channels = w->dim[1] * groups,
                         .axis = 1,
                         .per_group = (size_t)w->dim[1],
                         .group_step = in * step,
                         .channel_step = step / (size_t)w->dim[1],
                         .n_runs = in,
                         .step = step,
                         .run = step / (size_t)w->dim[1]};
}

static bool weight_rows(const struct rf_graph *g, const struct rf_node *node, struct rows *r)
{
    const bool gemm = rf_node_is(node, "Gemm"), linear = rf_node_is(node, "rectifier.Linear");
    const struct rf_attr *const trans_b = rf_node_attr(node, "transB");
    const struct rf_attr *const group = rf_node_attr(node, "group");
    const int64_t groups = group ? group->as.i : 1;

    if (!floats(g, node, 1) || rf_numel(&g->values[node->in[1]].shape) < 1)
        return false;
    const struct rf_shape *const w = &g->values[node->in[1]].shape;

    if (linear || (gemm && !(trans_b && trans_b->as.i))) {
        if (w->rank != 2)
            return false;
        *r = trailing(w, linear ? g->values[node->out[0]].shape.rank - 1 : 1);
    } else if (rf_node_is(node, "ConvTranspose")) {
        if (w->rank < 3 || groups < 1 || w->dim[0] % groups)
            return false;
        *r = transposed(w, groups);
    } else {
        if (w->rank < (rf_node_is(node, "BatchNormalization") ? 1 : 2))
            return false;
        *r = leading(w);
    }
    return true;
}

static bool is_vector(const struct rf_graph *g, const struct rf_node *node, int i, int64_t n)
{
    const struct rf_shape *const shape = floats(g, node, i) ? &g->values[node->in[i]].shape : NULL;

    return shape && shape->rank == 1 && shape->dim[0] == n;
}

/* Has weights, and a bias if any, that are ours to change. */
static bool takes(const struct rf_graph *g, const struct rf_node *node, struct rows *r)
{
    static const char *const ops[] = {"Conv", "ConvTranspose", "Gemm", "rectifier.Linear",
                                      "BatchNormalization"};
    const struct rf_attr *const beta = rf_node_attr(node, "beta");
    bool found = false;

    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
        found |= rf_node_is(node, ops[i]);
    if (!found || node->removed || node->known || node->activation || node->residual >= 0 ||
        node->n_out != 1 || (beta && beta->as.f != 1) || !weight_rows(g, node, r))
        return false;
    return node->n_in < 3 || node->in[2] == RF_NO_VALUE || is_vector(g, node, 2, r->channels);
}

/* ---- what scales and shifts ---- */

struct affine {
    /* Of BatchNormalization all four; else scale or shift alone. */
    const float *scale, *shift, *mean, *var;
    double epsilon;
    size_t step; /* 0: one number for all channels */
};

static double scale_of(const struct affine *a, size_t c)
{
    const double scale = a->scale ? (double)a->scale[c * a->step] : 1;

    return a->var ? scale / sqrt((double)a->var[c] + a->epsilon) : scale;
}

static double shift_of(const struct affine *a, size_t c, double scale)
{
    const double shift = a->shift ? (double)a->shift[c * a->step] : 0;

    return a->mean ? shift - (double)a->mean[c] * scale : shift;
}

static bool read_norm(const struct rf_graph *g, const struct rf_node *norm, const struct rows *r,
                      struct affine *a)
{
    const struct rf_attr *const epsilon = rf_node_attr(norm, "epsilon");

    /* Whatever is odd about the norm is the operator's to report. */
    if (norm->n_in != 5 || norm->n_out != 1 || r->axis != 1)
        return false;
    for (int i = 1; i < 5; i++)
        if (!is_vector(g, norm, i, r->channels))
            return false;
    *a = (struct affine){.scale = floats(g, norm, 1),
                         .shift = floats(g, norm, 2),
                         .mean = floats(g, norm, 3),
                         .var = floats(g, norm, 4),
                         .epsilon = epsilon ? (double)epsilon->as.f : (double)1e-5f,
                         .step = 1};
    return true;
}

/* Input i of `next` has one number, or one for each channel of a value of that rank. */
static const float *per_channel(const struct rf_graph *g, const struct rf_node *next, int i,
                                int rank, const struct rows *r, size_t *step)
{
    const float *const v = floats(g, next, i);
    const struct rf_shape *const shape = &g->values[next->in[i]].shape;

    if (!v || shape->rank > rank || rf_node_attr(next, "axis"))
        return NULL;
    *step = 0;
    for (int k = 0; k < shape->rank; k++) {
        if (shape->dim[k] == 1)
            continue;
        if (rank - shape->rank + k != r->axis || shape->dim[k] != r->channels)
            return NULL;
        *step = 1;
    }
    return v;
}

/* What `next` does to `x`; false where it is anything else, or not finite. */
static bool read_affine(const struct rf_graph *g, const struct rf_node *next, rf_value_id x,
                        const struct rows *r, struct affine *a)
{
    const int rank = g->values[x].shape.rank;
    const bool mul = rf_node_is(next, "Mul");

    if (next->known || next->activation || next->residual >= 0 || rank <= r->axis)
        return false;
    if (rf_node_is(next, "BatchNormalization")) {
        if (next->in[0] != x || !read_norm(g, next, r, a))
            return false;
    } else if (mul || rf_node_is(next, "Add")) {
        *a = (struct affine){0};
        const float *const v = per_channel(g, next, next->in[0] == x, rank, r, &a->step);

        *(mul ? &a->scale : &a->shift) = v;
        if (!v)
            return false;
    } else {
        return false;
    }
    for (size_t c = 0; c < (size_t)r->channels; c++)
        if (!isfinite(scale_of(a, c)) || !isfinite(shift_of(a, c, scale_of(a, c))))
            return false;
    return true;
}

/* ---- folding ---- */

/* The node's own copy of constant input i: others may read the same one. */
static enum rf_status own_constant(struct rf_graph *g, struct rf_node *node, int i, float **data,
                                   struct rf_error *err)
{
    const rf_value_id old = node->in[i];
    const struct rf_shape shape = g->values[old].shape;
    rf_value_id id;

    if (g->values[old].n_uses == 1 && !g->values[old].is_output) {
        *data = g->values[old].constant;
        return RF_OK;
    }
    const enum rf_status rc =
        rf_graph_constant(g, g->values[old].name, RF_F32, &shape, &id, (void **)data, err);
    if (rc)
        return rc;
    memcpy(*data, g->values[old].constant, (size_t)rf_numel(&shape) * sizeof(float));
    g->values[old].n_uses--;
    g->values[id].n_uses = 1;
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
    g->values[id].n_uses = 1;
    node->in[2] = id; /* rf_graph_node leaves room for it */
    node->n_in = 3;
    return RF_OK;
}

static void scale_channel(float *w, const struct rows *r, size_t c, double s)
{
    w += c / r->per_group * r->group_step + c % r->per_group * r->channel_step;
    for (size_t i = 0; i < r->n_runs; i++, w += r->step)
        for (size_t k = 0; k < r->run; k++)
            w[k] = (float)((double)w[k] * s);
}

static enum rf_status fold(struct rf_graph *g, struct rf_node *node, struct rf_node *next,
                           const struct rows *r, const struct affine *a, struct rf_error *err)
{
    float *w = NULL, *b;
    enum rf_status rc = a->scale ? own_constant(g, node, 1, &w, err) : RF_OK;

    if (!rc)
        rc = own_bias(g, node, r->channels, &b, err);
    if (rc)
        return rc;
    for (size_t c = 0; c < (size_t)r->channels; c++) {
        const double s = scale_of(a, c);

        if (w)
            scale_channel(w, r, c, s);
        b[c] = (float)((double)b[c] * s + shift_of(a, c, s));
    }
    return rf_absorb(g, node, next, err);
}

enum rf_status rf_pass_fold_norm(struct rf_graph *g, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        struct rf_node *const node = g->nodes[i];
        struct affine a;
        struct rows r;

        for (int n = 0; n < MAX_FOLDS && !rc && takes(g, node, &r); n++) {
            struct rf_node *const next = rf_only_reader(g, node->out[0]);

            if (!next || !read_affine(g, next, node->out[0], &r, &a))
                break;
            rc = fold(g, node, next, &r, &a, err);
        }
    }
    return rc ? rc : rf_graph_sort(g, err);
}
