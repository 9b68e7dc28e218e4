/* Files of baselines: what is written reads back the same; what is wrong is refused with its place,
 * another network's by both names; no damaged file does harm. */
#include "proto/baseline.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/rectifier.h"
#include "proto/load.h"
#include "tests/support/build_test.h"

#define DIGITS "deploy/models/digits"

enum { CLASSES = 2 };

static struct rf_feature_layer layers[] = {
    {.name = "input", .n_channels = 1, .n_vectors = RF_N_INPUT_VECTORS, .first = 0},
    {.name = "relu", .n_channels = 2, .n_vectors = RF_N_LAYER_VECTORS, .first = 3}};
static const struct rf_feature_map map = {
    .layers = layers, .n_layers = 2, .n_features = 7, .n_classes = CLASSES, .has_input = true};
static struct rf_error err;

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD                                                                                       \
    "\"format\":\"rectifier-baseline\",\"version\":1,\"model\":\"net\",\"sha256\":\"" SHA "\","
#define SIZES "\"source\":\"held-out data\",\"inputs\":600,\"sub_window_max\":0.125,"
#define OF_CLASSES "\"classes\":[350,249],\"class_error\":[[0.01,0],[0,0.02]],"
#define ONE(mean, variance)                                                                        \
    "{\"mean\":[" mean "],\"variance\":[" variance "],\"class_mean\":[[1],[-1]]}"
#define TWO "{\"mean\":[1,2],\"variance\":[3,4],\"class_mean\":[[1,2.5],[3,1e-9]]}"
#define INPUT                                                                                      \
    "{\"name\":\"input\",\"channels\":1,\"mean\":" ONE("0.1", "0.2") ",\"std\":" ONE(              \
        "3", "0") ",\"range\":" ONE("-1e38", "1e70") "}"
#define RELU "{\"name\":\"relu\",\"channels\":2,\"firing\":" TWO ",\"activation\":" TWO "}"
#define LAYERS "\"layers\":[" INPUT "," RELU "]"
#define GOOD "{" HEAD SIZES OF_CLASSES LAYERS "}"
#define PLAIN_ONE "{\"mean\":[1],\"variance\":[1]}"
#define PLAIN_TWO "{\"mean\":[1,2],\"variance\":[3,4]}"
#define PLAIN                                                                                      \
    "{" HEAD SIZES "\"classes\":[350,250],\"layers\":[{\"name\":\"input\",\"channels\":1,"         \
    "\"mean\":" PLAIN_ONE ",\"std\":" PLAIN_ONE ",\"range\":" PLAIN_ONE                            \
    "},{\"name\":\"relu\",\"channels\":2,\"firing\":" PLAIN_TWO ",\"activation\":" PLAIN_TWO "}]}"

static const struct rf_baseline_owner owner = {.model = "mine", .map = &map};

static struct rf_baseline *parse(const char *text, size_t len, struct rf_baseline_about *about)
{
    struct rf_baseline *b;

    err = (struct rf_error)RF_ERROR_INIT;
    const struct rf_baseline_file file = {.source = "b.json", .text = text, .len = len};
    const enum rf_status rc = rf_baseline_parse(&b, about, &file, &owner, &err);
    ck_assert_int_eq(rc, err.status);
    ck_assert((rc == RF_OK) == (b != NULL));
    return b;
}

static char *written(const struct rf_baseline *b, const struct rf_baseline_about *about)
{
    struct rf_buf buf;
    size_t len;

    rf_buf_init(&buf, RF_BASELINE_LIMIT);
    rf_baseline_write(&buf, b, about, &map);
    rf_buf_add(&buf, "", 1);
    ck_assert_int_eq(buf.status, RF_OK);
    return rf_buf_take(&buf, &len);
}

static void same(const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert(a[i] == b[i]);
}

