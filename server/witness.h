/*
 * What a single request did to the neurons, for its own reply: `activity` and `novelty` among its
 * parameters, and for the inputs that are kept because they are novel. Its rows run one by one.
 */
#ifndef SRV_WITNESS_H
#define SRV_WITNESS_H

#include "server/request.h"

struct srv_witness {
    struct srv_request *request;
    struct srv_model *model;
    struct rf_session *session;
    bool activity, novelty;   /* to be found out */
    double *features;         /* of a row */
    uint64_t *values, *zeros; /* by layers */
    const char **names;       /* of the layers, borrowed from the model */
    size_t n_layers;
    double *distances; /* by rows */
    int64_t n_rows;
};

/* Whether the request asks for it, or the server keeps novel inputs and this is a single one. */
bool srv_witness_is_wanted(const struct srv_request *r);

/* RF_INVALID when what is asked for is not known here. End it in any case. */
enum rf_status srv_witness_begin(struct srv_witness *w, struct srv_request *r,
                                 struct rf_session *session, struct rf_error *err) RF_CHECKED;
/* After a run of `n` rows from `row` on. */
enum rf_status srv_witness_row(struct srv_witness *w, int64_t row, int64_t n,
                               struct rf_error *err) RF_CHECKED;
/* Puts into r->job.inputs.report what was asked for. */
void srv_witness_report(struct srv_witness *w);
void srv_witness_end(struct srv_witness *w);

#endif
