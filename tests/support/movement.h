/*
 * Networks of one operator that moves elements, over random shapes and element types, with inputs
 * that are row-major, channels last, folded at load, and known once a plan.
 */
#ifndef RF_TESTS_MOVEMENT_H
#define RF_TESTS_MOVEMENT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/model.h"
#include "core/passes/passes.h"
#include "tests/support/net.h"

#define ROUNDS 60
#define MAX_OUTPUTS 4

static uint64_t seed;

static inline int64_t draw(int64_t lo, int64_t hi)
{
    return test_random_int(&seed, lo, hi);
}

/* ---- a node and what it should do ---- */

struct ints {
    const char *name; /* of an attribute; NULL: an input */
    size_t n;
    int64_t v[2 * RF_MAX_RANK];
};

struct spec {
    const char *op;
    int opset;
    struct rf_shape shape; /* of the data */
    enum rf_dtype dtype;
    struct ints ints[4]; /* inputs after the data, and attributes; n is 0 where absent */
    const char *flag;    /* an INT attribute, or NULL */
    int64_t flag_value;
    const char *mode;
    int n_out;
    struct rf_shape out[MAX_OUTPUTS];
    /* The data's index for an output's, or false: 0 is there. */
    bool (*source)(const struct spec *s, int k, const int64_t *at, int64_t *from);
};

enum way { ROW_MAJOR, CHANNELS_LAST, FOLDED, KNOWN, N_WAYS };

static inline uint64_t element(enum rf_dtype dtype, int64_t i)
{
    const float real = (float)(i + 1);
    uint64_t bits = 0;

    if (dtype == RF_F32)
        memcpy(&bits, &real, sizeof(real));
    else
        bits = (uint64_t)(i % 100 + 1);
    return bits;
}

static inline void fill(enum rf_dtype dtype, void *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint64_t bits = element(dtype, i);

        memcpy((char *)to + (size_t)i * rf_dtype_size(dtype), &bits, rf_dtype_size(dtype));
    }
}

static inline rf_value_id constant_ints(struct rf_graph *g, const struct ints *ints)
{
    const enum rf_dtype dtype = draw(0, 1) ? RF_I32 : RF_I64;
    rf_value_id id;
    void *data;

    ck_assert_int_eq(
        rf_graph_constant(g, "ints", dtype, &SHAPE((int64_t)ints->n), &id, &data, NULL), 0);
    for (size_t i = 0; i < ints->n; i++) {
        if (dtype == RF_I32)
            ((int32_t *)data)[i] = (int32_t)ints->v[i];
        else
            ((int64_t *)data)[i] = ints->v[i];
    }
    return id;
}

static inline rf_value_id data_of(struct rf_graph *g, const struct spec *s, enum way way)
{
    struct rf_node *node;
    rf_value_id x;
    void *data;

    if (way >= FOLDED) {
        ck_assert_int_eq(rf_graph_constant(g, "x", s->dtype, &s->shape, &x, &data, NULL), RF_OK);
        fill(s->dtype, data, rf_numel(&s->shape));
        return x;
    }
    ck_assert_int_eq(rf_graph_input(g, "x", s->dtype, &s->shape, &x, NULL), RF_OK);
    if (way == CHANNELS_LAST) { /* a pool of one pixel hands on what it gets, channels last */
        x = test_op(g, "MaxPool", "pool", &x, 1, &node);
        test_ints(g, node, "kernel_shape", (const int64_t[]){1, 1}, (size_t)s->shape.rank - 2);
    }
    return x;
}

static inline struct rf_graph *graph_of(const struct spec *s, enum way way)
{
    rf_value_id in[5], out[MAX_OUTPUTS];
    struct rf_graph *g;
    struct rf_node *node;
    int n_in = 1;

    ck_assert_int_eq(rf_graph_new(&g, "test", s->opset, NULL), RF_OK);
    in[0] = data_of(g, s, way);
    for (int i = 0; i < 4; i++)
        if (s->ints[i].n && !s->ints[i].name)
            in[n_in++] = constant_ints(g, &s->ints[i]);
    for (int k = 0; k < s->n_out; k++) {
        char name[16];

        snprintf(name, sizeof(name), "y%d", k);
        ck_assert_int_eq(rf_graph_value(g, name, &out[k], NULL), RF_OK);
        ck_assert_int_eq(rf_graph_output(g, out[k], NULL), RF_OK);
    }
    ck_assert_int_eq(rf_graph_node(g, s->op, "y", in, n_in, out, s->n_out, &node, NULL), RF_OK);
    for (int i = 0; i < 4; i++)
        if (s->ints[i].name)
            test_ints(g, node, s->ints[i].name, s->ints[i].v, s->ints[i].n);
    if (s->flag)
        test_int(g, node, s->flag, s->flag_value);
    if (s->mode)
        ck_assert_int_eq(rf_node_set_string(g, node, "mode", s->mode, NULL), RF_OK);
    return g;
}

