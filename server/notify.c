#include "server/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/log.h"

void srv_notify(const char *fmt, ...)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *const path = getenv("NOTIFY_SOCKET");
    char text[1024];
    va_list args;
    if (!path || !*path)
        return;
    const size_t n = strlen(path);
    if ((*path != '/' && *path != '@') || n >= sizeof address.sun_path) {
        srv_log(SRV_WARN, "NOTIFY_SOCKET: expected a path or an abstract name, got %s", path);
        return;
    }
    memcpy(address.sun_path, path, n);
    if (*path == '@')
        address.sun_path[0] = '\0';
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (fd < 0 ||
        sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, len) < 0)
        srv_log(SRV_WARN, "NOTIFY_SOCKET: %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}
