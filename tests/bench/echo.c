/*
 * The least that a server on libmicrohttpd does: reads each request's body and answers with the
 * bytes of a file. `echo FILE [NAME VALUE]...` sends these headers with it, prints the port that it
 * listens on, and ends with its input.
 */
#include <microhttpd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char reply[1 << 20];
static size_t reply_len;
static char **headers; /* names and values, in turn, up to a NULL */

static enum MHD_Result answer(struct MHD_Connection *connection)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply_len, reply, MHD_RESPMEM_PERSISTENT);
    for (char **at = headers; *at; at += 2)
        MHD_add_response_header(response, at[0], at[1]);
    const enum MHD_Result ok = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return ok;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n, void **state)
{
    (void)arg;
    (void)url;
    (void)method;
    (void)version;
    (void)bytes;
    if (!*state) {
        *state = connection; /* the headers are read */
        return MHD_YES;
    }
    if (*n == 0)
        return answer(connection);
    *n = 0;
    return MHD_YES;
}

int main(int argc, char **argv)
{
    FILE *const file = argc > 1 && argc % 2 == 0 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: echo FILE [NAME VALUE]...\n");
        return 2;
    }
    headers = argv + 2;
    reply_len = fread(reply, 1, sizeof reply, file);
    fclose(file);
    struct MHD_Daemon *const daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
                                                       on_request, NULL, MHD_OPTION_END);
    if (!daemon)
        return 1;
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    for (char c; read(STDIN_FILENO, &c, 1) > 0;)
        ;
    MHD_stop_daemon(daemon);
    return 0;
}
