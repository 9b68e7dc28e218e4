/* GraphProto -> graph: constants, inputs, values, nodes, outputs, each found by its name. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/op.h"
#include "proto/onnx_import.h"
#include "proto/text.h"

enum { MOST_NODES = 32768, MOST_VALUES = 1000000 };

/* ---- messages ---- */

const char *rf_import_node_name(const struct rf_import *imp, size_t node, char text[RF_NODE_TEXT])
{
    const RfOnnx__Node *const n = imp->model->graph->node[node];
    if (n->name && *n->name)
        return n->name;
    for (size_t i = 0; i < n->n_output; i++)
        if (*n->output[i])
            return n->output[i];
    snprintf(text, RF_NODE_TEXT, "Op_%zu", node);
    return text;
}

enum rf_status rf_import_fail(struct rf_import *imp, size_t node, enum rf_status status,
                              const char *fmt, ...)
{
    const char *const op = imp->model->graph->node[node]->op_type;
    char own[RF_NODE_TEXT], name[RF_EXCERPT], text[RF_ERROR_TEXT];
    const char *const full = rf_import_node_name(imp, node, own);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return rf_fail(imp->err, status, "node '%s' (%.40s): %s", rf_excerpt(name, full, strlen(full)),
                   op ? op : "no operator", text);
}

/* ---- names ---- */

