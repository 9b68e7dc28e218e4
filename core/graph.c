#include "core/graph.h"

#include <stdlib.h>
#include <string.h>

#include "core/op.h"

enum rf_status rf_graph_new(struct rf_graph **out, const char *name, int opset,
                            struct rf_error *err)
{
    struct rf_graph *const g = calloc(1, sizeof(*g));

    *out = NULL;
    if (!g)
        return rf_fail_nomem(err, "graph", sizeof(*g));
    g->opset = opset;
    g->name = rf_arena_strdup(&g->arena, name);
    if (!g->name) {
        rf_graph_free(g);
        return rf_fail_nomem(err, "graph name", strlen(name));
    }
    *out = g;
    return RF_OK;
}

void rf_graph_drop_constant(struct rf_graph *g, rf_value_id id)
{
    free(g->values[id].constant);
    g->values[id].constant = NULL;
}

void rf_graph_free(struct rf_graph *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_values; i++)
        free(g->values[i].constant);
    free(g->values);
    free(g->nodes);
    free(g->inputs);
    free(g->outputs);
    rf_arena_release(&g->arena);
    free(g);
}

/* Makes room for one more element behind `*array`. */
static enum rf_status grow(void **array, size_t n, size_t *cap, size_t size, struct rf_error *err)
{
    if (n < *cap)
        return RF_OK;
    const size_t more = *cap ? *cap * 2 : 16;
    void *const moved = reallocarray(*array, more, size);

    if (!moved)
        return rf_fail_nomem(err, "graph", more * size);
    *array = moved;
    *cap = more;
    return RF_OK;
}

enum rf_status rf_graph_value(struct rf_graph *g, const char *name, rf_value_id *id,
                              struct rf_error *err)
{
    if (g->n_values >= INT32_MAX)
        return rf_fail(err, RF_LIMIT, "graph: more than %d values", INT32_MAX);
    enum rf_status rc =
        grow((void **)&g->values, g->n_values, &g->cap_values, sizeof(*g->values), err);
    const char *const copy = rc ? NULL : rf_arena_strdup(&g->arena, name);

    if (rc)
        return rc;
    if (!copy)
        return rf_fail_nomem(err, "value name", strlen(name));
    g->values[g->n_values] = (struct rf_value){
        .name = copy, .dtype = RF_F32, .shape.rank = -1, .producer = -1, .twin = RF_NO_VALUE};
    *id = (rf_value_id)g->n_values++;
    return RF_OK;
}

static enum rf_status add_id(rf_value_id **ids, size_t *n, size_t *cap, rf_value_id id,
                             struct rf_error *err)
{
    const enum rf_status rc = grow((void **)ids, *n, cap, sizeof(**ids), err);

    if (!rc)
        (*ids)[(*n)++] = id;
    return rc;
}

enum rf_status rf_graph_input(struct rf_graph *g, const char *name, enum rf_dtype dtype,
                              const struct rf_shape *shape, rf_value_id *id, struct rf_error *err)
{
    enum rf_status rc = rf_graph_value(g, name, id, err);

    if (rc)
        return rc;
    struct rf_value *const v = &g->values[*id];

    v->dtype = dtype;
    v->shape = *shape;
    v->is_input = true;
    return add_id(&g->inputs, &g->n_inputs, &g->cap_inputs, *id, err);
}

enum rf_status rf_graph_constant(struct rf_graph *g, const char *name, enum rf_dtype dtype,
                                 const struct rf_shape *shape, rf_value_id *id, void **data,
                                 struct rf_error *err)
{
    char text[RF_SHAPE_TEXT];
    int64_t n;
    size_t bytes;

    if (!rf_shape_numel(shape, &n) ||
        __builtin_mul_overflow((size_t)n, rf_dtype_size(dtype), &bytes) || bytes > SIZE_MAX / 2)
        return rf_fail(err, RF_LIMIT, "%s: shape %s is negative or too large", name,
                       rf_shape_text(shape, text, sizeof(text)));
    enum rf_status rc = rf_graph_value(g, name, id, err);
    if (rc)
        return rc;
    struct rf_value *const v = &g->values[*id];

