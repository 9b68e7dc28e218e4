/* `rectifier infer`: a network run once on files, through the same decoding as over HTTP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/npy.h"
#include "server/activity.h"
#include "server/cli.h"
#include "server/commands.h"
#include "server/files.h"
#include "server/inputs.h"
#include "server/models.h"
#include "server/offline.h"

/* A file's content and what it was decoded to; the request may point into the content. */
struct part {
    char *body;
    bool decoded;
    struct rf_infer_request request;
};

struct run {
    const struct srv_config *config;
    struct srv_model *model;
    struct rf_pool *pool;
    struct rf_session *session;
    struct part parts[SRV_MAX_LIST];
    size_t n_parts;
    struct rf_infer_request request; /* of all parts; borrows from them */
    struct rf_tensor *inputs, *outputs;
    struct rf_wanted *wanted;
};

/* ---- inputs ---- */

static enum rf_status read_part(struct run *run, const char *arg, struct rf_error *err)
{
    const struct srv_model *m = run->model;
    struct part *part = &run->parts[run->n_parts++];
    const char *path;
    size_t len;
    size_t input = srv_input_split(&m->io, arg, &path);
    enum rf_status rc = input < m->io.n_inputs ? RF_OK : srv_input_check(&m->io, arg, err);
    if (!rc)
        rc = rf_file_read(&part->body, &len, path, SIZE_MAX / 2, err);
    if (rc)
        return rc;
    const bool is_npy = rf_npy_is(part->body, len);
    const struct rf_decode_options options = {
        .raw_dtype = RF_N_DTYPE, .what = "content", .max_bytes = SIZE_MAX / 2};
    struct rf_model_io io = m->io;
    if (input < m->io.n_inputs) {
        io.inputs = &m->io.inputs[input];
        io.n_inputs = 1;
    } else if (io.n_inputs == 1) {
        input = 0;
    } else if (is_npy) {
        return rf_fail(err, RF_INVALID, "%s: the model has %zu inputs; say which: %s=%s", path,
                       io.n_inputs, io.inputs[0].name, path);
    }
    struct rf_error inner = RF_ERROR_INIT;
    rc = rf_infer_decode(&part->request, is_npy ? RF_BODY_NPY : RF_BODY_JSON, &io, &options,
                         part->body, len, &inner);
    if (rc)
        return rf_fail(err, rc, "%s: %s", path, inner.text);
    part->decoded = true;
    for (size_t i = 0; i < part->request.n_inputs; i++) {
        const size_t to = input < m->io.n_inputs ? input : i;
        if (run->inputs[to].data)
            return rf_fail(err, RF_INVALID, "%s: input '%s' was given before", path,
                           m->io.inputs[to].name);
        run->inputs[to] = part->request.inputs[i];
    }
    return RF_OK;
}

static enum rf_status read_inputs(struct run *run, struct rf_error *err)
{
    const struct srv_model *m = run->model;
    const struct srv_list *args = &run->config->args;
    for (size_t i = 1; i < args->n; i++) {
        const enum rf_status rc = read_part(run, args->item[i], err);
        if (rc)
            return rc;
    }
    for (size_t i = 0; i < m->io.n_inputs; i++)
        if (!run->inputs[i].data)
            return rf_fail(err, RF_INVALID, "no file for input '%s': add %s=FILE",
                           m->io.inputs[i].name, m->io.inputs[i].name);
    run->request = (struct rf_infer_request){.inputs = run->inputs,
                                             .n_inputs = m->io.n_inputs,
                                             .rows = run->n_parts ? run->parts[0].request.rows : 1,
                                             .outputs = run->wanted,
                                             .n_outputs = m->io.n_outputs};
    for (size_t i = 0; i < m->io.n_outputs; i++)
        run->wanted[i].index = i;
    return RF_OK;
}

/* ---- the run ---- */

static enum rf_status set_up(struct run *run, struct rf_error *err)
{
    const struct srv_config *config = run->config;
    const char *keep[SRV_MAX_LIST];
    struct rf_model_options options =
        srv_offline_options(config, config->show_activity ? RF_ACTIVITY_UNIT : RF_ACTIVITY_CHANNEL);
    options.keep = keep;
    for (size_t i = 0; i < config->keep.n; i++) {
        if (strcmp(config->keep.item[i], "activations") == 0)
            options.keep_activations = true;
        else
            keep[options.n_keep++] = config->keep.item[i];
    }
    enum rf_status rc = srv_model_load(&run->model, config->args.item[0], &options, err);
    if (rc)
        return rc;
    const struct rf_model_io *io = &run->model->io;
    run->inputs = calloc(io->n_inputs + 1, sizeof *run->inputs);
    run->outputs = calloc(io->n_outputs + 1, sizeof *run->outputs);
    run->wanted = calloc(io->n_outputs + 1, sizeof *run->wanted);
    if (!run->inputs || !run->outputs || !run->wanted)
        return rf_fail_nomem(err, "inputs and outputs", io->n_outputs * sizeof *run->outputs);
    rc = srv_offline_pool(&run->pool, config->threads, err);
    return rc ? rc : rf_session_new(&run->session, run->model->model, run->pool, err);
}

