/* Lets a Conv or AveragePool pad its input itself where a Pad before it adds zeros. */
#include <string.h>

#include "core/op.h"
#include "core/passes/passes.h"

#define MAX_PAD (1 << 16) /* along one side; what is beyond it is no convolution's padding */

/* The fill value: an attribute until opset 10, input 2 from 11 on. */
static bool adds_zeros(const struct rf_graph *g, const struct rf_node *pad)
{
    const struct rf_attr *const mode = rf_node_attr(pad, "mode");
    const struct rf_attr *const value = rf_node_attr(pad, "value");

    if ((mode && strcmp(mode->as.s, "constant") != 0) || (value && value->as.f != 0))
        return false;
    if (pad->n_in < 3 || pad->in[2] == RF_NO_VALUE)
        return true;
    const float *const fill = rf_constant_in(g, pad, 2, RF_F32);

    return fill && rf_numel(&g->values[pad->in[2]].shape) == 1 && fill[0] == 0;
}

/* How far each side of each dimension is padded: all begins, then all ends. */
static bool read_pads(const struct rf_graph *g, const struct rf_node *pad, int rank, int64_t *pads)
{
    const struct rf_attr *const attr = rf_node_attr(pad, "pads");
    const int64_t *const from = attr ? attr->as.ints : rf_constant_in(g, pad, 1, RF_I64);
    const bool has_axes = pad->n_in > 3 && pad->in[3] != RF_NO_VALUE;
    const int64_t *const axes = rf_constant_in(g, pad, 3, RF_I64);

    if (!from || (has_axes && !axes))
        return false;
    const int64_t n = attr ? (int64_t)attr->n : rf_numel(&g->values[pad->in[1]].shape);
    const int64_t n_axes = axes ? rf_numel(&g->values[pad->in[3]].shape) : rank;

    if (n_axes > rank || n != 2 * n_axes)
        return false;
    memset(pads, 0, 2 * (size_t)rank * sizeof(*pads));
    for (int64_t k = 0; k < n_axes; k++) {
        const int64_t axis = axes ? axes[k] + (axes[k] < 0 ? rank : 0) : k;

        if (axis < 0 || axis >= rank)
            return false;
        pads[axis] = from[k];
        pads[rank + axis] = from[n_axes + k];
    }
    return true;
}

/* Of images alone, and within bounds. */
static bool are_spatial(const int64_t *pads, int rank)
{
    for (int k = 0; k < 2 * rank; k++)
        if (pads[k] < 0 || pads[k] > MAX_PAD || (k % rank < 2 && pads[k]))
            return false;
    return true;
}

static bool is_zero(const struct rf_attr *ints)
{
    for (size_t i = 0; ints && i < ints->n; i++)
        if (ints->as.ints[i])
            return false;
    return true;
}

/* A pool must count the zeros, as it counted those of the Pad; and what ceil_mode adds depends on
 * where the input ends. */
static bool takes(const struct rf_node *node, int rank)
{
    const struct rf_attr *const auto_pad = rf_node_attr(node, "auto_pad");
    const struct rf_attr *const pads = rf_node_attr(node, "pads");
    const struct rf_attr *const include = rf_node_attr(node, "count_include_pad");
    const struct rf_attr *const ceil_mode = rf_node_attr(node, "ceil_mode");

    if (node->known || (auto_pad && strcmp(auto_pad->as.s, "NOTSET") != 0) ||
        (pads && pads->n != 2 * (size_t)(rank - 2)))
        return false;
    if (rf_node_is(node, "Conv"))
        return true;
    return rf_node_is(node, "AveragePool") && !(ceil_mode && ceil_mode->as.i) &&
           ((include && include->as.i) || is_zero(pads));
}

/* A pool's windows must not lie in its padding alone. */
static bool within_windows(const struct rf_node *pool, const int64_t *pads, int spatial)
{
    const struct rf_attr *const kernel = rf_node_attr(pool, "kernel_shape");

    if (!kernel || kernel->n != (size_t)spatial)
        return false;
    for (int k = 0; k < 2 * spatial; k++)
        if (pads[k] >= kernel->as.ints[k % spatial])
            return false;
    return true;
}

static void drop_attr(struct rf_node *node, const char *name)
{
    for (struct rf_attr **a = &node->attrs; *a;) {
        if (!strcmp((*a)->name, name))
            *a = (*a)->next;
        else
            a = &(*a)->next;
    }
}

static enum rf_status fold(struct rf_graph *g, struct rf_node *pad, struct rf_node *node,
                           struct rf_error *err)
{
    const int rank = g->values[pad->in[0]].shape.rank, spatial = rank - 2;
    const struct rf_attr *const own = rf_node_attr(node, "pads");
    int64_t pads[2 * RF_MAX_RANK], sum[2 * RF_MAX_RANK];

    if (!read_pads(g, pad, rank, pads) || !are_spatial(pads, rank))
        return RF_OK;
    for (int k = 0; k < 2 * spatial; k++) {
        sum[k] = pads[k < spatial ? k + 2 : k + 4];
        if (own && __builtin_add_overflow(sum[k], own->as.ints[k], &sum[k]))
            return RF_OK;
        if (sum[k] > MAX_PAD)
            return RF_OK;
    }
    const bool pool = rf_node_is(node, "AveragePool");
    if (pool && !within_windows(node, sum, spatial))
        return RF_OK;
    drop_attr(node, "pads");
    enum rf_status rc = rf_node_set_ints(g, node, "pads", sum, 2 * (size_t)spatial, err);
    if (!rc && pool) {
        drop_attr(node, "count_include_pad");
        rc = rf_node_set_int(g, node, "count_include_pad", 1, err);
    }
    node->in[0] = pad->in[0];
    pad->removed = true;
    return rc;
}

enum rf_status rf_pass_fold_pad(struct rf_graph *g, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        struct rf_node *const pad = g->nodes[i];

        if (!rf_node_is(pad, "Pad") || pad->known)
            continue;
        struct rf_node *const next = rf_only_reader(g, pad->out[0]);
        const struct rf_value *const x = &g->values[pad->in[0]];

        if (next && next->in[0] == pad->out[0] && x->dtype == RF_F32 && x->shape.rank > 2 &&
            adds_zeros(g, pad) && takes(next, x->shape.rank))
            rc = fold(g, pad, next, err);
    }
    return rc ? rc : rf_graph_sort(g, err);
}
