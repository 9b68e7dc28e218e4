/* The plan of a network in Graphviz's language. Its strings are written as JSON's: what these
 * escape, it reads the same. */
#include <stdlib.h>

#include "server/inspect.h"

enum { NOBODY = -1 };

/* Of a value, by its id. */
struct user {
    int producer; /* a step, or NOBODY for an input of the network */
    bool is_drawn;
};

static size_t count_ids(const struct srv_inspection *x)
{
    int32_t last = 0;
    for (size_t i = 0; i < x->n_steps; i++) {
        const struct rf_step_info *s = &x->steps[i];
        for (size_t k = 0; k < s->n_inputs; k++)
            last = s->inputs[k].id > last ? s->inputs[k].id : last;
        for (size_t k = 0; k < s->n_outputs; k++)
            last = s->outputs[k].id > last ? s->outputs[k].id : last;
    }
    return (size_t)last + 1;
}

static void find_users(const struct srv_inspection *x, struct user *users, size_t n)
{
    for (size_t i = 0; i < n; i++)
        users[i] = (struct user){.producer = NOBODY};
    for (size_t i = 0; i < x->n_steps; i++) {
        const struct rf_step_info *s = &x->steps[i];
        for (size_t k = 0; k < s->n_outputs; k++)
            users[s->outputs[k].id].producer = (int)i;
    }
}

static void add_label(struct rf_buf *b, const struct rf_step_info *s)
{
    char shape[RF_SHAPE_TEXT];
    struct rf_buf text;
    rf_buf_init(&text, SIZE_MAX / 2);
    rf_buf_printf(&text, "%s\n%s\n%s", s->name, s->path,
                  rf_shape_text(&s->output, shape, sizeof shape));
    rf_buf_add(&text, "", 1);
    if (text.status)
        b->status = text.status;
    else
        rf_buf_json_string(b, text.data);
    rf_buf_release(&text);
}

/* An input or output of the network. */
static void add_value(struct rf_buf *b, const struct rf_step_value *v)
{
    rf_buf_printf(b, "  v%d [shape=ellipse, label=", (int)v->id);
    rf_buf_json_string(b, v->name);
    rf_buf_text(b, "];\n");
}

static void add_step(struct rf_buf *b, const struct srv_inspection *x, size_t i, struct user *users)
{
    const struct rf_step_info *s = &x->steps[i];
    rf_buf_printf(b, "  s%zu [label=", i);
    add_label(b, s);
    rf_buf_text(b, "];\n");
    for (size_t k = 0; k < s->n_inputs; k++) {
        const struct rf_step_value *v = &s->inputs[k];
        struct user *u = &users[v->id];
        if (u->producer != NOBODY) {
            rf_buf_printf(b, "  s%d -> s%zu [label=", u->producer, i);
            rf_buf_json_string(b, v->name);
            rf_buf_text(b, "];\n");
            continue;
        }
        if (!u->is_drawn)
            add_value(b, v);
        u->is_drawn = true;
        rf_buf_printf(b, "  v%d -> s%zu;\n", (int)v->id, i);
    }
    for (size_t k = 0; k < s->n_outputs; k++) {
        const struct rf_step_value *v = &s->outputs[k];
        if (!v->is_output)
            continue;
        add_value(b, v);
        rf_buf_printf(b, "  s%zu -> v%d;\n", i, (int)v->id);
    }
}

void srv_inspection_dot(struct rf_buf *b, const struct srv_inspection *x)
{
    const size_t n = count_ids(x);
    struct user *users = calloc(n, sizeof *users);
    if (!users) {
        b->status = RF_NOMEM;
        return;
    }
    find_users(x, users, n);
    rf_buf_text(b, "digraph ");
    rf_buf_json_string(b, x->model->name);
    rf_buf_text(b, " {\n  node [shape=box];\n");
    for (size_t i = 0; i < x->n_steps; i++)
        add_step(b, x, i, users);
    rf_buf_text(b, "}\n");
    free(users);
}
