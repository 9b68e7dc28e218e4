#include "core/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/images.h"
#include "core/infer.h"
#include "core/memory.h"
#include "core/model.h"

/* Multiply-accumulates that are worth handing to a thread: that must be woken (about 40 us), and
 * that looks out for them. */
static const int64_t cost_of_a_part[2] = {4000000, 800000};

#define MAX_PARTS 256

/* ---- memory ---- */

/*
 * Values that share memory form a group around a root: views of it, and outputs of operators that
 * work in place. A group lives from its root's step to the last reader of any member.
 */
struct layout {
    const struct rf_graph *g;
    struct rf_plan *plan;
    rf_value_id *root;
    uint32_t *last; /* of a value; for roots, of the group */
    struct rf_span *spans;
    size_t *before; /* bytes in front of pixel (0, 0) */
};

static rf_value_id root_of(const struct layout *m, rf_value_id v)
{
    while (m->root[v] != v)
        v = m->root[v];
    return v;
}

static void find_last_uses(struct layout *m)
{
    const uint32_t end = (uint32_t)m->g->n_nodes;

    for (size_t i = 0; i < m->g->n_nodes; i++)
        for (int k = 0; k < m->g->nodes[i]->n_in; k++)
            if (m->g->nodes[i]->in[k] != RF_NO_VALUE)
                m->last[m->g->nodes[i]->in[k]] = (uint32_t)i;
    for (size_t i = 0; i < m->g->n_values; i++)
        if (m->g->values[i].is_output)
            m->last[i] = end;
}

static void join(struct layout *m, rf_value_id out, rf_value_id in)
{
    const rf_value_id root = root_of(m, in);

    m->root[out] = root;
    if (m->last[root] < m->last[out])
        m->last[root] = m->last[out];
}

static bool same_geometry(const struct rf_tensor *a, const struct rf_tensor *b)
{
    return a->dtype == b->dtype && a->layout == b->layout && rf_shape_equal(&a->shape, &b->shape) &&
           (a->layout == RF_ROWMAJOR ||
            (a->pitch == b->pitch && a->row == b->row && a->image == b->image &&
             !memcmp(&a->halo, &b->halo, sizeof(a->halo))));
}

static bool can_run_in_place(const struct layout *m, const struct rf_node *node, size_t step)
{
    const rf_value_id root = root_of(m, node->in[0]);

    if (!(node->op->flags & RF_OP_INPLACE) || m->plan->places[root].kind != RF_PLACE_SLAB ||
        m->last[root] != step ||
        !same_geometry(&m->plan->tensors[node->in[0]], &m->plan->tensors[node->out[0]]))
        return false;
    for (int k = 1; k < node->n_in; k++)
        if (node->in[k] != RF_NO_VALUE && root_of(m, node->in[k]) == root)
            return false;
    return true;
}

/* A view of an input that leaves as an output is copied: the caller's memory is not ours to return.
 */
static bool is_view(const struct layout *m, const struct rf_node *node)
{
    return (node->op->flags & RF_OP_VIEW) &&
           !(m->plan->places[root_of(m, node->in[0])].kind != RF_PLACE_SLAB &&
             m->g->values[node->out[0]].is_output);
}

static void group_values(struct layout *m)
{
    /* Views first: they lengthen lives, which working in place looks at. */
    for (size_t i = 0; i < m->g->n_nodes; i++) {
        struct rf_node *const node = m->g->nodes[i];

        if (node->known) {
            m->plan->steps[i].idle = true;
            for (int k = 0; k < node->n_out; k++)
                m->plan->places[node->out[k]].kind = RF_PLACE_KNOWN;
        } else if (is_view(m, node)) {
            join(m, node->out[0], node->in[0]);
            m->plan->steps[i].idle = true;
        }
    }
    for (size_t i = 0; i < m->g->n_nodes; i++) {
        const struct rf_node *const node = m->g->nodes[i];

        if (!m->plan->steps[i].idle && can_run_in_place(m, node, i))
            join(m, node->out[0], node->in[0]); /* views of the output come along */
    }
}

