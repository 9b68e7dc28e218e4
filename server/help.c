/* --help from the table of options, and "did you mean". */
#include <stdio.h>
#include <string.h>

#include "proto/text.h"
#include "server/cli.h"

#define COLUMNS 79
#define INDENT 6

/* Words of `text` on lines of COLUMNS, INDENT spaces before each. */
static void print_wrapped(const char *text)
{
    size_t column = 0;
    while (*text) {
        const size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > COLUMNS) {
            putchar('\n');
            column = 0;
        }
        const size_t pad = column == 0 ? INDENT : 1;
        printf("%*s%.*s", (int)pad, "", (int)word, text);
        column += pad + word;
        text += word + (text[word] == ' ');
    }
    putchar('\n');
}

static void print_option(const struct srv_option *o)
{
    char text[256];
    printf("  --%s", o->name);
    if (o->values)
        printf(" %s", o->values);
    if (o->letter)
        printf(", -%c%s%s", o->letter, o->values ? " " : "", o->values ? o->values : "");
    putchar('\n');
    size_t n = (size_t)snprintf(text, sizeof text, "%s", o->help);
    if (o->type != SRV_OPT_FLAG && *o->fallback && n < sizeof text)
        n += (size_t)snprintf(text + n, sizeof text - n, " [default: %s]", o->fallback);
    if (o->group && n < sizeof text) {
        char name[SRV_ENV_NAME];
        snprintf(text + n, sizeof text - n, " [env: %s]", srv_option_env(o, name));
    }
    print_wrapped(text);
}

void srv_cli_help(const struct srv_command_info *command)
{
    printf("Usage: rectifier %s %s[options]\n\n", command->name, command->args);
    print_wrapped(command->summary);
    puts("\nExamples:");
    for (size_t i = 0; i < 3 && command->examples[i]; i++)
        printf("  %s\n", command->examples[i]);
    /* First the command's own options, then group by group. */
    const char *group = "";
    for (int own = 1; own >= 0; own--)
        for (size_t i = 0; i < srv_n_options; i++) {
            const struct srv_option *o = &srv_options[i];
            if (!(o->commands & command->bit) || (o->group == NULL) != own)
                continue;
            const char *heading = o->group ? o->group : "Options";
            if (strcmp(heading, group) != 0)
                printf("\n%s:\n", heading);
            group = heading;
            print_option(o);
        }
    puts("\nA flag beats the environment, the environment beats the default.");
}

const char *srv_did_you_mean(const char *word, const char *(*next)(void *arg, size_t i), void *arg)
{
    const size_t near = strlen(word) / 3 + 1;
    size_t best = near + 1;
    const char *found = NULL;
    for (size_t i = 0;; i++) {
        const char *name = next(arg, i);
        if (!name)
            return found;
        const size_t d = rf_edit_distance(word, name);
        if (*name && d < best) {
            best = d;
            found = name;
        }
    }
}
