/* Whether requests may share a run of a model, and how many rows a run may take. */
#ifndef SRV_ROWS_H
#define SRV_ROWS_H

#include "core/rectifier.h"

/* Every input and output has an open dimension 0, and no shape follows from an input's elements. */
bool srv_rows_are_open(const struct rf_model *model);

struct srv_rows {
    bool independent;
    uint64_t elements; /* of the inputs of one row */
    uint64_t ns;       /* that it takes to run, and to read and write as JSON; an estimate */
};

/*
 * Requests may share a run when rows are open, and the outputs of a row are the same whatever row
 * is beside it. The last is found by trying: two rows of random numbers, run together and each
 * alone; when that cannot be done, they are not. The session is one of the model's; nothing is
 * counted.
 */
struct srv_rows srv_rows_try(struct rf_model *model, struct rf_session *session);

/* Each worker's part of the quarter of memory that runs may take. */
static inline size_t srv_rows_memory(uint64_t memory, uint64_t workers)
{
    return (size_t)(memory / 4 / workers);
}
/* Bytes that a worker needs for a run of so many rows: its session's, and the inputs gathered. */
size_t srv_rows_bytes(struct rf_model *model, int64_t rows);
/* The largest number of rows up to `limit` for which these are at most `bytes`; at least 1. */
int64_t srv_rows_that_fit(struct rf_model *model, int64_t limit, size_t bytes);

#endif
