/* GET / and /page/{file}: the page, as it is in the program or, with --page-dir, in a folder. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/file.h"
#include "server/embedded.h"
#include "server/handlers.h"
#include "server/negotiate.h"
#include "server/server.h"

/* More than any file of the page has. */
#define MAX_FILE ((size_t)1 << 20)
/* What ends a gzip file: CRC-32 and length of what it holds. */
#define TRAILER 8
#define GZIP_WINDOW (15 + 16)

struct file {
    const char *name, *type;
    const char *packed, *end; /* gzip */
};

static const struct file files[] = {
#define SRV_PAGE_FILE(id, file, type) {#file, type, srv_page_##id, srv_page_##id##_end},
#include "server/page.def"
#undef SRV_PAGE_FILE
};

/* Names of models come from outside: nothing but these files is run, nor anything made from text.
 */
static const struct srv_fixed_header fixed[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
     "require-trusted-types-for 'script'; trusted-types 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-cache"},
    {"Vary", "Accept-Encoding"},
    {NULL, NULL}};

static uint32_t little_endian(const char *at)
{
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void unpack(struct rf_buf *b, const struct file *f)
{
    const size_t len = little_endian(f->end - TRAILER / 2);
    z_stream z = {.next_in = (Bytef *)f->packed, .avail_in = (unsigned)(f->end - f->packed)};
    char *to = rf_buf_reserve(b, len + 1);
    if (!to)
        return;
    z.next_out = (Bytef *)to;
    z.avail_out = (unsigned)len + 1;
    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK || inflate(&z, Z_FINISH) != Z_STREAM_END)
        b->status = RF_NOMEM; /* it is ours, hence sound */
    inflateEnd(&z);
    b->len += len;
}

static void reply_embedded(struct srv_request *r, const struct file *f)
{
    const bool packed = srv_accept_coding(srv_request_header(r, "Accept-Encoding")) == SRV_GZIP;
    const char *const known = srv_request_header(r, "If-None-Match");
    char tag[32];
    snprintf(tag, sizeof tag, "\"%08" PRIx32 "%s\"", little_endian(f->end - TRAILER),
             packed ? "-gzip" : "");
    srv_reply_header(r, "ETag", tag);
    if (known && (strstr(known, tag) || strcmp(known, "*") == 0)) {
        r->reply.status = 304;
        return;
    }
    r->reply.status = 200;
    if (!packed) {
        unpack(&r->reply.body, f);
        return;
    }
    rf_buf_add(&r->reply.body, f->packed, (size_t)(f->end - f->packed));
    srv_reply_header(r, "Content-Encoding", "gzip");
}

/* Whether `folder` has the file; what it lacks is served from the program. */
static bool reply_from(struct srv_request *r, const char *folder, const struct file *f)
{
    struct rf_error err = RF_ERROR_INIT;
    char path[4096];
    char *text = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s", folder, f->name);
    if (!*folder || rf_file_read(&text, &len, path, MAX_FILE, &err) != RF_OK)
        return false;
    rf_buf_add(&r->reply.body, text, len);
    free(text);
    r->reply.status = 200;
    return true;
}

static enum srv_next reply_file(struct srv_request *r, const struct file *f)
{
    const struct srv_config *config = r->server->config;
    if (config->page == SRV_PAGE_OFF) {
        srv_reply_error(r, 404, "no page is served here: --page off");
        return SRV_REPLY;
    }
    r->reply.type = f->type;
    r->reply.fixed = fixed;
    if (!reply_from(r, config->page_dir, f))
        reply_embedded(r, f);
    return SRV_REPLY;
}

enum srv_next srv_handle_page(struct srv_server *server, struct srv_request *r)
{
    (void)server;
    return reply_file(r, &files[0]);
}

enum srv_next srv_handle_page_file(struct srv_server *server, struct srv_request *r)
{
    const char *const name = r->guard.path + sizeof "/page/" - 1;
    (void)server;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].name, name) == 0)
            return reply_file(r, &files[i]);
    srv_reply_error(r, 404, "the page has no file '%.64s'", name);
    return SRV_REPLY;
}
