/* gzip and deflate, by zlib: bodies that came so, and replies that clients like so. */
#ifndef SRV_COMPRESS_H
#define SRV_COMPRESS_H

#include "server/request.h"

/* Replaces a compressed body by what it was, of which --max-body is the limit, too. RF_FORMAT,
 * RF_LIMIT, RF_NOMEM; the body is dropped then. */
enum rf_status srv_request_inflate(struct srv_request *r, struct rf_error *err) RF_CHECKED;

/* Compresses the reply, if it is long, Accept-Encoding asks for that and it helps. */
void srv_reply_compress(struct srv_request *r);

#endif
