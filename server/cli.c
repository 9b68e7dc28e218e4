/* The command line and the environment against the table of options. */
#include "server/cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/units.h"

enum origin { FROM_DEFAULT, FROM_ENVIRONMENT, FROM_FLAG };
static const char *const origin_text[] = {"default", "environment", "command line"};

/* Where each option's value came from; kept for --print-config. The process parses once. */
static enum origin origins[SRV_MAX_OPTIONS];

static void *option_slot(struct srv_config *config, const struct srv_option *o)
{
    return (char *)config + o->offset;
}

static const void *option_value(const struct srv_config *config, const struct srv_option *o)
{
    return (const char *)config + o->offset;
}

static void choice_text(const char *values, int choice, char *text, size_t size)
{
    const char *p = values;
    for (int i = 0; i < choice; i++)
        p += strcspn(p, "|") + 1;
    snprintf(text, size, "%.*s", (int)strcspn(p, "|"), p);
}

static bool wrong_value(const char *what, const char *value, const char *expected)
{
    fprintf(stderr, "rectifier: %s: expected %s, got '%.100s'\n", what, expected, value);
    return false;
}

/* Bounds in the words in which the value is written. */
static bool wrong_range(const char *what, const struct srv_option *o, const char *value)
{
    char low[SRV_UNIT_TEXT], high[SRV_UNIT_TEXT], expected[2 * SRV_UNIT_TEXT + 16];
    if (o->type == SRV_OPT_DURATION) {
        srv_duration_text(o->min, low, sizeof low);
        srv_duration_text(o->max, high, sizeof high);
    } else if (o->type == SRV_OPT_SIZE) {
        srv_size_text(o->min, low, sizeof low);
        srv_size_text(o->max, high, sizeof high);
    } else {
        snprintf(low, sizeof low, "%" PRIu64, o->min);
        snprintf(high, sizeof high, "%" PRIu64, o->max);
    }
    snprintf(expected, sizeof expected, "%s to %s", low, high);
    return wrong_value(what, value, expected);
}

static bool set_number(struct srv_config *config, const struct srv_option *o, const char *what,
                       const char *value)
{
    uint64_t v = 0;
    if (o->type == SRV_OPT_UINT && !srv_parse_uint(value, &v))
        return wrong_value(what, value, "a whole number");
    if (o->type == SRV_OPT_DURATION && !srv_parse_duration(value, &v))
        return wrong_value(what, value, "a time with its unit, as 100us, 30s or 5m");
    if (o->type == SRV_OPT_SIZE && !srv_parse_size(value, &v))
        return wrong_value(what, value, "a size in bytes, or as 512KiB or 64MiB");
    if (v < o->min || v > o->max)
        return wrong_range(what, o, value);
    *(uint64_t *)option_slot(config, o) = v;
    return true;
}

static bool set_real(struct srv_config *config, const struct srv_option *o, const char *what,
                     const char *value)
{
    char *end;
    const double v = strtod(value, &end);
    if (!*value || *end || !isfinite(v) || v < 0)
        return wrong_value(what, value, "a number of 0 or more");
    if (o->max > 0 && (v < (double)o->min || v > (double)o->max))
        return wrong_range(what, o, value);
    *(double *)option_slot(config, o) = v;
    return true;
}

static bool add_item(struct srv_list *list, const char *what, const char *value)
{
    if (list->n == SRV_MAX_LIST) {
        fprintf(stderr, "rectifier: %s: more than %d values\n", what, SRV_MAX_LIST);
        return false;
    }
    list->item[list->n++] = value;
    return true;
}

