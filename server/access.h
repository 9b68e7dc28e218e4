/* The access log: a line for each request that is over, as --access-log has it. */
#ifndef SRV_ACCESS_H
#define SRV_ACCESS_H

#include "server/request.h"

/* `ns`: how long it took, from its first line on. */
void srv_access_log(const struct srv_request *r, uint64_t ns);

#endif