    v->dtype = dtype;
    v->shape = *shape;
    v->constant = aligned_alloc(RF_ALIGN, (bytes + RF_ALIGN) / RF_ALIGN * RF_ALIGN);
    if (!v->constant)
        return rf_fail_nomem(err, name, bytes);
    *data = v->constant;
    return RF_OK;
}

static enum rf_status check_node(const struct rf_graph *g, const struct rf_op *op,
                                 const char *op_type, const char *name, const rf_value_id *in,
                                 int n_in, int n_out, struct rf_error *err)
{
    if (!op && rf_op_exists(op_type))
        return rf_fail(err, RF_UNSUPPORTED, "node %s: operator %s is not defined in opset %d", name,
                       op_type, g->opset);
    if (!op)
        return rf_fail(err, RF_UNSUPPORTED, "node %s: unknown operator %s (opset %d)", name,
                       op_type, g->opset);
    if (n_in < op->min_in || n_in > op->max_in)
        return rf_fail(err, RF_INVALID, "node %s (%s): takes %d to %d inputs, has %d", name,
                       op_type, op->min_in, op->max_in, n_in);
    if (n_out < op->min_out || n_out > op->max_out)
        return rf_fail(err, RF_INVALID, "node %s (%s): has %d to %d outputs, %d are named", name,
                       op_type, op->min_out, op->max_out, n_out);
    for (int i = 0; i < op->min_in; i++)
        if (in[i] == RF_NO_VALUE)
            return rf_fail(err, RF_INVALID, "node %s (%s): input %d is missing", name, op_type, i);
    return RF_OK;
}

enum rf_status rf_graph_node(struct rf_graph *g, const char *op_type, const char *name,
                             const rf_value_id *in, int n_in, const rf_value_id *out, int n_out,
                             struct rf_node **node, struct rf_error *err)
{
    const struct rf_op *const op = rf_op_find(op_type, g->opset);
    enum rf_status rc = check_node(g, op, op_type, name, in, n_in, n_out, err);

    if (!rc && g->n_nodes >= RF_MAX_NODES)
        rc = rf_fail(err, RF_LIMIT, "graph: more than %d nodes", RF_MAX_NODES);
    if (!rc)
        rc = grow((void **)&g->nodes, g->n_nodes, &g->cap_nodes, sizeof(*g->nodes), err);
    if (rc)
        return rc;
    struct rf_node *const n = rf_arena_alloc(&g->arena, sizeof(*n));
    rf_value_id *const ids =
        rf_arena_array(&g->arena, (size_t)(n_in + n_out) + 2, sizeof(*ids)); /* + bias, residual */
    const char *const copy = rf_arena_strdup(&g->arena, name);

    if (!n || !ids || !copy)
        return rf_fail_nomem(err, name, sizeof(*n));
    *n = (struct rf_node){.name = copy,
                          .base = op,
                          .op = op,
                          .n_in = n_in,
                          .n_out = n_out,
                          .in = ids + n_out,
                          .out = ids,
                          .residual = -1,
                          .path = op->label ? op->label : op->name};
    memcpy(n->in, in, (size_t)n_in * sizeof(*in));
    for (int i = 0; i < n_out; i++) {
        struct rf_value *const v = &g->values[out[i]];

        if (v->producer >= 0 || v->is_input || v->constant)
            return rf_fail(err, RF_FORMAT, "node %s (%s): value %s is produced twice", name,
                           op_type, v->name);
        v->producer = (int32_t)g->n_nodes;
        n->out[i] = out[i];
    }
    g->nodes[g->n_nodes++] = n;
    if (node)
        *node = n;
    return RF_OK;
}

enum rf_status rf_graph_op(struct rf_graph *g, const char *op_type, const char *name,
                           const rf_value_id *in, int n_in, rf_value_id *out, struct rf_node **node,
                           struct rf_error *err)
{
    const enum rf_status rc = rf_graph_value(g, name, out, err);