static enum rf_status compute(struct run *run, struct rf_error *err)
{
    const size_t n = run->model->io.n_inputs;
    struct rf_shape *shapes = calloc(n + 1, sizeof *shapes);
    const void **in = calloc(n + 1, sizeof *in);
    enum rf_status rc = shapes && in ? RF_OK : rf_fail_nomem(err, "inputs", n * sizeof *shapes);
    for (size_t i = 0; shapes && in && i < n; i++) {
        shapes[i] = run->inputs[i].shape;
        in[i] = run->inputs[i].data;
    }
    if (!rc)
        rc = rf_session_prepare(run->session, shapes, in, n, err);
    if (!rc)
        rc = rf_session_run(run->session, in, n, run->outputs, run->model->io.n_outputs, true, err);
    free(in);
    free(shapes);
    return rc;
}

/* ---- outputs ---- */

#define FILE_NAME 251 /* what file systems take, less ".npy" */

/* An output's name as a file's. */
static void file_name(const struct run *run, size_t i, char name[FILE_NAME + 1])
{
    snprintf(name, FILE_NAME + 1, "%s", run->model->io.outputs[i].name);
    for (char *p = name; *p; p++)
        *p = *p == '/' ? '_' : *p;
}

/* Before the run, which may take long. */
static enum rf_status make_folder(const struct run *run, struct rf_error *err)
{
    const struct rf_model_io *io = &run->model->io;
    char name[FILE_NAME + 1], before[FILE_NAME + 1];
    for (size_t i = 0; i < io->n_outputs; i++) {
        file_name(run, i, name);
        for (size_t k = 0; k < i; k++) {
            file_name(run, k, before);
            if (strcmp(name, before) == 0)
                return rf_fail(err, RF_UNSUPPORTED,
                               "--output: '%.64s' and '%.64s' would both be %.64s.npy",
                               io->outputs[k].name, io->outputs[i].name, name);
        }
    }
    return srv_folder_make(run->config->output, err);
}

static enum rf_status write_output(const struct run *run, size_t i, struct rf_error *err)
{
    char name[FILE_NAME + 1], path[4096];
    struct rf_infer_request request = run->request;
    struct rf_buf b;
    request.outputs = &(struct rf_wanted){.index = i};
    request.n_outputs = 1;
    file_name(run, i, name);
    const int n = snprintf(path, sizeof path, "%s/%s.npy", run->config->output, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return rf_fail(err, RF_LIMIT, "--output: the path is too long");
    rf_buf_init(&b, SIZE_MAX / 2);
    enum rf_status rc =
        rf_infer_encode(&b, RF_BODY_NPY, &run->model->io, &request, run->outputs, NULL, err);
    if (!rc)
        rc = srv_file_write(path, b.data, b.len, err);
    rf_buf_release(&b);
    return rc;
}

/* A line of JSON, unless writing it failed with `rc`. */
static enum rf_status print_line(struct rf_buf *b, enum rf_status rc, struct rf_error *err)
{
    rf_buf_text(b, "\n");
    if (!rc)
        return srv_offline_print(b, err);
    rf_buf_release(b);
    return rc;
}

static enum rf_status report_activity(struct run *run, struct rf_error *err)
{
    struct rf_activity *activity;
    struct rf_buf b;
    enum rf_status rc = rf_activity_read(run->model->model, &activity, err);
    if (rc)
        return rc;
    const struct srv_activity_view view = {.model = run->model->name,
                                           .version = run->model->version,
                                           .window = "load",
                                           .window_seconds = -1,
                                           .activity = activity,
                                           .criteria = srv_criteria(run->config)};
    rf_buf_init(&b, SIZE_MAX / 2);
    rc = srv_activity_json(&b, &view, err);
    rf_buf_text(&b, "}");
    rf_activity_free(activity);
    return print_line(&b, rc, err);
}

static enum rf_status report(struct run *run, struct rf_error *err)
{
    const struct srv_config *config = run->config;
    struct rf_buf b;
    enum rf_status rc = RF_OK;
    if (*config->output) {
        for (size_t i = 0; !rc && i < run->model->io.n_outputs; i++)
            rc = write_output(run, i, err);
    } else {
        rf_buf_init(&b, SIZE_MAX / 2);
        rc = rf_infer_encode(&b, RF_BODY_JSON, &run->model->io, &run->request, run->outputs, NULL,
                             err);
        rc = print_line(&b, rc, err);
    }
    if (rc || !config->show_activity)
        return rc;
    return report_activity(run, err);
}

static void tear_down(struct run *run)
{
    for (size_t i = 0; i < run->n_parts; i++) {
        if (run->parts[i].decoded)
            rf_infer_request_release(&run->parts[i].request);
        free(run->parts[i].body);
    }
    rf_session_free(run->session);
    rf_pool_free(run->pool);
    srv_model_unref(run->model);
    free(run->inputs);
    free(run->outputs);
    free(run->wanted);
    free(run);
}

int srv_cmd_infer(const struct srv_config *config)
{
    struct rf_error err = RF_ERROR_INIT;
    struct run *run = NULL;
    if (config->args.n < 1)
        return srv_usage("infer: expected MODEL [NAME=]FILE...");
    run = calloc(1, sizeof *run);
    if (!run)
        return srv_fail("out of memory");
    run->config = config;
    enum rf_status rc = set_up(run, &err);
    if (!rc)
        rc = read_inputs(run, &err);
    if (!rc && *config->output)
        rc = make_folder(run, &err);
    if (!rc)
        rc = compute(run, &err);
    if (!rc)
        rc = report(run, &err);
    tear_down(run);
    return rc ? srv_fail("%s", err.text) : SRV_EXIT_OK;
}
