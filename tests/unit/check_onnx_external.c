/* External data: what is read, in which types, and everything that leads out of the folder. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "tests/support/onnx_write.h"

static struct rf_error err;

static char folder[64], outside[64];

static const char *in(const char *where, const char *name)
{
    static char paths[2][256];
    static int next;
    next = !next;
    snprintf(paths[next], sizeof paths[next], "%s/%s", where, name);
    return paths[next];
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *const f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

/* FOLDER/: data (64 bytes 0, 1, ...), sub/data, links, a FIFO; OUTSIDE/: secret. */
static void make_files(void)
{
    unsigned char bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    strcpy(folder, "/tmp/rectifier-check-XXXXXX");
    strcpy(outside, "/tmp/rectifier-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_ptr_nonnull(mkdtemp(outside));
    write_file(in(folder, "m.onnx"), "", 0);
    write_file(in(folder, "data"), bytes, sizeof bytes);
    ck_assert_int_eq(mkdir(in(folder, "sub"), 0700), 0);
    write_file(in(folder, "sub/data"), bytes, sizeof bytes);
    write_file(in(outside, "secret"), bytes, sizeof bytes);
    ck_assert_int_eq(symlink("sub/data", in(folder, "within")), 0);
    ck_assert_int_eq(symlink("sub", in(folder, "alias")), 0);
    ck_assert_int_eq(symlink(in(outside, "secret"), in(folder, "absolute")), 0);
    char up[128];
    snprintf(up, sizeof up, "..%s/secret", strrchr(outside, '/'));
    ck_assert_int_eq(symlink(up, in(folder, "relative")), 0);
    ck_assert_int_eq(symlink(outside, in(folder, "door")), 0);
    ck_assert_int_eq(symlink("loop", in(folder, "loop")), 0);
    ck_assert_int_eq(mkfifo(in(folder, "fifo"), 0600), 0);
    ck_assert_int_eq(symlink("/dev/zero", in(folder, "device")), 0);
}

static void remove_files(void)
{
    static const char *const names[] = {"m.onnx", "data",     "sub/data", "within",
                                        "alias",  "absolute", "relative", "door",
                                        "loop",   "fifo",     "device",   "model.onnx"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in(folder, names[i]));
    unlink(in(outside, "secret"));
    unlink(in(outside, "m.onnx"));
    rmdir(in(folder, "sub"));
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(rmdir(outside), 0);
}

static void add_entry(struct rf_buf *t, const char *key, const char *value)
{
    struct rf_buf e = pb_new();
    pb_text(&e, 1, key);
    pb_text(&e, 2, value);
    pb_message(t, TENSOR_EXTERNAL, &e);
}

/* A tensor "t" in an external file; NULL: no such key. */
static struct rf_buf external(int type, const int64_t *dims, const char *location,
                              const char *offset, const char *length)
{
    struct rf_buf t = onnx_tensor("t", type, dims);
    pb_number(&t, TENSOR_LOCATION, 1);
    if (location)
        add_entry(&t, "location", location);
    if (offset)
        add_entry(&t, "offset", offset);
    if (length)
        add_entry(&t, "length", length);
    return t;
}

static struct rf_buf model_of(struct rf_buf *t)
{
    struct rf_buf graph = pb_new();
    pb_message(&graph, GRAPH_INITIALIZER, t);
    onnx_add_value(&graph, GRAPH_OUTPUT, "t", FLOAT, SCALAR);
    return onnx_model(8, 13, &graph);
}

static enum rf_status read_from(struct rf_graph **g, struct rf_buf *t, const char *path)
{
    struct rf_buf model = model_of(t);
    return onnx_read(g, &model, path, NULL, &err);
}

static const struct {
    int type;
    int64_t n;
    const char *location, *offset, *length;
    enum rf_dtype dtype;
} good[] = {
    {UINT8, 64, "data", NULL, NULL, RF_U8},   {UINT8, 4, "data", "8", "4", RF_U8},
    {UINT8, 4, "data", "60", NULL, RF_U8},    {UINT8, 0, "data", "64", "0", RF_U8},
    {FLOAT, 2, "sub/data", "4", "8", RF_F32}, {INT64, 2, "./data", "0", "16", RF_I64},
    {DOUBLE, 2, "data", "8", "16", RF_F32},   {FLOAT16, 4, "data", "2", "8", RF_F32},
    {BFLOAT16, 4, "data", "2", "8", RF_F32},  {BOOL, 3, "data", "0", "3", RF_BOOL},
    {UINT8, 4, "within", "8", "4", RF_U8},    {UINT8, 4, "alias/data", "8", "4", RF_U8},
};

START_TEST(what_is_read)
{
    struct rf_graph *g;
    struct rf_buf t = external(good[_i].type, DIMS(good[_i].n), good[_i].location, good[_i].offset,
                               good[_i].length);
    assert_ok(read_from(&g, &t, in(folder, "m.onnx")));
    const struct rf_value *const v = &g->values[0];
    const size_t offset = good[_i].offset ? (size_t)atoi(good[_i].offset) : 0;
    ck_assert_int_eq(v->dtype, good[_i].dtype);
    unsigned char bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    for (size_t i = 0; i < (size_t)good[_i].n; i++) {
        double d;
        uint16_t h;
        switch (good[_i].type) {
        case DOUBLE:
            memcpy(&d, bytes + offset + i * sizeof d, sizeof d);
            ck_assert(((const float *)v->constant)[i] == (float)d);
            break;
        case FLOAT16:
            memcpy(&h, bytes + offset + i * sizeof h, sizeof h);
            ck_assert(((const float *)v->constant)[i] == rf_f16_to_f32(h));
            break;
        case BFLOAT16:
            memcpy(&h, bytes + offset + i * sizeof h, sizeof h);
            ck_assert(((const float *)v->constant)[i] == rf_bf16_to_f32(h));
            break;
        case BOOL:
            ck_assert_int_eq(((const uint8_t *)v->constant)[i], bytes[offset + i] != 0);
            break;
        default:
            ck_assert(memcmp((const char *)v->constant + i * rf_dtype_size(v->dtype),
                             bytes + offset + i * rf_dtype_size(v->dtype),
                             rf_dtype_size(v->dtype)) == 0);
        }
    }
    rf_graph_free(g);
}
END_TEST

/* Elements that become wider are read in pieces. */
START_TEST(many_narrow_elements)
{
    enum { N = 10001 };
    static uint16_t halves[N];
    struct rf_graph *g;
    for (int i = 0; i < N; i++)
        halves[i] = (uint16_t)(i & 0x3fff);
    write_file(in(folder, "data"), halves, sizeof halves);
    struct rf_buf t = external(FLOAT16, DIMS(N), "data", NULL, NULL);
    assert_ok(read_from(&g, &t, in(folder, "m.onnx")));
    for (int i = 0; i < N; i++)
        ck_assert(((const float *)g->values[0].constant)[i] == rf_f16_to_f32(halves[i]));
    rf_graph_free(g);
}
END_TEST

static const struct {
    const char *location, *offset, *length;
    enum rf_status status;
    const char *text;
} bad[] = {
    {NULL, NULL, NULL, RF_FORMAT, "m.onnx: tensor 't': external data without a location"},
    {"", NULL, NULL, RF_FORMAT, "external data '' must be a path inside the model's folder"},
    {"/etc/passwd", NULL, NULL, RF_FORMAT, "must be a path inside the model's folder"},
    {"../secret", NULL, NULL, RF_FORMAT, "must be a path inside the model's folder"},
    {"sub/../data", NULL, NULL, RF_FORMAT, "must be a path inside the model's folder"},
    {"sub/..", NULL, NULL, RF_FORMAT, "must be a path inside the model's folder"},
    {"sub//../../x", NULL, NULL, RF_FORMAT, "must be a path inside the model's folder"},
    {"absolute", NULL, NULL, RF_IO, "'absolute' leads out of the model's folder"},
    {"relative", NULL, NULL, RF_IO, "'relative' leads out of the model's folder"},
    {"door/secret", NULL, NULL, RF_IO, "'door/secret' leads out of the model's folder"},
    {"device", NULL, NULL, RF_IO, "'device' leads out of the model's folder"},
    {"loop", NULL, NULL, RF_IO, "'loop' cannot be opened"},
    {"fifo", NULL, NULL, RF_IO, "'fifo' is not a regular file"},
    {"sub", NULL, NULL, RF_IO, "'sub' is not a regular file"},
    {"sub/", NULL, NULL, RF_IO, "'sub/' is not a regular file"},
    {".", NULL, NULL, RF_IO, "'.' is not a regular file"},
    {"nothing\n", NULL, NULL, RF_NOT_FOUND, "'nothing?' cannot be opened: No such file"},
    {"data/x", NULL, NULL, RF_NOT_FOUND, "'data/x' cannot be opened"},
    {"data", "61", "4", RF_FORMAT, "external data at 61 of 4 bytes, 'data' has 64"},
    {"data", "65", "4", RF_FORMAT, "external data at 65 of 4 bytes, 'data' has 64"},
    {"data", "9223372036854775807", "4", RF_FORMAT, "at 9223372036854775807 of 4 bytes"},
    {"data", "9223372036854775808", "4", RF_FORMAT, "offset is no size"},
    {"data", "-4", "4", RF_FORMAT, "offset is no size"},
    {"data", "", "4", RF_FORMAT, "offset is no size"},
    {"data", "4x", "4", RF_FORMAT, "offset is no size"},
    {"data", "0", "0x4", RF_FORMAT, "length is no size"},
    {"data", "0", "5", RF_FORMAT, "5 bytes of external data, its shape has 4"},
    {"data", "0", "3", RF_FORMAT, "3 bytes of external data, its shape has 4"},
    {"data", "0", NULL, RF_FORMAT, "64 bytes of external data, its shape has 4"},
    {"data", "99", NULL, RF_FORMAT, "0 bytes of external data, its shape has 4"},
};

START_TEST(what_is_refused)
{
    struct rf_graph *g;
    struct rf_buf t = external(UINT8, DIMS(4), bad[_i].location, bad[_i].offset, bad[_i].length);
    assert_fails(bad[_i].status, bad[_i].text, read_from(&g, &t, in(folder, "m.onnx")));
    ck_assert_ptr_null(g);
}
END_TEST

START_TEST(entries)
{
    struct rf_graph *g;
    struct rf_buf t = external(UINT8, DIMS(64), "data", NULL, NULL);
    add_entry(&t, "checksum", "whatever");
    assert_ok(read_from(&g, &t, in(folder, "m.onnx")));
    rf_graph_free(g);
    t = external(UINT8, DIMS(64), "data", NULL, NULL);
    add_entry(&t, "location", "sub/data");
    assert_fails(RF_FORMAT, "a second key 'location'", read_from(&g, &t, in(folder, "m.onnx")));
    t = external(UINT8, DIMS(64), "data", NULL, NULL);
    add_entry(&t, "compression", "zip");
    assert_fails(RF_FORMAT, "unknown key 'compression'", read_from(&g, &t, in(folder, "m.onnx")));
    t = external(UINT8, DIMS(4), "data", NULL, "4");
    pb_bytes(&t, TENSOR_RAW, "1234", 4);
    assert_fails(RF_FORMAT, "raw_data besides external data",
                 read_from(&g, &t, in(folder, "m.onnx")));
    t = external(UINT8, DIMS(64), "data", NULL, NULL);
    assert_fails(RF_UNSUPPORTED, "external data, but the model is no file",
                 read_from(&g, &t, NULL));
}
END_TEST

/* A model that is a link: its data lie beside what it points to. */
START_TEST(links_to_models)
{
    struct rf_graph *g;
    ck_assert_int_eq(symlink(in(folder, "m.onnx"), in(outside, "m.onnx")), 0);
    struct rf_buf t = external(UINT8, DIMS(4), "data", "8", "4");
    assert_ok(read_from(&g, &t, in(outside, "m.onnx")));
    rf_graph_free(g);
    t = external(UINT8, DIMS(64), "secret", NULL, NULL);
    assert_fails(RF_NOT_FOUND, "'secret' cannot be opened",
                 read_from(&g, &t, in(outside, "m.onnx")));
}
END_TEST

START_TEST(several_files)
{
    struct rf_graph *g;
    struct rf_buf graph = pb_new();
    struct rf_sha256 hash, want;
    char sum[65], wanted[65];
    const char *const files[] = {"data", "sub/data", "data"};
    unsigned char bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    rf_sha256_init(&hash);
    rf_sha256_init(&want);
    for (int i = 0; i < 3; i++) {
        struct rf_buf t = onnx_tensor((const char *[]){"a", "b", "c"}[i], UINT8, DIMS(4));
        pb_number(&t, TENSOR_LOCATION, 1);
        add_entry(&t, "location", files[i]);
        add_entry(&t, "offset", (const char *[]){"0", "4", "8"}[i]);
        add_entry(&t, "length", "4");
        pb_message(&graph, GRAPH_INITIALIZER, &t);
        rf_sha256_add(&want, bytes + 4 * i, 4);
    }
    onnx_add_value(&graph, GRAPH_OUTPUT, "a", FLOAT, SCALAR);
    struct rf_buf model = onnx_model(8, 13, &graph);
    assert_ok(onnx_read(&g, &model, in(folder, "m.onnx"), &hash, &err));
    for (int i = 0; i < 3; i++)
        ck_assert(memcmp(g->values[i].constant, bytes + 4 * i, 4) == 0);
    rf_sha256_hex(&hash, sum);
    rf_sha256_hex(&want, wanted);
    ck_assert_str_eq(sum, wanted);
    rf_graph_free(g);
}
END_TEST

/* The way without openat2 keeps inside as well; it follows no links at all. */
START_TEST(step_by_step)
{
    static const struct {
        const char *path;
        bool opens, opens_by_steps;
    } paths[] = {
        {"data", true, true},
        {"sub/data", true, true},
        {"./sub//data", true, true},
        {"within", true, false},
        {"alias/data", true, false},
        {"absolute", false, false},
        {"relative", false, false},
        {"door/secret", false, false},
        {"device", false, false},
        {"../x", false, false},
        {"sub/../../x", false, false},
        {"/etc/passwd", false, false},
        {"nothing", false, false},
        {"data/x", false, false},
        {"", false, false},
        {"sub/../../../../../../etc/passwd", false, false},
    };
    const int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(at, 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const int beneath = rf_open_beneath(at, paths[i].path);
        const int steps = rf_open_by_steps(at, paths[i].path);
        ck_assert_msg(steps < 0 ? !paths[i].opens_by_steps : paths[i].opens_by_steps,
                      "%s by steps: %d", paths[i].path, steps);
        /* where openat2 is missing, both are the same way */
        ck_assert_msg(beneath < 0 || paths[i].opens, "%s: %d", paths[i].path, beneath);
        ck_assert(beneath >= 0 || !paths[i].opens_by_steps);
        if (beneath >= 0)
            close(beneath);
        if (steps >= 0)
            close(steps);
    }
    close(at);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("onnx_external");
    TCase *const t = tcase_create("all");
    tcase_add_checked_fixture(t, make_files, remove_files);
    tcase_add_loop_test(t, what_is_read, 0, (int)(sizeof good / sizeof *good));
    tcase_add_test(t, many_narrow_elements);
    tcase_add_loop_test(t, what_is_refused, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(t, entries);
    tcase_add_test(t, links_to_models);
    tcase_add_test(t, several_files);
    tcase_add_test(t, step_by_step);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
