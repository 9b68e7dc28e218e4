/* From a request's reply to what libmicrohttpd sends. */
#ifndef SRV_RESPOND_H
#define SRV_RESPOND_H

#include "server/request.h"

struct MHD_Response;

/* Takes the reply's body, or, when there was no memory for it, makes a 503 of the reply. NULL when
 * there is no memory for that, either; the caller destroys it. */
struct MHD_Response *srv_respond(struct srv_request *r);

#endif
