/* One run at a time: a slab, scratch, counters, and the loop over a plan's steps. */
#include <stdlib.h>
#include <string.h>

#include "core/counters.h"
#include "core/fpenv.h"
#include "core/images.h"
#include "core/model.h"

struct rf_session {
    struct rf_model *model;
    struct rf_pool *pool;
    int threads;
    struct rf_plan *plan;
    int image_parts;           /* of its steps that run image by image */
    struct rf_tensor *tensors; /* the plan's, bound to the slab */
    struct memory {
        void *data;
        size_t bytes;
    } slab, scratch, counting, images;     /* images: tensors, as each part sees them */
    struct rf_counters counters;           /* registered with the model's record */
    struct rf_given_input *given;          /* one an input, as it is looked at */
    void (*after)(void *arg, size_t step); /* measures, or NULL */
    void *after_arg;
};

enum rf_status rf_session_new(struct rf_session **out, struct rf_model *model, struct rf_pool *pool,
                              struct rf_error *err)
{
    struct rf_session *const s = calloc(1, sizeof(*s));

    *out = NULL;
    if (!s)
        return rf_fail_nomem(err, "session", sizeof(*s));
    s->tensors = calloc(model->graph->n_values + 1, sizeof(*s->tensors));
    s->given = calloc(model->graph->n_inputs + 1, sizeof(*s->given));
    if (!s->tensors || !s->given) {
        free(s->given);
        free(s->tensors);
        free(s);
        return rf_fail_nomem(err, "session", model->graph->n_values * sizeof(*s->tensors));
    }
    s->model = rf_model_ref(model);
    s->pool = pool;
    s->threads = pool ? rf_pool_threads(pool) : 1;
    const enum rf_status rc = rf_counters_init(&s->counters, &model->record, err);
    if (rc) {
        rf_model_unref(model);
        free(s->given);
        free(s->tensors);
        free(s);
        return rc;
    }
    *out = s;
    return RF_OK;
}

void rf_session_free(struct rf_session *s)
{
    if (!s)
        return;
    rf_counters_release(&s->counters);
    rf_plan_unref(s->plan);
    free(s->slab.data);
    free(s->scratch.data);
    free(s->counting.data);
    free(s->images.data);
    free(s->given);
    free(s->tensors);
    rf_model_unref(s->model);
    free(s);
}

/* ---- prepare ---- */

static enum rf_status reserve(struct memory *m, size_t bytes, const char *what,
                              struct rf_error *err)
{
    if (m->bytes >= bytes)
        return RF_OK;
    if (bytes > SIZE_MAX / 2)
        return rf_fail_nomem(err, what, bytes);
    bytes = rf_align_up(bytes);
    free(m->data);
    m->bytes = 0;
    m->data = rf_block_alloc(bytes);
    if (!m->data)
        return rf_fail_nomem(err, what, bytes);
    m->bytes = bytes;
    return RF_OK;
}

/* Rows of input 0: those that are counted. */
static size_t n_rows(const struct rf_plan *plan, const struct rf_model *model)
{
    return model->graph->n_inputs && plan->inputs[0].rank ? (size_t)plan->inputs[0].dim[0] : 0;
}

/* Threads that count at once: those that share a step, or have images of their own. */
static int n_counting(const struct rf_session *s, const struct rf_plan *plan, int images)
{
    const int parts = plan->max_parts < s->threads ? plan->max_parts : s->threads;

    return parts > images ? parts : images;
}

static enum rf_status reserve_all(struct rf_session *s, const struct rf_plan *plan,
                                  struct rf_error *err)
{
    const struct rf_plan_memory m = rf_plan_memory(plan, s->threads);
    const int parts = rf_plan_image_parts(plan, s->threads);
    enum rf_status rc = reserve(&s->slab, m.slab, "slab", err);

