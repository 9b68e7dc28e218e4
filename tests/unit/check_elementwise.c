/*
 * Elementwise operators of several inputs, against index arithmetic: random shapes that broadcast,
 * inputs dense, channels last or constant, all passes and none.
 */
#include "tests/support/elementwise.h"

/* ---- random shapes ---- */

/* Shapes of rank 0 to 5 that broadcast to the one given. */
static struct rf_shape part_of(const struct rf_shape *out)
{
    const int drop = (int)test_random_int(&seed, 0, 3) ? 0 : (int)test_random_int(&seed, 0, 5);
    struct rf_shape s = {.rank = out->rank > drop ? out->rank - drop : 0};

    for (int i = 0; i < s.rank; i++)
        s.dim[i] = test_random_int(&seed, 0, 2) ? out->dim[out->rank - s.rank + i] : 1;
    return s;
}

typedef double fn(const double *x);

static void check_random(const char *op, int n, const enum rf_dtype *in, enum rf_dtype out, fn *f)
{
    for (int round = 0; round < 8; round++) {
        struct operand o[MAX_OPERANDS];
        struct rf_shape all = {.rank = round < 4 ? 4 : (int)test_random_int(&seed, 0, 5)};
        struct rf_shape shape = {0};

        for (int i = 0; i < all.rank; i++)
            all.dim[i] = test_random_int(&seed, round == 7 ? 0 : 1, i == 1 ? 20 : 4);
        for (int i = 0; i < n; i++) {
            fill(&o[i], in[i], round == 0 ? all : part_of(&all), NULL);
            for (int k = 1; k <= o[i].shape.rank; k++) {
                int64_t *const d = &shape.dim[8 - k], size = o[i].shape.dim[o[i].shape.rank - k];
                *d = i == 0 || k > shape.rank || *d == 1 ? size : *d;
                shape.rank = k > shape.rank ? k : shape.rank;
            }
        }
        memmove(shape.dim, shape.dim + 8 - shape.rank, (size_t)shape.rank * sizeof(*shape.dim));
        const int64_t total = rf_numel(&shape);
        double *const want = calloc((size_t)total + 1, sizeof(*want));
        for (int64_t i = 0; i < total; i++) {
            double x[MAX_OPERANDS];
            for (int k = 0; k < n; k++)
                x[k] = o[k].v[place_of(&o[k].shape, &shape, i)];
            want[i] = f(x);
        }
        expect((struct net){.op = op}, o, n, out, &shape, want);
        free(want);
        release(o, n);
    }
}

static double add(const double *x)
{
    return x[0] + x[1];
}

static double subtract(const double *x)
{
    return x[0] - x[1];
}

static double multiply(const double *x)
{
    return x[0] * x[1];
}

static double divide(const double *x)
{
    return x[0] / x[1];
}

static double quotient(const double *x)
{
    return x[1] == 0 ? 0 : trunc(x[0] / x[1]);
}

static double largest(const double *x)
{
    return fmax(fmax(x[0], x[1]), x[2]);
}

static double smallest(const double *x)
{
    return fmin(fmin(x[0], x[1]), x[2]);
}

static double total(const double *x)
{
    return (double)((float)(x[0] + x[1]) + (float)x[2]);
}

static double mean(const double *x)
{
    return total(x) / 3;
}

static double equal(const double *x)
{
    return x[0] == x[1];
}

static double less(const double *x)
{
    return x[0] < x[1];
}

static double greater_or_equal(const double *x)
{
    return x[0] >= x[1];
}

static double exclusive_or(const double *x)
{
    return x[0] != x[1];
}

static double both(const double *x)
{
    return x[0] != 0 && x[1] != 0;
}

static double choose(const double *x)
{
    return x[0] != 0 ? x[1] : x[2];
}

static double floor_mod(const double *x)
{
    return x[1] == 0 ? 0 : x[0] - x[1] * floor(x[0] / x[1]);
}

#define ALL(type)                                                                                  \
    (const enum rf_dtype[])                                                                        \
    {                                                                                              \
        type, type, type                                                                           \
    }

