/* .npy files: versions, types, orders, and headers that are not what they should be. */
#include "proto/npy.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/build_test.h"

static struct rf_error err;

static void *make_file(int version, const char *header, const void *data, size_t n, size_t *len)
{
    const size_t h = strlen(header), start = version == 1 ? 10 : 12;
    unsigned char *const file = malloc(start + h + n);
    ck_assert_ptr_nonnull(file);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (unsigned char)version;
    file[7] = 0;
    for (size_t i = 8; i < start; i++)
        file[i] = (unsigned char)(h >> (8 * (i - 8)));
    memcpy(file + start, header, h);
    if (n)
        memcpy(file + start + h, data, n);
    *len = start + h + n;
    return file;
}

static enum rf_status read_header(const char *header, size_t n)
{
    static const unsigned char zeros[256];
    struct rf_npy npy;
    size_t len;
    void *const file = make_file(1, header, zeros, n, &len);
    err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc = rf_npy_read(&npy, "npy", file, len, &err);
    free(file);
    return rc;
}

#define H(descr, order, shape)                                                                     \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }    \n"

static const struct {
    const char *header;
    size_t n;
    enum rf_status status;
    const char *text;
} bad[] = {
    {"", 0, RF_FORMAT, "npy: npy header: expected '{' at byte 0, got \"\""},
    {"[]", 0, RF_FORMAT, "expected '{'"},
    {"{}", 0, RF_FORMAT, "npy header lacks 'descr'"},
    {"{'descr': '<f4'}", 0, RF_FORMAT, "lacks 'fortran_order'"},
    {"{'descr': '<f4', 'fortran_order': False}", 0, RF_FORMAT, "lacks 'shape'"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", 4, RF_FORMAT,
     "unknown key 'x'"},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4, RF_FORMAT,
     "has 'descr' twice"},
    {"{'descr' '<f4'}", 0, RF_FORMAT, "expected ':'"},
    {"{'descr': '<f4' 'shape': (1,)}", 4, RF_FORMAT, "expected ',' or '}'"},
    {"{descr: '<f4'}", 0, RF_FORMAT, "expected 'descr', 'fortran_order' or 'shape'"},
    {"{'descr': <f4}", 0, RF_FORMAT, "expected a type as '<f4'"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4, RF_FORMAT,
     "structured types are not supported"},
    {H(">f4", "False", "(1,)"), 4, RF_UNSUPPORTED, "dtype '>f4' is not supported (big-endian)"},
    {H("|O", "False", "(1,)"), 8, RF_UNSUPPORTED, "npy dtype '|O' is not supported"},
    {H("<c8", "False", "(1,)"), 8, RF_UNSUPPORTED, "npy dtype '<c8' is not supported"},
    {H("<U3", "False", "(1,)"), 12, RF_UNSUPPORTED, "npy dtype '<U3' is not supported"},
    {H("<f16", "False", "(1,)"), 16, RF_UNSUPPORTED, "npy dtype '<f16' is not supported"},
    {H("f4", "False", "(1,)"), 4, RF_UNSUPPORTED, "npy dtype 'f4' is not supported"},
    {H("<f4xxxxxxxxxxxxxxxxxxxxx", "False", "(1,)"), 4, RF_FORMAT, "expected a type"},
    {H("<f4", "false", "(1,)"), 4, RF_FORMAT, "expected True or False"},
    {H("<f4", "0", "(1,)"), 4, RF_FORMAT, "expected True or False"},
    {H("<f4", "False", "1"), 4, RF_FORMAT, "expected a shape as (2, 3)"},
    {H("<f4", "False", "(1)"), 4, RF_FORMAT, "expected ','"},
    {H("<f4", "False", "(1 2)"), 8, RF_FORMAT, "expected ','"},
    {H("<f4", "False", "(-1,)"), 4, RF_FORMAT, "expected a size of 0 or more"},
    {H("<f4", "False", "(1.0,)"), 4, RF_FORMAT, "expected ','"},
    {H("<f4", "False", "(,)"), 4, RF_FORMAT, "expected a size"},
    {H("<f4", "False", "(1,,2)"), 8, RF_FORMAT, "expected a size"},
    {H("<f4", "False", "(9223372036854775808,)"), 4, RF_FORMAT, "expected a size below 2^63"},
    {H("<f4", "False", "(4294967296, 4294967296)"), 4, RF_SHAPE, "has too many elements"},
    {H("<f8", "False", "(4611686018427387904,)"), 4, RF_SHAPE, "has too many elements"},
    {H("<f4", "False", "(1,1,1,1,1,1,1,1,1)"), 4, RF_UNSUPPORTED, "more than 8 dimensions"},
    {H("<f4", "False", "(2, 3)"), 23, RF_FORMAT,
     "npy shape [2,3] of FP32 needs 24 bytes behind the header, the file has 23"},
    {H("<f4", "False", "(2, 3)"), 25, RF_FORMAT,
     "needs 24 bytes behind the header, the file has 25"},
    {H("<f4", "False", "()"), 0, RF_FORMAT, "npy shape [] of FP32 needs 4 bytes"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", 4, RF_FORMAT,
     "expected spaces up to the end"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,", 4, RF_FORMAT, "expected a size"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 4, RF_FORMAT, "expected ',' or '}'"},
};