    if (!rc)
        rc = reserve(&s->scratch, m.scratch, "scratch", err);
    if (!rc)
        rc = reserve(&s->counting, m.counting, "counters", err);
    if (!rc)
        rc = reserve(&s->images, m.images, "images", err);
    if (!rc)
        rc = rf_counters_reserve(&s->counters, (size_t)n_counting(s, plan, parts),
                                 n_rows(plan, s->model), err);
    return rc;
}

static void bind(struct rf_session *s)
{
    const struct rf_graph *const g = s->model->graph;

    memcpy(s->tensors, s->plan->tensors, g->n_values * sizeof(*s->tensors));
    for (size_t v = 0; v < g->n_values; v++)
        if (s->plan->places[v].kind == RF_PLACE_SLAB || s->plan->places[v].kind == RF_PLACE_IMAGE)
            s->tensors[v].data = (char *)s->slab.data + s->plan->places[v].offset;
}

enum rf_status rf_session_prepare(struct rf_session *s, const struct rf_shape *shapes,
                                  const void *const *values, size_t n, struct rf_error *err)
{
    const struct rf_given given = {.shapes = shapes, .values = values};
    struct rf_plan *plan;
    enum rf_status rc = rf_model_plan(s->model, &given, n, &plan, err);

    if (rc)
        return rc;
    if (plan == s->plan) { /* as of the last run: all is ready */
        rf_plan_unref(plan);
        return RF_OK;
    }
    rf_plan_unref(s->plan);
    s->plan = NULL;
    rc = reserve_all(s, plan, err);
    if (rc) {
        rf_plan_unref(plan);
        return rc;
    }
    for (size_t i = 0; i < n; i++)
        s->given[i] =
            rf_given_input(&plan->inputs[i], s->model->inputs[i].dtype, n_rows(plan, s->model));
    s->plan = plan;
    s->image_parts = rf_plan_image_parts(plan, s->threads);
    bind(s);
    return RF_OK;
}

/* ---- run ---- */

static void fill_pixels(float *at, size_t n, float value)
{
    if (value == 0)
        memset(at, 0, n * sizeof(*at));
    else
        for (size_t i = 0; i < n; i++)
            at[i] = value;
}

/* Writes the padding around every image. */
static void fill_halo(const struct rf_tensor *t, float value)
{
    const struct rf_pixels p = rf_tensor_pixels(t);
    const size_t top = (size_t)t->halo.top, bottom = (size_t)t->halo.bottom;
    const size_t left = (size_t)t->halo.left * p.pitch, right = (size_t)t->halo.right * p.pitch;

    for (size_t n = 0; n < p.n; n++) {
        float *const first = p.data + n * p.image - top * p.row - left;

        fill_pixels(first, top * p.row, value);
        for (size_t y = 0; y < p.h; y++) {
            float *const row = first + (top + y) * p.row;

            fill_pixels(row, left, value);
            fill_pixels(row + p.row - right, right, value);
        }
        fill_pixels(first + (top + p.h) * p.row, bottom * p.row, value);
    }
}

/* What a step works on: the whole batch, or one image of it in the memory of one part. */
struct scope {
    bool is_image;
    size_t image;
    int part, threads; /* threads: that may share the step */
    char *scratch, *counting;
    struct rf_tally *tallies; /* one a thread that may share the step */
};

/* One step, as its parts see it. */
struct job {
    const struct rf_op *op;
    struct rf_exec exec;
    char *scratch;
    size_t scratch_step;
    int n_parts;
};

static void run_part(void *arg, int part)
{
    const struct job *const job = arg;
    struct rf_exec x = job->exec;
    const uint64_t saved = rf_fp_enter();

    x.scratch = job->scratch + (size_t)part * job->scratch_step;
    job->op->run(&x, part, job->n_parts);
    rf_fp_leave(saved);
}

/* All parts of a step, whose input has its padding. */
static void run_parts(struct rf_session *s, const struct rf_step *step, struct job *job)
{
    const struct rf_halo *const halo = &step->halo;
    const struct rf_tensor *const image = job->exec.in[0];

    if (image && image->layout == RF_NHWC &&
        (halo->top || halo->left || halo->bottom || halo->right))
        fill_halo(image, step->halo_value);
    if (job->n_parts > 1)
        rf_pool_parallel(s->pool, run_part, job, job->n_parts);
    else
        run_part(job, 0);
}

