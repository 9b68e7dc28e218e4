/* What the commands that serve nobody share: how they load, compute and report. */
#ifndef SRV_OFFLINE_H
#define SRV_OFFLINE_H

#include "core/rectifier.h"
#include "proto/buf.h"
#include "server/config.h"

/* As --weights has it; `level`: how closely the activations are watched. */
struct rf_model_options srv_offline_options(const struct srv_config *config,
                                            enum rf_activity_level level);
/* So many compute threads, 0 meaning what it does for --threads. One needs no pool: `*out` is NULL.
 * The caller frees it. */
enum rf_status srv_offline_pool(struct rf_pool **out, uint64_t threads,
                                struct rf_error *err) RF_CHECKED;
/* Prints a report on stdout and releases it; RF_NOMEM, and nothing printed, when it is not whole.
 */
enum rf_status srv_offline_print(struct rf_buf *report, struct rf_error *err) RF_CHECKED;

#endif