START_TEST(broken_headers)
{
    const enum rf_status rc = read_header(bad[_i].header, bad[_i].n);
    ck_assert_msg(rc == bad[_i].status, "%s: status %d: %s", bad[_i].header, rc, err.text);
    ck_assert_msg(strstr(err.text, bad[_i].text) != NULL, "%s: %s", bad[_i].header, err.text);
}
END_TEST

START_TEST(broken_starts)
{
    struct rf_npy npy;
    size_t len;
    unsigned char *const file = make_file(1, H("<f4", "False", "(1,)"), "\0\0\200?", 4, &len);
    assert_ok(rf_npy_read(&npy, "npy", file, len, &err));
    for (size_t n = 0; n < len; n++) {
        void *const copy = exact_copy(file, n);
        ck_assert_msg(rf_npy_read(&npy, "npy", copy, n, NULL) != RF_OK, "%zu bytes", n);
        free(copy);
    }
    file[0] = 'x';
    assert_fails(RF_FORMAT, "not an npy file", rf_npy_read(&npy, "npy", file, len, &err));
    file[0] = 0x93;
    file[6] = 4;
    assert_fails(RF_UNSUPPORTED, "npy version 4.0; expected 1 to 3",
                 rf_npy_read(&npy, "npy", file, len, &err));
    file[6] = 1;
    file[9] = 0xff;
    assert_fails(RF_FORMAT, "but the file has", rf_npy_read(&npy, "npy", file, len, &err));
    file[6] = 2;
    file[11] = 0xff;
    assert_fails(RF_FORMAT, "but the file has", rf_npy_read(&npy, "npy", file, len, &err));
    free(file);
}
END_TEST

/* A file that is read bit by bit: its first bytes say where its elements are. */
START_TEST(heads)
{
    struct rf_npy npy;
    size_t len, start = 0;
    unsigned char *const file =
        make_file(1, H("<f4", "False", "(2,)"), "\0\0\200?\0\0\0@", 8, &len);
    for (size_t n = 0; n < len; n++) {
        void *const copy = exact_copy(file, n);
        const struct rf_npy_part part = {"npy", copy, n, len};
        const enum rf_status rc = rf_npy_head(&npy, &start, &part, NULL);
        ck_assert_msg((rc == RF_OK) == (n >= len - 8), "%zu bytes", n);
        free(copy);
    }
    ck_assert_uint_eq(start, len - 8);
    ck_assert(npy.n == 2 && npy.data == NULL);
    const struct rf_npy_part longer = {"npy", file, len, len + 1};
    assert_fails(RF_FORMAT, "needs 8 bytes behind the header, the file has 9",
                 rf_npy_head(&npy, &start, &longer, &err));
    free(file);
}
END_TEST

