/* safetensors: every rule of the format, broken one at a time; round trips; conversions. */
#include "proto/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/build_test.h"

static struct rf_error err;

/* A file of this header and `n_data` bytes 0, 1, 2, ... */
static void *make_file(const char *header, size_t header_len, size_t n_data, size_t *len)
{
    const uint64_t length = header_len;
    *len = 8 + header_len + n_data;
    unsigned char *const file = malloc(*len);
    ck_assert_ptr_nonnull(file);
    memcpy(file, &length, 8);
    memcpy(file + 8, header, header_len);
    for (size_t i = 0; i < n_data; i++)
        file[8 + header_len + i] = (unsigned char)i;
    return file;
}

static enum rf_status read_header(const char *header, size_t n_data)
{
    size_t len;
    struct rf_safetensors *st = NULL;
    void *const file = make_file(header, strlen(header), n_data, &len);
    err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc = rf_safetensors_read(&st, "file", file, len, &err);
    ck_assert((rc == RF_OK) == (st != NULL));
    rf_safetensors_free(st);
    free(file);
    return rc;
}

#define T(name, dtype, shape, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *header;
    size_t n_data;
    enum rf_status status;
    const char *text;
} bad[] = {
    {"[]", 0, RF_FORMAT, "file: the header must begin with '{', not byte 0x5b"},
    {" {}", 0, RF_FORMAT, "must begin with '{', not byte 0x20"},
    {"{}x", 0, RF_FORMAT, "expected the end of the text"},
    {"{", 0, RF_FORMAT, "header of 1 bytes"},
    {"{\"a\"", 0, RF_FORMAT, "expected ':' behind a key"},
    {"{\"a\xff\":1}", 0, RF_FORMAT, "malformed UTF-8"},
    {"{\"a\":1}", 0, RF_FORMAT, "tensor 'a' must be described by an object"},
    {"{\"a\":{}}", 0, RF_FORMAT, "tensor 'a' lacks \"dtype\""},
    {"{\"a\":{\"dtype\":\"F32\"}}", 0, RF_FORMAT, "tensor 'a' lacks \"shape\""},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, RF_FORMAT, "'a' lacks \"data_offsets\""},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, RF_FORMAT,
     "tensor 'a' has keys other than"},
    {"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, RF_FORMAT,
     "'a': \"dtype\" must be a string"},
    {"{" T("a", "F33", "[1]", "[0,4]") "}", 4, RF_UNSUPPORTED, "tensor 'a': unknown dtype 'F33'"},
    {"{" T("a", "f32", "[1]", "[0,4]") "}", 4, RF_UNSUPPORTED, "unknown dtype 'f32'"},
    {"{" T("a", "F8_E4M3", "[4]", "[0,4]") "}", 4, RF_UNSUPPORTED, "unknown dtype 'F8_E4M3'"},
    {"{" T("a", "F32", "1", "[0,4]") "}", 4, RF_FORMAT, "'a': \"shape\" must be an array"},
    {"{" T("a", "F32", "[-1]", "[0,4]") "}", 4, RF_FORMAT, "'a': shape[0] must be an integer"},
    {"{" T("a", "F32", "[1,1.0]", "[0,4]") "}", 4, RF_FORMAT, "'a': shape[1] must be an integer"},
    {"{" T("a", "F32", "[\"1\"]", "[0,4]") "}", 4, RF_FORMAT, "shape[0] must be an integer"},
    {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, RF_UNSUPPORTED,
     "tensor 'a' has 9 dimensions"},
    {"{" T("a", "F32", "[18446744073709551616]", "[0,4]") "}", 4, RF_FORMAT, "too big integer"},
    {"{" T("a", "F32", "[4294967296,4294967296]", "[0,4]") "}", 4, RF_FORMAT,
     "tensor 'a': shape [4294967296,4294967296] of F32 overflows"},
    {"{" T("a", "F64", "[4611686018427387904]", "[0,0]") "}", 0, RF_FORMAT, "of F64 overflows"},
    {"{" T("a", "F32", "[2305843009213693952,2]", "[0,0]") "}", 0, RF_FORMAT, "overflows"},
    {"{" T("a", "F32", "[1]", "4") "}", 4, RF_FORMAT, "'a': \"data_offsets\" must be two integers"},
    {"{" T("a", "F32", "[1]", "[0]") "}", 4, RF_FORMAT, "\"data_offsets\" must be two integers"},
    {"{" T("a", "F32", "[1]", "[0,4,8]") "}", 4, RF_FORMAT, "must be two integers"},
    {"{" T("a", "F32", "[1]", "[-4,0]") "}", 4, RF_FORMAT, "must be two integers"},
    {"{" T("a", "F32", "[1]", "[0,4.0]") "}", 4, RF_FORMAT, "must be two integers"},
    {"{" T("a", "F32", "[1]", "[4,0]") "}", 4, RF_FORMAT,
     "tensor 'a': data_offsets [4,0] do not lie in order within the 4 bytes"},
    {"{" T("a", "F32", "[2]", "[0,8]") "}", 4, RF_FORMAT,
     "data_offsets [0,8] do not lie in order within the 4 bytes"},
    {"{" T("a", "F32", "[1]", "[9223372036854775803,9223372036854775807]") "}", 4, RF_FORMAT,
     "do not lie in order within"},
    {"{" T("a", "F32", "[2]", "[0,4]") "}", 4, RF_FORMAT,
     "tensor 'a': shape [2] of F32 needs 8 bytes, data_offsets span 4"},
    {"{" T("a", "F16", "[1]", "[0,4]") "}", 4, RF_FORMAT, "needs 2 bytes, data_offsets span 4"},
    {"{" T("a", "F32", "[0]", "[0,4]") "}", 4, RF_FORMAT, "needs 0 bytes, data_offsets span 4"},
    {"{" T("a", "F32", "[1]", "[0,4]") "}", 5, RF_FORMAT,
     "file: 5 bytes of data, but the tensors end at byte 4 ('a')"},
    {"{}", 3, RF_FORMAT, "3 bytes of data, but the tensors end at byte 0"},
    {"{" T("a", "F32", "[1]", "[4,8]") "}", 8, RF_FORMAT,
     "tensor 'a' begins at byte 4, but 'the header' before it ends at 0 (hole)"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[8,12]") "}", 12, RF_FORMAT,
     "tensor 'b' begins at byte 8, but 'a' before it ends at 4 (hole)"},
    {"{" T("b", "F32", "[2]", "[0,8]") "," T("a", "F32", "[1]", "[4,8]") "}", 8, RF_FORMAT,
     "tensor 'a' begins at byte 4, but 'b' before it ends at 8 (overlap)"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[0,4]") "}", 4, RF_FORMAT,
     "(overlap)"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8, RF_FORMAT,
     "duplicate object key"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     RF_FORMAT, "duplicate object key"},
    {"{" T("", "F32", "[1]", "[0,4]") "}", 4, RF_FORMAT, "a tensor has an empty name"},
    {"{" T("a\\u0000b", "F32", "[1]", "[0,4]") "}", 4, RF_FORMAT, "file: NUL byte in object key"},
    {"{\"__metadata__\":1}", 0, RF_FORMAT, "\"__metadata__\" must be an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, RF_FORMAT, "\"__metadata__\": 'a' must be a string"},
    {"{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, RF_FORMAT, "'a' must be a string"},
    {"{" T("a", "F32", "NaN", "[0,4]") "}", 4, RF_FORMAT, "expected a JSON value"},
    {"{" T("a\\nb", "F33", "[1]", "[0,4]") "}", 4, RF_UNSUPPORTED, "tensor 'a?b'"},
};

