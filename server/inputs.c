#include "server/inputs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

size_t srv_input_split(const struct rf_model_io *io, const char *arg, const char **path)
{
    size_t found = io->n_inputs;
    *path = arg;
    for (size_t i = 0; i < io->n_inputs; i++) {
        const size_t n = strlen(io->inputs[i].name);
        if (strncmp(arg, io->inputs[i].name, n) == 0 && arg[n] == '=' && arg + n + 1 > *path) {
            *path = arg + n + 1;
            found = i;
        }
    }
    return found;
}

enum rf_status srv_input_check(const struct rf_model_io *io, const char *arg, struct rf_error *err)
{
    const size_t len = strcspn(arg, "=");
    char names[192] = "";
    size_t n = 0;
    if (!arg[len] || access(arg, F_OK) == 0)
        return RF_OK;
    for (size_t i = 0; i < io->n_inputs && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s'%s'", i ? ", " : "",
                              io->inputs[i].name);
    return rf_fail(err, RF_NOT_FOUND, "no input is called '%.*s'; inputs: %s",
                   (int)(len < 64 ? len : 64), arg, n ? names : "none");
}
