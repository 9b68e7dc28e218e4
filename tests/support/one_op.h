/* Networks of one operator: any dtypes, its inputs given or constant, in either layout. */
#ifndef TEST_SUPPORT_ONE_OP_H
#define TEST_SUPPORT_ONE_OP_H

#include "tests/support/net.h"

enum test_how {
    TEST_GIVEN,     /* input 0 is the network's, the others are, unless `constant` */
    TEST_WEIGHTS,   /* input 0 is the network's, the others are constants */
    TEST_NHWC,      /* like TEST_WEIGHTS, and input 0 arrives channels-last */
    TEST_UNPASSED,  /* like TEST_WEIGHTS, without passes */
    TEST_CONSTANTS, /* nothing is left to run */
    TEST_N_HOW
};

struct test_operand {
    enum rf_dtype dtype;
    struct rf_shape shape;
    const void *data; /* NULL: the input is absent */
    bool constant;    /* however the network is made */
};

struct test_attr {
    const char *name;
    char type; /* 'i', 'f', 'v' (ints); 0 ends the list */
    int64_t i;
    float f;
    int64_t v[RF_MAX_RANK];
    size_t n;
};

#define TEST_MAX_OPERANDS 5

struct test_one {
    const char *op;
    int opset;
    struct test_operand in[TEST_MAX_OPERANDS];
    int n_in, n_out;
    struct test_attr attr[6];
};

/* Runs it; the outputs' data are malloc'ed. */
enum rf_status test_one(const struct test_one *t, enum test_how how, struct rf_tensor *out,
                        struct rf_error *err) RF_CHECKED;
/* The same, with an abort where it fails. */
void test_one_runs(const struct test_one *t, enum test_how how, struct rf_tensor *out);
/* It is refused while loading, with a message that holds `text`. */
void test_one_fails(const struct test_one *t, enum test_how how, enum rf_status status,
                    const char *text);

#endif
