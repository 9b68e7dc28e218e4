/* Takes out nodes that hand their input on. */
#include "core/op.h"
#include "core/passes/passes.h"

static void replace_uses(struct rf_graph *g, rf_value_id from, rf_value_id to)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] == from)
                g->nodes[i]->in[k] = to;
}

/* The network's output keeps its name: what produced the input produces the output instead. */
static bool produce_instead(struct rf_graph *g, rf_value_id in, rf_value_id out)
{
    const struct rf_value *const v = &g->values[in];

    if (v->producer < 0 || v->is_output)
        return false;
    struct rf_node *const producer = g->nodes[v->producer];

    for (int k = 0; k < producer->n_out; k++)
        if (producer->out[k] == in)
            producer->out[k] = out;
    replace_uses(g, in, out);
    return true;
}

enum rf_status rf_pass_identity(struct rf_graph *g, struct rf_error *err)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        struct rf_node *const node = g->nodes[i];

        if (!rf_node_is(node, "Identity"))
            continue;
        if (!g->values[node->out[0]].is_output)
            replace_uses(g, node->out[0], node->in[0]);
        else if (!produce_instead(g, node->in[0], node->out[0]))
            continue; /* an input or a second output: it stays, as a copy */
        node->removed = true;
        rf_graph_tidy(g);
        i--;
    }
    return rf_graph_sort(g, err);
}