/* The same, with the activation's counters. */
static void run_counted(struct rf_session *s, const struct rf_step *step, const struct scope *scope,
                        struct job *job)
{
    const struct rf_layer *const layer = step->layer;
    const struct rf_pixels out = rf_tensor_pixels(job->exec.out[0]);
    struct rf_layer_run run;

    rf_layer_run_begin(&run, layer, scope->tallies, scope->counting);
    job->exec.layer = &run;
    run_parts(s, step, job);
    rf_layer_count(layer, &run, &out, s->model->kernels);
    job->exec.layer = NULL;
}

/* A value as the scope sees it. */
static const struct rf_tensor *look(const struct rf_session *s, rf_value_id v,
                                    const struct scope *scope)
{
    const struct rf_tensor *const batch = &s->tensors[v];
    const enum rf_place kind = s->plan->places[v].kind;

    if (!scope->is_image || kind == RF_PLACE_KNOWN)
        return batch;
    struct rf_tensor *const image =
        (struct rf_tensor *)s->images.data + (size_t)scope->part * s->model->graph->n_values + v;

    if (kind == RF_PLACE_IMAGE) {
        *image = rf_image_like(batch);
        image->data = (char *)batch->data + (size_t)scope->part * s->plan->image_bytes;
    } else {
        *image = rf_image_of(batch, scope->image);
    }
    return image;
}

static int n_parts(const struct rf_session *s, const struct rf_step *step, int threads)
{
    const int worthwhile = step->n_parts[s->pool && rf_pool_spins(s->pool)];

    return worthwhile < threads ? worthwhile : threads;
}

static void run_step(struct rf_session *s, size_t i, const struct scope *scope, bool count)
{
    const struct rf_step *const step = &s->plan->steps[i];
    const struct rf_node *const node = step->node;
    const struct rf_tensor *in[RF_MAX_IN] = {NULL}, *out[RF_MAX_OUT] = {NULL};
    struct job job = {.op = node->op,
                      .exec = {.state = node->state, .in = in, .out = out, .k = s->model->kernels},
                      .scratch = scope->scratch,
                      .scratch_step = step->scratch,
                      .n_parts = n_parts(s, step, scope->threads)};

    if (step->idle)
        return;
    for (int k = 0; k < node->n_in; k++)
        in[k] = node->in[k] == RF_NO_VALUE ? NULL : look(s, node->in[k], scope);
    for (int k = 0; k < node->n_out; k++)
        out[k] = look(s, node->out[k], scope);
    if (step->layer && count)
        run_counted(s, step, scope, &job);
    else
        run_parts(s, step, &job);
    if (s->after && scope->part == 0)
        s->after(s->after_arg, i);
}

/* ---- image by image ---- */

struct images {
    struct rf_session *s;
    bool count;
};

/* A part's share of the images, with what it has of memory and counters. */
static void run_images(void *arg, int part)
{
    const struct images *const job = arg;
    struct rf_session *const s = job->s;
    const struct rf_plan *const plan = s->plan;
    const size_t at = (size_t)part;
    struct scope scope = {.is_image = true,
                          .part = part,
                          .threads = s->image_parts > 1 ? 1 : s->threads,
                          .scratch = (char *)s->scratch.data + at * plan->scratch_bytes,
                          .counting = (char *)s->counting.data + at * plan->image_count_bytes,
                          .tallies = s->counters.tallies + at};
    size_t first, last;

    rf_part_range(plan->n_images, part, s->image_parts, &first, &last);
    for (scope.image = first; scope.image < last; scope.image++)
        for (size_t i = 0; i < plan->n_image_steps; i++)
            run_step(s, i, &scope, job->count);
}

