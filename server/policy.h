/* Which versions of a model are served: --version-policy. */
#ifndef SRV_POLICY_H
#define SRV_POLICY_H

#include "server/layout.h"

#define SRV_MAX_POLICY 32

struct srv_policy {
    uint64_t latest; /* so many; 0: all, or those listed */
    size_t n;
    uint64_t versions[SRV_MAX_POLICY];
};

/* "latest:N", "all" or "N,N"; false when it is none. */
bool srv_policy_parse(struct srv_policy *policy, const char *text);
/* Whether version i of the model is to be served. */
bool srv_policy_wants(const struct srv_policy *policy, const struct srv_disk_model *model,
                      size_t i);

#endif