START_TEST(reads_what_it_says)
{
    struct rf_baseline_about about;
    struct rf_baseline *const b = parse(GOOD, strlen(GOOD), &about);
    const double mean[] = {0.1, 3, -1e38, 1, 2, 1, 2};
    const double variance[] = {0.2, 0.25 / 600, 1e70, 3, 4, 3, 4};
    const double class_mean[] = {1, 1, 1, 1, 2.5, 1, 2.5, -1, -1, -1, 3, 1e-9, 3, 1e-9};
    const double error[] = {0.01, 0, 0, 0.02};

    ck_assert_msg(b, "%s", err.text);
    ck_assert_str_eq(about.model, "net");
    ck_assert_str_eq(about.sha256, SHA);
    ck_assert_int_eq(about.source, RF_BASELINE_HELD_OUT);
    ck_assert_uint_eq(b->inputs, 600);
    ck_assert_uint_eq(b->classes[0], 350);
    ck_assert_uint_eq(b->classes[1], 249);
    ck_assert(b->sub_window_max == 0.125);
    same(b->mean, mean, map.n_features);
    same(b->variance, variance, map.n_features);
    same(b->class_mean, class_mean, CLASSES * map.n_features);
    same(b->class_error, error, CLASSES * CLASSES);
    rf_baseline_free(b);
}
END_TEST

/* Twice, since the first text has more digits than are written. */
START_TEST(writes_what_reads_back)
{
    static const char *const texts[] = {GOOD, PLAIN};

    for (int i = 0; i < 2; i++) {
        struct rf_baseline_about about, again;
        struct rf_baseline *const b = parse(texts[i], strlen(texts[i]), &about);

        ck_assert_msg(b, "%s", err.text);
        b->mean[4] = 1 / 3.;
        about.source = i ? RF_BASELINE_TRAINING : RF_BASELINE_TRAFFIC;
        char *const first = written(b, &about);
        struct rf_baseline *const c = parse(first, strlen(first), &again);
        ck_assert_msg(c, "%s", err.text);
        char *const second = written(c, &again);
        ck_assert_str_eq(first, second);
        ck_assert_int_eq(again.source, about.source);
        ck_assert((strstr(first, "\"warning\"") != NULL) == (i == 1));
        ck_assert((c->class_mean == NULL) == (i == 1));
        ck_assert(c->mean[4] == 0.333333333);
        rf_baseline_free(b);
        rf_baseline_free(c);
        free(first);
        free(second);
    }
}
END_TEST

