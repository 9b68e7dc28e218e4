#include "proto/oip_repository.h"

#include <string.h>

#include "proto/json.h"

/* The object's opening bracket in `*at`; NULL when there is no body. */
static enum rf_status open_object(const char **at, const char *body, size_t len,
                                  struct rf_error *err)
{
    *at = NULL;
    if (len == 0)
        return RF_OK;
    const enum rf_status rc = rf_json_check("request body", body, len, false, err);
    if (rc)
        return rc;
    *at = rf_json_space(body);
    return **at == '{' ? RF_OK
                       : rf_fail(err, RF_INVALID, "expected an object, got %s", rf_json_kind(*at));
}

enum rf_status rf_oip_index_decode(bool *only_ready, const char *body, size_t len,
                                   struct rf_error *err)
{
    const char *at, *key, *value;
    char name[8];
    enum rf_status rc = open_object(&at, body, len, err);
    *only_ready = false;
    while (!rc && at && rf_json_member(&at, &key, &value)) {
        if (!rf_json_string(key, name, sizeof name) || strcmp(name, "ready") != 0)
            continue;
        if (*value != 't' && *value != 'f')
            rc = rf_fail(err, RF_INVALID, "\"ready\": expected true or false, got %s",
                         rf_json_kind(value));
        *only_ready = *value == 't';
    }
    return rc;
}

static enum rf_status check_parameters(const char *at, struct rf_error *err)
{
    const char *key, *value;
    if (*at != '{')
        return rf_fail(err, RF_INVALID, "\"parameters\": expected an object, got %s",
                       rf_json_kind(at));
    while (rf_json_member(&at, &key, &value)) {
        char name[64];
        (void)rf_json_string(key, name, sizeof name);
        if (strcmp(name, "config") == 0 || strncmp(name, "file:", 5) == 0)
            return rf_fail(err, RF_UNSUPPORTED,
                           "parameter '%s' is not offered: models are loaded as they are on disk",
                           name);
    }
    return RF_OK;
}

enum rf_status rf_oip_control_decode(const char *body, size_t len, struct rf_error *err)
{
    const char *at, *key, *value;
    char name[16];
    enum rf_status rc = open_object(&at, body, len, err);
    while (!rc && at && rf_json_member(&at, &key, &value))
        if (rf_json_string(key, name, sizeof name) && strcmp(name, "parameters") == 0)
            rc = check_parameters(value, err);
    return rc;
}
