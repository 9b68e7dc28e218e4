/* Which variant of its operator each node runs, its state, and the shapes of all values. */
#include <stdlib.h>
#include <string.h>

#include "core/infer.h"

#define MAX_ALONE 32 /* inputs that are looked at one by one: bits of rf_value.alone */

/* ---- one node ---- */

static bool suits(const struct rf_graph *g, const struct rf_node *node, const struct rf_op *op)
{
    const struct rf_value *const in = &g->values[node->in[0]];
    const bool row_major = node->known || in->known || in->shape.rank < 0;

    if (row_major && !(op->layouts & RF_ACCEPTS_ROWMAJOR))
        return false;
    return !op->fits || op->fits(g, node);
}

const struct rf_op *rf_select(const struct rf_graph *g, const struct rf_node *node)
{
    const struct rf_op *op = node->base;

    while (op->otherwise && !suits(g, node, op))
        op = op->otherwise;
    return op;
}

static enum rf_status check_attributes(struct rf_prepare *p, const struct rf_node *node)
{
    for (const struct rf_attr *a = node->attrs; a; a = a->next)
        if (!a->used)
            return rf_prepare_fail(p, RF_UNSUPPORTED, "%s has no attribute %s (opset %d)",
                                   node->op->name, a->name, p->graph->opset);
    return p->status;
}

enum rf_status rf_prepare_node(struct rf_graph *g, size_t i, struct rf_error *err)
{
    struct rf_node *const node = g->nodes[i];
    struct rf_prepare p = {.graph = g, .node = node, .arena = &g->arena, .err = err};

    node->op = rf_select(g, node);
    node->state = rf_arena_alloc(&g->arena, node->op->state_bytes);
    if (!node->state)
        return rf_fail_nomem(err, node->name, node->op->state_bytes);
    enum rf_status rc = node->op->prepare(&p, node->state);
    if (!rc)
        rc = check_attributes(&p, node);
    if (!rc && node->activation)
        rc = check_attributes(&p, node->activation);
    return rc;
}

/* ---- all nodes ---- */

/* What came out for the values becomes what the graph knows of them. */
static void note(struct rf_graph *g, const struct rf_node *node, const struct rf_tensor *tensors)
{
    for (int k = 0; k < node->n_out; k++) {
        struct rf_value *const v = &g->values[node->out[k]];

        v->shape = tensors[node->out[k]].shape;
        v->dtype = tensors[node->out[k]].dtype;
    }
}

static enum rf_status settle_nodes(struct rf_graph *g, struct rf_inference *x,
                                   const struct rf_given *given, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    rf_infer_start(x, given);
    for (size_t i = 0; i < g->n_nodes && !rc; i++) {
        rc = rf_prepare_node(g, i, err);
        if (!rc)
            rc = rf_infer_node(x, i, err);
        if (!rc)
            note(g, g->nodes[i], x->tensors);
    }
    return rc;
}

/* ---- open dimensions ---- */

/* Where even the rank changes there is no shape to rely on. */
static void mark_open(struct rf_graph *g, const struct rf_tensor *others)
{
    for (size_t v = 0; v < g->n_values; v++) {
        struct rf_value *const value = &g->values[v];

        if (value->is_input || value->constant)
            continue;
        if (value->shape.rank != others[v].shape.rank)
            value->shape.rank = -1;
        for (int k = 0; k < value->shape.rank; k++)
            if (value->shape.dim[k] != others[v].shape.dim[k])
                value->open |= 1u << k;
    }
}

static void mark_alone(struct rf_graph *g, const struct rf_tensor *others, size_t input)
{
    for (size_t v = 0; v < g->n_values; v++) {
        struct rf_value *const value = &g->values[v];

        if (value->is_input ? g->inputs[input] == (rf_value_id)v
                            : !rf_shape_equal(&value->shape, &others[v].shape))
            value->alone |= 1u << input;
    }
}

/* Other sizes for what one input leaves open: the batch alone, or everything. Distinct ones, since
 * two that agree by chance would hide that they need not. */
static bool other_sizes(const struct rf_shape *declared, struct rf_shape *other, bool all)
{
    bool any = false;

    for (int k = 0; k < declared->rank && (all || k == 0); k++) {
        if (declared->dim[k] >= 0)
            continue;
        other->dim[k] += k ? 32 * (k + 1) : 1;
        any = true;
    }
    return any;
}

#define ALL_INPUTS SIZE_MAX

/* Infers once more, with other sizes of all inputs or of one; false where there are none, or the
 * network does not take them. */