/* Values that only steps run image by image see are kept for one image. */
static void find_image_values(struct layout *m)
{
    for (size_t i = 0; i < m->plan->n_image_steps; i++) {
        const rf_value_id root = root_of(m, m->g->nodes[i]->out[0]);
        struct rf_place_of *const place = &m->plan->places[root];

        if (place->kind == RF_PLACE_SLAB && m->last[root] < m->plan->n_image_steps)
            place->kind = RF_PLACE_IMAGE;
    }
}

static size_t dense_bytes(const struct rf_tensor *t)
{
    size_t bytes;

    return __builtin_mul_overflow((size_t)rf_numel(&t->shape), rf_dtype_size(t->dtype), &bytes) ||
                   bytes > SIZE_MAX / 4
               ? SIZE_MAX
               : bytes + RF_ALIGN;
}

/* The spans of one kind of place, in memory of `*bytes`. What steps that run image by image leave
 * for others is there from the first to the last image. */
static enum rf_status place_kind(struct layout *m, enum rf_place kind, size_t *bytes)
{
    const struct rf_graph *const g = m->g;
    const struct rf_plan *const plan = m->plan;

    memset(m->spans, 0, (g->n_values + 1) * sizeof(*m->spans));
    for (size_t i = 0; i < g->n_nodes; i++) {
        const bool at_once = kind == RF_PLACE_SLAB && i < plan->n_image_steps;

        for (int k = 0; k < g->nodes[i]->n_out; k++) {
            const rf_value_id id = g->nodes[i]->out[k];
            struct rf_tensor t = plan->tensors[id];

            if (m->root[id] != id || plan->places[id].kind != kind)
                continue;
            if (kind == RF_PLACE_IMAGE)
                t = rf_image_like(&t);
            m->spans[id] = (struct rf_span){.first = at_once ? 0 : (uint32_t)i,
                                            .last = m->last[id] > i ? m->last[id] : (uint32_t)i,
                                            .bytes = t.layout == RF_NHWC
                                                         ? rf_tensor_lay_out(&t, &m->before[id])
                                                         : dense_bytes(&t)};
        }
    }
    const enum rf_status rc = rf_place_spans(m->spans, g->n_values, bytes);
    *bytes = rf_align_up(*bytes);
    return rc;
}

/* What shares memory with a value of this kind is of it as well. */
static void note_places(struct layout *m, enum rf_place kind, size_t base)
{
    for (size_t v = 0; v < m->g->n_values; v++) {
        const rf_value_id root = root_of(m, (rf_value_id)v);

        if (m->plan->places[root].kind == kind)
            m->plan->places[v] = (struct rf_place_of){
                .kind = kind, .offset = base + m->spans[root].offset + m->before[root]};
    }
}

static enum rf_status place_values(struct layout *m, struct rf_error *err)
{
    struct rf_plan *const plan = m->plan;
    enum rf_status rc;

    for (size_t v = 0; v < m->g->n_values; v++)
        plan->places[v] = plan->places[root_of(m, (rf_value_id)v)];
    rc = place_kind(m, RF_PLACE_SLAB, &plan->slab_bytes);
    if (!rc) {
        note_places(m, RF_PLACE_SLAB, 0);
        rc = place_kind(m, RF_PLACE_IMAGE, &plan->image_bytes);
    }
    if (rc)
        return rf_fail(err, rc,
                       "the network's values do not fit into memory at these input shapes");
    note_places(m, RF_PLACE_IMAGE, plan->slab_bytes);
    return RF_OK;
}

static enum rf_status plan_memory(const struct rf_graph *g, struct rf_plan *plan,
                                  struct rf_error *err)
{
    const size_t n = g->n_values;
    struct layout m = {.g = g, .plan = plan};
    enum rf_status rc = RF_OK;

