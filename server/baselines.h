/* What the traffic of served models is compared with: where it is found, who may change it. */
#ifndef SRV_BASELINES_H
#define SRV_BASELINES_H

#include "proto/baseline.h"
#include "server/config.h"

struct srv_model;

/* Gives a model that was loaded from `path` the baseline that --baseline names for it, else the one
 * that lies beside its files; there need be none. */
enum rf_status srv_baseline_attach(struct srv_model *model, const char *path,
                                   const struct srv_config *config,
                                   struct rf_error *err) RF_CHECKED;
/* What the file of a baseline of this model says of itself. */
struct rf_baseline_about srv_baseline_about(const struct srv_model *model,
                                            enum rf_baseline_source source);
/* Takes the baseline. */
void srv_baseline_set(struct srv_model *model, struct rf_baseline *baseline,
                      const struct rf_baseline_about *about);
/* Appends the text of the baseline in use; false when there is none. */
bool srv_baseline_text(struct rf_buf *b, struct srv_model *model);

#endif
