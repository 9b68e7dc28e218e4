/* Rows of a model: tried, and measured. */
#include "server/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/init.h"
#include "server/clock.h"

#define SEED 1
/* Between sums in another order; where panels compute, the bits are the same. */
#define TOLERANCE 1e-5
#define TIMED_RUNS 5
/* How long such a run takes matters no more: one is enough. */
#define LONG_RUN SRV_MS
/* To read or write an element as JSON. */
#define JSON_NS 30

/* ---- are they independent? ---- */

static bool is_open(const struct rf_io *io)
{
    return io->shape.rank > 0 && io->shape.dim[0] < 0 && !io->is_key;
}

bool srv_rows_are_open(const struct rf_model *model)
{
    bool open = rf_model_n_inputs(model) > 0;
    for (size_t i = 0; i < rf_model_n_inputs(model); i++)
        open &= is_open(rf_model_input(model, i));
    for (size_t i = 0; i < rf_model_n_outputs(model); i++)
        open &= is_open(rf_model_output(model, i));
    return open;
}

static bool set_shapes(const struct rf_model *model, int64_t rows, struct rf_shape *shapes)
{
    bool has = true;
    for (size_t i = 0; i < rf_model_n_inputs(model); i++) {
        shapes[i] = rf_model_input(model, i)->nominal;
        if (shapes[i].rank > 0)
            shapes[i].dim[0] = rows;
        else
            has = false;
    }
    return has;
}

/* What the trial works on: the inputs of two rows, and the outputs of these run together. */
struct trial {
    struct rf_model *model;
    struct rf_session *session;
    size_t n_in, n_out;
    struct rf_shape *shapes;
    void **two, **at; /* inputs: of both, and where the run reads */
    struct rf_tensor *out;
    void **together; /* copies of the outputs */
};

static void *make_input(const struct rf_io *io, const struct rf_shape *shape, uint64_t stream)
{
    const size_t n = (size_t)rf_numel(shape), size = rf_dtype_size(io->dtype);
    char *data = calloc(n + 1, size);
    for (size_t i = 0; data && i < n; i++) {
        if (io->dtype == RF_F32)
            ((float *)(void *)data)[i] = (float)rf_init_normal(SEED, stream, i);
        else /* 0 or 1, which is in every range and an index of most */
            data[i * size] = rf_init_uniform(SEED, stream, i) < 0.5 ? 0 : 1;
    }
    return data;
}

static bool run_rows(struct trial *t, int64_t first, int64_t rows)
{
    struct rf_error err = RF_ERROR_INIT;
    set_shapes(t->model, rows, t->shapes);
    for (size_t i = 0; i < t->n_in; i++) {
        const size_t row =
            rf_shape_bytes(&t->shapes[i], rf_model_input(t->model, i)->dtype) / (size_t)rows;
        t->at[i] = (char *)t->two[i] + (size_t)first * row;
    }
    return !rf_session_prepare(t->session, t->shapes, NULL, t->n_in, &err) &&
           !rf_session_run(t->session, (const void *const *)t->at, t->n_in, t->out, t->n_out, false,
                           &err);
}

static bool is_close(const struct rf_tensor *t, const void *other, size_t bytes)
{
    const float *const a = t->data, *const b = other;
    double scale = 0;
    if (memcmp(t->data, other, bytes) == 0)
        return true;
    if (t->dtype != RF_F32)
        return false;
    const size_t n = bytes / sizeof *a;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)a[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= TOLERANCE * scale) &&
            !(isnan(a[i]) && isnan(b[i])) && a[i] != b[i])
            return false;
    return true;
}

/* Whether the latest run's outputs have `rows` rows. */
static bool gave_rows(const struct trial *t, int64_t rows)
{
    for (size_t i = 0; i < t->n_out; i++)
        if (t->out[i].shape.rank < 1 || t->out[i].shape.dim[0] != rows)
            return false;
    return true;
}

static bool copy_outputs(struct trial *t)
{
    for (size_t i = 0; i < t->n_out; i++) {
        const size_t bytes = rf_shape_bytes(&t->out[i].shape, t->out[i].dtype);
        t->together[i] = malloc(bytes + 1);
        if (!t->together[i])
            return false;
        memcpy(t->together[i], t->out[i].data, bytes);
    }
    return true;
}

