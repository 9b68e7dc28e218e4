#include "core/skip.h"

#include <math.h>

#include "core/passes/passes.h"

/* Smaller weights stay in a core's own caches, where panels are as fast. */
#define LEAST_BYTES ((size_t)4 << 20)
/* With fewer zeros, one in so many, reading everything in order is faster. */
#define LEAST_ZEROS 4

/* ---- where zeros come from ---- */

/* Hands the zeros of its input on: as they are, or where a whole window has none but them. */
static bool passes_zeros_on(const struct rf_node *node)
{
    static const char *const names[] = {"MaxPool", "AveragePool", "Transpose", "rectifier.ToNHWC",
                                        "rectifier.ToRowMajor"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (rf_node_is(node, names[i]))
            return true;
    return node->op->flags & RF_OP_VIEW;
}

bool rf_has_zeros(const struct rf_graph *g, rf_value_id id)
{
    while (g->values[id].producer >= 0) {
        const struct rf_node *const node = g->nodes[g->values[id].producer];
        const enum rf_activity_kind kind = (node->activation ? node->activation : node)->op->kind;

        if (kind == RF_KIND_RELU || kind == RF_KIND_CLIP)
            return true;
        if (node->activation || !passes_zeros_on(node))
            return false;
        id = node->in[0];
    }
    return false;
}

/* ---- weights ---- */

static bool all_finite(const float *w, size_t n)
{
    bool finite = true;

    for (size_t i = 0; i < n; i++)
        finite &= isfinite(w[i]);
    return finite;
}

enum rf_status rf_skip_keep(struct rf_prepare *p, struct rf_gemm *g)
{
    const size_t floats = rf_panel_floats(g->n_in, g->n_out);
    const size_t pitch = (g->n_out + RF_GROUP - 1) / RF_GROUP * RF_GROUP;

    if (g->backend != &rf_gemm_panel || p->graph->compact || floats < LEAST_BYTES / sizeof(float) ||
        !all_finite(g->weights, floats))
        return p->status;
    g->rows = rf_prepare_alloc(p, g->n_in * pitch, sizeof(float));
    g->row_pitch = pitch;
    if (g->rows)
        rf_panel_unpack(g, g->rows, pitch);
    return p->status;
}

/* ---- arithmetic ---- */

bool rf_skip_pays(const struct rf_gemm *g, const float *x)
{
    size_t zeros = 0;

    for (size_t i = 0; g->rows && i < g->n_in; i++)
        zeros += x[i] == 0;
    return g->rows && zeros >= g->n_in / LEAST_ZEROS;
}

void rf_skip_run(const struct rf_gemm *g, const float *x, float *y, size_t c0, size_t c1)
{
    const struct rf_skip_row t = {.x = x,
                                  .depth = g->n_in,
                                  .weights = g->rows + c0,
                                  .pitch = g->row_pitch,
                                  .y = y,
                                  .columns = c1 - c0};

    rf_kernels_best()->skip_row(&t);
}
