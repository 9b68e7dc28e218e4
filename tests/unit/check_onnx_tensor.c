/* Tensors of ONNX files: every type, raw and in fields, and data that do not fit their shape. */
#include <math.h>

#include "tests/support/onnx_write.h"

static struct rf_error err;

/* A graph whose only value is the initializer `t` named "t", which is released. */
static enum rf_status read_tensor(struct rf_graph **g, struct rf_buf *t)
{
    struct rf_buf graph = pb_new();
    pb_message(&graph, GRAPH_INITIALIZER, t);
    onnx_add_value(&graph, GRAPH_OUTPUT, "t", FLOAT, SCALAR);
    return onnx_read_graph(g, &graph, &err);
}

static const struct {
    int type;
    const void *raw; /* two elements */
    size_t bytes;
    unsigned field;
    const void *typed; /* the field's contents, packed */
    size_t typed_bytes;
    enum rf_dtype dtype; /* in the graph */
    const void *want;
} types[] = {
#define RAW(type, ...) (const type[]){__VA_ARGS__}, 2 * sizeof(type)
#define VARINTS(...)                                                                               \
    (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})
#define WANT(type, ...)                                                                            \
    (const type[])                                                                                 \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define MINUS_2 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01
    {FLOAT, RAW(float, 1.5f, -2), TENSOR_FLOATS, RAW(float, 1.5f, -2), RF_F32,
     WANT(float, 1.5f, -2)},
    {UINT8, RAW(uint8_t, 200, 7), TENSOR_INT32S, VARINTS(0xc8, 1, 7), RF_U8, WANT(uint8_t, 200, 7)},
    {INT8, RAW(int8_t, 100, -2), TENSOR_INT32S, VARINTS(100, MINUS_2), RF_I8,
     WANT(int8_t, 100, -2)},
    {UINT16, RAW(uint16_t, 300, 7), TENSOR_INT32S, VARINTS(0xac, 2, 7), RF_U16,
     WANT(uint16_t, 300, 7)},
    {INT16, RAW(int16_t, 300, -2), TENSOR_INT32S, VARINTS(0xac, 2, MINUS_2), RF_I16,
     WANT(int16_t, 300, -2)},
    {INT32, RAW(int32_t, 300, -2), TENSOR_INT32S, VARINTS(0xac, 2, MINUS_2), RF_I32,
     WANT(int32_t, 300, -2)},
    {INT64, RAW(int64_t, 300, -2), TENSOR_INT64S, VARINTS(0xac, 2, MINUS_2), RF_I64,
     WANT(int64_t, 300, -2)},
    {BOOL, RAW(uint8_t, 2, 0), TENSOR_INT32S, VARINTS(2, 0), RF_BOOL, WANT(uint8_t, 1, 0)},
    {FLOAT16, RAW(uint16_t, 0x3e00, 0xc000), TENSOR_INT32S, VARINTS(0x80, 0x7c, 0x80, 0x80, 3),
     RF_F32, WANT(float, 1.5f, -2)},
    {DOUBLE, RAW(double, 1.5, -1e300), TENSOR_DOUBLES, RAW(double, 1.5, -1e300), RF_F32,
     WANT(float, 1.5f, -INFINITY)},
    {UINT32, RAW(uint32_t, 300, 7), TENSOR_UINT64S, VARINTS(0xac, 2, 7), RF_U32,
     WANT(uint32_t, 300, 7)},
    {UINT64, RAW(uint64_t, 300, 7), TENSOR_UINT64S, VARINTS(0xac, 2, 7), RF_U64,
     WANT(uint64_t, 300, 7)},
    {BFLOAT16, RAW(uint16_t, 0x3fc0, 0xc000), TENSOR_INT32S, VARINTS(0xc0, 0x7f, 0x80, 0x80, 3),
     RF_F32, WANT(float, 1.5f, -2)},
};

START_TEST(every_type)
{
    struct rf_graph *g;
    for (int raw = 0; raw < 2; raw++) {
        struct rf_buf t = onnx_tensor("t", types[_i].type, DIMS(1, 2));
        if (raw)
            pb_bytes(&t, TENSOR_RAW, types[_i].raw, types[_i].bytes);
        else
            pb_bytes(&t, types[_i].field, types[_i].typed, types[_i].typed_bytes);
        assert_ok(read_tensor(&g, &t));
        const struct rf_value *const v = &g->values[rf_graph_find(g, "t")];
        ck_assert_int_eq(v->dtype, types[_i].dtype);
        ck_assert_int_eq(v->shape.rank, 2);
        ck_assert_int_eq(v->shape.dim[1], 2);
        ck_assert_mem_eq(v->constant, types[_i].want, 2 * rf_dtype_size(v->dtype));
        rf_graph_free(g);
    }
}
END_TEST

/* proto2 files write a field an element, too. */
START_TEST(fields_that_are_not_packed)
{
    struct rf_graph *g;
    struct rf_buf t = onnx_tensor("t", FLOAT, DIMS(2));
    pb_float(&t, TENSOR_FLOATS, 1.5f);
    pb_float(&t, TENSOR_FLOATS, -2);
    assert_ok(read_tensor(&g, &t));
    const float *const v = g->values[0].constant;
    ck_assert(v[0] == 1.5f && v[1] == -2);
    rf_graph_free(g);
}
END_TEST

