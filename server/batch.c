/* Gather, run, scatter. */
#include "server/batch.h"

#include <stdlib.h>
#include <string.h>

#include "server/clock.h"
#include "server/job.h"
#include "server/models.h"
#include "server/server.h"
#include "server/witness.h"

/* A session, and what goes into and comes out of its runs. */
struct run {
    struct srv_model *model;
    struct rf_session *session;
    size_t n_in, n_out;
    const void **in;
    struct rf_shape *shapes;
    struct rf_tensor *out;
    uint64_t rows;
    bool prepared; /* for the latest run: if it fails nevertheless, that is a fault of ours */
    struct srv_run_times ns;     /* of the latest run */
    int64_t step;                /* rows of a slice */
    struct srv_witness *witness; /* of a job that is observed, or NULL */
};

static bool run_begin(struct run *x, struct srv_model *model)
{
    const size_t n_in = model->io.n_inputs, n_out = model->io.n_outputs;
    *x = (struct run){.model = model,
                      .n_in = n_in,
                      .n_out = n_out,
                      .step = model->max_batch,
                      .in = calloc(n_in + 1, sizeof *x->in),
                      .shapes = calloc(n_in + 1, sizeof *x->shapes),
                      .out = calloc(n_out + 1, sizeof *x->out)};
    if (!x->in || !x->shapes || !x->out)
        return false;
    x->session = srv_model_take_session(model);
    return true;
}

static void run_end(struct run *x)
{
    if (x->session)
        srv_model_give_session(x->model, x->session);
    free(x->in);
    free(x->shapes);
    free(x->out);
}

/* `start`: since when its inputs are being made. */
static enum rf_status run_once(struct run *x, uint64_t rows, uint64_t start, struct rf_error *err)
{
    enum rf_status rc = rf_session_prepare(x->session, x->shapes, x->in, x->n_in, err);
    x->prepared = !rc;
    if (rc)
        return rc;
    const uint64_t begin = srv_now();
    rc = srv_nodes_run(&x->model->nodes, x->session, x->in, x->n_in, x->out, x->n_out, err);
    x->rows = rows;
    x->ns = (struct srv_run_times){.input = begin - start, .compute = srv_now() - begin};
    return rc;
}

static enum srv_result fail(const struct run *x, struct srv_request *r, const struct rf_error *err)
{
    if (!x->prepared)
        return srv_job_fail(r, err);
    srv_reply_error(r, 500, "%s", err->text);
    return SRV_RESULT_FAILED;
}

/* Bytes of a row; `rows` has dimension 0. */
static size_t row_bytes(const struct rf_tensor *t, int64_t rows)
{
    return rf_shape_bytes(&t->shape, t->dtype) / (size_t)rows;
}

/* ---- a job alone ---- */

static void point_at_inputs(struct run *x, const struct rf_infer_request *inputs)
{
    for (size_t i = 0; i < inputs->n_inputs; i++) {
        x->in[i] = inputs->inputs[i].data;
        x->shapes[i] = inputs->inputs[i].shape;
    }
}

static enum srv_result encode_alone(struct run *x, struct srv_request *r,
                                    const struct rf_tensor *outputs)
{
    const uint64_t begin = srv_now();
    if (x->witness)
        srv_witness_report(x->witness);
    const enum srv_result result = srv_job_encode(r, outputs);
    x->ns.input += r->job.decode_ns;
    x->ns.output = srv_now() - begin;
    srv_metrics_run(&x->model->metrics, x->rows, x->ns);
    return result;
}

static enum srv_result run_alone(struct run *x, struct srv_request *r)
{
    struct rf_error err = RF_ERROR_INIT;
    point_at_inputs(x, &r->job.inputs);
    enum rf_status rc = run_once(x, (uint64_t)r->job.inputs.rows, srv_now(), &err);
    if (!rc && x->witness)
        rc = srv_witness_row(x->witness, 0, r->job.inputs.rows, &err);
    if (rc)
        return fail(x, r, &err);
    return encode_alone(x, r, x->out);
}

/* ---- a job of more rows than fit one run ---- */

/* Room for all rows of the output of which `part` has some; `*held` of it is the budget's. */
static bool make_room(struct srv_request *r, const struct rf_tensor *part, struct rf_tensor *whole,
                      size_t *held)
{
    const int64_t rows = r->job.inputs.rows;
    const size_t bytes = row_bytes(part, part->shape.dim[0]) * (size_t)rows;
    if (!srv_budget_take(&r->server->budget, bytes))
        return false;
    *held += bytes;
    *whole = *part;
    whole->shape.dim[0] = rows;
    whole->data = malloc(bytes + 1);
    return whole->data != NULL;
}