    m.root = calloc(n + 1, sizeof(*m.root));
    m.last = calloc(n + 1, sizeof(*m.last));
    m.spans = calloc(n + 1, sizeof(*m.spans));
    m.before = calloc(n + 1, sizeof(*m.before));
    if (!m.root || !m.last || !m.spans || !m.before) {
        rc = rf_fail_nomem(err, "plan", n * sizeof(*m.spans));
    } else {
        for (size_t v = 0; v < n; v++) {
            m.root[v] = (rf_value_id)v;
            if (g->values[v].constant || g->values[v].producer < 0)
                plan->places[v].kind = RF_PLACE_KNOWN;
        }
        for (size_t i = 0; i < g->n_inputs; i++)
            plan->places[g->inputs[i]] = (struct rf_place_of){.kind = RF_PLACE_INPUT, .input = i};
        find_last_uses(&m);
        group_values(&m);
        find_image_values(&m);
        rc = place_values(&m, err);
    }
    free(m.root);
    free(m.last);
    free(m.spans);
    free(m.before);
    return rc;
}

/* ---- steps ---- */

static void widen(struct rf_halo *to, const struct rf_halo *by)
{
    to->top = by->top > to->top ? by->top : to->top;
    to->left = by->left > to->left ? by->left : to->left;
    to->bottom = by->bottom > to->bottom ? by->bottom : to->bottom;
    to->right = by->right > to->right ? by->right : to->right;
}

static enum rf_status lay_out_images(const struct rf_graph *g, struct rf_plan *plan,
                                     const struct rf_infer *wishes, struct rf_error *err)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->n_in && !g->nodes[i]->known)
            widen(&plan->tensors[g->nodes[i]->in[0]].halo, &wishes[i].halo);
    for (size_t v = 0; v < g->n_values; v++) {
        struct rf_tensor *const t = &plan->tensors[v];
        char text[RF_SHAPE_TEXT];
        size_t before;

        if (t->layout == RF_NHWC && t->shape.rank > 0 && rf_tensor_lay_out(t, &before) == SIZE_MAX)
            return rf_fail(err, RF_LIMIT, "value %s of shape %s and its padding are too large",
                           g->values[v].name, rf_shape_text(&t->shape, text, sizeof(text)));
    }
    return RF_OK;
}

static int worthwhile_parts(const struct rf_infer *wish, size_t images, bool looks_out)
{
    int64_t parts = wish->cost / (int64_t)images / cost_of_a_part[looks_out];

    if ((size_t)parts > wish->max_parts)
        parts = (int64_t)wish->max_parts;
    return parts < 1 ? 1 : parts > MAX_PARTS ? MAX_PARTS : (int)parts;
}

static void make_step(struct rf_plan *plan, size_t i, const struct rf_infer *wish)
{
    struct rf_step *const s = &plan->steps[i];
    const size_t images = i < plan->n_image_steps ? plan->n_images : 1;

    for (int k = 0; k < 2; k++)
        s->n_parts[k] = worthwhile_parts(wish, images, k);
    s->scratch = rf_align_up(wish->scratch);
    s->halo = wish->halo;
    s->halo_value = wish->halo_value;
    s->macs = wish->macs;
    s->algorithm = wish->algorithm;
    if (plan->scratch_bytes < s->scratch)
        plan->scratch_bytes = s->scratch;
    if (plan->max_parts < s->n_parts[1])
        plan->max_parts = s->n_parts[1];
}

static enum rf_status make_counted(struct rf_plan *plan, const struct rf_layer *layer,
                                   struct rf_error *err)
{
    struct rf_step *const s = &plan->steps[layer->node];
    const bool one = (size_t)layer->node < plan->n_image_steps;
    const struct rf_pixels p = rf_tensor_pixels(&plan->tensors[s->node->out[0]]);
    const size_t positions = (one ? 1 : p.n) * p.h * p.w;
    const size_t bytes = rf_layer_run_bytes(layer, positions);
    size_t *const most = one ? &plan->image_count_bytes : &plan->count_bytes;