    return rc ? rc : rf_graph_node(g, op_type, name, in, n_in, out, 1, node, err);
}

enum rf_status rf_graph_output(struct rf_graph *g, rf_value_id id, struct rf_error *err)
{
    g->values[id].is_output = true;
    return add_id(&g->outputs, &g->n_outputs, &g->cap_outputs, id, err);
}

rf_value_id rf_graph_find(const struct rf_graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_values; i++)
        if (!strcmp(g->values[i].name, name))
            return (rf_value_id)i;
    return RF_NO_VALUE;
}

/* ---- attributes ---- */

static enum rf_status add_attr(struct rf_graph *g, struct rf_node *node, const char *name,
                               struct rf_attr attr, struct rf_error *err)
{
    struct rf_attr *const a = rf_arena_alloc(&g->arena, sizeof(*a));

    attr.name = rf_arena_strdup(&g->arena, name);
    if (!a || !attr.name)
        return rf_fail_nomem(err, name, sizeof(*a));
    attr.next = node->attrs;
    *a = attr;
    node->attrs = a;
    return RF_OK;
}

enum rf_status rf_node_set_int(struct rf_graph *g, struct rf_node *node, const char *attr,
                               int64_t value, struct rf_error *err)
{
    return add_attr(g, node, attr, (struct rf_attr){.type = RF_ATTR_INT, .as.i = value}, err);
}

enum rf_status rf_node_set_float(struct rf_graph *g, struct rf_node *node, const char *attr,
                                 float value, struct rf_error *err)
{
    return add_attr(g, node, attr, (struct rf_attr){.type = RF_ATTR_FLOAT, .as.f = value}, err);
}

enum rf_status rf_node_set_string(struct rf_graph *g, struct rf_node *node, const char *attr,
                                  const char *value, struct rf_error *err)
{
    const char *const copy = rf_arena_strdup(&g->arena, value);

    if (!copy)
        return rf_fail_nomem(err, attr, strlen(value));
    return add_attr(g, node, attr, (struct rf_attr){.type = RF_ATTR_STRING, .as.s = copy}, err);
}

enum rf_status rf_node_set_ints(struct rf_graph *g, struct rf_node *node, const char *attr,
                                const int64_t *values, size_t n, struct rf_error *err)
{
    int64_t *const copy = rf_arena_array(&g->arena, n, sizeof(*copy));

    if (!copy)
        return rf_fail_nomem(err, attr, n * sizeof(*copy));
    if (n)
        memcpy(copy, values, n * sizeof(*copy));
    return add_attr(g, node, attr, (struct rf_attr){.type = RF_ATTR_INTS, .n = n, .as.ints = copy},
                    err);
}

enum rf_status rf_node_set_floats(struct rf_graph *g, struct rf_node *node, const char *attr,
                                  const float *values, size_t n, struct rf_error *err)
{
    float *const copy = rf_arena_array(&g->arena, n, sizeof(*copy));

    if (!copy)
        return rf_fail_nomem(err, attr, n * sizeof(*copy));
    if (n)
        memcpy(copy, values, n * sizeof(*copy));
    return add_attr(g, node, attr,
                    (struct rf_attr){.type = RF_ATTR_FLOATS, .n = n, .as.floats = copy}, err);
}

enum rf_status rf_node_set_tensor(struct rf_graph *g, struct rf_node *node, const char *attr,
                                  rf_value_id constant, struct rf_error *err)
{
    return add_attr(g, node, attr, (struct rf_attr){.type = RF_ATTR_TENSOR, .as.tensor = constant},
                    err);
}

const struct rf_attr *rf_node_attr(const struct rf_node *node, const char *name)
{
    for (const struct rf_attr *a = node->attrs; a; a = a->next)
        if (!strcmp(a->name, name))
            return a;
    return NULL;
}

void rf_node_become(struct rf_node *node, const char *op_type)
{
    node->base = node->op = rf_op_find(op_type, RF_NEWEST_OPSET);
}