START_TEST(test_arithmetic)
{
    check_random("Add", 2, ALL(RF_F32), RF_F32, add);
    check_random("Sub", 2, ALL(RF_F32), RF_F32, subtract);
    check_random("Mul", 2, ALL(RF_F32), RF_F32, multiply);
    check_random("Div", 2, ALL(RF_F32), RF_F32, divide);
    check_random("Add", 2, ALL(RF_I64), RF_I64, add);
    check_random("Sub", 2, ALL(RF_I32), RF_I32, subtract);
    check_random("Mul", 2, ALL(RF_I64), RF_I64, multiply);
    check_random("Div", 2, ALL(RF_I32), RF_I32, quotient);
    check_random("Div", 2, ALL(RF_I64), RF_I64, quotient);
    check_random("Mod", 2, ALL(RF_I64), RF_I64, floor_mod);
}
END_TEST

START_TEST(test_variadic)
{
    check_random("Max", 3, ALL(RF_F32), RF_F32, largest);
    check_random("Min", 3, ALL(RF_I64), RF_I64, smallest);
    check_random("Sum", 3, ALL(RF_F32), RF_F32, total);
    check_random("Mean", 3, ALL(RF_F32), RF_F32, mean);
}
END_TEST

START_TEST(test_conditions)
{
    check_random("Equal", 2, ALL(RF_I64), RF_BOOL, equal);
    check_random("Equal", 2, ALL(RF_BOOL), RF_BOOL, equal);
    check_random("Less", 2, ALL(RF_F32), RF_BOOL, less);
    check_random("GreaterOrEqual", 2, ALL(RF_I32), RF_BOOL, greater_or_equal);
    check_random("And", 2, ALL(RF_BOOL), RF_BOOL, both);
    check_random("Xor", 2, ALL(RF_BOOL), RF_BOOL, exclusive_or);
    check_random("Where", 3, ((const enum rf_dtype[]){RF_BOOL, RF_F32, RF_F32}), RF_F32, choose);
    check_random("Where", 3, ((const enum rf_dtype[]){RF_BOOL, RF_I64, RF_I64}), RF_I64, choose);
    check_random("Where", 3, ALL(RF_BOOL), RF_BOOL, choose);
}
END_TEST

/* Parts together write what one writes, and each element once. */
START_TEST(test_parts)
{
    const struct rf_kernels *const k = rf_kernels_best();
    const struct rf_broadcast numpy = {.how = RF_BROADCAST_BOTH};

    for (int round = 0; round < 100; round++) {
        struct rf_shape shape = {.rank = (int)test_random_int(&seed, 0, 4)};
        for (int i = 0; i < shape.rank; i++)
            shape.dim[i] = test_random_int(&seed, 0, 6);
        const size_t n = (size_t)rf_numel(&shape);
        const int n_parts = (int)test_random_int(&seed, 2, 9);
        struct operand o[2];
        float *const out = calloc(n + 1, sizeof(*out));
        const struct rf_tensor y = {.data = out, .dtype = RF_F32, .shape = shape};

        fill(&o[0], RF_F32, shape, NULL);
        fill(&o[1], RF_F32, part_of(&shape), NULL);
        const struct rf_tensor b = {.data = o[1].data, .dtype = RF_F32, .shape = o[1].shape};
        memcpy(out, o[0].data, n * sizeof(*out));
        for (int part = n_parts - 1; part >= 0; part--) {
            struct rf_view views[] = {rf_view_of(&y), rf_view_of(&y),
                                      rf_broadcast_view(&numpy, &b, 1, &y)};
            rf_broadcast_binary(k, RF_BINARY_Add, RF_F32, views, part, n_parts);
        }
        for (size_t i = 0; i < n; i++) {
            const double want = o[0].v[i] + o[1].v[place_of(&b.shape, &shape, (int64_t)i)];
            ck_assert_float_eq(out[i], (float)want);
        }
        free(out);
        release(o, 2);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("elementwise");
    TCase *const tests = tcase_create("elementwise");

    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_arithmetic);
    tcase_add_test(tests, test_variadic);
    tcase_add_test(tests, test_conditions);
    tcase_add_test(tests, test_parts);
    suite_add_tcase(suite, tests);
    SRunner *const runner = srunner_create(suite);

    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
