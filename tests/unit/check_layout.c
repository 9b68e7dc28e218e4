/* What is found on disk: files, folders, versions, repositories; and which versions are wanted. */
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>

/* Their objects are not in a library. */
#include "server/layout.c"
#include "server/policy.c"
#include "server/units.c"

static char root[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void set_up(void)
{
    snprintf(root, sizeof root, "/tmp/rectifier-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(chdir(root), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file and the folders above it; a name that ends in '/' is a folder. */
static void make(const char *path, const char *text)
{
    char part[256];
    for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(p - path), path);
        mkdir(part, 0777);
    }
    if (path[strlen(path) - 1] == '/')
        return;
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static struct srv_layout scan(const char *spec)
{
    struct rf_error err = RF_ERROR_INIT;
    struct srv_layout layout = {0};
    ck_assert_msg(srv_layout_scan(&layout, spec, &err) == RF_OK, "%s: %s", spec, err.text);
    return layout;
}

/* "name=1,2! other=1": names and versions in order; ! is empty, ? has a name that may change. */
static void expect(const char *spec, const char *want)
{
    char got[512] = "";
    size_t n = 0;
    struct srv_layout layout = scan(spec);
    for (size_t i = 0; i < layout.n; i++) {
        const struct srv_disk_model *m = &layout.models[i];
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%s%s=", i ? " " : "", m->name,
                              m->is_named ? "" : "?");
        for (size_t k = 0; k < m->n; k++)
            n += (size_t)snprintf(got + n, sizeof got - n, "%s%d%s", k ? "," : "",
                                  (int)m->versions[k].number, m->versions[k].is_empty ? "!" : "");
    }
    srv_layout_release(&layout);
    ck_assert_str_eq(got, want);
}

START_TEST(single_models)
{
    make("net.onnx", "");
    make("a.b.json", "");
    make("folder/model.onnx", "");
    make("folder/7/other", "");
    make("dir/model.json", "");
    expect("net.onnx", "net?=1");
    expect("./a.b.json", "a.b?=1");
    expect("x=net.onnx", "x=1");
    expect("folder", "folder?=1");
    expect("folder/", "folder?=1");
    expect("x=dir", "x=1");
    ck_assert_int_eq(chdir("folder"), 0);
    expect(".", "folder?=1");
    expect(NULL, "digits?=1");
    expect("digits", "digits?=1");
    expect("x=digits", "x=1");
}
END_TEST

START_TEST(versions)
{
    make("m/10/model.onnx", "");
    make("m/9/model.json", "");
    make("m/2/", "");
    make("m/README", "");
    make("m/.git/", "");
    expect("m", "m=2!,9,10");
    expect("x=m", "x=2!,9,10");
    make("m/archive/", ""); /* not numbers all of them: models called 10, 2, ... */
    expect("m", "10=1 2=1! 9=1 archive=1!");
    make("n/01/model.onnx", "");
    expect("n", "01=1");
}
END_TEST

START_TEST(repositories)
{
    make("r/b/1/model.onnx", "");
    make("r/b/3/model.onnx", "");
    make("r/a/model.json", "");
    make("r/a/1/x", "");
    make("r/empty/", "");
    make("r/..data/c/model.onnx", "");
    make("r/notes.txt", "");
    expect("r", "a=1 b=1,3 empty=1!");
    ck_assert_int_eq(symlink("../outside", "r/link"), 0);
    make("outside/model.json", "");
    expect("r", "a=1 b=1,3 empty=1! link=1");

    struct srv_layout layout = scan("r");
    srv_layout_drop_empty(&layout);
    ck_assert_uint_eq(layout.n, 3);
    ck_assert_str_eq(layout.models[2].name, "link");
    ck_assert(layout.models[0].in_repository && !layout.models[0].is_versioned);
    ck_assert(layout.models[1].in_repository && layout.models[1].is_versioned);
    ck_assert_ptr_eq(srv_layout_find(&layout, "r/b"), &layout.models[1]);
    ck_assert_ptr_null(srv_layout_find(&layout, "b"));
    srv_layout_release(&layout);
}
END_TEST

START_TEST(wrong_places)
{
    struct rf_error err = RF_ERROR_INIT;
    struct srv_layout layout = {0};
    make("r/m/model.onnx", "");
    ck_assert_int_eq(srv_layout_scan(&layout, "nowhere", &err), RF_NOT_FOUND);
    ck_assert_int_eq(srv_layout_scan(&layout, "", &err), RF_INVALID);
    ck_assert_int_eq(srv_layout_scan(&layout, "x=r", &err), RF_INVALID);
    ck_assert_uint_eq(layout.n, 0);
    ck_assert_int_eq(srv_layout_expect(&layout, "later/n.onnx", &err), RF_OK);
    ck_assert_str_eq(layout.models[0].name, "n");
    ck_assert(layout.models[0].versions[0].is_empty);
    srv_layout_release(&layout);
}
END_TEST

/* Whether the second look differs from the first. */
static bool differs(const struct srv_layout *before, const char *spec)
{
    struct srv_layout now = scan(spec);
    const bool same = srv_layout_same(before, &now);
    ck_assert_int_eq(same, now.models[0].versions[0].stamp == before->models[0].versions[0].stamp);
    srv_layout_release(&now);
    return !same;
}

START_TEST(stamps)
{
    const struct timespec then[2] = {{1000, 1}, {1000, 1}};
    make("m/model.onnx", "abc");
    make("m/deep/weights", "abc");
    make("net.onnx", "abc");
    make("net.onnx.data", "abc");
    ck_assert_int_eq(utimensat(AT_FDCWD, "m/deep/weights", then, 0), 0);
    struct srv_layout m = scan("m"), net = scan("net.onnx");
    ck_assert(!differs(&m, "m") && !differs(&net, "net.onnx"));
    make("m/deep/weights", "abd"); /* the time alone */
    ck_assert(differs(&m, "m"));
    ck_assert_int_eq(utimensat(AT_FDCWD, "m/deep/weights", then, 0), 0);
    ck_assert(!differs(&m, "m"));
    make("m/deep/weights", "abcd"); /* the size alone */
    ck_assert_int_eq(utimensat(AT_FDCWD, "m/deep/weights", then, 0), 0);
    ck_assert(differs(&m, "m"));
    make("m/other", "abc"); /* the inode alone */
    ck_assert_int_eq(utimensat(AT_FDCWD, "m/other", then, 0), 0);
    ck_assert_int_eq(rename("m/other", "m/deep/weights"), 0);
    ck_assert(differs(&m, "m"));
    make("other.onnx", "abc");
    ck_assert(!differs(&net, "net.onnx"));
    make("net.onnx.data", "abcd");
    ck_assert(differs(&net, "net.onnx"));
    srv_layout_release(&m);
    srv_layout_release(&net);
}
END_TEST

START_TEST(version_numbers)
{
    static const struct {
        const char *text;
        uint64_t number;
    } cases[] = {{"1", 1},  {"10", 10}, {"9223372036854775807", 9223372036854775807u},
                 {"0", 0},  {"01", 0},  {"", 0},
                 {"1a", 0}, {"-1", 0},  {"99999999999999999999", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t number = 0;
        const bool ok = srv_version_parse(cases[i].text, strlen(cases[i].text), &number);
        ck_assert_msg(ok == (cases[i].number > 0), "%s", cases[i].text);
        ck_assert(!ok || number == cases[i].number);
    }
}
END_TEST

/* Which of the versions 1, 2, 5 and 7 a policy wants; of an unversioned model all of one. */
START_TEST(policies)
{
    static const struct {
        const char *text, *wanted; /* NULL: no policy */
    } cases[] = {{"latest:1", "7"},
                 {"latest:3", "2 5 7"},
                 {"latest:99", "1 2 5 7"},
                 {"all", "1 2 5 7"},
                 {"2", "2"},
                 {"7,1,4", "1 7"},
                 {"4", ""},
                 {"latest:0", NULL},
                 {"latest:", NULL},
                 {"latest", NULL},
                 {"", NULL},
                 {"1,", NULL},
                 {",1", NULL},
                 {"1 2", NULL},
                 {"ALL", NULL}};
    static const uint64_t numbers[] = {1, 2, 5, 7};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct srv_policy policy;
        struct srv_disk_version list[4];
        struct srv_disk_model model = {.n = 4, .versions = list, .is_versioned = true};
        char got[32] = "";
        ck_assert_msg(srv_policy_parse(&policy, cases[c].text) == (cases[c].wanted != NULL), "%s",
                      cases[c].text);
        for (size_t i = 0; cases[c].wanted && i < 4; i++) {
            list[i] = (struct srv_disk_version){.number = numbers[i]};
            model.n = 4;
            if (srv_policy_wants(&policy, &model, i))
                sprintf(got + strlen(got), "%s%d", *got ? " " : "", (int)numbers[i]);
        }
        ck_assert_str_eq(got, cases[c].wanted ? cases[c].wanted : "");
        model = (struct srv_disk_model){.n = 1, .versions = list};
        ck_assert(!cases[c].wanted || srv_policy_wants(&policy, &model, 0));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("layout");
    TCase *t = tcase_create("layout");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, single_models);
    tcase_add_test(t, versions);
    tcase_add_test(t, repositories);
    tcase_add_test(t, wrong_places);
    tcase_add_test(t, stamps);
    tcase_add_test(t, version_numbers);
    tcase_add_test(t, policies);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
