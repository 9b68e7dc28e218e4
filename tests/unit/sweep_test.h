/*
 * Sweeps: random operators, each computed in every way that the engine knows (instruction set,
 * backend, algorithm; one process each), alone and by two threads, together and row by row. What is
 * expected comes from plain loops in double precision.
 *
 * A case is made from its own seed. RECTIFIER_SWEEP_COUNT is how many there are,
 * RECTIFIER_SWEEP_SEED that of the first: COUNT=1 and the seed of a failure repeat it alone.
 */
#ifndef TEST_UNIT_SWEEP_TEST_H
#define TEST_UNIT_SWEEP_TEST_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "tests/support/net.h"
#include "tests/unit/recount_test.h"

/* ---- ways to compute ---- */

/* On the baseline OpenBLAS does all products, and pools know instruction sets alone. */
static const struct sweep_way {
    enum rf_isa isa;
    const char *gemm, *conv;
} sweep_ways[] = {
    {RF_ISA_BASE, "auto", "auto"},       {RF_ISA_AVX2, "auto", "auto"},
    {RF_ISA_AVX512, "auto", "auto"},     {RF_ISA_AVX2, "openblas", "auto"},
    {RF_ISA_AVX512, "openblas", "auto"}, {RF_ISA_AVX2, "auto", "accurate"},
    {RF_ISA_AVX512, "auto", "accurate"}, {RF_ISA_AVX2, "auto", "direct"},
    {RF_ISA_AVX512, "auto", "direct"},
};
enum { SWEEP_ISAS = 3, SWEEP_BACKENDS = 5, SWEEP_WAYS = 9 }; /* the first ones */

static struct rf_pool *sweep_pool;

/* False: the processor lacks it. */
static inline bool sweep_use(int way)
{
    setenv("RECTIFIER_GEMM", sweep_ways[way].gemm, 1);
    setenv("RECTIFIER_CONV", sweep_ways[way].conv, 1);
    if (!test_use_isa((int)sweep_ways[way].isa))
        return false;
    ck_assert_int_eq(rf_pool_new(&sweep_pool, 2, true, NULL), RF_OK);
    return true;
}

