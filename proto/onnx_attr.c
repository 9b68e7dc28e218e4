/* AttributeProto -> attributes of a node, or the value of a Constant. */
#include <stdio.h>
#include <string.h>

#include "proto/onnx_import.h"
#include "proto/text.h"

enum { MOST_ATTRIBUTES = 64, LONGEST_STRING = 1024 };

/* AttributeProto.AttributeType */
enum kind {
    NONE,
    FLOAT,
    INT,
    STRING,
    TENSOR,
    GRAPH,
    FLOATS,
    INTS,
    STRINGS,
    TENSORS,
    GRAPHS,
    SPARSE,
    N_KINDS
};

static const char *const kind_names[N_KINDS] = {"none",    "FLOAT",   "INT",    "STRING",
                                                "TENSOR",  "GRAPH",   "FLOATS", "INTS",
                                                "STRINGS", "TENSORS", "GRAPHS", "SPARSE_TENSOR"};

struct attribute {
    struct rf_import *imp;
    size_t node;
    RfOnnx__Attribute *in;
    char name[RF_EXCERPT]; /* for messages */
};

static enum rf_status fail(const struct attribute *a, enum rf_status status, const char *text)
{
    return rf_import_fail(a->imp, a->node, status, "attribute '%s' %s", a->name, text);
}

/* A bit for each kind of which it has a value. */
static unsigned values_of(const RfOnnx__Attribute *a)
{
    const bool has[N_KINDS] = {[FLOAT] = a->has_f,
                               [INT] = a->has_i,
                               [STRING] = a->has_s,
                               [TENSOR] = a->t != NULL,
                               [GRAPH] = a->has_g,
                               [FLOATS] = a->n_floats,
                               [INTS] = a->n_ints,
                               [STRINGS] = a->n_strings,
                               [TENSORS] = a->n_tensors,
                               [GRAPHS] = a->n_graphs,
                               [SPARSE] = a->has_sparse_tensor};
    unsigned bits = 0;
    for (unsigned k = 0; k < N_KINDS; k++)
        bits |= (unsigned)has[k] << k;
    return bits;
}

static enum rf_status check(const struct attribute *a)
{
    const int type = a->in->type;
    char text[64];
    if (a->in->ref_attr_name)
        return fail(a, RF_UNSUPPORTED, "refers to a function's attribute");
    if (type <= NONE || type >= N_KINDS) {
        snprintf(text, sizeof text, "has an unknown type (%d)", type);
        return fail(a, RF_UNSUPPORTED, text);
    }
    if (type == GRAPH || type == GRAPHS)
        return fail(a, RF_UNSUPPORTED, "is a subgraph; control flow is not supported");
    if (type == STRINGS || type == TENSORS || type == SPARSE) {
        snprintf(text, sizeof text, "is of type %s, which is not supported", kind_names[type]);
        return fail(a, RF_UNSUPPORTED, text);
    }
    if (values_of(a->in) & ~(1u << type)) {
        snprintf(text, sizeof text, "is of type %s, but has other values, too", kind_names[type]);
        return fail(a, RF_FORMAT, text);
    }
    if (type == TENSOR && !a->in->t)
        return fail(a, RF_FORMAT, "has no tensor");
    return RF_OK;
}

static enum rf_status begin(struct attribute *a, struct rf_import *imp, size_t node, size_t i)
{
    RfOnnx__Attribute *const in = imp->model->graph->node[node]->attribute[i];
    const char *const name = in->name ? in->name : "";
    *a = (struct attribute){.imp = imp, .node = node, .in = in};
    rf_excerpt(a->name, name, strlen(name));
    if (!*name)
        return rf_import_fail(imp, node, RF_FORMAT, "attribute %zu has no name", i);
    return check(a);
}

/* ---- attributes of nodes ---- */

static enum rf_status set_string(const struct attribute *a, struct rf_node *to)
{
    char text[LONGEST_STRING];
    const ProtobufCBinaryData *const s = &a->in->s;
    if (s->len >= sizeof text || (s->len && memchr(s->data, '\0', s->len)))
        return fail(a, RF_FORMAT, "is too long a string, or holds a zero byte");
    if (s->len)
        memcpy(text, s->data, s->len);
    text[s->len] = '\0';
    return rf_node_set_string(a->imp->graph, to, a->in->name, text, a->imp->err);
}

