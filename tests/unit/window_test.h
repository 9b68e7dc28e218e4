/* Networks of one operator whose operands are constants or inputs; for tests of windows. */
#ifndef TEST_UNIT_WINDOW_TEST_H
#define TEST_UNIT_WINDOW_TEST_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/op.h"
#include "tests/support/net.h"

#define MAX_OPERANDS 4
#define MAX_SPATIAL 3

struct operands {
    struct rf_graph *g;
    struct rf_pool *pool; /* that runs it, or NULL */
    rf_value_id id[MAX_OPERANDS];
    int n;       /* operands */
    size_t n_in; /* of them inputs */
    struct rf_shape shapes[MAX_OPERANDS];
    void *data[MAX_OPERANDS]; /* of inputs */
};

/* A graph of an opset. */
static inline struct operands operands_of(int opset)
{
    struct operands o = {0};

    ck_assert_int_eq(rf_graph_new(&o.g, "test", opset, NULL), RF_OK);
    return o;
}

/* The next operand; `values` NULL: it is absent. */
static inline void add_operand(struct operands *o, enum rf_dtype dtype, struct rf_shape shape,
                               const void *values, bool constant)
{
    const size_t bytes = (size_t)rf_numel(&shape) * rf_dtype_size(dtype);
    char name[16];
    void *data;

    snprintf(name, sizeof(name), "in%d", o->n);
    if (!values) {
        o->id[o->n++] = RF_NO_VALUE;
        return;
    }
    if (constant) {
        ck_assert_int_eq(rf_graph_constant(o->g, name, dtype, &shape, &o->id[o->n++], &data, NULL),
                         RF_OK);
        memcpy(data, values, bytes);
        return;
    }
    ck_assert_int_eq(rf_graph_input(o->g, name, dtype, &shape, &o->id[o->n++], NULL), RF_OK);
    o->shapes[o->n_in] = shape;
    o->data[o->n_in] = malloc(bytes + 1);
    memcpy(o->data[o->n_in++], values, bytes);
}

static inline float *random_floats(uint64_t *seed, const struct rf_shape *shape)
{
    const size_t n = (size_t)rf_numel(shape);
    float *const v = malloc(n * sizeof(*v) + 1);

    test_random_fill(seed, v, n);
    return v;
}

/* A node that reads all operands. */
static inline struct rf_node *add_node(struct operands *o, const char *op, int n_out)
{
    rf_value_id out[2];
    struct rf_node *node;

    for (int i = 0; i < n_out; i++)
        ck_assert_int_eq(rf_graph_value(o->g, i ? "y1" : "y0", &out[i], NULL), RF_OK);
    ck_assert_int_eq(rf_graph_node(o->g, op, op, o->id, o->n, out, n_out, &node, NULL), RF_OK);
    for (int i = 0; i < n_out; i++)
        ck_assert_int_eq(rf_graph_output(o->g, out[i], NULL), RF_OK);
    return node;
}

static inline void set_string(struct operands *o, struct rf_node *node, const char *name,
                              const char *value)
{
    ck_assert_int_eq(rf_node_set_string(o->g, node, name, value, NULL), RF_OK);
}

/* Loads, runs and frees everything; copies of the outputs, to be freed. */
static inline void run_operands(struct operands *o, uint32_t passes_off, void **out,
                                struct rf_shape *out_shape, size_t n_out)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL,
                                             .passes_off = passes_off};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_session *session;
    struct rf_tensor results[2];
    struct rf_model *const model = test_model(o->g, &options);

    ck_assert_int_eq(rf_session_new(&session, model, o->pool, &err), RF_OK);
    ck_assert_msg(rf_session_prepare(session, o->shapes, (const void *const *)o->data, o->n_in,
                                     &err) == RF_OK,
                  "%s", err.text);
    ck_assert_int_eq(
        rf_session_run(session, (const void *const *)o->data, o->n_in, results, n_out, true, &err),
        RF_OK);
    for (size_t i = 0; i < n_out; i++) {
        const size_t bytes = (size_t)rf_numel(&results[i].shape) * rf_dtype_size(results[i].dtype);

        out[i] = malloc(bytes + 1);
        memcpy(out[i], results[i].data, bytes);
        out_shape[i] = results[i].shape;
    }
    rf_session_free(session);
    rf_model_unref(model);
    for (size_t i = 0; i < o->n_in; i++)
        free(o->data[i]);
}

/* Loading, or else planning, fails with a text that holds `text`. */
static inline void refuse_operands(struct operands *o, const char *text)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_session *session;
    struct rf_model *model;
    enum rf_status rc = rf_model_new(&model, o->g, NULL, &err);

    if (!rc) {
        ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
        rc = rf_session_prepare(session, o->shapes, (const void *const *)o->data, o->n_in, &err);
        rf_session_free(session);
        rf_model_unref(model);
    }
    ck_assert_int_ne(rc, RF_OK);
    ck_assert_msg(strstr(err.text, text) != NULL, "\"%s\" lacks \"%s\"", err.text, text);
    for (size_t i = 0; i < o->n_in; i++)
        free(o->data[i]);
}

