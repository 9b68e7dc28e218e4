/* Replies in the Open Inference Protocol's form. Inside proto only. */
#ifndef RF_PROTO_OIP_REPLY_H
#define RF_PROTO_OIP_REPLY_H

#include "proto/infer.h"

/* As rf_infer_encode; what `body` itself fails of is left to its status. */
enum rf_status rf_encode_oip(struct rf_buf *body, const struct rf_model_io *io,
                             const struct rf_infer_request *request,
                             const struct rf_tensor *outputs, size_t *json_len,
                             struct rf_error *err) RF_CHECKED;

#endif