    if (p.c != layer->n_channels || (layer->area && p.h * p.w != layer->area))
        return RF_OK; /* they follow the inputs' sizes in a way that settling did not see */
    if (p.n * p.h * p.w > RF_MAX_POSITIONS)
        return rf_fail(err, RF_LIMIT,
                       "%s has %zu positions at these input shapes, at most 2^31 are counted",
                       layer->name, p.n * p.h * p.w);
    s->layer = layer;
    if (*most < bytes)
        *most = rf_align_up(bytes);
    return RF_OK;
}

static enum rf_status make_steps(const struct rf_model *model, struct rf_plan *plan,
                                 const struct rf_infer *wishes, struct rf_error *err)
{
    enum rf_status rc = RF_OK;

    for (size_t i = 0; i < plan->n_steps; i++) {
        plan->steps[i].node = model->graph->nodes[i];
        make_step(plan, i, &wishes[i]);
    }
    for (size_t i = 0; !rc && i < model->n_layers; i++)
        rc = make_counted(plan, &model->layers[i], err);
    return rc;
}

/* ---- the plan ---- */

void rf_plan_unref(struct rf_plan *plan)
{
    if (!plan || atomic_fetch_sub(&plan->refs, 1) > 1)
        return;
    rf_arena_release(&plan->arena);
    free(plan);
}

int rf_plan_image_parts(const struct rf_plan *plan, int threads)
{
    const size_t n = plan->n_images, t = (size_t)threads;

    if (!plan->n_image_steps)
        return 0;
    return n % t == 0 || n >= 4 * t ? threads : 1;
}

struct rf_plan_memory rf_plan_memory(const struct rf_plan *plan, int threads)
{
    const int parts = plan->max_parts < threads ? plan->max_parts : threads;
    const int images = rf_plan_image_parts(plan, threads);
    const size_t counting = (size_t)images * plan->image_count_bytes;
    struct rf_plan_memory m = {.counting =
                                   counting > plan->count_bytes ? counting : plan->count_bytes,
                               .images = (size_t)images * plan->n_values * sizeof(*plan->tensors)};

    if (__builtin_mul_overflow(plan->scratch_bytes, (size_t)(parts > images ? parts : images),
                               &m.scratch))
        m.scratch = SIZE_MAX;
    if (__builtin_mul_overflow(plan->image_bytes, (size_t)images, &m.slab) ||
        __builtin_add_overflow(m.slab, plan->slab_bytes, &m.slab) ||
        __builtin_add_overflow(m.slab, RF_ALIGN, &m.slab))
        m.slab = SIZE_MAX;
    return m;
}

size_t rf_plan_bytes(const struct rf_plan *plan, int threads)
{
    const struct rf_plan_memory m = rf_plan_memory(plan, threads);
    size_t bytes;

    return __builtin_add_overflow(m.slab, m.scratch, &bytes) ||
                   __builtin_add_overflow(bytes, m.counting, &bytes) ||
                   __builtin_add_overflow(bytes, m.images, &bytes)
               ? SIZE_MAX
               : bytes;
}

static enum rf_status copy_keys(struct rf_plan *plan, const struct rf_graph *g,
                                const struct rf_given *given, struct rf_error *err)
{
    for (size_t i = 0; i < g->n_inputs; i++) {
        const struct rf_value *const v = &g->values[g->inputs[i]];
        const size_t bytes = rf_shape_bytes(&given->shapes[i], v->dtype);

        if (!v->is_key || !given->values || !given->values[i])
            continue;
        plan->keys[i] = rf_arena_alloc(&plan->arena, bytes);
        if (!plan->keys[i])
            return rf_fail_nomem(err, "plan", bytes);
        memcpy(plan->keys[i], given->values[i], bytes);
    }
    return RF_OK;
}

static enum rf_status infer(struct rf_plan *plan, const struct rf_graph *g, struct rf_infer *wishes,
                            struct rf_error *err)
{
    struct rf_inference x = {.g = g,
                             .tensors = plan->tensors,
                             .wishes = wishes,
                             .arena = &plan->arena,
                             .max_known_bytes = RF_MAX_KNOWN_BYTES};
    const struct rf_given given = {.shapes = plan->inputs,
                                   .values = (const void *const *)plan->keys};

