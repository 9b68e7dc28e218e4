/* Small networks for tests: built through the public builder, run in one call. Failures abort the
 * test with the engine's own message. */
#ifndef TEST_SUPPORT_NET_H
#define TEST_SUPPORT_NET_H

#include "core/rectifier.h"

#define SHAPE(...)                                                                                 \
    (struct rf_shape)                                                                              \
    {                                                                                              \
        .rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dim = { __VA_ARGS__ }  \
    }

/* A reproducible stream of numbers; `seed` is its state. */
uint32_t test_random(uint64_t *seed);
/* Uniform in [lo, hi]. */
int64_t test_random_int(uint64_t *seed, int64_t lo, int64_t hi);
/* Uniform in [-1, 1). */
float test_random_float(uint64_t *seed);
void test_random_fill(uint64_t *seed, float *to, size_t n);

struct rf_graph *test_graph(void);
rf_value_id test_input(struct rf_graph *g, struct rf_shape shape);
/* A constant of random values, scaled. */
rf_value_id test_weights(struct rf_graph *g, uint64_t *seed, struct rf_shape shape, float scale);
rf_value_id test_constant(struct rf_graph *g, struct rf_shape shape, const float *values);
rf_value_id test_op(struct rf_graph *g, const char *op, const char *name, const rf_value_id *in,
                    int n, struct rf_node **node);
void test_ints(struct rf_graph *g, struct rf_node *node, const char *attr, const int64_t *v,
               size_t n);
void test_int(struct rf_graph *g, struct rf_node *node, const char *attr, int64_t v);

/* Conv + optional bias; geometry as ONNX attributes (spatial dimensions of `weights`). */
struct test_conv {
    int spatial;
    int64_t out, in, groups, kernel[2], stride[2], dilation[2], pads[4];
    bool bias;
};
/* A 3x3 kernel of stride 1 over an image whose size stays. */
struct test_conv test_conv_3x3(int64_t out, int64_t in, bool bias);
rf_value_id test_conv(struct rf_graph *g, uint64_t *seed, const char *name, rf_value_id in,
                      const struct test_conv *c, rf_value_id *w, rf_value_id *b);
/* BatchNormalization with statistics that are not trivial. */
rf_value_id test_norm(struct rf_graph *g, uint64_t *seed, const char *name, rf_value_id in,
                      int64_t n);

struct rf_model *test_model(struct rf_graph *g, const struct rf_model_options *options);
/* Runs one input; the first `n_out` outputs are copied to malloc'ed memory. */
void test_run(struct rf_session *session, const struct rf_shape *shape, const float *in, bool count,
              float **out, struct rf_shape *out_shape, size_t n_out);
/* Largest |a - b| relative to the largest |b|, at least 1. */
double test_error(const float *a, const float *b, size_t n);

/* Limits this process to one instruction set before the engine chooses; false: the CPU lacks it. */
bool test_use_isa(int isa);

#endif
