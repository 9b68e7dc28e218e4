#include <string.h>

#include "core/op.h"
#include "core/passes/passes.h"

bool rf_node_is(const struct rf_node *node, const char *op_type)
{
    return !strcmp(node->op->name, op_type);
}

struct rf_node *rf_only_reader(const struct rf_graph *g, rf_value_id id)
{
    return g->values[id].is_output || g->values[id].n_uses != 1 ? NULL : g->values[id].reader;
}

const void *rf_constant_in(const struct rf_graph *g, const struct rf_node *node, int i,
                           enum rf_dtype dtype)
{
    const struct rf_value *const v =
        i < node->n_in && node->in[i] != RF_NO_VALUE ? &g->values[node->in[i]] : NULL;

    return v && v->dtype == dtype ? v->constant : NULL;
}

bool rf_is_per_channel(const struct rf_graph *g, const struct rf_node *activation)
{
    for (int k = 1; k < activation->n_in; k++)
        if (activation->in[k] != RF_NO_VALUE && rf_numel(&g->values[activation->in[k]].shape) != 1)
            return true;
    return false;
}

enum rf_status rf_absorb(struct rf_graph *g, struct rf_node *node, struct rf_node *next,
                         struct rf_error *err)
{
    const char *const label = next->op->label ? next->op->label : next->op->name;
    const char *const path = rf_arena_printf(&g->arena, "%s+%s", node->path, label);

    if (!path)
        return rf_fail_nomem(err, "path", strlen(node->path));
    node->path = path;
    node->parameters += next->parameters;
    node->out[0] = next->out[0];
    next->removed = true;
    for (int k = 0; k < next->n_in; k++)
        if (next->in[k] != RF_NO_VALUE && g->values[next->in[k]].reader == next)
            g->values[next->in[k]].reader = node;
    return RF_OK;
}

void rf_turn_into(struct rf_node *node, const char *op_type, int n_in)
{
    rf_node_become(node, op_type);
    node->n_in = n_in;
    node->attrs = NULL;
    node->path = node->op->label ? node->op->label : node->op->name;
}
