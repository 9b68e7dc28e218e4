/* Shapes of requests: scalars, open dimensions, fixed batches, several inputs, none. */
#include <stdio.h>

#include "proto/npy.h"
#include "tests/support/build_infer.h"

static struct rf_error err;

/* An array's shape for an input's, and what it becomes; `list`: what is taken instead. */
static const struct {
    struct rf_shape declared, got, want;
    const char *list;
} shapes[] = {
    {DIMS(), DIMS(), DIMS(), NULL},
    {DIMS(), DIMS(1), DIMS(), NULL},
    {DIMS(), DIMS(2), DIMS(), "takes [] or [1]"},
    {DIMS(-1), DIMS(3), DIMS(3), NULL},
    {DIMS(-1), DIMS(), DIMS(1), NULL},
    {DIMS(-1), DIMS(3, 1), DIMS(3), NULL},
    {DIMS(-1), DIMS(3, 2), DIMS(), "takes [], [-1], [1] or [-1,1]"},
    {DIMS(3), DIMS(3), DIMS(3), NULL},
    {DIMS(3), DIMS(4), DIMS(), "takes [3] or [3,1]"},
    {DIMS(1, 2, 3), DIMS(2, 3), DIMS(1, 2, 3), NULL},
    {DIMS(1, 2, 3), DIMS(1, 2, 3), DIMS(1, 2, 3), NULL},
    {DIMS(1, 2, 3), DIMS(6), DIMS(1, 2, 3), NULL},
    {DIMS(1, 2, 3), DIMS(1, 6), DIMS(1, 2, 3), NULL},
    {DIMS(1, 2, 3), DIMS(2, 2, 3), DIMS(), "takes [2,3], [1,2,3], [6] or [1,6]"},
    {DIMS(4, 2, 3), DIMS(4, 2, 3), DIMS(4, 2, 3), NULL},
    {DIMS(4, 2, 3), DIMS(24), DIMS(4, 2, 3), NULL},
    {DIMS(4, 2, 3), DIMS(2, 3), DIMS(), "takes [4,2,3], [24] or [4,6]"},
    {DIMS(-1, 3, -1, -1), DIMS(2, 3, 4, 5), DIMS(2, 3, 4, 5), NULL},
    {DIMS(-1, 3, -1, -1), DIMS(3, 4, 5), DIMS(), "takes [-1,3,-1,-1]"},
    {DIMS(-1, 3, -1, -1), DIMS(1, 3, 0, 5), DIMS(), "takes [-1,3,-1,-1]"},
    {DIMS(1, 3, -1, -1), DIMS(1, 3, 1, 2), DIMS(1, 3, 1, 2), NULL},
    {DIMS(1, 3, -1, -1), DIMS(2, 3, 1, 2), DIMS(), "takes [1,3,-1,-1]"},
};

START_TEST(shapes_of_arrays)
{
    static const float values[120] = {0};
    const struct rf_io x = {.name = "x", .dtype = RF_F32, .shape = shapes[_i].declared};
    const struct rf_model_io io = model_of(&x);
    struct rf_infer_request r;
    struct rf_buf b;
    rf_buf_init(&b, 2000);
    rf_npy_write(&b, RF_F32, &shapes[_i].got, values);
    if (shapes[_i].list) {
        assert_fails(RF_SHAPE, shapes[_i].list,
                     rf_infer_decode(&r, RF_BODY_NPY, &io, &any_json, b.data, b.len, &err));
    } else {
        assert_ok(rf_infer_decode(&r, RF_BODY_NPY, &io, &any_json, b.data, b.len, &err));
        ck_assert(rf_shape_equal(&r.inputs[0].shape, &shapes[_i].want));
        const bool open = x.shape.rank > 0 && x.shape.dim[0] < 0;
        ck_assert_int_eq(r.rows, open ? shapes[_i].want.dim[0] : 1);
        rf_infer_request_release(&r);
    }
    rf_buf_release(&b);
}
END_TEST