/* ---- order ---- */

void rf_graph_tidy(struct rf_graph *g)
{
    size_t kept = 0;

    for (size_t i = 0; i < g->n_values; i++) {
        g->values[i].n_uses = 0;
        g->values[i].reader = NULL;
        g->values[i].producer = -1;
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i]->removed)
            g->nodes[kept++] = g->nodes[i];
    g->n_nodes = kept;
    for (size_t i = 0; i < kept; i++) {
        struct rf_node *const n = g->nodes[i];

        for (int k = 0; k < n->n_in; k++) {
            if (n->in[k] == RF_NO_VALUE)
                continue;
            g->values[n->in[k]].n_uses++;
            g->values[n->in[k]].reader = n;
        }
        for (int k = 0; k < n->n_out; k++)
            g->values[n->out[k]].producer = (int32_t)i;
    }
}

/* Depth-first over what a node needs, with a stack of our own: depth is the file's to choose. */
struct visit {
    int32_t node;
    int next_in;
};

enum mark { NEW, OPEN, DONE };

/* The order found so far, and what finding it takes. */
struct order {
    unsigned char *mark;
    struct visit *stack;
    struct rf_node **nodes;
    size_t n;
};

static enum rf_status visit_from(const struct rf_graph *g, int32_t root, struct order *o,
                                 struct rf_error *err)
{
    size_t depth = 0;

    if (o->mark[root] == DONE)
        return RF_OK;
    o->stack[depth++] = (struct visit){.node = root};
    o->mark[root] = OPEN;
    while (depth) {
        struct visit *const top = &o->stack[depth - 1];
        struct rf_node *const node = g->nodes[top->node];

        if (top->next_in == node->n_in) {
            o->mark[top->node] = DONE;
            o->nodes[o->n++] = node;
            depth--;
            continue;
        }
        const rf_value_id in = node->in[top->next_in++];
        if (in == RF_NO_VALUE)
            continue;
        const struct rf_value *const v = &g->values[in];
        if (v->producer < 0) {
            if (!v->is_input && !v->constant)
                return rf_fail(err, RF_FORMAT, "node %s (%s): nothing produces its input %s",
                               node->name, node->op->name, v->name);
        } else if (o->mark[v->producer] == OPEN) {
            return rf_fail(err, RF_FORMAT, "node %s (%s): depends on itself through %s", node->name,
                           node->op->name, v->name);
        } else if (o->mark[v->producer] == NEW) {
            o->mark[v->producer] = OPEN;
            o->stack[depth++] = (struct visit){.node = v->producer};
        }
    }
    return RF_OK;
}

/* Only what the outputs need is kept. */
enum rf_status rf_graph_sort(struct rf_graph *g, struct rf_error *err)
{
    const size_t n = g->n_nodes;
    struct order o = {.mark = calloc(n + 1, sizeof(*o.mark)),
                      .stack = calloc(n + 1, sizeof(*o.stack)),
                      .nodes = calloc(n + 1, sizeof(*o.nodes))};
    enum rf_status rc = RF_OK;

    if (!o.mark || !o.stack || !o.nodes)
        rc = rf_fail_nomem(err, "graph order", n * (sizeof(*o.stack) + sizeof(*o.nodes)));
    for (size_t i = 0; i < g->n_outputs && !rc; i++) {
        const struct rf_value *const v = &g->values[g->outputs[i]];

        if (v->producer >= 0)
            rc = visit_from(g, v->producer, &o, err);
        else if (!v->is_input && !v->constant)
            rc = rf_fail(err, RF_FORMAT, "nothing produces output %s", v->name);
    }
    if (!rc) {
        if (o.n) /* a network of constants has no nodes, and no list of them */
            memcpy(g->nodes, o.nodes, o.n * sizeof(*o.nodes));
        g->n_nodes = o.n;
        rf_graph_tidy(g);
    }
    free(o.mark);
    free(o.stack);
    free(o.nodes);
    return rc;
}
