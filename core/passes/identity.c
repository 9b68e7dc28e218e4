/* Takes out nodes that hand their input on. */
#include <stdlib.h>

#include "core/op.h"
#include "core/passes/passes.h"

/* The network's output keeps its name: what produced the input produces the output instead. */
static bool produce_instead(struct rf_graph *g, rf_value_id in, rf_value_id out, rf_value_id *same)
{
    const struct rf_value *const v = &g->values[in];

    if (v->producer < 0 || v->is_output)
        return false;
    struct rf_node *const producer = g->nodes[v->producer];

    for (int k = 0; k < producer->n_out; k++)
        if (producer->out[k] == in)
            producer->out[k] = out;
    g->values[out].producer = v->producer;
    same[in] = out;
    return true;
}

/* What a value is now called. */
static rf_value_id find(const rf_value_id *same, rf_value_id id)
{
    while (id != RF_NO_VALUE && same[id] != id)
        id = same[id];
    return id;
}

/* Dropout is one where nobody reads its mask and it does not train. */
static bool is_identity(const struct rf_graph *g, const struct rf_node *node)
{
    if (!rf_node_is(node, "Dropout"))
        return rf_node_is(node, "Identity");
    const struct rf_value *const mask = node->n_out > 1 ? &g->values[node->out[1]] : NULL;
    const struct rf_value *const training =
        node->n_in > 2 && node->in[2] != RF_NO_VALUE ? &g->values[node->in[2]] : NULL;

    if (mask && (mask->n_uses || mask->is_output))
        return false;
    return !training || (training->constant && training->dtype == RF_BOOL &&
                         rf_numel(&training->shape) == 1 && !*(const uint8_t *)training->constant);
}

enum rf_status rf_pass_identity(struct rf_graph *g, struct rf_error *err)
{
    rf_value_id *const same = calloc(g->n_values + 1, sizeof(*same));

    if (!same)
        return rf_fail_nomem(err, "identities", g->n_values * sizeof(*same));
    for (size_t v = 0; v < g->n_values; v++)
        same[v] = (rf_value_id)v;
    for (size_t i = 0; i < g->n_nodes; i++) {
        struct rf_node *const node = g->nodes[i];

        if (!is_identity(g, node))
            continue;
        const rf_value_id in = find(same, node->in[0]), out = node->out[0];

        if (!g->values[out].is_output)
            same[out] = in;
        else if (!produce_instead(g, in, out, same))
            continue; /* an input or a second output: it stays, as a copy */
        node->removed = true;
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            g->nodes[i]->in[k] = find(same, g->nodes[i]->in[k]);
    free(same);
    rf_graph_tidy(g);
    return rf_graph_sort(g, err);
}
