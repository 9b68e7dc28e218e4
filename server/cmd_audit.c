/* `rectifier audit`: which neurons are dead over a data set, or over what replicas have seen. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/audit.h"
#include "server/cli.h"
#include "server/commands.h"
#include "server/files.h"
#include "server/models.h"
#include "server/offline.h"
#include "server/samples.h"
#include "server/survey.h"

/* ---- over data ---- */

struct run {
    const struct srv_config *config;
    struct srv_model *model;
    struct srv_samples *samples;
    struct rf_pool *pool;
    struct rf_session *session;
    struct srv_survey *survey; /* of a baseline that is to be written, or NULL */
    struct rf_shape *shapes;
    const void **in;
    struct rf_tensor *out;
    int64_t done;
    int percent; /* as last shown */
};

static enum rf_status set_up(struct run *run, struct rf_error *err)
{
    const struct srv_config *config = run->config;
    const struct rf_model_options options = srv_offline_options(config, RF_ACTIVITY_UNIT);
    enum rf_status rc = srv_model_load(&run->model, config->args.item[0], &options, err);
    if (rc)
        return rc;
    const struct rf_model_io *io = &run->model->io;
    run->shapes = calloc(io->n_inputs + 1, sizeof *run->shapes);
    run->in = calloc(io->n_inputs + 1, sizeof *run->in);
    run->out = calloc(io->n_outputs + 1, sizeof *run->out);
    if (!run->shapes || !run->in || !run->out)
        return rf_fail_nomem(err, "inputs and outputs", io->n_outputs * sizeof *run->out);
    rc = srv_samples_open(&run->samples, io, &config->args, err);
    if (!rc)
        rc = srv_offline_pool(&run->pool, config->threads, err);
    if (!rc)
        rc = rf_session_new(&run->session, run->model->model, run->pool, err);
    if (!rc && *config->write_baseline && srv_samples_fixed(run->samples) > 1)
        rc = rf_fail(err, RF_UNSUPPORTED,
                     "--write-baseline: the network takes %" PRId64
                     " inputs at a time, and a baseline is made of single ones",
                     srv_samples_fixed(run->samples));
    if (!rc && *config->write_baseline)
        rc = srv_file_try(config->write_baseline, err);
    if (!rc && *config->write_baseline)
        rc = srv_survey_new(&run->survey, run->model, run->session, err);
    return rc;
}

/* Rows of the next run. A baseline is made of single inputs. */
static int64_t next_rows(const struct run *run)
{
    const int64_t left = srv_samples_rows(run->samples) - run->done;
    const int64_t fixed = srv_samples_fixed(run->samples);
    const int64_t most = run->survey ? 1 : (int64_t)run->config->rows;
    return fixed ? fixed : left < most ? left : most;
}

static enum rf_status run_rows(struct run *run, int64_t rows, struct rf_error *err)
{
    const size_t n = run->model->io.n_inputs;
    const struct rf_tensor *inputs;
    enum rf_status rc = srv_samples_read(run->samples, rows, &inputs, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++) {
        run->shapes[i] = inputs[i].shape;
        run->in[i] = inputs[i].data;
    }
    rc = rf_session_prepare(run->session, run->shapes, run->in, n, err);
    if (!rc)
        rc =
            rf_session_run(run->session, run->in, n, run->out, run->model->io.n_outputs, true, err);
    if (!rc && run->survey)
        rc = srv_survey_add(run->survey, err);
    return rc;
}

/* For someone who watches. */
static void show_progress(struct run *run)
{
    enum { WIDTH = 40 };
    const int64_t all = srv_samples_rows(run->samples);
    const int percent = (int)(100 * run->done / all), full = percent * WIDTH / 100;
    if (percent == run->percent || !isatty(STDERR_FILENO))
        return;
    run->percent = percent;
    fprintf(stderr, "\r[%.*s%.*s] %3d %%  %" PRId64 " of %" PRId64 " inputs%s", full,
            "########################################", WIDTH - full,
            "........................................", percent, run->done, all,
            run->done == all ? "\n" : "");
}

static enum rf_status run_all(struct run *run, struct rf_error *err)
{
    enum rf_status rc = RF_OK;
    run->percent = -1;
    show_progress(run);
    while (!rc && run->done < srv_samples_rows(run->samples)) {
        const int64_t rows = next_rows(run);
        rc = run_rows(run, rows, err);
        run->done += rows;
        if (!rc)
            show_progress(run);
    }
    if (rc && run->percent >= 0)
        fputs("\n", stderr); /* what went wrong has a line of its own */
    return rc;
}

static void tear_down(struct run *run)
{
    srv_survey_free(run->survey);
    rf_session_free(run->session);
    rf_pool_free(run->pool);
    srv_samples_free(run->samples);
    srv_model_unref(run->model);
    free(run->shapes);
    free(run->in);
    free(run->out);
}

/* ---- the report ---- */

