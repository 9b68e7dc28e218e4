/* The commands: each takes its settings and returns an exit code (enum srv_exit). */
#ifndef SRV_COMMANDS_H
#define SRV_COMMANDS_H

#include "server/config.h"

int srv_cmd_serve(const struct srv_config *config);
int srv_cmd_inspect(const struct srv_config *config);
int srv_cmd_infer(const struct srv_config *config);
int srv_cmd_bench(const struct srv_config *config);
int srv_cmd_audit(const struct srv_config *config);
int srv_cmd_init(const struct srv_config *config);
int srv_cmd_health(const struct srv_config *config);

/* Prints "rectifier: ..." to stderr and returns SRV_EXIT_FAILURE or SRV_EXIT_USAGE. */
int srv_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int srv_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
