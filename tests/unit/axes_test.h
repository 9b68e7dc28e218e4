/* What tests of operators along axes share: elements of every dtype, and plain index arithmetic. */
#ifndef TEST_UNIT_AXES_TEST_H
#define TEST_UNIT_AXES_TEST_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/one_op.h"

enum { MANY = 20000 };

static float values[MANY];
static int32_t ints[MANY];
static int64_t longs[MANY];

static void fill(uint64_t seed)
{
    test_random_fill(&seed, values, MANY);
    for (int i = 0; i < MANY; i++)
        longs[i] = ints[i] = (int32_t)test_random_int(&seed, -9, 9);
}

static struct test_operand operand(enum rf_dtype dtype, struct rf_shape shape)
{
    const void *const data = dtype == RF_F32   ? (const void *)values
                             : dtype == RF_I32 ? (const void *)ints
                                               : (const void *)longs;

    return (struct test_operand){.dtype = dtype, .shape = shape, .data = data};
}

static struct rf_shape random_shape(uint64_t *seed, int64_t longest)
{
    struct rf_shape shape = {.rank = (int)test_random_int(seed, 1, 5)};

    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = test_random_int(seed, 1, longest);
    return shape;
}

static bool has_pixels(const struct rf_shape *shape)
{
    return shape->rank == 3 || shape->rank == 4;
}

/* The index, among what is left without the axes, of element i. */
static int64_t place(const struct rf_shape *shape, uint32_t axes, int64_t i)
{
    int64_t index = 0, step = 1;

    for (int k = shape->rank - 1; k >= 0; k--) {
        if (!(axes >> k & 1)) {
            index += i % shape->dim[k] * step;
            step *= shape->dim[k];
        }
        i /= shape->dim[k];
    }
    return index;
}

static double element(enum rf_dtype dtype, const void *data, int64_t i)
{
    if (dtype == RF_F32)
        return (double)((const float *)data)[i];
    return dtype == RF_I32 ? ((const int32_t *)data)[i] : (double)((const int64_t *)data)[i];
}

static struct rf_shape without(const struct rf_shape *shape, uint32_t axes, bool keeps)
{
    struct rf_shape left = {.rank = 0};

    for (int i = 0; i < shape->rank; i++)
        if (keeps || !(axes >> i & 1))
            left.dim[left.rank++] = axes >> i & 1 ? 1 : shape->dim[i];
    return left;
}

#endif