static inline uint64_t sweep_setting(const char *name, uint64_t otherwise)
{
    const char *const text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* Sanitizers take as many times longer as tests/run.py says. */
static inline size_t sweep_count(size_t count)
{
    const size_t slowness = (size_t)sweep_setting("RECTIFIER_TEST_SLOWNESS", 1);

    return (size_t)sweep_setting("RECTIFIER_SWEEP_COUNT", count / (slowness ? slowness : 1));
}

static inline uint64_t sweep_seed(void)
{
    return sweep_setting("RECTIFIER_SWEEP_SEED", 1);
}

/* ---- activations ---- */

enum sweep_act { SWEEP_NONE, SWEEP_RELU, SWEEP_CLIP, SWEEP_LEAKY, SWEEP_GELU, SWEEP_ACTS };

static const char *const sweep_act_names[] = {"None", "Relu", "Clip", "LeakyRelu", "Gelu"};
static const float sweep_top = 0.4f; /* of Clip */

static inline rf_value_id sweep_act(struct rf_graph *g, enum sweep_act act, rf_value_id x)
{
    const float low = 0;

    if (act == SWEEP_NONE)
        return x;
    if (act != SWEEP_CLIP)
        return test_op(g, sweep_act_names[act], "act", &x, 1, NULL);
    const rf_value_id in[] = {x, test_constant(g, (struct rf_shape){0}, &low),
                              test_constant(g, (struct rf_shape){0}, &sweep_top)};

    return test_op(g, "Clip", "act", in, 3, NULL);
}

static inline double sweep_expected(enum sweep_act act, double x)
{
    switch (act) {
    case SWEEP_RELU:
        return fmax(x, 0);
    case SWEEP_CLIP:
        return fmin(fmax(x, 0), (double)sweep_top);
    case SWEEP_LEAKY:
        return x > 0 ? x : x * (double)0.01f;
    case SWEEP_GELU:
        return 0.5 * x * erfc(-x * M_SQRT1_2);
    default:
        return x;
    }
}

/* ---- cases ---- */

struct sweep_case {
    uint64_t seed;
    char text[240]; /* the case in one line */
    struct rf_graph *graph;
    struct rf_shape in, out;
    float *x;         /* rows of what the operator reads, and of the residual behind it */
    size_t row;       /* floats between them */
    size_t residual;  /* where it begins in a row; 0: none */
    bool is_batch;    /* dimension 0 is, of constant weights: rows may come alone, to the bit */
    int channel_axis; /* of the output */
    enum sweep_act act;
    size_t layers_before; /* activations in front of the operator */
    double tolerance;     /* of the output's scale */
    float *want;          /* sweep_expect; NULL where only the case was asked for */
};

/* A case from its seed, with or without what is expected. */
typedef struct sweep_case sweep_make(uint64_t seed, bool expect);

#define SWEEP_FAIL(c, ...)                                                                         \
    do {                                                                                           \
        char text_[200];                                                                           \
        snprintf(text_, sizeof(text_), __VA_ARGS__);                                               \
        ck_abort_msg("RECTIFIER_SWEEP_SEED=%llu: %s: %s", (unsigned long long)(c)->seed,           \
                     (c)->text, text_);                                                            \
    } while (0)

/* Elements of one row. */
static inline size_t sweep_row(const struct rf_shape *shape)
{
    return (size_t)(rf_numel(shape) / shape->dim[0]);
}

static inline rf_value_id sweep_reshape(struct rf_graph *g, rf_value_id x, struct rf_shape shape)
{
    const struct rf_shape rank = SHAPE(shape.rank);
    rf_value_id sizes;
    void *data;

    shape.dim[0] = 0; /* as it is */
    ck_assert_int_eq(rf_graph_constant(g, "sizes", RF_I64, &rank, &sizes, &data, NULL), RF_OK);
    memcpy(data, shape.dim, (size_t)shape.rank * sizeof(*shape.dim));
    return test_op(g, "Reshape", "reshape", (rf_value_id[]){x, sizes}, 2, NULL);
}

/* Splits rows into the operator's and the residual's: as parts of one input both have its batch. */
static inline void sweep_split(struct sweep_case *c, struct rf_shape shape, rf_value_id x,
                               rf_value_id part[2])
{
    const int64_t sizes[] = {(int64_t)c->residual, (int64_t)(c->row - c->residual)};
    const struct rf_shape two = SHAPE(2);
    rf_value_id in[] = {x, RF_NO_VALUE};
    struct rf_node *node;
    void *data;

    ck_assert_int_eq(rf_graph_constant(c->graph, "sizes", RF_I64, &two, &in[1], &data, NULL),
                     RF_OK);
    memcpy(data, sizes, sizeof(sizes));
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(rf_graph_value(c->graph, i ? "second" : "first", &part[i], NULL), RF_OK);
    ck_assert_int_eq(rf_graph_node(c->graph, "Split", "split", in, 2, part, 2, &node, NULL), RF_OK);
    test_int(c->graph, node, "axis", 1);
    part[0] = sweep_reshape(c->graph, part[0], shape);
    part[1] = sweep_reshape(c->graph, part[1], c->out);
}

/* The operator's input of this shape, and as chance will have it a residual (else RF_NO_VALUE). */
static inline rf_value_id sweep_input(struct sweep_case *c, uint64_t *seed, struct rf_shape shape,
                                      rf_value_id *residual)
{
    const bool adds = c->is_batch && test_random(seed) % 3 == 0;
    struct rf_shape declared;
    rf_value_id part[2];

    c->row = sweep_row(&shape) + (adds ? sweep_row(&c->out) : 0);
    c->residual = adds ? sweep_row(&shape) : 0;
    c->in = adds ? SHAPE(shape.dim[0], (int64_t)c->row) : shape;
    c->x = malloc((size_t)rf_numel(&c->in) * sizeof(float));
    test_random_fill(seed, c->x, (size_t)rf_numel(&c->in));
    declared = c->in;
    if (c->is_batch)
        declared.dim[0] = -1;
    const rf_value_id x = test_input(c->graph, declared);

    *residual = RF_NO_VALUE;
    if (!adds)
        return x;
    sweep_split(c, shape, x, part);
    *residual = part[1];
    return part[0];
}

/* Behind the operator: the residual, if there is one, and any activation. */
static inline void sweep_tail(struct sweep_case *c, uint64_t *seed, rf_value_id y,
                              rf_value_id residual)
{
    const rf_value_id terms[] = {y, residual, y};
    const size_t n = strlen(c->text);

    c->act = (enum sweep_act)test_random_int(seed, 0, SWEEP_ACTS - 1);
    if (residual != RF_NO_VALUE)
        y = test_op(c->graph, "Add", "add", terms + (test_random(seed) & 1), 2, NULL);
    y = sweep_act(c->graph, c->act, y);
    ck_assert_int_eq(rf_graph_output(c->graph, y, NULL), RF_OK);
    snprintf(c->text + n, sizeof(c->text) - n, "%s, %s", c->residual ? " + residual" : "",
             sweep_act_names[c->act]);
}

/* What the tail makes of the operator's results. */
static inline float *sweep_expect(const struct sweep_case *c, const double *results)
{
    const size_t n = (size_t)rf_numel(&c->out), each = sweep_row(&c->out);
    float *const want = malloc(n * sizeof(*want));

    for (size_t i = 0; i < n; i++) {
        const float *const row = c->x + i / each * c->row;

        want[i] = (float)sweep_expected(
            c->act, results[i] + (c->residual ? (double)row[c->residual + i % each] : 0));
    }
    return want;
}

/* ---- running ---- */

/* Names of the algorithms that were seen, each once. */
struct sweep_seen {
    char text[1000];
};

static inline void sweep_note(void *arg, const struct rf_step_info *info)
{
    struct sweep_seen *const seen = arg;
    const size_t n = strlen(seen->text);
    char name[80];

    snprintf(name, sizeof(name), "[%s]", info->algorithm);
    if (!strstr(seen->text, name))
        snprintf(seen->text + n, sizeof(seen->text) - n, "%s", name);
}

static inline bool sweep_saw(const struct sweep_seen *seen, const char *algorithm)
{
    return strstr(seen->text, algorithm) != NULL;
}

struct sweep_run {
    const struct sweep_case *c;
    struct rf_model *model;
    struct rf_channel_activity *channels; /* recounted */
    size_t n_channels;
};

/* Which algorithms compute this many rows. */
static inline void sweep_inspect(const struct sweep_run *r, int64_t rows, struct sweep_seen *seen)
{
    struct rf_shape in = r->c->in;
    size_t bytes;

    in.dim[0] = rows;
    ck_assert_int_eq(rf_model_inspect(r->model, &in, 1, sweep_note, seen, &bytes, NULL), RF_OK);
}

/* Rows [first, first + n) in one run; the outputs are counted once more. */
static inline float *sweep_rows(const struct sweep_run *r, struct rf_pool *pool, int64_t first,
                                int64_t n)
{
    const struct sweep_case *const c = r->c;
    struct rf_shape in = c->in, out;
    struct rf_session *session;
    float *y;

    in.dim[0] = n;
    ck_assert_int_eq(rf_session_new(&session, r->model, pool, NULL), RF_OK);
    test_run(session, &in, c->x + (size_t)first * c->row, true, &y, &out, 1);
    rf_session_free(session);
    if (out.dim[0] * rf_numel(&c->out) != rf_numel(&out) * c->out.dim[0])
        SWEEP_FAIL(c, "the output has another shape");
    for (size_t k = 0; k < r->n_channels; k++)
        recount(y, y, &out, c->channel_axis, (int64_t)k, sweep_top, &r->channels[k]);
    return y;
}

static inline void sweep_compare(const struct sweep_case *c, const char *how, const float *got,
                                 const float *want, int64_t n, double tolerance)
{
    const double error = test_error(got, want, (size_t)n);

    if (!(error <= tolerance))
        SWEEP_FAIL(c, "%s: %.3g of the output's scale off", how, error);
}

static inline void sweep_same(const struct sweep_case *c, const char *how, const float *a,
                              const float *b, int64_t n)
{
    if (memcmp(a, b, (size_t)n * sizeof(*a)) != 0)
        SWEEP_FAIL(c, "%s: the bits differ", how);
}

/* The same alone, by threads, and a few rows by themselves: to the bit where that is promised. */
static inline void sweep_outputs(const struct sweep_run *r, double tolerance)
{
    const struct sweep_case *const c = r->c;
    const bool to_the_bit = c->is_batch && strcmp(rf_engine_gemm(), "openblas") != 0;
    const int64_t rows = c->out.dim[0], n = rf_numel(&c->out), each = n / rows;
    float *const y = sweep_rows(r, NULL, 0, c->in.dim[0]);
    float *const shared = sweep_rows(r, sweep_pool, 0, c->in.dim[0]);

    sweep_compare(c, "one thread", y, c->want, n, tolerance);
    sweep_compare(c, "two threads", shared, c->want, n, tolerance);
    if (to_the_bit)
        sweep_same(c, "two threads", shared, y, n);
    for (int64_t row = 0; c->is_batch && rows > 1 && row < rows; row += rows / 4 + 1) {
        float *const alone = sweep_rows(r, NULL, row, 1);

        sweep_compare(c, "alone", alone, c->want + row * each, each, tolerance);
        if (to_the_bit)
            sweep_same(c, "alone", alone, y + row * each, each);
        free(alone);
    }
    free(shared);
    free(y);
}

static inline void sweep_counters(const struct sweep_run *r)
{
    struct rf_activity *a;

    ck_assert_int_eq(rf_activity_read(r->model, &a, NULL), RF_OK);
    if (a->n_layers != r->c->layers_before + (r->n_channels > 0))
        SWEEP_FAIL(r->c, "%zu layers of activity", a->n_layers);
    const struct rf_layer_activity *const layer = &a->layers[r->c->layers_before];

    for (size_t k = 0; k < r->n_channels; k++) {
        const char *const wrong =
            recount_differs(&layer->channels[k], &r->channels[k], layer->kind);

        if (wrong)
            SWEEP_FAIL(r->c, "channel %zu: %s is not what a recount gives", k, wrong);
    }
    rf_activity_free(a);
}

/* Takes the case's graph. */
static inline void sweep_check(const struct sweep_case *c, struct sweep_seen *seen)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL};
    struct sweep_run r = {.c = c, .model = test_model(c->graph, &options)};
    struct sweep_seen own = {""};

    sweep_inspect(&r, c->in.dim[0], &own);
    sweep_inspect(&r, c->in.dim[0], seen);
    if (c->is_batch)
        sweep_inspect(&r, 1, seen);
    r.n_channels = c->act == SWEEP_NONE ? 0 : (size_t)c->out.dim[c->channel_axis];
    r.channels = calloc(r.n_channels + 1, sizeof(*r.channels));
    for (size_t k = 0; k < r.n_channels; k++)
        r.channels[k].max = -INFINITY;
    sweep_outputs(&r, sweep_saw(&own, "F(4x4") ? 1e-4 : c->tolerance);
    sweep_counters(&r);
    free(r.channels);
    rf_model_unref(r.model);
}

