/*
 * What the tests of model.json share: descriptions in short, and a small network's tensors.
 */
#ifndef RF_TESTS_BUILD_MODEL_H
#define RF_TESTS_BUILD_MODEL_H

#include <stdio.h>
#include <stdlib.h>

#include "proto/load.h"
#include "proto/safetensors.h"
#include "tests/support/build_test.h"

#define INIT "\"init\":{\"scheme\":\"kaiming_normal\",\"seed\":1}"
#define NET(shape, layers)                                                                         \
    "{\"format\":1,\"name\":\"net\",\"input\":{\"shape\":" shape "},\"layers\":[" layers "]," INIT \
    "}"
#define IMAGE(layers) NET("[3,8,6]", layers)
#define VECTOR(layers) NET("[10]", layers)

static inline enum rf_status parse(struct rf_network *net, const char *json, const void *weights,
                                   size_t len, struct rf_error *err)
{
    char *const copy = exact_copy(json, strlen(json));
    *err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc =
        rf_network_parse(net, "m.json", copy, strlen(json), weights, len, err);
    free(copy);
    return rc;
}

#define MLP                                                                                        \
    "{\"format\":1,\"input\":{\"shape\":[2]},\"layers\":[{\"type\":\"linear\",\"name\":\"fc\","    \
    "\"out_features\":3},{\"type\":\"batchnorm1d\",\"name\":\"bn\"}]}"

static const float values[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

#define TENSOR(name_, n, ...)                                                                      \
    {                                                                                              \
        .name = (name_), .dtype = RF_F32, .shape = __VA_ARGS__, .data = values, .bytes = 4 * (n)   \
    }
#define VEC3                                                                                       \
    {                                                                                              \
        .rank = 1, .dim = { 3 }                                                                    \
    }

/* The tensors of MLP, with `prefix` before each name. */
static inline size_t mlp_tensors(struct rf_safetensor *t, const char *prefix, char names[8][64])
{
    static const struct rf_safetensor tensors[] = {
        TENSOR("fc.weight", 6, {.rank = 2, .dim = {3, 2}}),
        TENSOR("fc.bias", 3, VEC3),
        TENSOR("bn.weight", 3, VEC3),
        TENSOR("bn.bias", 3, VEC3),
        TENSOR("bn.running_mean", 3, VEC3),
        TENSOR("bn.running_var", 3, VEC3),
        {.name = "bn.num_batches_tracked", .dtype = RF_I64, .data = values, .bytes = 8},
    };
    const size_t n = sizeof tensors / sizeof *tensors;
    for (size_t i = 0; i < n; i++) {
        t[i] = tensors[i];
        snprintf(names[i], 64, "%s%s", prefix, tensors[i].name);
        t[i].name = names[i];
    }
    return n;
}

static inline enum rf_status parse_with(struct rf_network *net, const struct rf_safetensor *t,
                                        size_t n, struct rf_error *err)
{
    struct rf_buf b;
    rf_buf_init(&b, 100000);
    rf_safetensors_write(&b, t, n);
    ck_assert_int_eq(b.status, RF_OK);
    const enum rf_status rc = parse(net, MLP, b.data, b.len, err);
    rf_buf_release(&b);
    return rc;
}

#endif