START_TEST(broken_headers)
{
    const enum rf_status rc = read_header(bad[_i].header, bad[_i].n_data);
    ck_assert_msg(rc == bad[_i].status, "%s: status %d: %s", bad[_i].header, rc, err.text);
    ck_assert_msg(strstr(err.text, bad[_i].text) != NULL, "%s: %s", bad[_i].header, err.text);
    ck_assert_ptr_nonnull(strstr(err.text, "file: "));
}
END_TEST

static enum rf_status read_bytes(const void *bytes, size_t len)
{
    struct rf_safetensors *st = NULL;
    void *const copy = exact_copy(bytes, len);
    err = (struct rf_error)RF_ERROR_INIT;
    const enum rf_status rc = rf_safetensors_read(&st, "file", copy, len, &err);
    rf_safetensors_free(st);
    free(copy);
    return rc;
}

START_TEST(broken_lengths)
{
    unsigned char file[32] = {0};
    for (size_t n = 0; n < 8; n++)
        ck_assert_int_eq(read_bytes(file, n), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "7 bytes; a safetensors file starts with 8 bytes"));
    ck_assert_int_eq(read_bytes(file, 32), RF_FORMAT); /* a header of 0 bytes */
    file[0] = 25;
    ck_assert_int_eq(read_bytes(file, 32), RF_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "header of 25 bytes, but 24 follow"));
    const uint64_t over = RF_SAFETENSORS_HEADER + 1;
    memcpy(file, &over, 8);
    ck_assert_int_eq(read_bytes(file, 32), RF_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "header of 16777217 bytes; at most 16777216"));
    memset(file, 0xff, 8);
    ck_assert_int_eq(read_bytes(file, 32), RF_LIMIT);
}
END_TEST

