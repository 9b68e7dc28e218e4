/*
 * The outputs that an Open Inference Protocol request asks for, and how they come back.
 */
#include <stdio.h>
#include <string.h>

#include "proto/classify.h"
#include "proto/json.h"
#include "proto/oip.h"
#include "proto/text.h"

static enum rf_status find_output(struct rf_decoder *d, const char *name, size_t *index)
{
    char shown[RF_EXCERPT], names[RF_ERROR_TEXT];
    size_t i = 0;
    rf_excerpt(shown, name, strlen(name));
    while (i < d->io->n_outputs && strcmp(d->io->outputs[i].name, name) != 0)
        i++;
    if (i == d->io->n_outputs) {
        rf_oip_list_names(d->io->outputs, d->io->n_outputs, names, sizeof names);
        return rf_fail(d->err, RF_INVALID,
                       "unexpected inference output '%s' for model '%s'; expected %s", shown,
                       d->io->name, names);
    }
    for (size_t j = 0; j < d->out->n_outputs; j++)
        if (d->out->outputs[j].index == i)
            return rf_fail(d->err, RF_INVALID, "output '%s' already exists in request", shown);
    *index = i;
    return RF_OK;
}

static enum rf_status check_classes(struct rf_decoder *d, const struct rf_wanted *wanted)
{
    const struct rf_io *const io = &d->io->outputs[wanted->index];
    if (wanted->classes == 0 || rf_classes_suit(io->dtype))
        return RF_OK;
    return rf_fail(d->err, RF_UNSUPPORTED,
                   "class result not available for output due to unsupported type '%s'; output "
                   "'%s'",
                   rf_dtype_name(io->dtype), io->name);
}

static enum rf_status read_parameters(struct rf_decoder *d, const char *parameters,
                                      const char *what, struct rf_wanted *wanted)
{
    enum { BINARY, CLASSES, SHARED };
    struct rf_oip_member p[] = {
        {"binary_data", NULL}, {"classification", NULL}, {"shared_memory_region", NULL}};
    char path[RF_OIP_WHAT];
    enum rf_status rc = rf_oip_parameters(d, parameters, what, p, 3, path);
    if (rc == RF_OK)
        rc = rf_oip_no_shared_memory(d, &p[SHARED], path);
    if (rc == RF_OK)
        rc = rf_oip_flag(d, &p[BINARY], path, &wanted->binary);
    if (rc == RF_OK)
        rc = rf_oip_count(d, &p[CLASSES], path, &wanted->classes);
    return rc == RF_OK ? check_classes(d, wanted) : rc;
}

static enum rf_status read_output(struct rf_decoder *d, const char *object, size_t ordinal)
{
    enum { KEY_NAME, PARAMETERS };
    struct rf_oip_member m[] = {{"name", NULL}, {"parameters", NULL}};
    struct rf_wanted wanted = {.binary = false};
    char what[RF_OIP_NAME], name[RF_OIP_NAME];
    snprintf(what, sizeof what, "outputs[%zu]", ordinal);
    enum rf_status rc = rf_oip_members(d, object, what, m, 2);
    if (rc == RF_OK)
        rc = rf_oip_name(d, &m[KEY_NAME], what, name);
    if (rc == RF_OK)
        rc = find_output(d, name, &wanted.index);
    if (rc == RF_OK)
        rc = read_parameters(d, m[PARAMETERS].value, what, &wanted);
    if (rc == RF_OK)
        d->out->outputs[d->out->n_outputs++] = wanted;
    return rc;
}

/* Absent or empty: all of them. As Triton has it, one that is listed is binary only if it says so
 * itself. */
enum rf_status rf_oip_outputs(struct rf_decoder *d, const char *array, bool binary)
{
    const char *at = array, *object;
    enum rf_status rc = rf_decode_all_outputs(d, binary);
    if (rc != RF_OK || !array)
        return rc;
    if (*array != '[')
        return rf_fail(d->err, RF_FORMAT, "%s: \"outputs\" is %s, expected an array", d->what,
                       rf_json_kind(array));
    const size_t all = d->out->n_outputs;
    d->out->n_outputs = 0;
    for (size_t n = 0; rf_json_element(&at, &object); n++) {
        rc = read_output(d, object, n);
        if (rc != RF_OK)
            return rc;
    }
    if (d->out->n_outputs == 0)
        d->out->n_outputs = all; /* the list is still that of all */
    return RF_OK;
}