/* ---- geometry ---- */

struct geometry {
    int spatial;
    int64_t kernel[MAX_SPATIAL], stride[MAX_SPATIAL], dilation[MAX_SPATIAL];
    int64_t before[MAX_SPATIAL], after[MAX_SPATIAL];
    const char *auto_pad; /* NULL: pads are given */
    bool ceil_mode;
    int64_t in[MAX_SPATIAL], out[MAX_SPATIAL];
};

/* ONNX's formulas, a dimension at a time. */
static inline void find_output(struct geometry *w)
{
    for (int d = 0; d < w->spatial; d++) {
        const int64_t span = (w->kernel[d] - 1) * w->dilation[d] + 1;
        const double stride = (double)w->stride[d];

        if (w->auto_pad && strcmp(w->auto_pad, "VALID") != 0) {
            w->out[d] = (int64_t)ceil((double)w->in[d] / stride);
            const int64_t total = (w->out[d] - 1) * w->stride[d] + span - w->in[d];

            w->before[d] = total < 0 ? 0 : total / 2;
            w->after[d] = total < 0 ? 0 : total - w->before[d];
            if (!strcmp(w->auto_pad, "SAME_LOWER")) {
                const int64_t swap = w->before[d];

                w->before[d] = w->after[d];
                w->after[d] = swap;
            }
            continue;
        }
        if (w->auto_pad)
            w->before[d] = w->after[d] = 0;
        const double steps = (double)(w->in[d] + w->before[d] + w->after[d] - span) / stride;

        w->out[d] = (int64_t)(w->ceil_mode ? ceil(steps) : floor(steps)) + 1;
        if (w->ceil_mode && (w->out[d] - 1) * w->stride[d] >= w->in[d] + w->before[d])
            w->out[d]--;
    }
}

/* A window of 1 to 3 dimensions that fits its input. */
static inline struct geometry random_geometry(uint64_t *seed)
{
    static const char *const pads[] = {NULL, NULL, NULL, "VALID", "SAME_UPPER", "SAME_LOWER"};
    struct geometry w = {.spatial = (int)test_random_int(seed, 1, 3),
                         .auto_pad = pads[test_random(seed) % 6]};

    for (int d = 0; d < w.spatial; d++) {
        w.kernel[d] = test_random_int(seed, 1, 3);
        w.stride[d] = test_random_int(seed, 1, 3);
        w.dilation[d] = test_random_int(seed, 1, 2);
        w.before[d] = test_random_int(seed, 0, 2);
        w.after[d] = test_random_int(seed, 0, 2);
        w.in[d] = test_random_int(seed, 5, w.spatial == 3 ? 8 : 13);
    }
    return w;
}

static inline void set_geometry(struct operands *o, struct rf_node *node, const struct geometry *w)
{
    const size_t n = (size_t)w->spatial;
    int64_t pads[2 * MAX_SPATIAL];

    test_ints(o->g, node, "kernel_shape", w->kernel, n);
    test_ints(o->g, node, "strides", w->stride, n);
    test_ints(o->g, node, "dilations", w->dilation, n);
    memcpy(pads, w->before, n * sizeof(*pads));
    memcpy(pads + n, w->after, n * sizeof(*pads));
    if (w->auto_pad)
        set_string(o, node, "auto_pad", w->auto_pad);
    else
        test_ints(o->g, node, "pads", pads, 2 * n);
}

/* Element i of an array of these dimensions, taken apart, and back; -1 lies outside. */
static inline void take_apart(int64_t i, const int64_t *dim, int n, int64_t *at)
{
    for (int d = n - 1; d >= 0; d--) {
        at[d] = i % dim[d];
        i /= dim[d];
    }
}

static inline int64_t put_together(const int64_t *at, const int64_t *dim, int n)
{
    int64_t i = 0;

    for (int d = 0; d < n; d++) {
        if (at[d] < 0 || at[d] >= dim[d])
            return -1;
        i = i * dim[d] + at[d];
    }
    return i;
}

static inline int64_t product(const int64_t *dim, int n)
{
    int64_t size = 1;

    for (int d = 0; d < n; d++)
        size *= dim[d];
    return size;
}

/* The input element that tap t of window o looks at, or -1. */
static inline int64_t looked_at(const struct geometry *w, int64_t o, int64_t t)
{
    int64_t at[MAX_SPATIAL], tap[MAX_SPATIAL];

    take_apart(o, w->out, w->spatial, at);
    take_apart(t, w->kernel, w->spatial, tap);
    for (int d = 0; d < w->spatial; d++)
        at[d] = at[d] * w->stride[d] - w->before[d] + tap[d] * w->dilation[d];
    return put_together(at, w->in, w->spatial);
}

/* [n, c, dims...] */
static inline struct rf_shape image_shape(int64_t n, int64_t c, const int64_t *dim, int spatial)
{
    struct rf_shape shape = {.rank = spatial + 2, .dim = {n, c}};

    memcpy(&shape.dim[2], dim, (size_t)spatial * sizeof(*dim));
    return shape;
}

#endif