START_TEST(long_headers)
{
    struct rf_npy npy;
    size_t len;
    char *const header = malloc(70000);
    ck_assert_ptr_nonnull(header);
    memset(header, ' ', 70000);
    memcpy(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", 57);
    header[60000] = '\0';
    void *file = make_file(2, header, NULL, 0, &len);
    assert_ok(rf_npy_read(&npy, "npy", file, len, &err));
    free(file);
    header[60000] = ' ';
    header[69999] = '\0';
    file = make_file(2, header, NULL, 0, &len);
    assert_fails(RF_LIMIT, "npy header of 69999 bytes; at most 65536 are read",
                 rf_npy_read(&npy, "npy", file, len, &err));
    free(file);
    free(header);
}
END_TEST

/* Each type: two elements and what they are as floats. */
static const struct {
    const char *descr;
    enum rf_dtype dtype;
    const char *bytes;
    size_t size;
    float want[2];
} types[] = {
    {"|b1", RF_BOOL, "\x00\x01", 1, {0, 1}},
    {"|u1", RF_U8, "\x07\xff", 1, {7, 255}},
    {"|i1", RF_I8, "\x07\xff", 1, {7, -1}},
    {"<i1", RF_I8, "\x80\x7f", 1, {-128, 127}},
    {"<u2", RF_U16, "\x01\x00\xff\xff", 2, {1, 65535}},
    {"<i2", RF_I16, "\x00\x80\xff\x7f", 2, {-32768, 32767}},
    {"<u4", RF_U32, "\x01\x00\x00\x00\xff\xff\xff\xff", 4, {1, 4294967296.0f}},
    {"<i4", RF_I32, "\x01\x00\x00\x01\x00\x00\x00\x80", 4, {16777216.0f, -2147483648.0f}},
    {"<u8", RF_U64, "\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\x20\0", 8, {5, 9007199254740992.0f}},
    {"<i8",
     RF_I64,
     "\xfb\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\xe0\xff",
     8,
     {-5, -9007199254740992.0f}},
    {"<f2", RF_F16, "\x00\x3c\x66\x2e", 2, {1, 0.0999755859375f}},
    {"<f4", RF_F32, "\xcd\xcc\xcc\x3d\x00\x00\x00\xc0", 4, {0.1f, -2}},
    {"<f8", RF_F64, "\x9a\x99\x99\x99\x99\x99\xb9\x3f\0\0\0\0\0\0\0\xc0", 8, {0.1f, -2}},
};

START_TEST(every_type_and_version)
{
    for (int version = 1; version <= 3; version++) {
        struct rf_npy npy;
        size_t len;
        char header[128];
        float out[2];
        snprintf(header, sizeof header,
                 "{\"shape\": (2L,), \"fortran_order\": False, \"descr\": \"%s\"}\n",
                 types[_i].descr);
        void *const file = make_file(version, header, types[_i].bytes, 2 * types[_i].size, &len);
        assert_ok(rf_npy_read(&npy, "npy", file, len, &err));
        ck_assert_int_eq(npy.dtype, types[_i].dtype);
        ck_assert_int_eq(npy.shape.rank, 1);
        ck_assert_int_eq(npy.n, 2);
        assert_ok(rf_npy_convert(&npy, out, RF_F32, "npy", &err));
        ck_assert(out[0] == types[_i].want[0] && out[1] == types[_i].want[1]);
        free(file);
    }
}
END_TEST

START_TEST(values_that_do_not_fit)
{
    static const struct {
        const char *header, *bytes, *text;
    } cases[] = {
        {H("<i8", "False", "(1,)"), "\x01\0\0\0\0\0\x20\0",
         "npy: element 0 is 9007199254740993, beyond 2^53"},
        {H("<u8", "False", "(1,)"), "\xff\xff\xff\xff\xff\xff\xff\xff", "beyond 2^53"},
        {H("<f8", "False", "(1,)"), "\xff\xff\xff\xff\xff\xff\xef\x7f", "beyond FP32's range"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct rf_npy npy;
        size_t len;
        float out;
        void *const file = make_file(1, cases[i].header, cases[i].bytes, 8, &len);
        assert_ok(rf_npy_read(&npy, "npy", file, len, &err));
        assert_fails(RF_FORMAT, cases[i].text, rf_npy_convert(&npy, &out, RF_F32, "npy", &err));
        free(file);
    }
}
END_TEST

START_TEST(fortran_order)
{
    /* a[i][j][k] = 100 i + 10 j + k of shape (2, 3, 4), first index fastest */
    float stored[24], out[24];
    struct rf_npy npy;
    size_t len, n = 0;
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 3; j++)
            for (int i = 0; i < 2; i++)
                stored[n++] = (float)(100 * i + 10 * j + k);
    void *const file = make_file(1, H("<f4", "True", "(2, 3, 4)"), stored, sizeof stored, &len);
    assert_ok(rf_npy_read(&npy, "npy", file, len, &err));
    ck_assert(npy.fortran);
    assert_ok(rf_npy_convert(&npy, out, RF_F32, "npy", &err));
    n = 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++)
                ck_assert_float_eq(out[n++], (float)(100 * i + 10 * j + k));
    free(file);
}
END_TEST

