/* "[NAME=]FILE" on the command line: which of a network's inputs a file is for. */
#ifndef SRV_INPUTS_H
#define SRV_INPUTS_H

#include "proto/infer.h"

/* The input named, or n_inputs when none is; the file's path. Names may hold '=': the longest that
 * fits is meant. */
size_t srv_input_split(const struct rf_model_io *io, const char *arg, const char **path);
/* Of an argument that names no input: RF_NOT_FOUND when it looks as if it did and no such file is
 * there, which is a misspelt name. */
enum rf_status srv_input_check(const struct rf_model_io *io, const char *arg,
                               struct rf_error *err) RF_CHECKED;

#endif