static inline void check_output(enum way way, const struct spec *s, int k,
                                const struct rf_tensor *t)
{
    const size_t size = rf_dtype_size(s->dtype);
    char a[RF_SHAPE_TEXT], b[RF_SHAPE_TEXT];

    ck_assert_int_eq(t->dtype, s->dtype);
    ck_assert_str_eq(rf_shape_text(&t->shape, a, sizeof(a)),
                     rf_shape_text(&s->out[k], b, sizeof(b)));
    for (int64_t i = 0; i < rf_numel(&t->shape); i++) {
        int64_t at[RF_MAX_RANK], from[RF_MAX_RANK] = {0}, rest = i, index = 0;
        uint64_t want = 0, got = 0;

        for (int d = t->shape.rank - 1; d >= 0; d--) {
            at[d] = rest % t->shape.dim[d];
            rest /= t->shape.dim[d];
        }
        if (s->source(s, k, at, from)) {
            for (int d = 0; d < s->shape.rank; d++)
                index = index * s->shape.dim[d] + from[d];
            want = element(s->dtype, index);
        }
        memcpy(&got, (const char *)t->data + (size_t)i * size, size);
        ck_assert_msg(got == want, "way %d, %s of %s: y%d[%lld] is %llx, expected %llx", (int)way,
                      rf_dtype_name(s->dtype), rf_shape_text(&s->shape, a, sizeof(a)), k,
                      (long long)i, (unsigned long long)got, (unsigned long long)want);
    }
}

static inline void check_way(const struct spec *s, enum way way)
{
    const struct rf_model_options options = {.passes_off =
                                                 way == KNOWN ? 1u << RF_PASS_FOLD_CONSTANTS : 0};
    struct rf_model *const model = test_model(graph_of(s, way), &options);
    struct rf_error err = RF_ERROR_INIT;
    struct rf_tensor out[MAX_OUTPUTS];
    struct rf_session *session;
    void *const data = calloc((size_t)rf_numel(&s->shape) + 1, 8);
    const void *const in[] = {data};
    const size_t n_in = way < FOLDED;

    fill(s->dtype, data, rf_numel(&s->shape));
    ck_assert_int_eq(rf_session_new(&session, model, NULL, NULL), RF_OK);
    ck_assert_msg(!rf_session_prepare(session, &s->shape, NULL, n_in, &err), "%s", err.text);
    ck_assert_int_eq(rf_session_run(session, in, n_in, out, (size_t)s->n_out, true, NULL), RF_OK);
    for (int k = 0; k < s->n_out; k++)
        check_output(way, s, k, &out[k]);
    rf_session_free(session);
    rf_model_unref(model);
    free(data);
}

static inline void check(const struct spec *s)
{
    for (int way = 0; way < N_WAYS; way++)
        if (way != CHANNELS_LAST ||
            (s->dtype == RF_F32 && (s->shape.rank == 3 || s->shape.rank == 4)))
            check_way(s, (enum way)way);
}

static inline struct spec spec(const char *op, int opset, int min_rank, int max_rank)
{
    static const enum rf_dtype dtypes[] = {RF_F32, RF_F32, RF_F32, RF_I64, RF_U8, RF_I16};
    struct spec s = {.op = op, .opset = opset, .n_out = 1};

    s.dtype = dtypes[draw(0, 5)];
    s.shape.rank = (int)draw(min_rank, max_rank);
    for (int i = 0; i < s.shape.rank; i++)
        s.shape.dim[i] = draw(1, 6);
    s.out[0] = s.shape;
    return s;
}

#endif
