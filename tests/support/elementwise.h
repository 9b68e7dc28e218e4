/*
 * Networks of one elementwise operator of several inputs, which are dense, channels last or
 * constant, and what they should give.
 */
#ifndef RF_TESTS_ELEMENTWISE_H
#define RF_TESTS_ELEMENTWISE_H

#include <check.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/broadcast.h"
#include "core/passes/passes.h"
#include "tests/support/net.h"

#define MAX_OPERANDS 3

enum place { DENSE, PIXELS, CONSTANT };

struct operand {
    enum rf_dtype dtype;
    struct rf_shape shape;
    enum place place;
    double *v;  /* elements */
    void *data; /* the same as the engine has them */
};

static uint64_t seed = 5;

/* ---- operands ---- */

static inline void put(void *data, enum rf_dtype dtype, int64_t i, double v)
{
    if (dtype == RF_F32)
        ((float *)data)[i] = (float)v;
    else if (dtype == RF_I32)
        ((int32_t *)data)[i] = (int32_t)v;
    else if (dtype == RF_I64)
        ((int64_t *)data)[i] = (int64_t)v;
    else
        ((uint8_t *)data)[i] = (uint8_t)v;
}

static inline double get(const void *data, enum rf_dtype dtype, int64_t i)
{
    if (dtype == RF_F32)
        return (double)((const float *)data)[i];
    if (dtype == RF_I32)
        return ((const int32_t *)data)[i];
    if (dtype == RF_I64)
        return (double)((const int64_t *)data)[i];
    return ((const uint8_t *)data)[i];
}

static inline void fill(struct operand *o, enum rf_dtype dtype, struct rf_shape shape,
                        const double *values)
{
    const int64_t n = rf_numel(&shape);

    *o = (struct operand){.dtype = dtype, .shape = shape};
    o->v = calloc((size_t)n + 1, sizeof(*o->v));
    o->data = calloc((size_t)n + 1, 8);
    for (int64_t i = 0; i < n; i++) {
        const double any = dtype == RF_F32    ? (double)test_random_float(&seed)
                           : dtype == RF_BOOL ? (double)test_random_int(&seed, 0, 1)
                                              : (double)test_random_int(&seed, -4, 4);
        put(o->data, dtype, i, values ? values[i] : any);
        o->v[i] = get(o->data, dtype, i);
    }
}

static inline void release(struct operand *o, int n)
{
    for (int i = 0; i < n; i++) {
        free(o[i].v);
        free(o[i].data);
    }
}

/* The element of a shape that broadcasts to `out` where out's i-th is. */
static inline int64_t place_of(const struct rf_shape *shape, const struct rf_shape *out, int64_t i)
{
    int64_t at = 0, step = 1;

    for (int k = out->rank - 1, s = shape->rank - 1; k >= 0; k--, s--) {
        const int64_t index = i % out->dim[k];

        i /= out->dim[k];
        if (s >= 0 && shape->dim[s] > 1)
            at += index * step;
        step *= s >= 0 ? shape->dim[s] : 1;
    }
    return at;
}

/* ---- networks of one node ---- */

struct net {
    const char *op;
    int opset, n_out;
    uint32_t passes_off;
    const char *int_name, *string_name; /* attributes */
    int64_t int_value;
    const char *string_value;
};

static inline rf_value_id add_operand(struct rf_graph *g, const struct operand *o, int i)
{
    struct rf_error err = RF_ERROR_INIT;
    char name[16];
    rf_value_id id;
    struct rf_node *node;
    void *data;

    snprintf(name, sizeof(name), "in%d", i);
    if (o->place == CONSTANT) {
        ck_assert_int_eq(rf_graph_constant(g, name, o->dtype, &o->shape, &id, &data, &err), RF_OK);
        memcpy(data, o->data, (size_t)rf_numel(&o->shape) * rf_dtype_size(o->dtype));
        return id;
    }
    ck_assert_int_eq(rf_graph_input(g, name, o->dtype, &o->shape, &id, &err), RF_OK);
    if (o->place == PIXELS && o->dtype == RF_F32 && o->shape.rank == 4) {
        const int64_t one[] = {1, 1};

        id = test_op(g, "MaxPool", name, &id, 1, &node);
        test_ints(g, node, "kernel_shape", one, 2);
    }
    return id;
}