static bool infer_other(struct rf_inference *x, const struct rf_given *given,
                        struct rf_shape *others, size_t input, bool all)
{
    const struct rf_graph *const g = x->g;
    const struct rf_given other = {.shapes = others, .values = given->values};
    struct rf_error ignored = RF_ERROR_INIT;
    bool any = false;

    for (size_t i = 0; i < g->n_inputs; i++) {
        others[i] = given->shapes[i];
        if (input == ALL_INPUTS || input == i)
            any |= other_sizes(&g->values[g->inputs[i]].shape, &others[i], all);
    }
    rf_arena_release(x->arena);
    x->known_bytes = 0;
    return any && !rf_infer_graph(x, &other, &ignored);
}

/* Infers once more with other sizes: what then differs is open. Networks that only pretend to take
 * any size keep what they have. */
static enum rf_status find_open(struct rf_graph *g, struct rf_inference *x,
                                const struct rf_given *given, struct rf_error *err)
{
    struct rf_shape *const others = calloc(g->n_inputs + 1, sizeof(*others));

    if (!others)
        return rf_fail_nomem(err, "shapes", g->n_inputs * sizeof(*others));
    for (size_t i = 0; i < g->n_inputs; i++) {
        struct rf_value *const v = &g->values[g->inputs[i]];

        for (int k = 0; k < v->shape.rank; k++)
            if (v->shape.dim[k] < 0)
                v->open |= 1u << k;
    }
    for (size_t i = 0; i < g->n_inputs && g->n_inputs > 1 && i < MAX_ALONE; i++)
        if (infer_other(x, given, others, i, true))
            mark_alone(g, x->tensors, i);
    if (infer_other(x, given, others, ALL_INPUTS, true) ||
        infer_other(x, given, others, ALL_INPUTS, false))
        mark_open(g, x->tensors);
    free(others);
    return RF_OK;
}

/* What reads a value whose rank turned out to be open takes any. */
static enum rf_status select_again(struct rf_graph *g, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < g->n_nodes && !rc; i++)
        if (rf_select(g, g->nodes[i]) != g->nodes[i]->op)
            rc = rf_prepare_node(g, i, err);
    return rc;
}

enum rf_status rf_settle(struct rf_graph *g, const struct rf_given *given, struct rf_error *err)
{
    struct rf_arena arena = {0};
    struct rf_inference x = {.g = g,
                             .arena = &arena,
                             .tensors = calloc(g->n_values + 1, sizeof(*x.tensors)),
                             .max_known_bytes = RF_MAX_KNOWN_BYTES,
                             .loading = true};
    enum rf_status rc;

    if (!x.tensors)
        return rf_fail_nomem(err, "shapes", g->n_values * sizeof(*x.tensors));
    for (size_t v = 0; v < g->n_values; v++)
        g->values[v].open = g->values[v].alone = 0;
    rc = rf_find_known(g, err);
    if (!rc)
        rc = settle_nodes(g, &x, given, err);
    if (!rc)
        rc = find_open(g, &x, given, err);
    if (!rc)
        rc = select_again(g, err);
    rf_arena_release(&arena);
    free(x.tensors);
    return rc;
}

/* ---- sizes that fit ---- */

/* Open dimensions get this size, all but the first, which is 1. False when there is none. */
static bool nominal_shapes(const struct rf_graph *g, struct rf_shape *shapes, int64_t size)
{
    bool any = false;

    for (size_t i = 0; i < g->n_inputs; i++) {
        shapes[i] = g->values[g->inputs[i]].shape;
        for (int k = 0; k < shapes[i].rank; k++) {
            if (shapes[i].dim[k] >= 0)
                continue;
            shapes[i].dim[k] = k ? size : 1;
            any |= k > 0;
        }
    }
    return any;
}

enum rf_status rf_settle_nominal(struct rf_graph *g, struct rf_shape *shapes, struct rf_error *err)
{
    /* What image networks are made for; then small and odd ones. */
    static const int64_t sizes[] = {224, 32,  64, 128, 256, 299, 320, 416,
                                    512, 640, 28, 16,  8,   4,   1};
    const struct rf_given given = {.shapes = shapes};
    struct rf_error first = RF_ERROR_INIT;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct rf_error here = RF_ERROR_INIT;
        const bool any = nominal_shapes(g, shapes, sizes[i]);
        const enum rf_status rc = rf_settle(g, &given, i ? &here : &first);

        if (!rc)
            return RF_OK;
        if (!any)
            break;
    }
    return rf_fail(err, first.status, "%s", first.text);
}
