/* The names come from a look at the plan, the times from watching runs. */
#include "server/nodes.h"

#include <stdlib.h>
#include <string.h>

#include "server/clock.h"
#include "server/models.h"

#define QUICK SRV_MS
#define QUICK_RUNS 64 /* of which one is timed */

struct naming {
    struct srv_nodes *nodes;
    bool no_memory;
};

static bool make_room(struct srv_nodes *nodes, size_t n)
{
    if (n <= nodes->n)
        return true;
    struct srv_node *more = reallocarray(nodes->list, n, sizeof *more);
    if (!more)
        return false;
    memset(more + nodes->n, 0, (n - nodes->n) * sizeof *more);
    nodes->list = more;
    nodes->n = n;
    return true;
}

static void name_step(void *arg, const struct rf_step_info *info)
{
    struct naming *naming = arg;
    struct srv_nodes *nodes = naming->nodes;
    char *name = strdup(info->name);
    if (!name || !make_room(nodes, info->step + 1)) {
        free(name);
        naming->no_memory = true;
        return;
    }
    struct srv_node *node = &nodes->list[info->step];
    node->name = name;
    while (!nodes->list[node->same].name || strcmp(nodes->list[node->same].name, name) != 0)
        node->same++;
}

enum rf_status srv_nodes_init(struct srv_nodes *nodes, struct rf_model *model, struct rf_error *err)
{
    struct naming naming = {.nodes = nodes};
    enum rf_status rc = srv_model_steps(model, name_step, &naming, err);
    if (!rc && naming.no_memory)
        rc = rf_fail_nomem(err, "the nodes' times", nodes->n * sizeof *nodes->list);
    return rc;
}

void srv_nodes_release(struct srv_nodes *nodes)
{
    for (size_t i = 0; i < nodes->n; i++)
        free(nodes->list[i].name);
    free(nodes->list);
}

struct stop_watch {
    struct srv_nodes *nodes;
    uint64_t last, weight;
};

static void time_step(void *arg, size_t step)
{
    struct stop_watch *watch = arg;
    const struct srv_nodes *nodes = watch->nodes;
    const uint64_t now = srv_now();
    if (step < nodes->n)
        atomic_fetch_add_explicit(&nodes->list[nodes->list[step].same].ns,
                                  (now - watch->last) * watch->weight, memory_order_relaxed);
    watch->last = now;
}

enum rf_status srv_nodes_run(struct srv_nodes *nodes, struct rf_session *session,
                             const void *const *in, size_t n_in, struct rf_tensor *out,
                             size_t n_out, struct rf_error *err)
{
    const uint64_t run = atomic_fetch_add_explicit(&nodes->runs, 1, memory_order_relaxed);
    const uint64_t weight =
        atomic_load_explicit(&nodes->quick, memory_order_relaxed) ? QUICK_RUNS : 1;
    if (nodes->n == 0 || run % weight != 0)
        return rf_session_run(session, in, n_in, out, n_out, true, err);
    const uint64_t start = srv_now();
    struct stop_watch watch = {.nodes = nodes, .last = start, .weight = weight};
    rf_session_watch(session, time_step, &watch);
    const enum rf_status rc = rf_session_run(session, in, n_in, out, n_out, true, err);
    rf_session_watch(session, NULL, NULL);
    atomic_store_explicit(&nodes->quick, srv_now() - start < QUICK, memory_order_relaxed);
    return rc;
}
