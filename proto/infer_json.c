/*
 * JSON bodies: which of the three forms it is, and the two that are not the protocol's.
 */
#include <string.h>

#include "proto/infer_decode.h"
#include "proto/json.h"
#include "proto/tensor_json.h"

static enum rf_status decode_array(struct rf_decoder *d, const char *what, const char *at,
                                   bool batches)
{
    const struct rf_io *io;
    struct rf_json_array array;
    struct rf_shape shape;
    void *data = NULL;
    enum rf_status rc = rf_decode_only_input(d, what, &io);
    if (rc == RF_OK)
        rc = rf_json_array_measure(&array, what, at, io->dtype, d->err);
    if (rc == RF_OK)
        rc = rf_decode_match(d, what, &array.shape, batches, &shape);
    if (rc == RF_OK)
        rc = rf_decode_room(d, 0, &shape, &data);
    return rc == RF_OK ? rf_json_array_read(&array, data, io->dtype, io->dtype, what, d->err) : rc;
}

static enum rf_status decode_object(struct rf_decoder *d, const char *object)
{
    const char *at = object, *key, *value, *inputs = NULL, *instances = NULL;
    char name[16];
    while (rf_json_member(&at, &key, &value)) {
        if (!rf_json_string(key, name, sizeof name))
            continue;
        const char **const found = strcmp(name, "inputs") == 0      ? &inputs
                                   : strcmp(name, "instances") == 0 ? &instances
                                                                    : NULL;
        if (found && *found)
            return rf_fail(d->err, RF_FORMAT, "%s: \"%s\" is there twice", d->what, name);
        if (found)
            *found = value;
    }
    const bool any = d->options->takes == RF_TAKES_ANY;
    if (d->options->takes == RF_TAKES_OIP ||
        (any && !instances && (inputs || d->io->n_inputs == 0)))
        return rf_decode_oip(d, object);
    if (!instances)
        return rf_fail(d->err, RF_FORMAT, "%s: expected %s\"instances\"", d->what,
                       any ? "\"inputs\" or " : "");
    if (inputs)
        return rf_fail(d->err, RF_FORMAT, "%s: has both \"inputs\" and \"instances\"; expected one",
                       d->what);
    d->out->form = RF_FORM_INSTANCES;
    const bool named = *instances == '[' && *rf_json_space(instances + 1) == '{';
    return named ? rf_decode_named_rows(d, instances)
                 : decode_array(d, "instances", instances, true);
}

enum rf_status rf_decode_json(struct rf_decoder *d, const void *body, size_t len)
{
    if (len == 0)
        return rf_fail(d->err, RF_FORMAT, "%s: empty, expected JSON", d->what);
    const enum rf_status rc = rf_json_check(d->what, body, len, true, d->err);
    if (rc != RF_OK)
        return rc;
    const char *const at = rf_json_space(body);
    if (*at == '{')
        return decode_object(d, at);
    static const char *const expected[] = {
        [RF_TAKES_ANY] = "an object with \"inputs\" or \"instances\", or an array",
        [RF_TAKES_OIP] = "an object with \"inputs\"",
        [RF_TAKES_INSTANCES] = "an object with \"instances\"",
    };
    if (*at != '[' || d->options->takes != RF_TAKES_ANY)
        return rf_fail(d->err, RF_FORMAT, "%s: is %s, expected %s", d->what, rf_json_kind(at),
                       expected[d->options->takes]);
    d->out->form = RF_FORM_ARRAY;
    return decode_array(d, "array", at, false);
}