/* Puts the outputs behind those of the rows that are done. */
static bool keep_outputs(const struct run *x, struct srv_request *r, struct rf_tensor *whole,
                         int64_t done, size_t *held)
{
    for (size_t i = 0; i < x->n_out; i++) {
        const struct rf_tensor *part = &x->out[i];
        const size_t row = row_bytes(part, part->shape.dim[0]);
        if (!whole[i].data && !make_room(r, part, &whole[i], held))
            return false;
        memcpy((char *)whole[i].data + (size_t)done * row, part->data,
               (size_t)part->shape.dim[0] * row);
    }
    return true;
}

static enum rf_status run_slice(struct run *x, const struct rf_infer_request *inputs, int64_t done,
                                struct rf_error *err)
{
    const int64_t left = inputs->rows - done;
    const int64_t n = left < x->step ? left : x->step;
    for (size_t i = 0; i < inputs->n_inputs; i++) {
        const struct rf_tensor *t = &inputs->inputs[i];
        x->in[i] = (const char *)t->data + (size_t)done * row_bytes(t, inputs->rows);
        x->shapes[i] = t->shape;
        x->shapes[i].dim[0] = n;
    }
    const enum rf_status rc = run_once(x, (uint64_t)n, srv_now(), err);
    return rc || !x->witness ? rc : srv_witness_row(x->witness, done, n, err);
}

static enum srv_result run_all_slices(struct run *x, struct srv_request *r, struct rf_tensor *whole,
                                      size_t *held)
{
    const struct rf_infer_request *inputs = &r->job.inputs;
    struct rf_error err = RF_ERROR_INIT;
    for (int64_t done = 0; done < inputs->rows; done += (int64_t)x->rows) {
        if (done > 0)
            srv_metrics_run(&x->model->metrics, x->rows, x->ns);
        if (run_slice(x, inputs, done, &err))
            return fail(x, r, &err);
        if (!keep_outputs(x, r, whole, done, held)) {
            srv_reply_error(r, 503, "no memory for the request's outputs now");
            return SRV_RESULT_SHED;
        }
    }
    return encode_alone(x, r, whole);
}

static enum srv_result run_in_slices(struct run *x, struct srv_request *r)
{
    size_t held = 0;
    struct rf_tensor *whole = calloc(x->n_out + 1, sizeof *whole);
    if (!whole) {
        srv_reply_error(r, 503, "out of memory");
        return SRV_RESULT_SHED;
    }
    const enum srv_result result = run_all_slices(x, r, whole, &held);
    for (size_t i = 0; i < x->n_out; i++)
        free(whole[i].data);
    free(whole);
    srv_budget_give(&r->server->budget, held);
    return result;
}

/* ---- several jobs ---- */

static bool reserve(struct srv_gather *g, size_t bytes)
{
    if (bytes <= g->bytes)
        return true;
    if (bytes > g->max)
        return false;
    free(g->data);
    g->data = aligned_alloc(RF_ALIGN, rf_align_up(bytes));
    g->bytes = g->data ? rf_align_up(bytes) : 0;
    return g->data != NULL;
}

/* The jobs' rows of every input behind each other. */
static bool gather_inputs(struct run *x, struct srv_gather *g, struct srv_waiting *jobs,
                          int64_t rows)
{
    size_t total = 0;
    for (size_t i = 0; i < jobs->n_inputs; i++)
        total += rf_align_up(row_bytes(&jobs->inputs[i], jobs->rows) * (size_t)rows);
    if (!reserve(g, total))
        return false;
    char *to = g->data;
    for (size_t i = 0; i < jobs->n_inputs; i++) {
        const size_t row = row_bytes(&jobs->inputs[i], jobs->rows);
        x->in[i] = to;
        x->shapes[i] = jobs->inputs[i].shape;
        x->shapes[i].dim[0] = rows;
        char *at = to;
        for (const struct srv_waiting *w = jobs; w; w = w->next) {
            memcpy(at, w->inputs[i].data, row * (size_t)w->rows);
            at += row * (size_t)w->rows;
        }
        to += rf_align_up(row * (size_t)rows);
    }
    return true;
}