/* Rows of one element need no brackets: as TensorFlow Serving has it for [n]; and for [n,1]. */
static const struct {
    struct rf_shape declared;
    enum rf_dtype dtype;
    const char *body;
    enum rf_status status;
    const char *message;
} singles[] = {
    {DIMS(-1), RF_F32, "[{\"x\":1},{\"x\":-2.5},{\"x\":NaN}]", RF_OK, NULL},
    {DIMS(-1, 1), RF_F32, "[{\"x\":1},{\"x\":-2.5},{\"x\":NaN}]", RF_OK, NULL},
    {DIMS(-1, 1), RF_F32, "[{\"x\" : 1 } , {\"x\":[-2.5]},{\"x\":NaN}]", RF_OK, NULL},
    {DIMS(3, 1, 1), RF_F32, "[{\"x\":1},{\"x\":-2.5},{\"x\":NaN}]", RF_OK, NULL},
    {DIMS(-1), RF_F32, "[1,-2.5,NaN]", RF_OK, NULL},
    {DIMS(-1, 1), RF_F32, "[1,-2.5,NaN]", RF_OK, NULL},
    {DIMS(3, 1, 1), RF_F32, "[1,-2.5,NaN]", RF_OK, NULL},
    {DIMS(-1, 1), RF_I64, "[{\"x\":1},{\"x\":0.5}]", RF_FORMAT,
     "\"x\" is 0.5; INT64 takes integers"},
    {DIMS(-1, 1), RF_BOOL, "[{\"x\":1}]", RF_FORMAT, "is a number, expected an array of booleans"},
    {DIMS(-1, 1), RF_F32, "[{\"x\":true}]", RF_FORMAT,
     "is a boolean, expected an array of numbers"},
    {DIMS(-1), RF_F32, "[{\"x\":[1]}]", RF_SHAPE, "1 instances of shape [1]: input 'x' takes [-1]"},
    {DIMS(-1, 2), RF_F32, "[{\"x\":1}]", RF_FORMAT, "is a number, expected an array of numbers"},
    {DIMS(-1, -1), RF_F32, "[{\"x\":1}]", RF_FORMAT, "is a number, expected an array of numbers"},
    {DIMS(2, 1), RF_F32, "[{\"x\":1}]", RF_SHAPE,
     "1 instances of shape [1]: input 'x' takes [2,1]"},
    {DIMS(-1, 2), RF_F32, "[1,2]", RF_SHAPE, "instances of shape [2]: input 'x' takes [-1,2]"},
};

START_TEST(instances_of_one_element)
{
    const struct rf_io x = {.name = "x", .dtype = singles[_i].dtype, .shape = singles[_i].declared};
    const struct rf_model_io io = model_of(&x);
    struct rf_infer_request r;
    char body[128];
    snprintf(body, sizeof body, "{\"instances\":%s}", singles[_i].body);
    if (singles[_i].status != RF_OK) {
        assert_fails(singles[_i].status, singles[_i].message, decode_json(&r, &io, body, &err));
        return;
    }
    assert_ok(decode_json(&r, &io, body, &err));
    const float *const v = r.inputs[0].data;
    struct rf_shape want = singles[_i].declared;
    want.dim[0] = 3;
    ck_assert(rf_shape_equal(&r.inputs[0].shape, &want));
    ck_assert(v[0] == 1 && v[1] == -2.5f && v[2] != v[2]);
    rf_infer_request_release(&r);
}
END_TEST

START_TEST(instances_need_the_declared_batch)
{
    const struct rf_io open = IO("x", RF_I32, -1, 2), fixed = IO("x", RF_I32, 2, 2);
    const struct rf_model_io any = model_of(&open), two = model_of(&fixed);
    struct rf_infer_request r;
    assert_ok(decode_json(&r, &any, "{\"instances\":[[1,2],[3,4],[5,6]]}", &err));
    ck_assert_int_eq(r.rows, 3);
    rf_infer_request_release(&r);
    assert_fails(RF_SHAPE, "instances of shape [3,2]: input 'x' takes [2,2]",
                 decode_json(&r, &two, "{\"instances\":[[1,2],[3,4],[5,6]]}", &err));
    assert_fails(RF_SHAPE, "instances of shape [0]",
                 decode_json(&r, &two, "{\"instances\":[]}", &err));
}
END_TEST

/* ---- several inputs, and none ---- */