static bool is_same_alone(struct trial *t, size_t row)
{
    bool same = run_rows(t, (int64_t)row, 1) && gave_rows(t, 1);
    for (size_t i = 0; i < t->n_out && same; i++) {
        const size_t bytes = rf_shape_bytes(&t->out[i].shape, t->out[i].dtype);
        same = is_close(&t->out[i], (char *)t->together[i] + row * bytes, bytes);
    }
    return same;
}

static bool make_inputs(struct trial *t)
{
    if (!t->shapes || !t->two || !t->at || !t->out || !t->together ||
        !set_shapes(t->model, 2, t->shapes))
        return false;
    for (size_t i = 0; i < t->n_in; i++) {
        t->two[i] = make_input(rf_model_input(t->model, i), &t->shapes[i], i);
        if (!t->two[i])
            return false;
    }
    return true;
}

static void release(struct trial *t)
{
    for (size_t i = 0; t->two && i < t->n_in; i++)
        free(t->two[i]);
    for (size_t i = 0; t->together && i < t->n_out; i++)
        free(t->together[i]);
    free(t->shapes);
    free(t->two);
    free(t->at);
    free(t->out);
    free(t->together);
}

/* Of row 0, whose outputs are there; the fastest run of a few. */
static void measure(struct trial *t, struct srv_rows *rows)
{
    uint64_t outputs = 0;
    rows->ns = UINT64_MAX;
    for (int i = 0; i < TIMED_RUNS && (i == 0 || rows->ns < LONG_RUN); i++) {
        const uint64_t start = srv_now();
        if (!run_rows(t, 0, 1))
            return;
        const uint64_t ns = srv_now() - start;
        rows->ns = ns < rows->ns ? ns : rows->ns;
    }
    for (size_t i = 0; i < t->n_in; i++)
        rows->elements += (uint64_t)rf_numel(&t->shapes[i]);
    for (size_t i = 0; i < t->n_out; i++)
        outputs += (uint64_t)rf_numel(&t->out[i].shape);
    rows->ns += JSON_NS * (rows->elements + outputs);
}

struct srv_rows srv_rows_try(struct rf_model *model, struct rf_session *session)
{
    const size_t n_in = rf_model_n_inputs(model), n_out = rf_model_n_outputs(model);
    struct srv_rows rows = {false, 0, 0};
    if (!srv_rows_are_open(model))
        return rows;
    struct trial t = {.model = model,
                      .session = session,
                      .n_in = n_in,
                      .n_out = n_out,
                      .shapes = calloc(n_in + 1, sizeof *t.shapes),
                      .two = calloc(n_in + 1, sizeof *t.two),
                      .at = calloc(n_in + 1, sizeof *t.at),
                      .out = calloc(n_out + 1, sizeof *t.out),
                      .together = calloc(n_out + 1, sizeof *t.together)};
    rows.independent = make_inputs(&t) && run_rows(&t, 0, 2) && gave_rows(&t, 2) &&
                       copy_outputs(&t) && is_same_alone(&t, 1) && is_same_alone(&t, 0);
    if (rows.independent)
        measure(&t, &rows);
    release(&t);
    return rows;
}

/* ---- how many fit? ---- */

size_t srv_rows_bytes(struct rf_model *model, int64_t rows)
{
    const size_t n = rf_model_n_inputs(model);
    size_t bytes = SIZE_MAX;
    struct rf_error err = RF_ERROR_INIT;
    struct rf_shape *shapes = calloc(n + 1, sizeof *shapes);
    if (shapes && set_shapes(model, rows, shapes) &&
        rf_model_inspect(model, shapes, n, NULL, NULL, &bytes, &err) == RF_OK)
        for (size_t i = 0; i < n; i++)
            if (__builtin_add_overflow(
                    bytes, rf_shape_bytes(&shapes[i], rf_model_input(model, i)->dtype), &bytes))
                bytes = SIZE_MAX;
    free(shapes);
    return bytes;
}

int64_t srv_rows_that_fit(struct rf_model *model, int64_t limit, size_t bytes)
{
    int64_t fit = 1, over = limit + 1; /* 1 is taken to fit */
    if (srv_rows_bytes(model, limit) <= bytes)
        return limit;
    while (over - fit > 1) {
        const int64_t middle = fit + (over - fit) / 2;
        *(srv_rows_bytes(model, middle) <= bytes ? &fit : &over) = middle;
    }
    return fit;
}