/* GOOD with one part of it replaced. */
static const struct {
    const char *part, *by;
    enum rf_status status;
    const char *text;
} bad[] = {
    {GOOD, "", RF_FORMAT, "b.json: expected a JSON value"},
    {GOOD, "[]", RF_FORMAT, "b.json: must be a JSON object"},
    {GOOD, "{}", RF_FORMAT, "b.json: is no baseline: \"format\" must be \"rectifier-baseline\""},
    {"rectifier-baseline", "1", RF_FORMAT, "is no baseline"},
    {"\"version\":1", "\"version\":2", RF_FORMAT, "b.json: \"version\" must be 1"},
    {"\"version\":1", "\"version\":1,\"version\":1", RF_FORMAT, "duplicate object key"},
    {"\"version\":1", "\"version\":1,\"clases\":[]", RF_FORMAT,
     "b.json: unknown key \"clases\"; did you mean 'classes'?"},
    {"\"net\"", "\"\"", RF_FORMAT, "b.json: \"model\" must be a string of 1 to 128 bytes"},
    {"\"net\"", "7", RF_FORMAT, "\"model\" must be a string"},
    {"0123456789abcdef", "0123456789ABCDEF", RF_FORMAT, "\"sha256\" must be 64 hexadecimal"},
    {"0123456789abcdef", "", RF_FORMAT, "\"sha256\" must be 64 hexadecimal"},
    {"held-out data", "somewhere", RF_FORMAT, "\"source\" must be \"held-out data\", \"train"},
    {"\"inputs\":600", "\"inputs\":199", RF_FORMAT, "\"inputs\" must be an integer from 200"},
    {"\"inputs\":600", "\"inputs\":6e2", RF_FORMAT, "\"inputs\" must be an integer"},
    {"\"inputs\":600", "\"inputs\":9007199254740993", RF_FORMAT, "from 200 to 2^53"},
    {"\"inputs\":600,", "", RF_FORMAT, "\"inputs\" must be an integer"},
    {"0.125", "-1", RF_FORMAT, "\"sub_window_max\" must be a number from 0 to 1e+09"},
    {"0.125", "NaN", RF_FORMAT, "b.json: "},
    {"0.125", "1e999", RF_FORMAT, "b.json: "},
    {"0.125", "null", RF_FORMAT, "\"sub_window_max\" must be a number"},
    {"[350,249]", "350", RF_FORMAT, "b.json: \"classes\" must be a list"},
    {"[350,249]", "[350,251]", RF_FORMAT, "classes[1] must be an integer, and all together at"},
    {"[350,249]", "[-1,249]", RF_FORMAT, "classes[0] must be an integer"},
    {"[350,249]", "[1.0,249]", RF_FORMAT, "classes[0] must be an integer"},
    {"[350,249]", "[350,249,1]", RF_SHAPE,
     "b.json: baseline of 'net' has 3 classes, model 'mine' 2"},
    {"\"classes\":[350,249],", "", RF_SHAPE, "baseline of 'net' has 0 classes, model 'mine' 2"},
    {"[[0.01,0],[0,0.02]]", "[[0.01,0]]", RF_FORMAT,
     "\"class_error\" must be a list of 2 lists, one for each class"},
    {"[[0.01,0],", "[[0.01],", RF_FORMAT, "\"class_error\"[0] must be a list of 2 numbers"},
    {"[[0.01,0],", "[[0.01,1.5],", RF_FORMAT,
     "\"class_error\"[0][1] must be a number from -1 to 1"},
    {"\"class_error\":[[0.01,0],[0,0.02]],", "", RF_FORMAT,
     "b.json: layer 'input': \"mean\": \"class_mean\" needs a \"class_error\""},
    {LAYERS, "\"layers\":{}", RF_FORMAT, "b.json: \"layers\" must be a list"},
    {LAYERS, "\"layers\":[" INPUT "]", RF_SHAPE,
     "b.json: baseline of 'net' has 1 layers, model 'mine' 2"},
    {LAYERS, "\"layers\":[" INPUT "," RELU "," RELU "]", RF_SHAPE,
     "baseline of 'net' has 3 layers, model 'mine' 2"},
    {LAYERS, "\"layers\":[1,2]", RF_FORMAT,
     "layers[0] must be an object with \"name\" and \"channels\""},
    {LAYERS, "\"layers\":[" RELU "," INPUT "]", RF_SHAPE,
     "b.json: baseline of 'net': its layer 'relu' has 2 channels; in model 'mine' that is 'input' "
     "with 1"},
    {"\"relu\",\"channels\":2", "\"relu\",\"channels\":64", RF_SHAPE,
     "its layer 'relu' has 64 channels; in model 'mine' that is 'relu' with 2"},
    {"\"relu\",\"channels\":2", "\"re\\u0001lu\",\"channels\":2", RF_SHAPE, "its layer 're?lu'"},
    {"\"relu\",\"channels\":2", "\"relu\",\"channels\":\"2\"", RF_FORMAT, "layers[1] must be an"},
    {"\"firing\":", "\"fring\":", RF_FORMAT,
     "b.json: layer 'relu': unknown key \"fring\"; did you mean 'firing'?"},
    {",\"activation\":" TWO, "", RF_FORMAT, "layer 'relu': \"activation\": must be an object"},
    {"[3,4]", "[3,-4]", RF_FORMAT,
     "layer 'relu': \"firing\": \"variance\"[1] must be a number from 0 to 1e+80"},
    {"[3,4]", "[3,1e81]", RF_FORMAT, "\"variance\"[1] must be a number"},
    {"[3,4]", "[3]", RF_FORMAT, "\"firing\": \"variance\" must be a list of 2 numbers"},
    {"[3,4]", "[3,4,5]", RF_FORMAT, "\"variance\" must be a list of 2 numbers"},
    {"[3,4]", "{}", RF_FORMAT, "\"variance\" must be a list of 2 numbers"},
    {"\"mean\":[0.1]", "\"mean\":[1e41]", RF_FORMAT,
     "layer 'input': \"mean\": \"mean\"[0] must be a number from -1e+40 to 1e+40"},
    {"\"mean\":[0.1]", "\"mean\":[\"0.1\"]", RF_FORMAT, "\"mean\"[0] must be a number"},
    {"[3,1e-9]", "[3,true]", RF_FORMAT,
     "layer 'relu': \"firing\": \"class_mean\"[1][1] must be a number"},
    {"\"variance\":[0.2]", "\"variances\":[0.2]", RF_FORMAT,
     "layer 'input': \"mean\": unknown key \"variances\"; did you mean 'variance'?"},
};

