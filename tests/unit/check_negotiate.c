/* Accept, Accept-Encoding and Content-Type. */
#include <check.h>
#include <stdlib.h>

/* Pure functions; their object is not in a library. */
#include "server/negotiate.c"

static const struct {
    const char *accept;
    bool found;
    enum rf_body form;
} forms_of[] = {
    {NULL, true, RF_BODY_JSON},
    {"", true, RF_BODY_JSON},
    {" , ,", true, RF_BODY_JSON},
    {"*/*", true, RF_BODY_JSON},
    {"application/*", true, RF_BODY_JSON},
    {"application/octet-stream", true, RF_BODY_RAW},
    {"Application/X-NPY", true, RF_BODY_NPY},
    {"application/json;q=0.5, application/x-npy", true, RF_BODY_NPY},
    {"application/x-npy;q=0.2;level=1 , application/octet-stream ; q=0.3", true, RF_BODY_RAW},
    {"*/*, application/json;q=0", true, RF_BODY_RAW},
    {"text/html, */*;q=0.1", true, RF_BODY_JSON},
    {"text/html", false, RF_BODY_JSON},
    {"application/json;q=0", false, RF_BODY_JSON},
};

START_TEST(reply_forms)
{
    enum rf_body form = RF_BODY_NPY;
    ck_assert_int_eq(srv_accept_form(forms_of[_i].accept, &form), forms_of[_i].found);
    if (forms_of[_i].found)
        ck_assert_int_eq(form, forms_of[_i].form);
}
END_TEST

static const struct {
    const char *accept;
    enum srv_coding coding;
} codings_of[] = {
    {NULL, SRV_IDENTITY},
    {"", SRV_IDENTITY},
    {",;,", SRV_IDENTITY},
    {"br", SRV_IDENTITY},
    {"*", SRV_IDENTITY},
    {"gzip", SRV_GZIP},
    {"GZIP", SRV_GZIP},
    {"x-gzip", SRV_GZIP},
    {"gzipped", SRV_IDENTITY},
    {"deflate", SRV_DEFLATE},
    {"gzip, deflate", SRV_GZIP},
    {"deflate, gzip", SRV_DEFLATE},
    {"br, deflate, gzip;q=1.0", SRV_DEFLATE},
    {"deflate;q=0.5, gzip;q=0.8", SRV_GZIP},
    {"gzip;q=0, deflate;q=0", SRV_IDENTITY},
    {"gzip;q=0.5, identity", SRV_IDENTITY},
    {"identity;q=0.5 ,\tgzip ; q=0.501", SRV_GZIP},
};

START_TEST(reply_codings)
{
    ck_assert_int_eq(srv_accept_coding(codings_of[_i].accept), codings_of[_i].coding);
}
END_TEST

START_TEST(body_forms)
{
    ck_assert_int_eq(srv_body_form(NULL, "[1]", 3), RF_BODY_JSON);
    ck_assert_int_eq(srv_body_form("application/octet-stream; x", "[1]", 3), RF_BODY_RAW);
    ck_assert_int_eq(srv_body_form("Application/X-Npy", "", 0), RF_BODY_NPY);
    ck_assert_int_eq(srv_body_form("application/x-npyx", "", 0), RF_BODY_JSON);
    ck_assert_int_eq(srv_body_form("application/octet-stream", "\x93NUMPY", 6), RF_BODY_NPY);
    ck_assert_int_eq(srv_body_form("application/json", "\x93NUMP", 5), RF_BODY_JSON);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("negotiate");
    TCase *const t = tcase_create("all");
    tcase_add_loop_test(t, reply_forms, 0, sizeof forms_of / sizeof *forms_of);
    tcase_add_loop_test(t, reply_codings, 0, sizeof codings_of / sizeof *codings_of);
    tcase_add_test(t, body_forms);
    suite_add_tcase(suite, t);
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