START_TEST(empty_and_scalar)
{
    struct rf_npy npy;
    size_t len;
    float out = 0;
    void *file = make_file(1, H("<f4", "True", "(0, 3)"), NULL, 0, &len);
    assert_ok(rf_npy_read(&npy, "npy", file, len, &err));
    ck_assert_int_eq(npy.n, 0);
    assert_ok(rf_npy_convert(&npy, &out, RF_F32, "npy", &err));
    free(file);
    file = make_file(1, H("<f4", "False", "()"), "\0\0\0\x40", 4, &len);
    assert_ok(rf_npy_read(&npy, "npy", file, len, &err));
    ck_assert_int_eq(npy.shape.rank, 0);
    assert_ok(rf_npy_convert(&npy, &out, RF_F32, "npy", &err));
    ck_assert_float_eq(out, 2);
    free(file);
}
END_TEST

START_TEST(written_files)
{
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t labels[2] = {-1, 1};
    struct rf_shape shape = {.rank = 2, .dim = {2, 3}};
    struct rf_npy npy;
    struct rf_buf b;
    rf_buf_init(&b, 10000);
    rf_npy_write(&b, RF_F32, &shape, values);
    ck_assert_int_eq(b.status, RF_OK);
    ck_assert_uint_eq(b.len, 128 + sizeof values);
    ck_assert_int_eq(
        memcmp(b.data + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 59), 0);
    assert_ok(rf_npy_read(&npy, "npy", b.data, b.len, &err));
    ck_assert(rf_shape_equal(&npy.shape, &shape));
    ck_assert_int_eq(memcmp(npy.data, values, sizeof values), 0);
    b.len = 0;
    shape = (struct rf_shape){.rank = 1, .dim = {2}};
    rf_npy_write(&b, RF_I64, &shape, labels);
    assert_ok(rf_npy_read(&npy, "npy", b.data, b.len, &err));
    ck_assert(rf_shape_equal(&npy.shape, &shape));
    ck_assert_int_eq(memcmp(npy.data, labels, sizeof labels), 0);
    b.len = 0;
    shape.rank = 0;
    rf_npy_write(&b, RF_F32, &shape, values);
    assert_ok(rf_npy_read(&npy, "npy", b.data, b.len, &err));
    ck_assert_int_eq(npy.shape.rank, 0);
    rf_buf_release(&b);
    rf_buf_init(&b, 100);
    shape.rank = 1;
    rf_npy_write(&b, RF_F32, &shape, values);
    ck_assert_int_eq(b.status, RF_LIMIT);
    rf_buf_release(&b);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("npy");
    TCase *const t = tcase_create("all");
    tcase_add_loop_test(t, broken_headers, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, broken_starts);
    tcase_add_test(t, heads);
    tcase_add_test(t, long_headers);
    tcase_add_loop_test(t, every_type_and_version, 0, sizeof types / sizeof *types);
    tcase_add_test(t, values_that_do_not_fit);
    tcase_add_test(t, fortran_order);
    tcase_add_test(t, empty_and_scalar);
    tcase_add_test(t, written_files);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