START_TEST(refuses_what_is_wrong)
{
    const char *const at = strstr(GOOD, bad[_i].part);
    struct rf_baseline_about about;
    char text[2048];

    ck_assert_ptr_nonnull(at);
    const int n = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - GOOD), GOOD, bad[_i].by,
                           at + strlen(bad[_i].part));
    ck_assert(n < (int)sizeof text);
    ck_assert_ptr_null(parse(text, (size_t)n, &about));
    ck_assert_msg(err.status == bad[_i].status && strstr(err.text, bad[_i].text),
                  "case %d: status %d, \"%s\"; expected %d, \"%s\"", _i, err.status, err.text,
                  bad[_i].status, bad[_i].text);
}
END_TEST

/* Cut anywhere, and with any byte changed: read or refused, never anything else. */
START_TEST(damaged_files)
{
    const size_t len = strlen(GOOD);
    struct rf_baseline_about about;
    int read = 0;

    for (size_t i = 0; i < len; i++) {
        static const char by[] = {'"', ',', '-', '0', '9', ']', '{', '\0', (char)0xff};
        char *const text = exact_copy(GOOD, len), *const cut = exact_copy(GOOD, i);

        ck_assert_ptr_null(parse(cut, i, &about));
        free(cut);
        for (size_t k = 0; k < sizeof by; k++) {
            text[i] = by[k];
            struct rf_baseline *const b = parse(text, len, &about);
            read += b != NULL;
            rf_baseline_free(b);
        }
        free(text);
    }
    ck_assert_int_gt(read, 100); /* other digits, other signs */
}
END_TEST

START_TEST(files)
{
    struct rf_baseline_about about;
    struct rf_baseline *b;
    char path[] = "/tmp/check_baseline.XXXXXX";
    const int fd = mkstemp(path);

    ck_assert_int_eq((int)write(fd, GOOD, strlen(GOOD)), (int)strlen(GOOD));
    close(fd);
    assert_ok(rf_baseline_load(&b, &about, path, &owner, &err));
    rf_baseline_free(b);
    unlink(path);
    assert_fails(RF_NOT_FOUND, path, rf_baseline_load(&b, &about, path, &owner, &err));
    ck_assert_ptr_null(b);
}
END_TEST

/* What lies beside the bundled network is its own, and was made with it as it is. */
START_TEST(bundled)
{
    const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL};
    struct rf_baseline_about about;
    struct rf_feature_map features;
    struct rf_network net;
    struct rf_model *model;
    struct rf_baseline *b;

    assert_ok(rf_network_load(&net, DIGITS, &err));
    assert_ok(rf_model_new(&model, net.graph, &options, &err));
    net.graph = NULL;
    assert_ok(rf_feature_map_init(&features, model, &err));
    const struct rf_baseline_owner digits = {.model = net.name, .map = &features};
    assert_ok(rf_baseline_load(&b, &about, DIGITS "/baseline.json", &digits, &err));
    ck_assert_str_eq(about.model, net.name);
    ck_assert_str_eq(about.sha256, net.sha256);
    ck_assert_int_eq(about.source, RF_BASELINE_HELD_OUT);
    ck_assert_ptr_nonnull(b->class_mean);
    rf_baseline_free(b);
    rf_feature_map_release(&features);
    rf_model_unref(model);
    rf_network_release(&net);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("baseline");
    TCase *const t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, reads_what_it_says);
    tcase_add_test(t, writes_what_reads_back);
    tcase_add_loop_test(t, refuses_what_is_wrong, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, damaged_files);
    tcase_add_test(t, files);
    tcase_add_test(t, bundled);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
