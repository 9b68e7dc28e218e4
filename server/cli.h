/* Reads settings: flags beat the environment, which beats the defaults. */
#ifndef SRV_CLI_H
#define SRV_CLI_H

#include "server/config.h"

enum srv_exit { SRV_EXIT_OK = 0, SRV_EXIT_FAILURE = 1, SRV_EXIT_USAGE = 2, SRV_EXIT_VERDICT = 3 };

struct srv_command_info {
    const char *name;
    enum srv_command bit;
    const char *args;    /* "MODEL [NAME=]FILE..." */
    const char *brief;   /* for the list of commands */
    const char *summary; /* a sentence or three */
    const char *examples[3];
    int (*run)(const struct srv_config *config);
};

/*
 * Fills `config` for the command from its defaults, the environment and argv (what follows the
 * command's name). False after a message on stderr: the usage is wrong.
 */
bool srv_cli_parse(struct srv_config *config, const struct srv_command_info *command, int argc,
                   char **argv);
void srv_cli_help(const struct srv_command_info *command);
/* One line a setting: name, value, origin. */
void srv_cli_print_config(const struct srv_config *config, const struct srv_command_info *command);

/* The nearest of the names that `next` yields, if it is near enough to be a slip; else NULL. */
const char *srv_did_you_mean(const char *word, const char *(*next)(void *arg, size_t i), void *arg);

#endif
