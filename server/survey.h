/* The making of a baseline from a data set, input by input. */
#ifndef SRV_SURVEY_H
#define SRV_SURVEY_H

#include "core/rectifier.h"

struct srv_model;
struct srv_survey;

/* Observes the session's runs from now on; they have one input each. */
enum rf_status srv_survey_new(struct srv_survey **out, struct srv_model *model,
                              struct rf_session *session, struct rf_error *err) RF_CHECKED;
void srv_survey_free(struct srv_survey *survey); /* NULL is fine */
/* Takes the last run in. RF_INVALID where it has non-finite values. */
enum rf_status srv_survey_add(struct srv_survey *survey, struct rf_error *err) RF_CHECKED;
/* Writes the baseline and says on stderr how large it is. */
enum rf_status srv_survey_write(const struct srv_survey *survey, const char *path,
                                bool from_training, struct rf_error *err) RF_CHECKED;

#endif
