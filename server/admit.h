/*
 * Whether a request whose headers are sound is taken on: its host, path, method and query keys.
 */
#ifndef SRV_ADMIT_H
#define SRV_ADMIT_H

#include "server/request.h"

/* Finds the route. Where the request ends here, before its body is read, makes the reply. */
void srv_admit(struct srv_request *r);

#endif