START_TEST(inputs_of_different_kinds)
{
    static const struct rf_io inputs[] = {IO("image", RF_F32, 1, -1, -1), IO("sizes", RF_I64, 2),
                                          IO("flag", RF_BOOL), IO("batch", RF_U8, -1, 2)};
    static const float out[] = {1.5f};
    const struct rf_model_io io = {.name = "m",
                                   .version = "1",
                                   .inputs = inputs,
                                   .outputs = inputs,
                                   .n_inputs = 4,
                                   .n_outputs = 4};
    struct rf_infer_request r;
    assert_ok(
        decode_json(&r, &io,
                    "{\"inputs\":["
                    "{\"name\":\"flag\",\"shape\":[],\"datatype\":\"BOOL\",\"data\":[true]},"
                    "{\"name\":\"sizes\",\"shape\":[2],\"datatype\":\"INT32\",\"data\":[-1,3]},"
                    "{\"name\":\"image\",\"shape\":[1,1,1],\"datatype\":\"FP32\",\"data\":[1.5]},"
                    "{\"name\":\"batch\",\"shape\":[3,2],\"datatype\":\"UINT8\",\"data\":"
                    "[[1,2],[3,4],[5,6]]}]}",
                    &err));
    ck_assert_int_eq(r.rows, 3);
    ck_assert_int_eq(r.inputs[2].shape.rank, 0);
    ck_assert_mem_eq(r.inputs[0].data, out, sizeof out);
    struct rf_buf b;
    rf_buf_init(&b, 2000);
    assert_ok(rf_infer_encode(&b, RF_BODY_JSON, &io, &r, r.inputs, NULL, &err));
    rf_buf_add(&b, "", 1);
    ck_assert_str_eq(
        b.data,
        "{\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":["
        "{\"name\":\"image\",\"datatype\":\"FP32\",\"shape\":[1,1,1],\"data\":[1.5]},"
        "{\"name\":\"sizes\",\"datatype\":\"INT64\",\"shape\":[2],\"data\":[-1,3]},"
        "{\"name\":\"flag\",\"datatype\":\"BOOL\",\"shape\":[],\"data\":[true]},"
        "{\"name\":\"batch\",\"datatype\":\"UINT8\",\"shape\":[3,2],\"data\":[1,2,3,4,5,6]}]}");
    rf_buf_release(&b);
    rf_infer_request_release(&r);
    assert_fails(
        RF_SHAPE, "unexpected shape for input 'image' for model 'm'. Expected [1,-1,-1], got",
        decode_json(&r, &io,
                    "{\"inputs\":[{\"name\":\"image\",\"shape\":[1,0,1],\"datatype\":\"FP32\","
                    "\"data\":[]}]}",
                    &err));
    assert_fails(RF_SHAPE, "input 'flag': shape [] has 1 elements, \"data\" has 2",
                 decode_json(&r, &io,
                             "{\"inputs\":[{\"name\":\"flag\",\"shape\":[],\"datatype\":\"BOOL\","
                             "\"data\":[true,false]}]}",
                             &err));
}
END_TEST

START_TEST(no_inputs)
{
    static const struct rf_io y = IO("y", RF_I64, 1);
    const struct rf_model_io io = {
        .name = "m", .version = "1", .outputs = &y, .n_inputs = 0, .n_outputs = 1};
    struct rf_infer_request r;
    static const char *const bodies[] = {"{}", "{\"inputs\":[]}", "{\"id\":\"a\"}"};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(decode_json(&r, &io, bodies[i], &err));
        ck_assert_uint_eq(r.n_inputs, 0);
        ck_assert_uint_eq(r.n_outputs, 1);
        ck_assert_int_eq(r.rows, 1);
        rf_infer_request_release(&r);
    }
    assert_fails(RF_INVALID, "array needs a model with one input; model 'm' has 0",
                 decode_json(&r, &io, "[1]", &err));
    assert_fails(RF_INVALID, "a raw body needs a model with one input; model 'm' has 0",
                 rf_infer_decode(&r, RF_BODY_RAW, &io, &any_json, "", 1, &err));
    assert_fails(RF_INVALID, "unexpected inference input 'x'",
                 decode_json(&r, &io, "{\"inputs\":[{\"name\":\"x\"}]}", &err));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("infer_shapes");
    TCase *const t = tcase_create("all");
    tcase_add_loop_test(t, shapes_of_arrays, 0, sizeof shapes / sizeof *shapes);
    tcase_add_loop_test(t, instances_of_one_element, 0, sizeof singles / sizeof *singles);
    tcase_add_test(t, instances_need_the_declared_batch);
    tcase_add_test(t, inputs_of_different_kinds);
    tcase_add_test(t, no_inputs);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