static bool set_value(struct srv_config *config, const struct srv_option *o, const char *what,
                      const char *value)
{
    switch (o->type) {
    case SRV_OPT_FLAG:
        *(bool *)option_slot(config, o) = srv_choice_find("off|on", value) == 1;
        return srv_choice_find("off|on", value) >= 0 || wrong_value(what, value, "on or off");
    case SRV_OPT_STRING:
        *(const char **)option_slot(config, o) = value;
        return true;
    case SRV_OPT_CHOICE: {
        const int choice = srv_choice_find(o->values, value);
        if (choice < 0)
            return wrong_value(what, value, o->values);
        *(int *)option_slot(config, o) = choice;
        return true;
    }
    case SRV_OPT_MULTI:
        return *value == '\0' || add_item(option_slot(config, o), what, value);
    case SRV_OPT_UINT:
    case SRV_OPT_DURATION:
    case SRV_OPT_SIZE:
        return set_number(config, o, what, value);
    case SRV_OPT_REAL:
        return set_real(config, o, what, value);
    }
    return false;
}

/* Splits at commas; the pieces live as long as the process, as the environment does. */
static bool set_list_from_env(struct srv_config *config, const struct srv_option *o,
                              const char *what, const char *value)
{
    static char copies[4][4096];
    static size_t n_copies;
    if (n_copies == 4 || strlen(value) >= sizeof copies[0]) {
        fprintf(stderr, "rectifier: %s: longer than %zu characters\n", what, sizeof copies[0] - 1);
        return false;
    }
    char *save = NULL, *copy = strcpy(copies[n_copies++], value);
    for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save))
        if (!add_item(option_slot(config, o), what, p))
            return false;
    return true;
}

static bool from_environment(struct srv_config *config, size_t i)
{
    const struct srv_option *o = &srv_options[i];
    char name[SRV_ENV_NAME];
    const char *value = o->group ? getenv(srv_option_env(o, name)) : NULL;
    if (!value || !*value)
        return true;
    /* Kubernetes sets RECTIFIER_PORT=tcp://10.0.0.1:80 in pods beside a service `rectifier`, and
     * RECTIFIER_ADMIN_PORT beside `rectifier-admin`. */
    const size_t n = strlen(o->name);
    if (strncmp(value, "tcp://", 6) == 0 && n >= 4 && strcmp(o->name + n - 4, "port") == 0)
        return true;
    origins[i] = FROM_ENVIRONMENT;
    if (o->type == SRV_OPT_MULTI)
        return set_list_from_env(config, o, name, value);
    return set_value(config, o, name, value);
}

/* The option's index, or -1. `len` cuts "name=value". */
static int find_option(unsigned command, const char *name, size_t len)
{
    for (size_t i = 0; i < srv_n_options; i++)
        if ((srv_options[i].commands & command) && strlen(srv_options[i].name) == len &&
            memcmp(srv_options[i].name, name, len) == 0)
            return (int)i;
    return -1;
}

static int find_letter(unsigned command, char letter)
{
    for (size_t i = 0; i < srv_n_options; i++)
        if ((srv_options[i].commands & command) && srv_options[i].letter == letter)
            return (int)i;
    return -1;
}

static const char *option_name_at(void *arg, size_t i)
{
    const unsigned command = *(const unsigned *)arg;
    if (i >= srv_n_options)
        return NULL;
    return srv_options[i].commands & command ? srv_options[i].name : "";
}

static bool unknown_option(const struct srv_command_info *command, const char *arg, size_t len)
{
    char word[64];
    unsigned bit = command->bit;
    snprintf(word, sizeof word, "%.*s", (int)(len > 60 ? 60 : len), arg);
    const char *near = srv_did_you_mean(word + strspn(word, "-"), option_name_at, &bit);
    fprintf(stderr, "rectifier %s: unknown option '%s'", command->name, word);
    if (near)
        fprintf(stderr, "; did you mean --%s?", near);
    fprintf(stderr, "\nTry 'rectifier %s --help'.\n", command->name);
    return false;
}