START_TEST(deep_headers)
{
    enum { DEEP = 100000 };
    char *const header = malloc(DEEP + 1);
    size_t len;
    struct rf_safetensors *st;
    ck_assert_ptr_nonnull(header);
    memcpy(header, "{\"a\":", 5);
    memset(header + 5, '[', DEEP - 5);
    void *const file = make_file(header, DEEP, 0, &len);
    assert_fails(RF_FORMAT, "JSON nesting depth exceeds maximum allowed limit (64)",
                 rf_safetensors_read(&st, "file", file, len, &err));
    free(file);
    free(header);
}
END_TEST

static const char good_header[] =
    "{\"__metadata__\":{\"format\":\"pt\"}," T("b", "F32", "[2,1]", "[3,11]") "," T(
        "a", "U8", "[3]", "[0,3]") "," T("empty", "F32", "[0,5]",
                                         "[11,11]") "," T("scalar", "F64", "[]", "[11,19]") "}   ";

START_TEST(good_file)
{
    size_t len;
    struct rf_safetensors *st;
    unsigned char *const file = make_file(good_header, strlen(good_header), 19, &len);
    assert_ok(rf_safetensors_read(&st, "file", file, len, &err));
    ck_assert_uint_eq(st->n, 4);
    const struct rf_safetensor *const b = rf_safetensors_find(st, "b");
    ck_assert_ptr_eq(b->data, file + len - 19 + 3);
    ck_assert_uint_eq(b->bytes, 8);
    ck_assert_int_eq(b->shape.rank, 2);
    ck_assert_int_eq(b->shape.dim[0], 2);
    ck_assert_int_eq(rf_safetensors_find(st, "scalar")->shape.rank, 0);
    ck_assert_uint_eq(rf_safetensors_find(st, "empty")->bytes, 0);
    ck_assert_ptr_null(rf_safetensors_find(st, "c"));
    ck_assert_ptr_null(rf_safetensors_find(st, "__metadata__"));
    for (size_t i = 1; i < st->n; i++)
        ck_assert_int_lt(strcmp(st->tensors[i - 1].name, st->tensors[i].name), 0);
    rf_safetensors_free(st);
    free(file);
}
END_TEST

START_TEST(empty_file_of_tensors)
{
    ck_assert_int_eq(read_header("{}", 0), RF_OK);
    ck_assert_int_eq(read_header("{\"__metadata__\":{}}  ", 0), RF_OK);
}
END_TEST

START_TEST(every_prefix_fails)
{
    size_t len;
    char *const file = make_file(good_header, strlen(good_header), 19, &len);
    ck_assert_int_eq(read_bytes(file, len), RF_OK);
    for (size_t n = 0; n < len; n++)
        ck_assert_msg(read_bytes(file, n) != RF_OK, "%zu bytes", n);
    free(file);
}
END_TEST

/* Whatever one byte turns into: no crash, and what is accepted lies within the file. */
START_TEST(every_byte_changed)
{
    static const unsigned char changes[] = {0, '"', ',', '9', '[', '}', 0x80, 0xff};
    size_t len;
    unsigned char *const file = make_file(good_header, strlen(good_header), 19, &len);
    for (size_t i = 0; i < len; i++) {
        const unsigned char was = file[i];
        for (size_t c = 0; c < sizeof changes; c++) {
            struct rf_safetensors *st = NULL;
            file[i] = changes[c];
            if (rf_safetensors_read(&st, "file", file, len, NULL) != RF_OK)
                continue;
            for (size_t t = 0; t < st->n; t++) {
                const unsigned char *const data = st->tensors[t].data;
                ck_assert(data >= file && data + st->tensors[t].bytes <= file + len);
            }
            rf_safetensors_free(st);
        }
        file[i] = was;
    }
    free(file);
}
END_TEST