static inline struct rf_graph *build(const struct net *net, const struct operand *o, int n)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_graph *g;
    rf_value_id in[MAX_OPERANDS], out[2];
    struct rf_node *node;

    ck_assert_int_eq(rf_graph_new(&g, "test", net->opset ? net->opset : 22, &err), RF_OK);
    for (int i = 0; i < n; i++)
        in[i] = add_operand(g, &o[i], i);
    for (int i = 0; i < 1 + (net->n_out > 1); i++)
        ck_assert_int_eq(rf_graph_value(g, i ? "mask" : "y", &out[i], &err), RF_OK);
    ck_assert_msg(
        rf_graph_node(g, net->op, "node", in, n, out, 1 + (net->n_out > 1), &node, &err) == RF_OK,
        "%s", err.text);
    if (net->int_name)
        test_int(g, node, net->int_name, net->int_value);
    if (net->string_name)
        ck_assert_int_eq(rf_node_set_string(g, node, net->string_name, net->string_value, &err),
                         RF_OK);
    for (int i = 0; i < 1 + (net->n_out > 1); i++)
        ck_assert_int_eq(rf_graph_output(g, out[i], &err), RF_OK);
    return g;
}

/* What it gives; the data are the caller's. NULL: it failed, with `text`. */
static inline void *run(const struct net *net, const struct operand *o, int n, struct rf_tensor *y,
                        char *text)
{
    const struct rf_model_options options = {.passes_off = net->passes_off};
    struct rf_error err = RF_ERROR_INIT;
    struct rf_model *model;
    struct rf_session *session = NULL;
    struct rf_tensor out[2];
    struct rf_shape shapes[MAX_OPERANDS];
    const void *in[MAX_OPERANDS];
    size_t n_in = 0;
    void *data = NULL;

    for (int i = 0; i < n; i++) {
        if (o[i].place == CONSTANT)
            continue;
        shapes[n_in] = o[i].shape;
        in[n_in++] = o[i].data;
    }
    enum rf_status rc = rf_model_new(&model, build(net, o, n), &options, &err);
    if (!rc)
        rc = rf_session_new(&session, model, NULL, &err);
    if (!rc)
        rc = rf_session_prepare(session, shapes, in, n_in, &err);
    if (!rc)
        rc = rf_session_run(session, in, n_in, out, net->n_out > 1 ? 2 : 1, false, &err);
    if (!rc) {
        const size_t bytes =
            (size_t)rf_numel(&out[net->n_out > 1].shape) * rf_dtype_size(out[net->n_out > 1].dtype);
        *y = out[net->n_out > 1];
        data = malloc(bytes + 1);
        memcpy(data, y->data, bytes);
    }
    if (text)
        snprintf(text, RF_ERROR_TEXT, "%s", err.text);
    else
        ck_assert_msg(rc == RF_OK, "%s: %s", net->op, err.text);
    rf_session_free(session);
    rf_model_unref(model);
    return data;
}

/* Row-major, channels-last and constant operands in every mix, all passes and none. */
static inline void expect(struct net net, struct operand *o, int n, enum rf_dtype dtype,
                          const struct rf_shape *shape, const double *want)
{
    for (int mix = 0; mix < 54; mix++) {
        struct rf_tensor y;

        for (int i = 0, m = mix; i < n; i++, m /= 3)
            o[i].place = (enum place)(m % 3);
        net.passes_off = mix >= 27 ? RF_PASSES_ALL : 0;
        void *const data = run(&net, o, n, &y, NULL);
        ck_assert_int_eq(y.dtype, dtype);
        ck_assert_msg(rf_shape_equal(&y.shape, shape), "%s: another shape", net.op);
        for (int64_t i = 0; i < rf_numel(shape); i++) {
            const double got = get(data, dtype, i);

            ck_assert_msg(got == want[i] || (isnan(got) && isnan(want[i])) ||
                              fabs(got - want[i]) < 4e-7 * fabs(want[i]),
                          "%s, mix %d: element %lld is %g, expected %g", net.op, mix, (long long)i,
                          got, want[i]);
        }
        free(data);
    }
}

#endif