static enum rf_status set_tensor(const struct attribute *a, struct rf_node *to)
{
    char name[2 * RF_NODE_TEXT];
    char node[RF_NODE_TEXT];
    rf_value_id id;
    snprintf(name, sizeof name, "%s.%s", rf_import_node_name(a->imp, a->node, node), a->name);
    const enum rf_status rc = rf_import_tensor(a->imp, a->in->t, name, &id);
    return rc == RF_OK ? rf_node_set_tensor(a->imp->graph, to, a->in->name, id, a->imp->err) : rc;
}

static enum rf_status set(const struct attribute *a, struct rf_node *to)
{
    struct rf_graph *const g = a->imp->graph;
    const RfOnnx__Attribute *const in = a->in;
    switch ((enum kind)in->type) {
    case FLOAT:
        return rf_node_set_float(g, to, in->name, in->f, a->imp->err);
    case INT:
        return rf_node_set_int(g, to, in->name, in->i, a->imp->err);
    case STRING:
        return set_string(a, to);
    case TENSOR:
        return set_tensor(a, to);
    case FLOATS:
        return rf_node_set_floats(g, to, in->name, in->floats, in->n_floats, a->imp->err);
    default: /* what else there is did not pass check() */
        return rf_node_set_ints(g, to, in->name, in->ints, in->n_ints, a->imp->err);
    }
}

enum rf_status rf_import_attributes(struct rf_import *imp, size_t node, struct rf_node *to)
{
    const RfOnnx__Node *const from = imp->model->graph->node[node];
    struct attribute a;
    enum rf_status rc = RF_OK;
    if (from->n_attribute > MOST_ATTRIBUTES)
        return rf_import_fail(imp, node, RF_LIMIT, "%zu attributes, at most %d are read",
                              from->n_attribute, MOST_ATTRIBUTES);
    for (size_t i = 0; i < from->n_attribute && rc == RF_OK; i++) {
        rc = begin(&a, imp, node, i);
        for (size_t k = 0; k < i && rc == RF_OK; k++)
            if (strcmp(from->attribute[k]->name, a.in->name) == 0)
                rc = fail(&a, RF_FORMAT, "is given twice");
        if (rc == RF_OK)
            rc = set(&a, to);
    }
    return rc;
}

/* ---- Constant ---- */

static enum rf_status constant(const struct attribute *a, enum rf_dtype dtype, const void *values,
                               int rank, size_t n, const char *name, rf_value_id *id)
{
    const struct rf_shape shape = {.rank = rank, .dim = {(int64_t)n}};
    void *data;
    const enum rf_status rc =
        rf_graph_constant(a->imp->graph, name, dtype, &shape, id, &data, a->imp->err);
    if (rc == RF_OK)
        rf_onnx_elements(data, dtype, values, n);
    return rc;
}

enum rf_status rf_import_constant(struct rf_import *imp, size_t node, const char *name,
                                  rf_value_id *id)
{
    static const struct {
        const char *name;
        enum kind kind;
    } forms[] = {{"value", TENSOR},
                 {"value_float", FLOAT},
                 {"value_floats", FLOATS},
                 {"value_int", INT},
                 {"value_ints", INTS}};
    const RfOnnx__Node *const from = imp->model->graph->node[node];
    struct attribute a;
    bool known = false;
    if (from->n_attribute != 1)
        return rf_import_fail(imp, node, RF_FORMAT, "%zu attributes, expected one value",
                              from->n_attribute);
    const enum rf_status rc = begin(&a, imp, node, 0);
    if (rc != RF_OK)
        return rc;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        known |= strcmp(a.in->name, forms[i].name) == 0 && a.in->type == (int)forms[i].kind;
    if (!known)
        return fail(&a, RF_UNSUPPORTED, "is no value that is supported");
    switch ((enum kind)a.in->type) {
    case TENSOR:
        return rf_import_tensor(imp, a.in->t, name, id);
    case FLOAT:
        return constant(&a, RF_F32, &a.in->f, 0, 1, name, id);
    case FLOATS:
        return constant(&a, RF_F32, a.in->floats, 1, a.in->n_floats, name, id);
    case INT:
        return constant(&a, RF_I64, &a.in->i, 0, 1, name, id);
    default: /* INTS: the last of the forms */
        return constant(&a, RF_I64, a.in->ints, 1, a.in->n_ints, name, id);
    }
}
