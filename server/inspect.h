/* What `rectifier inspect` found out of a network, and the forms in which it is shown. */
#ifndef SRV_INSPECT_H
#define SRV_INSPECT_H

#include "core/arena.h"
#include "server/models.h"

struct srv_inspection {
    const struct srv_model *model;
    struct rf_arena arena;   /* holds the steps and their texts */
    struct rf_shape *shapes; /* of the inputs */
    struct rf_step_info *steps;
    size_t n_steps, cap_steps;
    bool no_memory; /* a step is missing */
    size_t model_bytes, session_bytes;
    size_t activity_bytes, activity_session_bytes; /* at level unit */
    int64_t parameters, macs;
    int64_t max_batch; /* rows in one run, as --memory and --threads have it; 0: not open */
};

/* Each appends the whole text; what fails is in b->status. */
void srv_inspection_table(struct rf_buf *b, const struct srv_inspection *x);
void srv_inspection_json(struct rf_buf *b, const struct srv_inspection *x);
/* For Graphviz: steps are boxes, the values between them arrows, inputs and outputs ellipses. */
void srv_inspection_dot(struct rf_buf *b, const struct srv_inspection *x);

#endif