START_TEST(scalars_and_nothing)
{
    struct rf_graph *g;
    struct rf_buf t = onnx_tensor("t", INT64, SCALAR);
    pb_bytes(&t, TENSOR_RAW, WANT(int64_t, 9), 8);
    assert_ok(read_tensor(&g, &t));
    ck_assert_int_eq(g->values[0].shape.rank, 0);
    ck_assert_int_eq(*(const int64_t *)g->values[0].constant, 9);
    rf_graph_free(g);
    t = onnx_tensor("t", FLOAT, DIMS(3, 0));
    assert_ok(read_tensor(&g, &t));
    ck_assert_int_eq(rf_numel(&g->values[0].shape), 0);
    rf_graph_free(g);
}
END_TEST

static const struct {
    int type;
    const int64_t *dims;
    unsigned field, second; /* of data; 0: none */
    size_t bytes, second_bytes;
    enum rf_status status;
    const char *text;
} bad[] = {
    {FLOAT, DIMS(2), 0, 0, 0, 0, RF_FORMAT, "m.onnx: tensor 't': 0 elements, shape [2] has 2"},
    {FLOAT, DIMS(2), TENSOR_RAW, 0, 7, 0, RF_FORMAT,
     "tensor 't': 7 bytes of raw_data, shape [2] of FLOAT has 8"},
    {FLOAT, DIMS(2), TENSOR_RAW, 0, 0, 0, RF_FORMAT, "0 bytes of raw_data"},
    {FLOAT, DIMS(2), TENSOR_RAW, 0, 12, 0, RF_FORMAT, "12 bytes of raw_data"},
    {FLOAT, DIMS(2), TENSOR_FLOATS, 0, 12, 0, RF_FORMAT, "3 elements, shape [2] has 2"},
    {FLOAT, DIMS(2), TENSOR_FLOATS, TENSOR_RAW, 8, 8, RF_FORMAT, "float_data besides other data"},
    {INT64, DIMS(2), TENSOR_INT64S, TENSOR_FLOATS, 2, 8, RF_FORMAT,
     "INT64 in float_data, expected int64_data"},
    {FLOAT, DIMS(2), TENSOR_INT32S, 0, 2, 0, RF_FORMAT, "FLOAT in int32_data, expected float_data"},
    {FLOAT, DIMS(-4), TENSOR_RAW, 0, 8, 0, RF_FORMAT, "shape [-4] is negative or too large"},
    {FLOAT, DIMS((int64_t)1 << 32, (int64_t)1 << 32), TENSOR_RAW, 0, 8, 0, RF_FORMAT,
     "is negative or too large"},
    {FLOAT, DIMS((int64_t)1 << 62), TENSOR_RAW, 0, 8, 0, RF_LIMIT, "is too large"},
    {FLOAT, DIMS(1, 1, 1, 1, 1, 1, 1, 1, 1), TENSOR_RAW, 0, 4, 0, RF_LIMIT,
     "9 dimensions, at most 8"},
    {STRING, DIMS(1), 6, 0, 1, 0, RF_UNSUPPORTED, "strings are not supported"},
    {COMPLEX64, DIMS(1), TENSOR_RAW, 0, 8, 0, RF_UNSUPPORTED, "data type 14 is not supported"},
    {0, DIMS(1), TENSOR_RAW, 0, 4, 0, RF_UNSUPPORTED, "data type 0 is not supported"},
    {INT8, DIMS(1), TENSOR_INT32S, 0, 4, 0, RF_FORMAT, "4 elements"},
    {FLOAT, DIMS(1), TENSOR_RAW, 3, 4, 2, RF_UNSUPPORTED, "segments are not supported"},
    {FLOAT, DIMS(1), TENSOR_EXTERNAL, 0, 0, 0, RF_FORMAT, "0 elements"},
};

START_TEST(data_that_do_not_fit)
{
    static const unsigned char zeros[16];
    struct rf_graph *g;
    struct rf_buf t = onnx_tensor("t", bad[_i].type, bad[_i].dims);
    if (bad[_i].field)
        pb_bytes(&t, bad[_i].field, zeros, bad[_i].bytes);
    if (bad[_i].second)
        pb_bytes(&t, bad[_i].second, zeros, bad[_i].second_bytes);
    assert_fails(bad[_i].status, bad[_i].text, read_tensor(&g, &t));
    ck_assert_ptr_null(g);
}
END_TEST

static const struct {
    int type;
    unsigned field;
    int64_t value;
    const char *text;
} ranges[] = {
    {UINT8, TENSOR_INT32S, 256, "element 0 is no UINT8"},
    {UINT8, TENSOR_INT32S, -1, "element 0 is no UINT8"},
    {INT8, TENSOR_INT32S, 128, "element 0 is no INT8"},
    {INT8, TENSOR_INT32S, -129, "element 0 is no INT8"},
    {INT16, TENSOR_INT32S, 32768, "element 0 is no INT16"},
    {FLOAT16, TENSOR_INT32S, 65536, "element 0 is no FLOAT16"},
    {UINT32, TENSOR_UINT64S, (int64_t)1 << 32, "element 0 is no UINT32"},
    {UINT32, TENSOR_UINT64S, -1, "element 0 is no UINT32"},
};

START_TEST(elements_beyond_their_type)
{
    struct rf_graph *g;
    struct rf_buf t = onnx_tensor("t", ranges[_i].type, DIMS(1));
    pb_number(&t, ranges[_i].field, ranges[_i].value);
    assert_fails(RF_FORMAT, ranges[_i].text, read_tensor(&g, &t));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("onnx_tensor");
    TCase *const t = tcase_create("all");
    tcase_add_loop_test(t, every_type, 0, (int)(sizeof types / sizeof *types));
    tcase_add_test(t, fields_that_are_not_packed);
    tcase_add_test(t, scalars_and_nothing);
    tcase_add_loop_test(t, data_that_do_not_fit, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_loop_test(t, elements_beyond_their_type, 0, (int)(sizeof ranges / sizeof *ranges));
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