/* The part of the run's outputs that begins at row `first`. */
static void take_rows(const struct run *x, struct rf_tensor *part, int64_t first, int64_t n)
{
    for (size_t i = 0; i < x->n_out; i++) {
        const size_t row = row_bytes(&x->out[i], x->out[i].shape.dim[0]);
        part[i] = x->out[i];
        part[i].data = (char *)x->out[i].data + (size_t)first * row;
        part[i].shape.dim[0] = n;
    }
}

/* False when nothing ran: the jobs are as they were. */
static bool run_together(struct run *x, struct srv_gather *g, struct srv_waiting *jobs)
{
    struct rf_error err = RF_ERROR_INIT;
    const uint64_t start = srv_now();
    int64_t rows = 0, first = 0;
    for (const struct srv_waiting *w = jobs; w; w = w->next)
        rows += w->rows;
    struct rf_tensor *part = calloc(x->n_out + 1, sizeof *part);
    const bool done =
        part && gather_inputs(x, g, jobs, rows) && !run_once(x, (uint64_t)rows, start, &err);
    const uint64_t begin = srv_now();
    for (struct srv_waiting *w = jobs; done && w; w = w->next) {
        struct srv_request *r = srv_waiting_request(w);
        take_rows(x, part, first, w->rows);
        r->job.result = srv_job_encode(r, part);
        x->ns.input += r->job.decode_ns;
        first += w->rows;
    }
    x->ns.output = srv_now() - begin;
    if (done)
        srv_metrics_run(&x->model->metrics, x->rows, x->ns);
    free(part);
    return done;
}

/* Row by row where rows are independent, so that each is known by itself. */
static enum srv_result run_observed(struct run *x, struct srv_request *r)
{
    struct rf_error err = RF_ERROR_INIT;
    struct srv_witness witness;
    enum srv_result result;
    if (srv_witness_begin(&witness, r, x->session, &err)) {
        result = srv_job_fail(r, &err);
    } else {
        x->witness = &witness;
        x->step = 1;
        result = x->model->max_batch > 0 && r->job.inputs.rows > 1 ? run_in_slices(x, r)
                                                                   : run_alone(x, r);
        x->step = x->model->max_batch;
        x->witness = NULL;
    }
    srv_witness_end(&witness);
    return result;
}

static void run_each(struct run *x, struct srv_waiting *jobs)
{
    for (struct srv_waiting *w = jobs; w; w = w->next) {
        struct srv_request *r = srv_waiting_request(w);
        r->job.result = srv_witness_is_wanted(r)        ? run_observed(x, r)
                        : w->rows > x->model->max_batch ? run_in_slices(x, r)
                                                        : run_alone(x, r);
    }
}

/* ---- all of it ---- */

/* Ends those that are over, takes the others out of the queue, and gives their list. */
static struct srv_waiting *begin_jobs(struct srv_waiting *jobs)
{
    const uint64_t now = srv_now();
    struct srv_waiting *first = NULL, **last = &first;
    for (struct srv_waiting *w = jobs, *next; w; w = next) {
        struct srv_request *r = srv_waiting_request(w);
        next = w->next;
        w->next = NULL;
        if (srv_job_is_over(w, now)) {
            srv_job_end_over(r, now);
            continue;
        }
        srv_job_leave_queue(r, now);
        *last = w;
        last = &w->next;
    }
    return first;
}

/* Jobs are ended when the session is back: the last one's end may be the model's. */
static void end_jobs(struct srv_waiting *jobs)
{
    for (struct srv_waiting *w = jobs, *next; w; w = next) {
        struct srv_request *r = srv_waiting_request(w);
        next = w->next;
        srv_job_end(r, r->job.result);
    }
}

void srv_batch_run(struct srv_gather *gather, struct srv_waiting *jobs)
{
    struct run x;
    struct srv_waiting *const first = begin_jobs(jobs);
    if (!first)
        return;
    if (run_begin(&x, srv_waiting_request(first)->job.model)) {
        if (!first->next || !run_together(&x, gather, first))
            run_each(&x, first);
    } else {
        for (struct srv_waiting *w = first; w; w = w->next) {
            srv_reply_error(srv_waiting_request(w), 503, "out of memory");
            srv_waiting_request(w)->job.result = SRV_RESULT_SHED;
        }
    }
    run_end(&x);
    end_jobs(first);
}