/* ---- all of them ---- */

static float **sweep_wants;
static size_t sweep_cases;

/* What is expected, once for all ways: before the first of their processes. */
static inline void sweep_begin(size_t count, sweep_make *make)
{
    sweep_cases = sweep_count(count);
    sweep_wants = calloc(sweep_cases + 1, sizeof(*sweep_wants));
    for (size_t i = 0; i < sweep_cases; i++) {
        const struct sweep_case c = make(sweep_seed() + i, true);

        sweep_wants[i] = c.want;
        free(c.x);
        rf_graph_free(c.graph);
    }
}

static inline void sweep_end(void)
{
    for (size_t i = 0; i < sweep_cases; i++)
        free(sweep_wants[i]);
    free(sweep_wants);
}

/* Every case, in one way; false: the processor lacks it. */
static inline bool sweep_all(int way, sweep_make *make, struct sweep_seen *seen)
{
    if (!sweep_use(way))
        return false;
    for (size_t i = 0; i < sweep_cases; i++) {
        struct sweep_case c = make(sweep_seed() + i, false);

        c.want = sweep_wants[i];
        sweep_check(&c, seen);
        free(c.x);
    }
    rf_pool_free(sweep_pool);
    return true;
}

/* A suite of one test that takes the first ways. */
static inline int sweep_main(const char *name, const TTest *test, int ways, void (*begin)(void))
{
    Suite *const suite = suite_create(name);
    TCase *const t = tcase_create("ways");
    SRunner *const runner = srunner_create(suite);

    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 300);
    tcase_add_unchecked_fixture(t, begin, sweep_end);
    tcase_add_loop_test(t, test, 0, ways);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
