#include "server/control.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "server/server.h"

static bool is_loopback(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    if (getpeername(fd, (struct sockaddr *)&at, &len) != 0)
        return false;
    if (at.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&at;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)&at)->sin6_addr;
    return at.ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127));
}

bool srv_may_control(struct srv_request *r, const char *what)
{
    const bool has_port = r->server->config->admin_port != 0;
    if (srv_request_header(r, "Origin"))
        srv_reply_error(r, 403, "%s by no web page", what);
    else if (has_port && !r->conn->is_admin)
        srv_reply_error(r, 403, "%s on the admin port only", what);
    else if (!has_port && !is_loopback(r->conn->fd))
        srv_reply_error(r, 403,
                        "%s from this machine only; for others start the server with --admin-port",
                        what);
    else
        return true;
    return false;
}
