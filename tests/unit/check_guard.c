/* The request guard: what is refused, with which status, and whether the connection may go on. */
#include <check.h>
#include <stdlib.h>

/* A pure function; its object is not in a library. */
#include "server/guard.c"

#define MAX_BODY 1000
#define HOST "Host: x\n"

static struct srv_guard guard;

/* `lines`: "Name: value\n" ... as the HTTP library would hand them over. */
static void check(const char *method, const char *uri, const char *version, const char *lines)
{
    static struct srv_header headers[100];
    size_t n = 0;
    for (const char *p = lines; *p;) {
        static char text[100][256];
        const size_t len = strcspn(p, "\n"), name = strcspn(p, "=:");
        ck_assert_uint_lt(n, 100);
        memcpy(text[n], p, len);
        text[n][len] = '\0';
        text[n][name] = '\0';
        const size_t skip = p[name] == ':' && p[name + 1] == ' ' ? 2 : 1;
        headers[n].name = text[n];
        headers[n].name_len = name;
        headers[n].value = text[n] + (name + skip < len ? name + skip : len);
        headers[n].value_len = strlen(headers[n].value);
        n++;
        p += len + (p[len] == '\n');
    }
    const struct srv_head head = {method, uri, version, headers, n};
    srv_guard_check(&guard, &head, MAX_BODY);
}

static void expect(int status, bool close, const char *what)
{
    ck_assert_msg(guard.status == status, "%s: status %d (%s), expected %d", what, guard.status,
                  guard.message, status);
    ck_assert_msg(guard.close == close, "%s: close is %d", what, guard.close);
    if (status)
        ck_assert_msg(guard.message[0] != '\0', "%s: no message", what);
}

START_TEST(sound_requests_pass)
{
    check("GET", "/v2/health/live", "HTTP/1.1", HOST);
    expect(0, false, "GET");
    ck_assert_str_eq(guard.path, "/v2/health/live");
    ck_assert_str_eq(guard.query, "");
    ck_assert_int_eq(guard.method, SRV_GET);
    ck_assert(!guard.has_length && !guard.chunked && !guard.expect_continue);
    check("POST", "/infer?x=%20y&z", "HTTP/1.1",
          HOST "content-length: 1000\nEXPECT: 100-Continue\n");
    expect(0, false, "POST");
    ck_assert_str_eq(guard.query, "x=%20y&z");
    ck_assert(guard.has_length && guard.expect_continue);
    ck_assert_uint_eq(guard.length, 1000);
    check("POST", "/infer", "HTTP/1.1", HOST "Transfer-Encoding: Chunked\n");
    expect(0, false, "chunked");
    ck_assert(guard.chunked);
    check("HEAD", "/", "HTTP/1.0", "");
    expect(0, false, "HTTP/1.0 without Host");
    check("GET", "http://proxy:80/v2?q", "HTTP/1.1", HOST);
    expect(0, false, "absolute form");
    ck_assert_str_eq(guard.path, "/v2");
    check("GET", "http://proxy", "HTTP/1.1", HOST);
    ck_assert_str_eq(guard.path, "/");
    check("PUT", "/v2", "HTTP/1.1", HOST "Content-Encoding: identity\n");
    expect(0, false, "a known method is the router's to refuse");
    ck_assert_int_eq(guard.method, SRV_OTHER);
    ck_assert(!guard.compressed);
    check("POST", "/v2", "HTTP/1.1", HOST "Content-Encoding: GZip\n");
    expect(0, false, "gzip");
    ck_assert(guard.compressed);
    check("POST", "/v2", "HTTP/1.1", HOST "Content-Encoding: deflate\n");
    ck_assert(guard.compressed);
    check("GET", "/v2", "HTTP/1.1", "Host: [::1]:8080\n");
    expect(0, false, "IPv6 host");
}
END_TEST