static void run_all_images(struct rf_session *s, bool count)
{
    struct images job = {.s = s, .count = count};

    if (s->image_parts == 1)
        run_images(&job, 0);
    else
        rf_pool_parallel(s->pool, run_images, &job, s->image_parts);
}

static void run_steps(struct rf_session *s, bool count)
{
    const struct scope scope = {.threads = s->threads,
                                .scratch = s->scratch.data,
                                .counting = s->counting.data,
                                .tallies = s->counters.tallies};

    if (s->image_parts)
        run_all_images(s, count);
    for (size_t i = s->plan->n_image_steps; i < s->plan->n_steps; i++)
        run_step(s, i, &scope, count);
}

/* ---- the whole run ---- */

static void bind_inputs(struct rf_session *s, const void *const *in)
{
    const struct rf_graph *const g = s->model->graph;

    for (size_t v = 0; v < g->n_values; v++)
        if (s->plan->places[v].kind == RF_PLACE_INPUT)
            s->tensors[v].data = (void *)(uintptr_t)in[s->plan->places[v].input];
}

/* What is counted of inputs, before and after they run. */
static void look_at_inputs(struct rf_session *s, const void *const *in)
{
    const struct rf_model *const model = s->model;
    const size_t rows = n_rows(s->plan, model);

    if (model->record.layout.level < RF_ACTIVITY_CHANNEL) {
        s->counters.inputs.n += rows;
        return;
    }
    for (size_t i = 0; i < model->graph->n_inputs; i++)
        s->given[i].data = in[i];
    rf_inputs_look(&s->counters.inputs, s->given, model->graph->n_inputs, rows, &model->features,
                   model->kernels);
}

static void classify_inputs(struct rf_session *s)
{
    const struct rf_graph *const g = s->model->graph;

    if (s->model->record.layout.level < RF_ACTIVITY_CHANNEL || !s->model->features.n_classes)
        return;
    const struct rf_tensor *const out = &s->tensors[g->outputs[0]];
    const size_t rows = n_rows(s->plan, s->model);

    if ((size_t)out->shape.dim[0] == rows)
        rf_inputs_classify(&s->counters.inputs, out->data, rows);
}

enum rf_status rf_session_run(struct rf_session *s, const void *const *in, size_t n_in,
                              struct rf_tensor *out, size_t n_out, bool count, struct rf_error *err)
{
    const struct rf_graph *const g = s->model->graph;

    if (!s->plan)
        return rf_fail(err, RF_INVALID, "session: run before prepare");
    if (n_in != g->n_inputs || n_out > g->n_outputs)
        return rf_fail(err, RF_INVALID,
                       "session: %zu inputs and %zu outputs, expected %zu and at most %zu", n_in,
                       n_out, g->n_inputs, g->n_outputs);
    const int parts = s->plan->max_parts > s->image_parts ? s->plan->max_parts : s->image_parts;
    struct rf_pool *const pool = parts > 1 ? s->pool : NULL;

    bind_inputs(s, in);
    rf_counters_begin(&s->counters);
    if (count)
        look_at_inputs(s, in);
    if (pool)
        rf_pool_enter(pool, parts);
    run_steps(s, count);
    if (pool)
        rf_pool_leave(pool);
    if (count)
        classify_inputs(s);
    rf_counters_end(&s->counters);
    for (size_t i = 0; i < n_out; i++)
        out[i] = s->tensors[g->outputs[i]];
    return RF_OK;
}

void rf_session_observe(struct rf_session *s, bool on)
{
    rf_counters_observe(&s->counters, on);
}

enum rf_status rf_session_activity(struct rf_session *s, struct rf_activity **out,
                                   struct rf_error *err)
{
    return rf_activity_of(s->model, &s->counters, out, err);
}

int rf_session_features(const struct rf_session *s, double *features)
{
    return rf_features_of(s->model, &s->counters, features);
}

void rf_session_watch(struct rf_session *s, void (*after)(void *arg, size_t step), void *arg)
{
    s->after = after;
    s->after_arg = arg;
}
