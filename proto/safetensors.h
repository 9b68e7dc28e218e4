/*
 * safetensors: 8 bytes of header length, a JSON header, then the tensors' bytes without holes.
 * Reading checks every rule of the format; what it gives out lies within the file.
 */
#ifndef RF_PROTO_SAFETENSORS_H
#define RF_PROTO_SAFETENSORS_H

#include "core/tensor.h"
#include "proto/buf.h"

#define RF_SAFETENSORS_HEADER ((size_t)16 << 20) /* bytes a header may have */

struct rf_safetensor {
    const char *name;
    enum rf_dtype dtype;
    struct rf_shape shape;
    const void *data; /* borrowed from the file's bytes; at any alignment */
    size_t bytes;
    bool used; /* the caller's mark */
};

struct rf_safetensors {
    struct rf_safetensor *tensors; /* sorted by name */
    size_t n;
};

/* `bytes` must outlive the result. `what` starts each message; the tensor's name follows. */
enum rf_status rf_safetensors_read(struct rf_safetensors **out, const char *what, const void *bytes,
                                   size_t len, struct rf_error *err) RF_CHECKED;
void rf_safetensors_free(struct rf_safetensors *st); /* NULL is fine */
struct rf_safetensor *rf_safetensors_find(const struct rf_safetensors *st, const char *name);

/* F32, F16, BF16 or F64 -> float32; RF_UNSUPPORTED for integers. */
enum rf_status rf_safetensor_to_f32(const struct rf_safetensor *t, float *dst, const char *what,
                                    struct rf_error *err) RF_CHECKED;

/* A file of these tensors, in their order; what fails is in b->status. */
void rf_safetensors_write(struct rf_buf *b, const struct rf_safetensor *tensors, size_t n);

/* "F32", "I64": the format's own names, which are not the protocol's. */
const char *rf_safetensors_dtype(enum rf_dtype dtype);

#endif