/* One option of argv at *at; moves *at past its value. */
static bool take_option(struct srv_config *config, const struct srv_command_info *command, int argc,
                        char **argv, int *at)
{
    const char *arg = argv[*at];
    const bool is_long = arg[1] == '-';
    const size_t len = is_long ? strcspn(arg + 2, "=") : 1;
    const int i =
        is_long ? find_option(command->bit, arg + 2, len) : find_letter(command->bit, arg[1]);
    if (i < 0)
        return unknown_option(command, arg, is_long ? len + 2 : strlen(arg));
    const struct srv_option *o = &srv_options[i];
    const char *value =
        is_long ? (arg[2 + len] == '=' ? arg + 3 + len : NULL) : (arg[2] ? arg + 2 : NULL);
    char what[SRV_ENV_NAME];
    snprintf(what, sizeof what, "--%s", o->name);
    if (!value && o->type == SRV_OPT_FLAG)
        value = "on";
    if (!value && ++*at < argc)
        value = argv[*at];
    if (!value) {
        fprintf(stderr, "rectifier %s: %s needs a value: %s\n", command->name, what, o->values);
        return false;
    }
    /* The first flag replaces what the environment listed. */
    if (o->type == SRV_OPT_MULTI && origins[i] != FROM_FLAG)
        ((struct srv_list *)option_slot(config, o))->n = 0;
    origins[i] = FROM_FLAG;
    return set_value(config, o, what, value);
}

bool srv_cli_parse(struct srv_config *config, const struct srv_command_info *command, int argc,
                   char **argv)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < srv_n_options; i++) {
        const struct srv_option *o = &srv_options[i];
        if (!set_value(config, o, o->name, o->fallback))
            return false;
    }
    for (size_t i = 0; i < srv_n_options; i++)
        if ((srv_options[i].commands & command->bit) && !from_environment(config, i))
            return false;
    bool options_end = false;
    for (int at = 0; at < argc; at++) {
        const char *arg = argv[at];
        if (!options_end && strcmp(arg, "--") == 0)
            options_end = true;
        else if (!options_end && arg[0] == '-' && arg[1] != '\0') {
            if (!take_option(config, command, argc, argv, &at))
                return false;
        } else if (!add_item(&config->args, command->name, arg))
            return false;
    }
    return true;
}

static void value_text(const struct srv_config *config, const struct srv_option *o, char *text,
                       size_t size)
{
    const void *value = option_value(config, o);
    switch (o->type) {
    case SRV_OPT_FLAG:
        snprintf(text, size, "%s", *(const bool *)value ? "on" : "off");
        break;
    case SRV_OPT_UINT:
        snprintf(text, size, "%" PRIu64, *(const uint64_t *)value);
        break;
    case SRV_OPT_DURATION:
        srv_duration_text(*(const uint64_t *)value, text, size);
        break;
    case SRV_OPT_SIZE:
        srv_size_text(*(const uint64_t *)value, text, size);
        break;
    case SRV_OPT_REAL:
        snprintf(text, size, "%g", *(const double *)value);
        break;
    case SRV_OPT_STRING:
        snprintf(text, size, "%s", *(const char *const *)value);
        break;
    case SRV_OPT_CHOICE:
        choice_text(o->values, *(const int *)value, text, size);
        break;
    case SRV_OPT_MULTI: {
        const struct srv_list *list = value;
        size_t n = 0;
        text[0] = '\0';
        for (size_t i = 0; i < list->n && n < size; i++)
            n += (size_t)snprintf(text + n, size - n, "%s%s", i ? "," : "", list->item[i]);
        break;
    }
    }
}

void srv_cli_print_config(const struct srv_config *config, const struct srv_command_info *command)
{
    char text[1024];
    for (size_t i = 0; i < srv_n_options; i++) {
        const struct srv_option *o = &srv_options[i];
        if (!(o->commands & command->bit) || o->offset == offsetof(struct srv_config, help) ||
            o->offset == offsetof(struct srv_config, print_config))
            continue;
        value_text(config, o, text, sizeof text);
        printf("%-20s %-24s # %s\n", o->name, *text ? text : "''", origin_text[origins[i]]);
    }
}
