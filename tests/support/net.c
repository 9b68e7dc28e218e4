#include "tests/support/net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"

static void must(enum rf_status rc, const struct rf_error *err)
{
    if (!rc)
        return;
    fprintf(stderr, "%s: %s\n", rf_status_text(rc), err->text);
    abort();
}

uint32_t test_random(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15u;
    uint64_t z = *seed;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

int64_t test_random_int(uint64_t *seed, int64_t lo, int64_t hi)
{
    return lo + test_random(seed) % (hi - lo + 1);
}

float test_random_float(uint64_t *seed)
{
    return (float)(test_random(seed) >> 8) / 8388608.0f - 1.0f;
}

void test_random_fill(uint64_t *seed, float *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = test_random_float(seed);
}

struct rf_graph *test_graph(void)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_graph *g;

    must(rf_graph_new(&g, "test", 22, &err), &err);
    return g;
}

rf_value_id test_input(struct rf_graph *g, struct rf_shape shape)
{
    struct rf_error err = RF_ERROR_INIT;
    rf_value_id id;

    must(rf_graph_input(g, "x", RF_F32, &shape, &id, &err), &err);
    return id;
}

static rf_value_id constant(struct rf_graph *g, struct rf_shape shape, void **data)
{
    struct rf_error err = RF_ERROR_INIT;
    rf_value_id id;

    must(rf_graph_constant(g, "constant", RF_F32, &shape, &id, data, &err), &err);
    return id;
}

rf_value_id test_constant(struct rf_graph *g, struct rf_shape shape, const float *values)
{
    void *data;
    const rf_value_id id = constant(g, shape, &data);

    memcpy(data, values, (size_t)rf_numel(&shape) * sizeof(float));
    return id;
}

rf_value_id test_weights(struct rf_graph *g, uint64_t *seed, struct rf_shape shape, float scale)
{
    void *data;
    const rf_value_id id = constant(g, shape, &data);
    float *const w = data;

    for (int64_t i = 0; i < rf_numel(&shape); i++)
        w[i] = scale * test_random_float(seed);
    return id;
}

rf_value_id test_op(struct rf_graph *g, const char *op, const char *name, const rf_value_id *in,
                    int n, struct rf_node **node)
{
    struct rf_error err = RF_ERROR_INIT;
    rf_value_id id;

    must(rf_graph_op(g, op, name, in, n, &id, node, &err), &err);
    return id;
}

void test_ints(struct rf_graph *g, struct rf_node *node, const char *attr, const int64_t *v,
               size_t n)
{
    struct rf_error err = RF_ERROR_INIT;

    must(rf_node_set_ints(g, node, attr, v, n, &err), &err);
}

void test_int(struct rf_graph *g, struct rf_node *node, const char *attr, int64_t v)
{
    struct rf_error err = RF_ERROR_INIT;

    must(rf_node_set_int(g, node, attr, v, &err), &err);
}

struct test_conv test_conv_3x3(int64_t out, int64_t in, bool bias)
{
    return (struct test_conv){.spatial = 2,
                              .out = out,
                              .in = in,
                              .groups = 1,
                              .kernel = {3, 3},
                              .stride = {1, 1},
                              .dilation = {1, 1},
                              .pads = {1, 1, 1, 1},
                              .bias = bias};
}

rf_value_id test_conv(struct rf_graph *g, uint64_t *seed, const char *name, rf_value_id in,
                      const struct test_conv *c, rf_value_id *w, rf_value_id *b)
{
    const struct rf_shape shape = {.rank = c->spatial + 2,
                                   .dim = {c->out, c->in / c->groups, c->kernel[0], c->kernel[1]}};
    const size_t n = (size_t)c->spatial;
    const float fan_in = (float)(rf_numel(&shape) / c->out);
    struct rf_node *node;

    *w = test_weights(g, seed, shape, 1 / sqrtf(fan_in));
    *b = c->bias ? test_weights(g, seed, SHAPE(c->out), 0.5f) : RF_NO_VALUE;
    const rf_value_id ids[] = {in, *w, *b};
    const rf_value_id out = test_op(g, "Conv", name, ids, c->bias ? 3 : 2, &node);

    test_ints(g, node, "kernel_shape", c->kernel, n);
    test_ints(g, node, "strides", c->stride, n);
    test_ints(g, node, "dilations", c->dilation, n);
    test_ints(g, node, "pads", c->pads, 2 * n);
    test_int(g, node, "group", c->groups);
    return out;
}

rf_value_id test_norm(struct rf_graph *g, uint64_t *seed, const char *name, rf_value_id in,
                      int64_t n)
{
    void *data;
    const rf_value_id scale = test_weights(g, seed, SHAPE(n), 1.5f);
    const rf_value_id shift = test_weights(g, seed, SHAPE(n), 0.3f);
    const rf_value_id mean = test_weights(g, seed, SHAPE(n), 0.5f);
    const rf_value_id var = constant(g, SHAPE(n), &data);
    const rf_value_id ids[] = {in, scale, shift, mean, var};

    for (int64_t i = 0; i < n; i++)
        ((float *)data)[i] = 0.75f + 0.5f * test_random_float(seed);
    return test_op(g, "BatchNormalization", name, ids, 5, NULL);
}

struct rf_model *test_model(struct rf_graph *g, const struct rf_model_options *options)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_model *model;

    must(rf_model_new(&model, g, options, &err), &err);
    return model;
}

void test_run(struct rf_session *session, const struct rf_shape *shape, const float *in, bool count,
              float **out, struct rf_shape *out_shape, size_t n_out)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_tensor results[16];
    const void *const ins[] = {in};

    must(rf_session_prepare(session, shape, NULL, 1, &err), &err);
    must(rf_session_run(session, ins, 1, results, n_out, count, &err), &err);
    for (size_t i = 0; i < n_out; i++) {
        const size_t bytes = (size_t)rf_numel(&results[i].shape) * sizeof(float);

        out[i] = malloc(bytes + 1);
        memcpy(out[i], results[i].data, bytes);
        if (out_shape)
            out_shape[i] = results[i].shape;
    }
}

double test_error(const float *a, const float *b, size_t n)
{
    double worst = 0, scale = 1;

    for (size_t i = 0; i < n; i++) {
        scale = fmax(scale, fabs((double)b[i]));
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        if (isnan(a[i]) != isnan(b[i]))
            return INFINITY;
    }
    return worst / scale;
}

bool test_use_isa(int isa)
{
    const struct rf_kernels *const k = rf_kernels_for((enum rf_isa)isa);

    if (!k)
        return false;
    setenv("RECTIFIER_ISA", k->isa, 1);
    return true;
}
