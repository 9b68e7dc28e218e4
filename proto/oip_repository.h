/* Bodies of the Open Inference Protocol's model repository extension. */
#ifndef RF_PROTO_OIP_REPOSITORY_H
#define RF_PROTO_OIP_REPOSITORY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* An index request: nothing, or {"ready": true} for models that are ready only. */
enum rf_status rf_oip_index_decode(bool *only_ready, const char *body, size_t len,
                                   struct rf_error *err) RF_CHECKED;
/* A load or unload request: nothing, or an object whose "parameters" change nothing. `config` and
 * `file:...`, which would replace what is on disk, are refused. */
enum rf_status rf_oip_control_decode(const char *body, size_t len, struct rf_error *err) RF_CHECKED;

#endif
