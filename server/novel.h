/*
 * The inputs of a model that were farthest from its baseline, for whoever operates the server: kept
 * only with --novel-inputs, as they are what clients sent.
 */
#ifndef SRV_NOVEL_H
#define SRV_NOVEL_H

#include <pthread.h>

#include "core/tensor.h"
#include "proto/buf.h"

struct srv_novel_input;

struct srv_novel {
    size_t most; /* that are kept; 0: none */
    pthread_mutex_t lock;
    struct srv_novel_input *list; /* by distance, the largest first */
    size_t n;
    struct rf_shape shape; /* of one row; inputs of other shapes are not kept */
    enum rf_dtype dtype;
};

void srv_novel_init(struct srv_novel *novel, size_t most);
void srv_novel_release(struct srv_novel *novel);
/* Keeps row `row` of a batch if it is among the farthest. */
void srv_novel_offer(struct srv_novel *novel, double distance, const struct rf_tensor *batch,
                     int64_t row);
/* Appends them as one .npy file, the farthest first; false when there is none. */
bool srv_novel_npy(struct rf_buf *b, struct srv_novel *novel);

#endif
