/* Models on disk: folders, files, and what is neither. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "tests/support/build_model.h"

static struct rf_error err;

static char folder[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/rectifier-check-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void remove_folder(void)
{
    static const char *const names[] = {"model.json",        "model.safetensors", "other.json",
                                        "other.safetensors", "fifo.json",         "notes.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_folder(names[i]));
    rmdir(in_folder("dir.json"));
    ck_assert_int_eq(rmdir(folder), 0);
}

static void write_file(const char *name, const void *bytes, size_t len)
{
    FILE *const file = fopen(in_folder(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(folders_and_files)
{
    struct rf_network net;
    struct rf_safetensor t[8];
    struct rf_buf b;
    char names[8][64];
    const size_t n = mlp_tensors(t, "", names);
    rf_buf_init(&b, 10000);
    rf_safetensors_write(&b, t, n);
    write_file("model.json", MLP, strlen(MLP));
    assert_fails(RF_NOT_FOUND, "no weights", rf_network_load(&net, folder, &err));
    write_file("model.safetensors", b.data, b.len);
    assert_ok(rf_network_load(&net, folder, &err));
    ck_assert_str_eq(net.name, strrchr(folder, '/') + 1);
    ck_assert_uint_eq(strlen(net.sha256), 64);
    char sum[65];
    strcpy(sum, net.sha256);
    rf_network_release(&net);
    assert_ok(rf_network_load(&net, in_folder("model.json"), &err));
    ck_assert_str_eq(net.name, strrchr(folder, '/') + 1);
    ck_assert_str_eq(net.sha256, sum);
    rf_network_release(&net);
    write_file("other.json", MLP, strlen(MLP));
    assert_fails(RF_NOT_FOUND, "other.safetensors",
                 rf_network_load(&net, in_folder("other.json"), &err));
    write_file("other.safetensors", b.data, b.len);
    assert_ok(rf_network_load(&net, in_folder("other.json"), &err));
    ck_assert_str_eq(net.name, "other");
    rf_network_release(&net);
    write_file("model.safetensors", b.data, b.len - 1);
    assert_fails(RF_FORMAT, "model.safetensors: tensor '", rf_network_load(&net, folder, &err));
    rf_buf_release(&b);
}
END_TEST

START_TEST(files_that_are_none)
{
    struct rf_network net;
    assert_fails(RF_NOT_FOUND, "there is neither model.json nor model.onnx in it",
                 rf_network_load(&net, folder, &err));
    assert_fails(RF_NOT_FOUND, "cannot be found", rf_network_load(&net, in_folder("no"), &err));
    assert_fails(RF_INVALID, "the path of the model is empty", rf_network_load(&net, "", &err));
    write_file("notes.txt", "x", 1);
    assert_fails(RF_UNSUPPORTED, "expected an .onnx or a .json file",
                 rf_network_load(&net, in_folder("notes.txt"), &err));
    ck_assert_int_eq(mkfifo(in_folder("fifo.json"), 0600), 0);
    assert_fails(RF_IO, "fifo.json: is not a regular file",
                 rf_network_load(&net, in_folder("fifo.json"), &err));
    ck_assert_int_eq(mkdir(in_folder("dir.json"), 0700), 0);
    assert_fails(RF_NOT_FOUND, "dir.json: there is neither",
                 rf_network_load(&net, in_folder("dir.json"), &err));
    ck_assert_int_eq(symlink("/dev/zero", in_folder("model.json")), 0);
    assert_fails(RF_IO, "model.json: is not a regular file", rf_network_load(&net, folder, &err));
    unlink(in_folder("model.json"));
    write_file("model.json", MLP, strlen(MLP));
    ck_assert_int_eq(symlink("loop", in_folder("model.safetensors")), 0);
    assert_fails(RF_NOT_FOUND, "no weights", rf_network_load(&net, folder, &err));
    unlink(in_folder("model.safetensors"));
    ck_assert_int_eq(symlink("model.safetensors", in_folder("model.safetensors")), 0);
    assert_fails(RF_IO, "model.safetensors: cannot be opened", rf_network_load(&net, folder, &err));
}
END_TEST

START_TEST(file_limits)
{
    char *text;
    size_t len;
    write_file("notes.txt", "0123456789", 10);
    assert_ok(rf_file_read(&text, &len, in_folder("notes.txt"), 10, &err));
    ck_assert_uint_eq(len, 10);
    ck_assert_str_eq(text, "0123456789");
    free(text);
    assert_fails(RF_LIMIT, "notes.txt: 10 bytes; at most 9 are read",
                 rf_file_read(&text, &len, in_folder("notes.txt"), 9, &err));
    ck_assert_ptr_null(text);
    write_file("notes.txt", "", 0);
    assert_ok(rf_file_read(&text, &len, in_folder("notes.txt"), 9, &err));
    ck_assert_str_eq(text, "");
    free(text);
    /* A file that holds more than its size says. */
    assert_fails(RF_IO, "changed while it was read",
                 rf_file_read(&text, &len, "/proc/self/status", 10, &err));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("load");
    TCase *const t = tcase_create("all");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, folders_and_files);
    tcase_add_test(t, files_that_are_none);
    tcase_add_test(t, file_limits);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
