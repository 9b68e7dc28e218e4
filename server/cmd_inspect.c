/* `rectifier inspect`: the plan of a network as a table, as JSON or for Graphviz. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/cli.h"
#include "server/commands.h"
#include "server/cpus.h"
#include "server/inspect.h"
#include "server/offline.h"
#include "server/units.h"

/* ---- shapes ---- */

/* "1,3,224,224"; "" is a scalar. */
static bool parse_sizes(const char *text, struct rf_shape *shape)
{
    *shape = (struct rf_shape){.rank = 0};
    while (*text) {
        char digits[24];
        const size_t n = strcspn(text, ",");
        uint64_t v;
        if (n >= sizeof digits || shape->rank == RF_MAX_RANK)
            return false;
        snprintf(digits, sizeof digits, "%.*s", (int)n, text);
        if (!srv_parse_uint(digits, &v) || v > INT64_MAX)
            return false;
        shape->dim[shape->rank++] = (int64_t)v;
        text += n;
        if (*text == ',' && *++text == '\0')
            return false;
    }
    return true;
}

/* --shape NAME=SIZES */
static enum rf_status take_shape(struct srv_inspection *x, const char *arg, struct rf_error *err)
{
    const struct rf_model_io *io = &x->model->io;
    const char *eq = strrchr(arg, '=');
    struct rf_shape shape;
    if (!eq || !parse_sizes(eq + 1, &shape))
        return rf_fail(err, RF_INVALID,
                       "--shape: expected NAME=SIZES, as image=1,3,224,224, got '%.100s'", arg);
    const size_t len = (size_t)(eq - arg);
    for (size_t i = 0; i < io->n_inputs; i++)
        if (strlen(io->inputs[i].name) == len && memcmp(io->inputs[i].name, arg, len) == 0) {
            x->shapes[i] = shape;
            return RF_OK;
        }
    return rf_fail(err, RF_NOT_FOUND, "--shape: model '%s' has no input '%.*s'%s%s%s", io->name,
                   (int)(len < 64 ? len : 64), arg, io->n_inputs ? "; the first one is '" : "",
                   io->n_inputs ? io->inputs[0].name : "", io->n_inputs ? "'" : "");
}

/* Some input must leave its first size open, or have it so. */
static enum rf_status check_batch(const struct rf_model_io *io, int64_t batch, struct rf_error *err)
{
    const struct rf_io *fixed = NULL;
    char text[RF_SHAPE_TEXT];
    for (size_t i = 0; i < io->n_inputs; i++) {
        const struct rf_shape *const shape = &io->inputs[i].shape;
        if (shape->rank > 0 && (shape->dim[0] < 0 || shape->dim[0] == batch))
            return RF_OK;
        fixed = fixed ? fixed : &io->inputs[i];
    }
    if (batch == 1 || !fixed)
        return RF_OK;
    return rf_fail(err, RF_SHAPE, "--batch %" PRId64 ": the batch of input '%s' is fixed: %s",
                   batch, fixed->name, rf_shape_text(&fixed->shape, text, sizeof text));
}

static enum rf_status choose_shapes(struct srv_inspection *x, const struct srv_config *config,
                                    struct rf_error *err)
{
    const struct rf_model_io *io = &x->model->io;
    const enum rf_status batched = check_batch(io, (int64_t)config->batch, err);
    if (batched)
        return batched;
    x->shapes = rf_arena_array(&x->arena, io->n_inputs + 1, sizeof *x->shapes);
    if (!x->shapes)
        return rf_fail_nomem(err, "shapes", io->n_inputs * sizeof *x->shapes);
    if (!srv_model_shapes(x->model->model, (int64_t)config->batch, x->shapes))
        return rf_fail(err, RF_UNSUPPORTED,
                       "%s: its shapes follow from the elements of an input, which are not known "
                       "before a run",
                       x->model->name);
    for (size_t i = 0; i < config->shapes.n; i++) {
        const enum rf_status rc = take_shape(x, config->shapes.item[i], err);
        if (rc)
            return rc;
    }
    return RF_OK;
}

/* ---- steps ---- */

static const char *copy_text(struct srv_inspection *x, const char *text)
{
    const char *copy = rf_arena_strdup(&x->arena, text ? text : "");
    x->no_memory |= !copy;
    return copy;
}