START_TEST(conversions)
{
    static const double wide[] = {0.1, -2, 1e-60};
    static const uint16_t half[] = {0x3c00, 0xc000, 0x2e66, 0x7bff, 0x0001, 0x7c00};
    static const uint16_t brain[] = {0x3f80, 0xc000, 0x3dcd};
    float out[6];
    struct rf_safetensor t = {
        .name = "t", .dtype = RF_F64, .shape = {.rank = 1, .dim = {3}}, .data = wide, .bytes = 24};
    assert_ok(rf_safetensor_to_f32(&t, out, "file", &err));
    ck_assert(out[0] == 0.1f && out[1] == -2.0f && out[2] == 0.0f);
    t.dtype = RF_F16;
    t.shape.dim[0] = 6;
    t.data = half;
    assert_ok(rf_safetensor_to_f32(&t, out, "file", &err));
    ck_assert(out[0] == 1.0f && out[1] == -2.0f && out[2] == 0.0999755859375f);
    ck_assert(out[3] == 65504.0f && out[4] == 5.9604644775390625e-08f && isinf(out[5]));
    t.dtype = RF_BF16;
    t.shape.dim[0] = 3;
    t.data = brain;
    assert_ok(rf_safetensor_to_f32(&t, out, "file", &err));
    ck_assert(out[0] == 1.0f && out[1] == -2.0f && out[2] == 0.10009765625f);
    t.dtype = RF_I64;
    assert_fails(RF_UNSUPPORTED, "file: tensor 't' holds I64; expected F32, F16, BF16 or F64",
                 rf_safetensor_to_f32(&t, out, "file", &err));
    static const double huge[] = {1, 1e39, 2};
    t.dtype = RF_F64;
    t.data = huge;
    assert_fails(RF_FORMAT, "file: tensor t: element 1 is 1e39, beyond FP32's range",
                 rf_safetensor_to_f32(&t, out, "file", &err));
}
END_TEST

START_TEST(misaligned_data)
{
    unsigned char bytes[13];
    const float values[3] = {1.5f, -2.25f, 1e-40f};
    float out[3];
    memcpy(bytes + 1, values, 12);
    const struct rf_safetensor t = {.name = "t",
                                    .dtype = RF_F32,
                                    .shape = {.rank = 1, .dim = {3}},
                                    .data = bytes + 1,
                                    .bytes = 12};
    assert_ok(rf_safetensor_to_f32(&t, out, "file", &err));
    ck_assert_int_eq(memcmp(out, values, 12), 0);
}
END_TEST

START_TEST(written_files_read_back)
{
    static const float weights[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t count[1] = {7};
    const struct rf_safetensor tensors[2] = {
        {.name = "a\"\\\xc3\xa9.weight",
         .dtype = RF_F32,
         .shape = {.rank = 2, .dim = {2, 3}},
         .data = weights,
         .bytes = sizeof weights},
        {.name = "n", .dtype = RF_I64, .data = count, .bytes = sizeof count}};
    struct rf_safetensors *st;
    struct rf_buf b;
    rf_buf_init(&b, 10000);
    rf_safetensors_write(&b, tensors, 2);
    ck_assert_int_eq(b.status, RF_OK);
    assert_ok(rf_safetensors_read(&st, "file", b.data, b.len, &err));
    const struct rf_safetensor *const t = rf_safetensors_find(st, tensors[0].name);
    ck_assert_ptr_nonnull(t);
    ck_assert(rf_shape_equal(&t->shape, &tensors[0].shape));
    ck_assert_int_eq(memcmp(t->data, weights, sizeof weights), 0);
    ck_assert_uint_eq((size_t)((const char *)t->data - b.data) % 8, 0);
    ck_assert_int_eq(memcmp(rf_safetensors_find(st, "n")->data, count, 8), 0);
    rf_safetensors_free(st);
    rf_buf_release(&b);
    rf_buf_init(&b, 100);
    rf_safetensors_write(&b, tensors, 2);
    ck_assert_int_eq(b.status, RF_LIMIT);
    rf_buf_release(&b);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("safetensors");
    TCase *const t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, broken_headers, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, broken_lengths);
    tcase_add_test(t, deep_headers);
    tcase_add_test(t, good_file);
    tcase_add_test(t, empty_file_of_tensors);
    tcase_add_test(t, every_prefix_fails);
    tcase_add_test(t, every_byte_changed);
    tcase_add_test(t, conversions);
    tcase_add_test(t, misaligned_data);
    tcase_add_test(t, written_files_read_back);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
