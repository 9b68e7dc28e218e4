/* Which form a body has, and which form the client wants back. */
#ifndef SRV_NEGOTIATE_H
#define SRV_NEGOTIATE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/infer.h"

/* Of the protocol's binary extension: the bytes of JSON before the tensors. */
#define SRV_JSON_LENGTH "Inference-Header-Content-Length"

/* By rank of preference among equals. */
#define SRV_FORM_MAP(X)                                                                            \
    X(RF_BODY_JSON, "application/json")                                                            \
    X(RF_BODY_RAW, "application/octet-stream")                                                     \
    X(RF_BODY_NPY, "application/x-npy")

/* Content codings of a reply. */
enum srv_coding { SRV_IDENTITY, SRV_GZIP, SRV_DEFLATE };

/* What an Accept-Encoding header (or NULL) likes best; of equals the first. */
enum srv_coding srv_accept_coding(const char *accept);

const char *srv_form_type(enum rf_body form);
/* The best form for an Accept header (NULL: JSON); false when it takes none of them. */
bool srv_accept_form(const char *accept, enum rf_body *form);
/* Whether an Accept header (or NULL) likes OpenMetrics better than plain text. */
bool srv_accepts_open_metrics(const char *accept);
/* The form of a body by its Content-Type (or NULL) and first bytes. */
enum rf_body srv_body_form(const char *content_type, const char *body, size_t len);

#endif
