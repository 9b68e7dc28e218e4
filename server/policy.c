#include "server/policy.h"

#include <string.h>

bool srv_policy_parse(struct srv_policy *policy, const char *text)
{
    static const char latest[] = "latest:";
    *policy = (struct srv_policy){0};
    if (strcmp(text, "all") == 0)
        return true;
    if (strncmp(text, latest, sizeof latest - 1) == 0) {
        const char *const n = text + sizeof latest - 1;
        return srv_version_parse(n, strlen(n), &policy->latest);
    }
    for (;; text++) {
        const size_t len = strcspn(text, ",");
        if (policy->n == SRV_MAX_POLICY ||
            !srv_version_parse(text, len, &policy->versions[policy->n++]))
            return false;
        text += len;
        if (!*text)
            return true;
    }
}

bool srv_policy_wants(const struct srv_policy *policy, const struct srv_disk_model *model, size_t i)
{
    if (!model->is_versioned)
        return true;
    if (policy->latest)
        return model->n - i <= policy->latest;
    for (size_t k = 0; k < policy->n; k++)
        if (policy->versions[k] == model->versions[i].number)
            return true;
    return policy->n == 0;
}