static enum rf_status print(const struct srv_audit *audit, bool json, struct rf_error *err)
{
    struct rf_buf b;
    rf_buf_init(&b, SIZE_MAX / 2);
    if (json)
        srv_audit_json(&b, audit);
    else
        srv_audit_table(&b, audit);
    return srv_offline_print(&b, err);
}

/* A verdict that cannot be given must not pass for a good one. */
static enum rf_status check_known(const struct srv_audit *audit, struct rf_error *err)
{
    for (size_t i = 0; i < audit->activity->n_layers; i++)
        if (!audit->verdicts[i].known)
            return rf_fail(err, RF_INVALID,
                           "--fail-on dying: that takes %" PRIu64
                           " different inputs (--activity-min-inputs), and there are %zu",
                           audit->criteria.min_inputs, audit->activity->distinct_inputs);
    return RF_OK;
}

/* The exit code that --fail-on asks for. */
static int judge(const struct srv_audit *audit, const struct srv_list *rules)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_buf b;
    size_t broken = 0;
    rf_buf_init(&b, SIZE_MAX / 2);
    for (size_t i = 0; i < rules->n; i++) {
        struct srv_rule rule;
        if (!srv_rule_parse(&rule, rules->item[i]))
            continue; /* refused at the start */
        if (rule.dying && check_known(audit, &err))
            break;
        broken += srv_rule_check(&b, audit, &rule);
    }
    fprintf(stderr, "%.*s", (int)b.len, b.data ? b.data : "");
    rf_buf_release(&b);
    if (err.status)
        return srv_fail("%s", err.text);
    return broken ? SRV_EXIT_VERDICT : SRV_EXIT_OK;
}

static int report(struct srv_audit *audit, const struct srv_config *config)
{
    struct rf_error err = RF_ERROR_INIT;
    enum rf_status rc = srv_audit_judge(audit, &err);
    if (!rc)
        rc = print(audit, config->json, &err);
    const int code = rc ? srv_fail("%s", err.text) : judge(audit, &config->fail_on);
    free(audit->verdicts);
    return code;
}

/* ---- the two ways ---- */

static enum rf_status audit_data(struct run *run, int *code, struct rf_error *err)
{
    struct rf_activity *activity = NULL;
    struct srv_products products = {0};
    enum rf_status rc = set_up(run, err);
    if (!rc)
        rc = run_all(run, err);
    if (!rc && run->survey)
        rc = srv_survey_write(run->survey, run->config->write_baseline, run->config->from_training,
                              err);
    srv_survey_free(run->survey); /* what it saw last is counted now */
    run->survey = NULL;
    if (!rc)
        rc = rf_activity_read(run->model->model, &activity, err);
    if (!rc)
        rc = srv_products_find(&products, run->model->model, activity->layers, activity->n_layers,
                               err);
    if (!rc) {
        struct srv_audit audit = {.model = run->model->name,
                                  .version = run->model->version,
                                  .activity = activity,
                                  .products = &products,
                                  .criteria = srv_criteria(run->config)};
        *code = report(&audit, run->config);
    }
    srv_products_release(&products);
    rf_activity_free(activity);
    return rc;
}

static int merge(const struct srv_config *config)
{
    struct rf_error err = RF_ERROR_INIT;
    struct srv_merge merge;
    int code = SRV_EXIT_FAILURE;
    const enum rf_status rc = srv_merge_read(&merge, &config->args, &err);
    if (rc) {
        srv_fail("%s", err.text);
    } else {
        struct srv_audit audit = {.model = merge.model,
                                  .version = merge.version,
                                  .activity = &merge.activity,
                                  .products = &merge.products,
                                  .criteria = srv_criteria(config),
                                  .replicas = config->args.n};
        code = report(&audit, config);
    }
    srv_merge_release(&merge);
    return code;
}

int srv_cmd_audit(const struct srv_config *config)
{
    struct rf_error err = RF_ERROR_INIT;
    struct srv_rule rule;
    struct run run = {.config = config};
    int code = SRV_EXIT_OK;
    for (size_t i = 0; i < config->fail_on.n; i++)
        if (!srv_rule_parse(&rule, config->fail_on.item[i]))
            return srv_usage("--fail-on: expected dying or sparsity=0.9, got '%.64s'",
                             config->fail_on.item[i]);
    if (config->merge && config->args.n == 0)
        return srv_usage("audit: --merge expects URL|FILE...");
    if (config->merge && *config->write_baseline)
        return srv_usage("audit: --merge and --write-baseline exclude each other");
    if (config->merge)
        return merge(config);
    if (config->args.n < 2)
        return srv_usage("audit: expected MODEL [NAME=]DATA.npy...");
    if (config->from_training && !*config->write_baseline)
        return srv_usage("audit: --from-training is for --write-baseline");
    const enum rf_status rc = audit_data(&run, &code, &err);
    tear_down(&run);
    return rc ? srv_fail("%s", err.text) : code;
}