/* Names go into tables, logs and file names: UTF-8 without control characters. */
static bool is_printable(const char *text)
{
    const char *const end = text + strlen(text);
    while (text < end) {
        const size_t n = rf_utf8_length(text, end);
        if (n == 0 || (unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
        text += n;
    }
    return true;
}

/* `what` and the index stand for names that cannot be shown. */
static enum rf_status check_name(const struct rf_import *imp, const char *name, const char *what,
                                 size_t i)
{
    if (!name || !*name)
        return rf_fail(imp->err, RF_FORMAT, "%s %zu has no name", what, i);
    if (!is_printable(name))
        return rf_fail(imp->err, RF_FORMAT, "%s %zu: its name is not printable UTF-8", what, i);
    return RF_OK;
}

static rf_value_id find(const struct rf_import *imp, const char *name)
{
    const json_t *const id = json_object_get(imp->names, name);
    return id ? (rf_value_id)json_integer_value(id) : RF_NO_VALUE;
}

static enum rf_status define(const struct rf_import *imp, const char *name, rf_value_id id)
{
    char excerpt[RF_EXCERPT];
    if (json_object_size(imp->names) >= MOST_VALUES)
        return rf_fail(imp->err, RF_LIMIT, "more than %d values", MOST_VALUES);
    if (json_object_get(imp->names, name))
        return rf_fail(imp->err, RF_FORMAT, "value '%s' is defined twice",
                       rf_excerpt(excerpt, name, strlen(name)));
    return json_object_set_new_nocheck(imp->names, name, json_integer(id)) == 0
               ? RF_OK
               : rf_fail_nomem(imp->err, "a name", strlen(name));
}

/* ---- constants and inputs ---- */

static enum rf_status import_initializers(struct rf_import *imp)
{
    const RfOnnx__Graph *const from = imp->model->graph;
    enum rf_status rc = RF_OK;
    for (size_t i = 0; i < from->n_initializer && rc == RF_OK; i++) {
        RfOnnx__Tensor *const t = from->initializer[i];
        rf_value_id id;
        rc = check_name(imp, t->name, "initializer", i);
        if (rc == RF_OK)
            rc = rf_import_tensor(imp, t, t->name, &id);
        if (rc == RF_OK)
            rc = define(imp, t->name, id);
    }
    return rc;
}

static enum rf_status read_dims(const struct rf_import *imp, const RfOnnx__Shape *from,
                                const char *what, struct rf_shape *shape)
{
    if (from->n_dim > RF_MAX_RANK)
        return rf_fail(imp->err, RF_LIMIT, "%s: %zu dimensions, at most %d are supported", what,
                       from->n_dim, RF_MAX_RANK);
    *shape = (struct rf_shape){.rank = (int)from->n_dim};
    for (size_t i = 0; i < from->n_dim; i++) {
        const RfOnnx__Dimension *const d = from->dim[i];
        shape->dim[i] = d->has_dim_value ? d->dim_value : -1;
        if (d->has_dim_value && d->dim_value < 0)
            return rf_fail(imp->err, RF_FORMAT, "%s: dimension %zu is %" PRId64, what, i,
                           d->dim_value);
    }
    return RF_OK;
}

static enum rf_status import_input(struct rf_import *imp, const RfOnnx__ValueInfo *from)
{
    const RfOnnx__TensorType *const tensor = from->type ? from->type->tensor_type : NULL;
    const struct rf_onnx_type *type;
    struct rf_shape shape;
    char excerpt[RF_EXCERPT], what[RF_EXCERPT + 16];
    rf_value_id id;
    snprintf(what, sizeof what, "input '%s'", rf_excerpt(excerpt, from->name, strlen(from->name)));
    if (!tensor)
        return rf_fail(imp->err, RF_UNSUPPORTED, "%s: is not declared as a tensor", what);
    if (!tensor->shape)
        return rf_fail(imp->err, RF_UNSUPPORTED, "%s: has no shape; its rank must be known", what);
    enum rf_status rc = rf_onnx_find_type(tensor->elem_type, what, &type, imp->err);
    if (rc == RF_OK)
        rc = read_dims(imp, tensor->shape, what, &shape);
    if (rc == RF_OK)
        rc = rf_graph_input(imp->graph, from->name, rf_onnx_graph_dtype(type->stored), &shape, &id,
                            imp->err);
    return rc == RF_OK ? define(imp, from->name, id) : rc;
}

/* Before IR 4 every initializer is an input, too; later its value is a default. Here it stays. */
static enum rf_status import_inputs(struct rf_import *imp)
{
    const RfOnnx__Graph *const from = imp->model->graph;
    enum rf_status rc = RF_OK;
    for (size_t i = 0; i < from->n_input && rc == RF_OK; i++) {
        rc = check_name(imp, from->input[i]->name, "input", i);
        if (rc != RF_OK)
            break;
        const rf_value_id id = find(imp, from->input[i]->name);
        if (id == RF_NO_VALUE || !imp->graph->values[id].constant)
            rc = import_input(imp, from->input[i]);
    }
    return rc;
}

/* ---- nodes ---- */

static bool is_op(const RfOnnx__Node *n, const char *op)
{
    return strcmp(n->op_type, op) == 0;
}

/* Optional values that are left out at the end are as if they were not there. */
static size_t count_given(char *const *names, size_t n)
{
    while (n && !*names[n - 1])
        n--;
    return n;
}

static enum rf_status check_node(struct rf_import *imp, size_t i)
{
    const RfOnnx__Node *const n = imp->model->graph->node[i];
    if (!n->op_type || !*n->op_type)
        return rf_import_fail(imp, i, RF_FORMAT, "has no operator");
    if (n->domain && *n->domain && strcmp(n->domain, "ai.onnx") != 0)
        return rf_import_fail(imp, i, RF_UNSUPPORTED,
                              "operators of domain '%.64s' are not supported", n->domain);
    if (is_op(n, "If") || is_op(n, "Loop") || is_op(n, "Scan"))
        return rf_import_fail(imp, i, RF_UNSUPPORTED, "control flow is not supported");
    if (is_op(n, "BatchNormalization") && count_given(n->output, n->n_output) > 1)
        return rf_import_fail(imp, i, RF_UNSUPPORTED, RF_NO_TRAINING);
    if (rf_op_is_own(n->op_type))
        return rf_import_fail(imp, i, RF_UNSUPPORTED, "unknown operator (opset %d)",
                              imp->graph->opset);
    return n->name && *n->name ? check_name(imp, n->name, "node", i) : RF_OK;
}

static enum rf_status import_constant(struct rf_import *imp, size_t i)
{
    const RfOnnx__Node *const n = imp->model->graph->node[i];
    rf_value_id id;
    if (n->n_input != 0 || n->n_output != 1 || !*n->output[0])
        return rf_import_fail(imp, i, RF_FORMAT, "%zu inputs and %zu outputs, expected 0 and 1",
                              n->n_input, n->n_output);
    enum rf_status rc = check_name(imp, n->output[0], "the output of node", i);
    if (rc == RF_OK)
        rc = rf_import_constant(imp, i, n->output[0], &id);
    return rc == RF_OK ? define(imp, n->output[0], id) : rc;
}

/* Nodes may stand in any order: what they produce is made before anything reads it. */
static enum rf_status import_values(struct rf_import *imp)
{
    const RfOnnx__Graph *const from = imp->model->graph;
    enum rf_status rc = RF_OK;
    for (size_t i = 0; i < from->n_node && rc == RF_OK; i++) {
        const RfOnnx__Node *const n = from->node[i];
        rc = check_node(imp, i);
        if (rc == RF_OK && is_op(n, "Constant")) {
            rc = import_constant(imp, i);
            continue;
        }
        for (size_t k = 0; k < n->n_output && rc == RF_OK; k++) {
            rf_value_id id;
            if (!*n->output[k])
                continue;
            rc = check_name(imp, n->output[k], "an output of node", i);
            if (rc == RF_OK)
                rc = rf_graph_value(imp->graph, n->output[k], &id, imp->err);
            if (rc == RF_OK)
                rc = define(imp, n->output[k], id);
        }
    }
    return rc;
}

static enum rf_status find_inputs(struct rf_import *imp, size_t node, size_t n, rf_value_id *in)
{
    char *const *const names = imp->model->graph->node[node]->input;
    char excerpt[RF_EXCERPT];
    for (size_t k = 0; k < n; k++) {
        in[k] = *names[k] ? find(imp, names[k]) : RF_NO_VALUE;
        if (*names[k] && in[k] == RF_NO_VALUE)
            return rf_import_fail(imp, node, RF_FORMAT, "nothing produces its input '%s'",
                                  rf_excerpt(excerpt, names[k], strlen(names[k])));
    }
    return RF_OK;
}

/* An output that is left out between others gets a value that nothing reads. */
static enum rf_status find_outputs(struct rf_import *imp, size_t node, size_t n, rf_value_id *out)
{
    char *const *const names = imp->model->graph->node[node]->output;
    enum rf_status rc = RF_OK;
    for (size_t k = 0; k < n && rc == RF_OK; k++) {
        out[k] = find(imp, names[k]);
        if (!*names[k])
            rc = rf_graph_value(imp->graph, "", &out[k], imp->err);
    }
    return rc;
}

static enum rf_status import_node(struct rf_import *imp, size_t i)
{
    const RfOnnx__Node *const from = imp->model->graph->node[i];
    const size_t n_in = count_given(from->input, from->n_input);
    const size_t n_out = count_given(from->output, from->n_output);
    rf_value_id in[RF_MAX_IN], out[RF_MAX_OUT];
    struct rf_node *node;
    char text[RF_NODE_TEXT];
    if (n_in > RF_MAX_IN || n_out > RF_MAX_OUT)
        return rf_import_fail(imp, i, RF_LIMIT,
                              "%zu inputs and %zu outputs, at most %d and %d are "
                              "supported",
                              n_in, n_out, RF_MAX_IN, RF_MAX_OUT);
    enum rf_status rc = find_inputs(imp, i, n_in, in);
    if (rc == RF_OK)
        rc = find_outputs(imp, i, n_out, out);
    if (rc == RF_OK)
        rc = rf_graph_node(imp->graph, from->op_type, rf_import_node_name(imp, i, text), in,
                           (int)n_in, out, (int)n_out, &node, imp->err);
    return rc == RF_OK ? rf_import_attributes(imp, i, node) : rc;
}

static enum rf_status import_nodes(struct rf_import *imp)
{
    const RfOnnx__Graph *const from = imp->model->graph;
    enum rf_status rc = RF_OK;
    for (size_t i = 0; i < from->n_node && rc == RF_OK; i++)
        if (!is_op(from->node[i], "Constant"))
            rc = import_node(imp, i);
    return rc;
}

/* ---- outputs ---- */

static enum rf_status import_outputs(struct rf_import *imp)
{
    const RfOnnx__Graph *const from = imp->model->graph;
    char excerpt[RF_EXCERPT];
    enum rf_status rc = RF_OK;
    if (from->n_output == 0)
        return rf_fail(imp->err, RF_FORMAT, "the graph has no output");
    for (size_t i = 0; i < from->n_output && rc == RF_OK; i++) {
        const char *const name = from->output[i]->name;
        rc = check_name(imp, name, "output", i);
        if (rc != RF_OK)
            break;
        const rf_value_id id = find(imp, name);
        if (id == RF_NO_VALUE || imp->graph->values[id].is_output)
            rc = rf_fail(imp->err, RF_FORMAT, "output '%s': %s",
                         rf_excerpt(excerpt, name, strlen(name)),
                         id == RF_NO_VALUE ? "nothing produces it" : "is listed twice");
        else
            rc = rf_graph_output(imp->graph, id, imp->err);
    }
    return rc;
}

enum rf_status rf_import_graph(struct rf_import *imp)
{
    const size_t n = imp->model->graph->n_node;
    if (n > MOST_NODES)
        return rf_fail(imp->err, RF_LIMIT, "%zu nodes; at most %d are read", n, MOST_NODES);
    enum rf_status rc = import_initializers(imp);
    if (rc == RF_OK)
        rc = import_inputs(imp);
    if (rc == RF_OK)
        rc = import_values(imp);
    if (rc == RF_OK)
        rc = import_nodes(imp);
    return rc == RF_OK ? import_outputs(imp) : rc;
}
