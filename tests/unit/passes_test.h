/* What the tests of passes share: short builders, and the promise that every pass keeps. */
#ifndef RF_TESTS_PASSES_TEST_H
#define RF_TESTS_PASSES_TEST_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/infer.h"
#include "core/passes/passes.h"
#include "tests/support/net.h"

/* ---- building ---- */

static inline rf_value_id op1(struct rf_graph *g, const char *op, rf_value_id a)
{
    return test_op(g, op, op, &a, 1, NULL);
}

static inline rf_value_id op2(struct rf_graph *g, const char *op, rf_value_id a, rf_value_id b)
{
    return test_op(g, op, op, (rf_value_id[]){a, b}, 2, NULL);
}

static inline rf_value_id number(struct rf_graph *g, float value)
{
    return test_constant(g, (struct rf_shape){0}, &value);
}

static inline rf_value_id integers(struct rf_graph *g, const int64_t *v, size_t n)
{
    const struct rf_shape shape = {.rank = 1, .dim = {(int64_t)n}};
    rf_value_id id;
    void *data;

    ck_assert_int_eq(rf_graph_constant(g, "integers", RF_I64, &shape, &id, &data, NULL), RF_OK);
    memcpy(data, v, n * sizeof(*v));
    return id;
}

static inline void output(struct rf_graph *g, rf_value_id id)
{
    ck_assert_int_eq(rf_graph_output(g, id, NULL), RF_OK);
}

/* ---- looking ---- */

/* Sorted, with shapes, as the passes want it. */
static inline void settle(struct rf_graph *g)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_shape shape;

    ck_assert_uint_eq(g->n_inputs, 1);
    ck_assert_int_eq(rf_graph_sort(g, NULL), RF_OK);
    ck_assert_msg(rf_settle_nominal(g, &shape, &err) == RF_OK, "%s", err.text);
}

static inline const struct rf_node *find_op(const struct rf_graph *g, const char *op)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (rf_node_is(g->nodes[i], op))
            return g->nodes[i];
    return NULL;
}

static inline int count_ops(const struct rf_graph *g, const char *op)
{
    int n = 0;

    for (size_t i = 0; i < g->n_nodes; i++)
        n += rf_node_is(g->nodes[i], op);
    return n;
}

/* ---- results ---- */

static inline size_t run_with(struct rf_graph *g, uint32_t passes_off, struct rf_shape shape,
                              float **out)
{
    const struct rf_model_options options = {.passes_off = passes_off,
                                             .activity = RF_ACTIVITY_CHANNEL};
    struct rf_model *const model = test_model(g, &options);
    const size_t n = (size_t)rf_numel(&shape);
    float *const x = malloc(n * sizeof(*x));
    struct rf_session *s;
    struct rf_shape shapes[16];
    uint64_t seed = 77;

    test_random_fill(&seed, x, n);
    for (size_t i = 0; i < n; i++)
        x[i] *= 4; /* activations bend at 3 */
    ck_assert_int_eq(rf_session_new(&s, model, NULL, NULL), RF_OK);
    test_run(s, &shape, x, true, out, shapes, 1);
    rf_session_free(s);
    rf_model_unref(model);
    free(x);
    return (size_t)rf_numel(&shapes[0]);
}

/* Whichever pass is left out, or all of them or none: the first output is the same. */
static inline void same_without(struct rf_graph *(*build)(int form), int form,
                                struct rf_shape shape)
{
    float *want, *got;
    const size_t n = run_with(build(form), RF_PASSES_ALL, shape, &want);

    for (int pass = 0; pass <= RF_N_PASS; pass++) {
        const uint32_t off = pass < RF_N_PASS ? 1u << pass : 0;

        ck_assert_uint_eq(run_with(build(form), off, shape, &got), n);
        ck_assert_msg(test_error(got, want, n) <= 1e-5, "form %d without pass %d differs by %g",
                      form, pass, test_error(got, want, n));
        free(got);
    }
    free(want);
}

static inline int run_suite(Suite *suite)
{
    SRunner *const runner = srunner_create(suite);

    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
