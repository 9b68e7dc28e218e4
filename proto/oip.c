/*
 * The Open Inference Protocol's request object, and what all objects in it share.
 */
#include "proto/oip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/numbers.h"
#include "proto/text.h"

enum { LONGEST_ID = 1024 };

enum rf_status rf_oip_members(struct rf_decoder *d, const char *object, const char *what,
                              struct rf_oip_member *members, size_t n)
{
    const char *at = object, *key, *value;
    char name[32];
    if (*object != '{')
        return rf_fail(d->err, RF_FORMAT, "%s is %s, expected an object", what,
                       rf_json_kind(object));
    while (rf_json_member(&at, &key, &value)) {
        if (!rf_json_string(key, name, sizeof name))
            continue;
        for (size_t i = 0; i < n; i++) {
            if (strcmp(name, members[i].key) != 0)
                continue;
            if (members[i].value)
                return rf_fail(d->err, RF_FORMAT, "%s: \"%s\" is there twice", what, name);
            members[i].value = value;
        }
    }
    return RF_OK;
}

enum rf_status rf_oip_parameters(struct rf_decoder *d, const char *parameters, const char *what,
                                 struct rf_oip_member *members, size_t n, char path[RF_OIP_WHAT])
{
    snprintf(path, RF_OIP_WHAT, "%.*s: \"parameters\"", RF_OIP_NAME, what);
    return parameters ? rf_oip_members(d, parameters, path, members, n) : RF_OK;
}

enum rf_status rf_oip_name(struct rf_decoder *d, const struct rf_oip_member *member,
                           const char *what, char name[RF_OIP_NAME])
{
    const char *const value = member->value;
    if (!value || *value != '"')
        return rf_fail(d->err, RF_FORMAT, "%s: \"%s\" %s%s, expected a string", what, member->key,
                       value ? "is " : "is missing", value ? rf_json_kind(value) : "");
    if (!rf_json_string(value, name, RF_OIP_NAME))
        return rf_fail(d->err, RF_FORMAT, "%s: \"%s\" is longer than %d bytes or holds U+0000",
                       what, member->key, RF_OIP_NAME - 1);
    return RF_OK;
}

enum rf_status rf_oip_flag(struct rf_decoder *d, const struct rf_oip_member *member,
                           const char *what, bool *flag)
{
    const char *const value = member->value;
    if (!value)
        return RF_OK;
    *flag = *value == 't';
    if (*value == 't' || *value == 'f')
        return RF_OK;
    return rf_fail(d->err, RF_FORMAT, "%s: \"%s\" is %s, expected true or false", what, member->key,
                   rf_json_kind(value));
}

enum rf_status rf_oip_count(struct rf_decoder *d, const struct rf_oip_member *member,
                            const char *what, uint64_t *count)
{
    char shown[RF_EXCERPT];
    const char *const value = member->value;
    const size_t len = value ? (size_t)(rf_json_past(value) - value) : 0;
    if (!value || rf_number_u64(value, len, count))
        return RF_OK;
    return rf_fail(d->err, RF_FORMAT, "%s: \"%s\" is %s, expected an integer from 0 to 2^64-1",
                   what, member->key, rf_excerpt(shown, value, len < 32 ? len : 32));
}

enum rf_status rf_oip_no_shared_memory(struct rf_decoder *d, const struct rf_oip_member *member,
                                       const char *what)
{
    if (!member->value)
        return RF_OK;
    return rf_fail(d->err, RF_UNSUPPORTED,
                   "%s: shared memory is not offered; send and take the elements as binary data",
                   what);
}

void rf_oip_list_names(const struct rf_io *io, size_t n, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n && at < size; i++) {
        char shown[RF_EXCERPT];
        rf_excerpt(shown, io[i].name, strlen(io[i].name));
        at += (size_t)snprintf(text + at, size - at, "%s'%s'", i ? ", " : "", shown);
    }
}

static enum rf_status read_id(struct rf_decoder *d, const char *value)
{
    if (!value)
        return RF_OK;
    if (*value != '"')
        return rf_fail(d->err, RF_FORMAT, "%s: \"id\" is %s, expected a string", d->what,
                       rf_json_kind(value));
    d->out->id = malloc(LONGEST_ID + 1);
    if (!d->out->id)
        return rf_fail_nomem(d->err, "the request's id", LONGEST_ID + 1);
    if (!rf_json_string(value, d->out->id, LONGEST_ID + 1))
        return rf_fail(d->err, RF_INVALID, "%s: \"id\" is longer than %d bytes or holds U+0000",
                       d->what, LONGEST_ID);
    return RF_OK;
}

/* `*binary`: what "binary_data_output" says. */
static enum rf_status read_parameters(struct rf_decoder *d, const char *parameters, bool *binary)
{
    enum { BINARY, TIMEOUT, PRIORITY, ACTIVITY, NOVELTY, N };
    struct rf_oip_member p[N] = {{"binary_data_output", NULL},
                                 {"timeout", NULL},
                                 {"priority", NULL},
                                 {"activity", NULL},
                                 {"novelty", NULL}};
    char path[RF_OIP_WHAT];
    enum rf_status rc = rf_oip_parameters(d, parameters, d->what, p, N, path);
    if (rc == RF_OK)
        rc = rf_oip_flag(d, &p[BINARY], path, binary);
    if (rc == RF_OK)
        rc = rf_oip_count(d, &p[TIMEOUT], path, &d->out->timeout_us);
    if (rc == RF_OK)
        rc = rf_oip_count(d, &p[PRIORITY], path, &d->out->priority);
    if (rc == RF_OK)
        rc = rf_oip_flag(d, &p[ACTIVITY], path, &d->out->wants_activity);
    if (rc == RF_OK)
        rc = rf_oip_flag(d, &p[NOVELTY], path, &d->out->wants_novelty);
    return rc;
}

enum rf_status rf_decode_oip(struct rf_decoder *d, const char *object)
{
    enum { ID, PARAMETERS, INPUTS, OUTPUTS };
    struct rf_oip_member m[] = {
        {"id", NULL}, {"parameters", NULL}, {"inputs", NULL}, {"outputs", NULL}};
    bool binary = false;
    enum rf_status rc = rf_oip_members(d, object, d->what, m, 4);
    if (rc == RF_OK)
        rc = read_id(d, m[ID].value);
    if (rc == RF_OK)
        rc = read_parameters(d, m[PARAMETERS].value, &binary);
    if (rc == RF_OK)
        rc = rf_oip_inputs(d, m[INPUTS].value);
    if (rc == RF_OK)
        rc = rf_oip_outputs(d, m[OUTPUTS].value, binary);
    return rc;
}
