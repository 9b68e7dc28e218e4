#include "tests/support/one_op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/passes/passes.h"

static void must(bool good, const char *op, const char *text)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", op, text);
    abort();
}

static void set_attributes(struct rf_graph *g, struct rf_node *node, const struct test_one *t)
{
    for (const struct test_attr *a = t->attr; a->type; a++) {
        if (a->type == 'i')
            test_int(g, node, a->name, a->i);
        else if (a->type == 'v')
            test_ints(g, node, a->name, a->v, a->n);
        else
            must(!rf_node_set_float(g, node, a->name, a->f, NULL), t->op, "no attribute");
    }
}

/* Pixels as they are, channels-last: windows of one pixel. */
static rf_value_id through_pixels(struct rf_graph *g, rf_value_id id, int rank)
{
    const int64_t ones[] = {1, 1};
    struct rf_node *node;

    id = test_op(g, "MaxPool", "pixels", &id, 1, &node);
    test_ints(g, node, "kernel_shape", ones, (size_t)rank - 2);
    return id;
}

static rf_value_id operand(struct rf_graph *g, const struct test_operand *o, bool constant)
{
    struct rf_error err = RF_ERROR_INIT;
    rf_value_id id = RF_NO_VALUE;
    void *data;

    if (!o->data)
        return id;
    if (!constant) {
        must(!rf_graph_input(g, "x", o->dtype, &o->shape, &id, &err), "input", err.text);
        return id;
    }
    must(!rf_graph_constant(g, "w", o->dtype, &o->shape, &id, &data, &err), "constant", err.text);
    memcpy(data, o->data, (size_t)rf_numel(&o->shape) * rf_dtype_size(o->dtype));
    return id;
}

static bool is_constant(const struct test_one *t, enum test_how how, int i)
{
    return t->in[i].constant || how == TEST_CONSTANTS || (i > 0 && how != TEST_GIVEN);
}

static struct rf_graph *build(const struct test_one *t, enum test_how how)
{
    struct rf_graph *const g = test_graph();
    rf_value_id in[TEST_MAX_OPERANDS], out[3];
    struct rf_error err = RF_ERROR_INIT;
    struct rf_node *node;

    g->opset = t->opset;
    for (int i = 0; i < t->n_in; i++)
        in[i] = operand(g, &t->in[i], is_constant(t, how, i));
    if (how == TEST_NHWC)
        in[0] = through_pixels(g, in[0], t->in[0].shape.rank);
    for (int k = 0; k < t->n_out; k++)
        must(!rf_graph_value(g, "y", &out[k], &err), t->op, err.text);
    must(!rf_graph_node(g, t->op, "it", in, t->n_in, out, t->n_out, &node, &err), t->op, err.text);
    set_attributes(g, node, t);
    for (int k = 0; k < t->n_out; k++)
        must(!rf_graph_output(g, out[k], &err), t->op, err.text);
    return g;
}

static enum rf_status run(struct rf_session *session, const struct test_one *t, enum test_how how,
                          struct rf_tensor *out, struct rf_error *err)
{
    struct rf_shape shapes[TEST_MAX_OPERANDS];
    const void *data[TEST_MAX_OPERANDS];
    size_t n = 0;

    for (int i = 0; i < t->n_in; i++) {
        if (!t->in[i].data || is_constant(t, how, i))
            continue;
        shapes[n] = t->in[i].shape;
        data[n++] = t->in[i].data;
    }
    enum rf_status rc = rf_session_prepare(session, shapes, data, n, err);

    if (!rc)
        rc = rf_session_run(session, data, n, out, (size_t)t->n_out, true, err);
    for (int k = 0; k < t->n_out && !rc; k++) {
        const size_t bytes = (size_t)rf_numel(&out[k].shape) * rf_dtype_size(out[k].dtype);
        void *const copy = malloc(bytes + 1);

        must(copy != NULL, t->op, "out of memory");
        if (bytes)
            memcpy(copy, out[k].data, bytes);
        out[k].data = copy;
    }
    return rc;
}

enum rf_status test_one(const struct test_one *t, enum test_how how, struct rf_tensor *out,
                        struct rf_error *err)
{
    const struct rf_model_options options = {
        .activity = RF_ACTIVITY_CHANNEL, .passes_off = how == TEST_UNPASSED ? RF_PASSES_ALL : 0};
    struct rf_session *session;
    struct rf_model *model;
    enum rf_status rc = rf_model_new(&model, build(t, how), &options, err);

    if (rc)
        return rc;
    rc = rf_session_new(&session, model, NULL, err);
    if (!rc)
        rc = run(session, t, how, out, err);
    rf_session_free(session);
    rf_model_unref(model);
    return rc;
}

void test_one_runs(const struct test_one *t, enum test_how how, struct rf_tensor *out)
{
    struct rf_error err = RF_ERROR_INIT;

    must(!test_one(t, how, out, &err), t->op, err.text);
}

void test_one_fails(const struct test_one *t, enum test_how how, enum rf_status status,
                    const char *text)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_tensor out[3];
    const enum rf_status rc = test_one(t, how, out, &err);

    must(rc == status, t->op, rc ? err.text : "is not refused");
    must(strstr(err.text, text) != NULL, err.text, text);
}
