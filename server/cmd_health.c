/* `rectifier health`: asks a server whether it is ready; a container image needs no curl for it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/ask.h"
#include "server/cli.h"
#include "server/commands.h"

#define PATH "/v2/health/ready"
#define TIMEOUT_SECONDS 3

/* Where a server with these settings can be asked: a wildcard address listens on loopback, too. */
static void url_from_config(struct srv_url *url, const struct srv_config *config)
{
    const char *host = config->host;
    if (strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    snprintf(url->host, sizeof url->host, "%s", host);
    snprintf(url->port, sizeof url->port, "%u", (unsigned)config->port);
    *url->path = '\0';
}

int srv_cmd_health(const struct srv_config *config)
{
    struct srv_url url;
    if (config->args.n > 1)
        return srv_usage("health: expected at most one URL, got %zu arguments", config->args.n);
    if (config->args.n == 0)
        url_from_config(&url, config);
    else if (!srv_url_parse(&url, config->args.item[0]))
        return srv_usage("health: expected http://HOST[:PORT], got '%.100s'", config->args.item[0]);
    if (strlen(url.path) <= 1)
        snprintf(url.path, sizeof url.path, PATH);
    const int fd = srv_url_connect(&url, TIMEOUT_SECONDS);
    if (fd < 0)
        return srv_fail("health: %s port %s: %s", url.host, url.port, strerror(errno));
    const int status = srv_url_get(fd, &url, NULL);
    close(fd);
    if (status == 200)
        return SRV_EXIT_OK;
    return status ? srv_fail("health: not ready (%d)", status)
                  : srv_fail("health: %s port %s did not answer in %d s", url.host, url.port,
                             TIMEOUT_SECONDS);
}