static const struct rf_step_value *copy_values(struct srv_inspection *x,
                                               const struct rf_step_value *list, size_t n)
{
    struct rf_step_value *copy = rf_arena_array(&x->arena, n + 1, sizeof *copy);
    x->no_memory |= !copy;
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = list[i];
        copy[i].name = copy_text(x, list[i].name);
    }
    return copy;
}

static bool grow(struct srv_inspection *x)
{
    const size_t cap = x->cap_steps ? 2 * x->cap_steps : 64;
    struct rf_step_info *steps = rf_arena_array(&x->arena, cap, sizeof *steps);
    if (!steps)
        return false;
    if (x->n_steps)
        memcpy(steps, x->steps, x->n_steps * sizeof *steps);
    x->steps = steps;
    x->cap_steps = cap;
    return true;
}

static void add_step(void *arg, const struct rf_step_info *info)
{
    struct srv_inspection *x = arg;
    if (x->n_steps == x->cap_steps && !grow(x)) {
        x->no_memory = true;
        return;
    }
    struct rf_step_info *step = &x->steps[x->n_steps++];
    *step = *info;
    step->name = copy_text(x, info->name);
    step->path = copy_text(x, info->path);
    step->algorithm = copy_text(x, info->algorithm);
    step->inputs = copy_values(x, info->inputs, info->n_inputs);
    step->outputs = copy_values(x, info->outputs, info->n_outputs);
    x->macs += info->macs;
}

/* ---- the command ---- */

/* As `serve` would do it with the same options, provided that the rows turn out independent. */
static int64_t max_batch(const struct srv_inspection *x, const struct srv_config *config)
{
    struct srv_cpus cpus;
    srv_cpus_read(&cpus);
    const uint64_t threads = (uint64_t)srv_cpus_threads(&cpus, config->threads);
    if (!srv_rows_are_open(x->model->model))
        return 0;
    return srv_rows_that_fit(x->model->model, (int64_t)config->max_batch,
                             srv_rows_memory(srv_memory(config->memory), threads));
}

static enum rf_status inspect(struct srv_inspection *x, const struct srv_config *config,
                              struct rf_error *err)
{
    struct rf_error inner = RF_ERROR_INIT;
    enum rf_status rc = choose_shapes(x, config, err);
    if (rc)
        return rc;
    rc = rf_model_inspect(x->model->model, x->shapes, x->model->io.n_inputs, add_step, x,
                          &x->session_bytes, &inner);
    if (rc)
        return rf_fail(err, rc, "%s: %s", x->model->name, inner.text);
    if (x->no_memory)
        rc = rf_fail_nomem(err, "the report", x->cap_steps * sizeof *x->steps);
    x->parameters = rf_model_parameters(x->model->model);
    x->model_bytes = rf_model_bytes(x->model->model);
    x->activity_bytes = rf_activity_bytes(x->model->model, &x->activity_session_bytes);
    x->max_batch = max_batch(x, config);
    return rc;
}

static enum rf_status show(const struct srv_inspection *x, const struct srv_config *config,
                           struct rf_error *err)
{
    struct rf_buf b;
    rf_buf_init(&b, SIZE_MAX / 2);
    if (config->json)
        srv_inspection_json(&b, x);
    else if (config->dot)
        srv_inspection_dot(&b, x);
    else
        srv_inspection_table(&b, x);
    return srv_offline_print(&b, err);
}

int srv_cmd_inspect(const struct srv_config *config)
{
    struct rf_error err = RF_ERROR_INIT;
    const struct rf_model_options options = srv_offline_options(config, RF_ACTIVITY_UNIT);
    struct srv_model *model = NULL;
    struct srv_inspection x = {0};
    if (config->args.n != 1)
        return srv_usage("inspect: expected one MODEL, got %zu", config->args.n);
    if (config->json && config->dot)
        return srv_usage("inspect: --json and --dot exclude each other");
    enum rf_status rc = srv_model_load(&model, config->args.item[0], &options, &err);
    x.model = model;
    if (!rc)
        rc = inspect(&x, config, &err);
    if (!rc)
        rc = show(&x, config, &err);
    rf_arena_release(&x.arena);
    srv_model_unref(model);
    return rc ? srv_fail("%s", err.text) : SRV_EXIT_OK;
}