    return rf_infer_graph(&x, &given, err);
}

/* Bytes of a value's own, for one image where there is room for one. */
static size_t value_bytes(const struct rf_plan *plan, size_t value)
{
    const enum rf_place kind = plan->places[value].kind;
    struct rf_tensor t = plan->tensors[value];

    if ((kind != RF_PLACE_SLAB && kind != RF_PLACE_IMAGE) || t.shape.rank < 0)
        return 0;
    if (kind == RF_PLACE_IMAGE)
        t = rf_image_like(&t);
    return dense_bytes(&t);
}

/* The most is a value, or what the step that makes it needs besides. */
static enum rf_status fail_memory(const struct rf_plan *plan, const struct rf_model *model,
                                  struct rf_error *err)
{
    size_t largest = 0, most = 0;

    for (size_t i = 0; i < model->graph->n_values; i++) {
        const int32_t producer = model->graph->values[i].producer;
        const size_t scratch = producer < 0 ? 0 : plan->steps[producer].scratch;
        const size_t own = value_bytes(plan, i), bytes = own > scratch ? own : scratch;

        if (bytes > most) {
            most = bytes;
            largest = i;
        }
    }
    return rf_fail(err, RF_LIMIT,
                   "a run at these input shapes needs %zu bytes, the limit is %zu; the most for %s",
                   rf_plan_bytes(plan, 1), model->max_session_bytes,
                   model->graph->values[largest].name);
}

static enum rf_status fill(struct rf_plan *plan, const struct rf_model *model,
                           const struct rf_given *given, struct rf_infer *wishes,
                           struct rf_error *err)
{
    const struct rf_graph *const g = model->graph;
    enum rf_status rc;

    plan->inputs = rf_arena_array(&plan->arena, g->n_inputs + 1, sizeof(*plan->inputs));
    plan->keys = rf_arena_array(&plan->arena, g->n_inputs + 1, sizeof(*plan->keys));
    plan->tensors = rf_arena_array(&plan->arena, g->n_values + 1, sizeof(*plan->tensors));
    plan->places = rf_arena_array(&plan->arena, g->n_values + 1, sizeof(*plan->places));
    plan->steps = rf_arena_array(&plan->arena, g->n_nodes + 1, sizeof(*plan->steps));
    if (!plan->inputs || !plan->keys || !plan->tensors || !plan->places || !plan->steps)
        return rf_fail_nomem(err, "plan", g->n_values * sizeof(*plan->tensors));
    plan->n_steps = g->n_nodes;
    plan->n_values = g->n_values;
    if (g->n_inputs)
        memcpy(plan->inputs, given->shapes, g->n_inputs * sizeof(*plan->inputs));
    rc = copy_keys(plan, g, given, err);
    if (!rc)
        rc = infer(plan, g, wishes, err);
    if (!rc)
        rc = lay_out_images(g, plan, wishes, err);
    if (!rc) {
        plan->n_image_steps = rf_image_steps(g, plan->tensors, wishes, &plan->n_images);
        rc = plan_memory(g, plan, err);
    }
    if (!rc)
        rc = make_steps(model, plan, wishes, err);
    if (rc)
        return rc;
    return rf_plan_bytes(plan, 1) > model->max_session_bytes ? fail_memory(plan, model, err)
                                                             : RF_OK;
}

enum rf_status rf_plan_new(struct rf_plan **out, const struct rf_model *model,
                           const struct rf_given *given, struct rf_error *err)
{
    struct rf_plan *const plan = calloc(1, sizeof(*plan));
    struct rf_infer *const wishes = calloc(model->graph->n_nodes + 1, sizeof(*wishes));
    enum rf_status rc;

    *out = NULL;
    if (plan)
        atomic_init(&plan->refs, 1);
    if (!plan || !wishes)
        rc = rf_fail_nomem(err, "plan", model->graph->n_nodes * sizeof(*wishes));
    else
        rc = fill(plan, model, given, wishes, err);
    free(wishes);
    if (rc)
        rf_plan_unref(plan);
    else
        *out = plan;
    return rc;
}