/* method, uri, version, headers, status, close */
static const struct {
    const char *method, *uri, *version, *headers;
    int status;
    bool close;
} refused[] = {
    /* framing: what two readers could read differently */
    {"POST", "/", "HTTP/1.1", HOST "Transfer-Encoding: chunked\nContent-Length: 3\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: 5\nContent-Length: 3\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: 5\ncontent-length: 5\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n", 400,
     true},
    {"POST", "/", "HTTP/1.1", HOST "Transfer-Encoding : chunked\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Transfer-Encodingchunked: \n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length : 5\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length2: 5\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Transfer-Encoding: gzip, chunked\n", 501, true},
    {"POST", "/", "HTTP/1.1", HOST "Transfer-Encoding: identity\n", 501, true},
    {"POST", "/", "HTTP/1.1", HOST "Transfer-Encoding: \n", 501, true},
    {"POST", "/", "HTTP/1.0", HOST "Transfer-Encoding: chunked\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: +5\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: -5\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: 5, 5\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: 0x5\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: \n", 400, true},
    /* hosts */
    {"GET", "/", "HTTP/1.1", "", 400, true},
    {"GET", "/", "HTTP/1.1", "Host: a\nHost: a\n", 400, true},
    {"GET", "/", "HTTP/1.0", "Host: a\nHost: b\n", 400, true},
    {"GET", "/", "HTTP/1.1", "Host: a b\n", 400, true},
    {"GET", "/", "HTTP/1.1", "Host: a/b\n", 400, true},
    {"GET", "/", "HTTP/1.1", "Host: a@b\n", 400, true},
    /* headers */
    {"GET", "/", "HTTP/1.1", HOST "Bad Name: x\n", 400, true},
    {"GET", "/", "HTTP/1.1", HOST ": x\n", 400, true},
    {"GET", "/", "HTTP/1.1",
     HOST "X: a\x01"
          "b\n",
     400, true},
    {"GET", "/", "HTTP/1.1",
     HOST "X: a\x7f"
          "b\n",
     400, true},
    {"GET", "/", "HTTP/1.1", HOST "X: a\rb\n", 400, true},
    /* request line */
    {"BREW", "/", "HTTP/1.1", HOST, 501, true},
    {"get", "/", "HTTP/1.1", HOST, 501, true},
    {"GE T", "/", "HTTP/1.1", HOST, 400, true},
    {"", "/", "HTTP/1.1", HOST, 400, true},
    {"GET", "/", "HTTP/2.0", HOST, 505, true},
    {"GET", "/", "HTTP/1.2", HOST, 505, true},
    {"GET", "/", "HTTP/1.1x", HOST, 505, true},
    {"GET", "/", "", HOST, 400, true},
    {"GET", "/", "http/1.1", HOST, 400, true},
    /* paths */
    {"GET", "v2", "HTTP/1.1", HOST, 400, true},
    {"GET", "", "HTTP/1.1", HOST, 400, true},
    {"OPTIONS", "*", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a%2fb", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a%2Fb", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a%5cb", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a\\b", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a%00b", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a%0ab", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a%7fb", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a%", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a%4", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a%zz", "HTTP/1.1", HOST, 400, true},
    {"GET", "/..", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a/../b", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a/%2e%2E/b", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a/./b", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a/..?x", "HTTP/1.1", HOST, 400, true},
    {"GET", "http://x/../b", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a#b", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a\x80", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a\x01", "HTTP/1.1", HOST, 400, true},
    {"GET", "/a?b\x01", "HTTP/1.1", HOST, 400, true},
    /* bodies whose end is clear: the connection may go on */
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: 1001\n", 413, false},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: 18446744073709551615\n", 413, false},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: 18446744073709551617\n", 413, false},
    {"POST", "/", "HTTP/1.1", HOST "Content-Length: 99999999999999999999999\n", 413, false},
    {"POST", "/", "HTTP/1.1", HOST "Content-Encoding: br\n", 415, false},
    {"POST", "/", "HTTP/1.1", HOST "Content-Encoding: gzip, gzip\n", 415, false},
    {"POST", "/", "HTTP/1.1", HOST "Content-Encoding: gzip\nContent-Encoding: gzip\n", 400, true},
    {"POST", "/", "HTTP/1.1", HOST "Expect: 200-ok\n", 417, true},
};

START_TEST(unsound_requests_are_refused)
{
    char what[64];
    snprintf(what, sizeof what, "case %d: %s %s", _i, refused[_i].method, refused[_i].uri);
    check(refused[_i].method, refused[_i].uri, refused[_i].version, refused[_i].headers);
    expect(refused[_i].status, refused[_i].close, what);
}
END_TEST

START_TEST(dots_inside_names_are_sound)
{
    check("GET", "/v2/models/a..b/v1.0/...", "HTTP/1.1", HOST);
    expect(0, false, "dots");
    check("GET", "/v2/models/a%20b%25", "HTTP/1.1", HOST);
    expect(0, false, "encoded");
    ck_assert_str_eq(guard.path, "/v2/models/a b%");
}
END_TEST

START_TEST(long_paths_are_refused)
{
    static char uri[SRV_MAX_PATH + 2] = "/";
    memset(uri + 1, 'a', SRV_MAX_PATH - 2);
    check("GET", uri, "HTTP/1.1", HOST);
    expect(0, false, "the longest path");
    ck_assert_uint_eq(strlen(guard.path), SRV_MAX_PATH - 1);
    uri[SRV_MAX_PATH - 1] = 'a';
    check("GET", uri, "HTTP/1.1", HOST);
    expect(414, true, "one longer");
}
END_TEST

START_TEST(too_many_headers_are_refused)
{
    char lines[SRV_MAX_HEADERS * 8 + 16] = HOST;
    for (int i = 1; i < SRV_MAX_HEADERS; i++)
        strcat(lines, "a: b\n");
    check("GET", "/", "HTTP/1.1", lines);
    expect(0, false, "as many as are taken");
    strcat(lines, "a: b\n");
    check("GET", "/", "HTTP/1.1", lines);
    expect(431, true, "one more");
}
END_TEST

START_TEST(headers_are_found_in_any_case)
{
    const struct srv_header h[] = {{"Accept", "x", 6, 1}, {"accept", "y", 6, 1}};
    ck_assert_str_eq(srv_header_find(h, 2, "ACCEPT"), "x");
    ck_assert_ptr_null(srv_header_find(h, 2, "Accep"));
    ck_assert_ptr_null(srv_header_find(h, 2, "Accept2"));
}
END_TEST

START_TEST(hosts_are_addresses_localhost_or_listed)
{
    static const char *const list = "a.example, .example.org,";
    static const char *const allowed[] = {
        "a.example",   "A.Example:80", "example.org",  "x.example.org", "localhost",
        "localhost:1", "y.localhost",  "127.0.0.1:80", "[::1]:8080",    "0.0.0.0"};
    static const char *const others[] = {"",           ":80",         "b.example",    "xa.example",
                                         "aexample",   "a.example.",  "xexample.org", "localhost.x",
                                         "xlocalhost", "127.0.0.1.x", "org",          ".org"};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        ck_assert_msg(srv_host_is_allowed(allowed[i], list), "%s is refused", allowed[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(!srv_host_is_allowed(others[i], list), "%s is allowed", others[i]);
    ck_assert(!srv_host_is_allowed("a.example", " ,"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("guard");
    TCase *t = tcase_create("guard");
    tcase_add_test(t, sound_requests_pass);
    tcase_add_loop_test(t, unsound_requests_are_refused, 0,
                        (int)(sizeof refused / sizeof *refused));
    tcase_add_test(t, dots_inside_names_are_sound);
    tcase_add_test(t, long_paths_are_refused);
    tcase_add_test(t, too_many_headers_are_refused);
    tcase_add_test(t, headers_are_found_in_any_case);
    tcase_add_test(t, hosts_are_addresses_localhost_or_listed);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
