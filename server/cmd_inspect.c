/* `rectifier inspect`: the plan of a network as a table or as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cli.h"
#include "server/commands.h"
#include "server/models.h"

struct step {
    char *name, *path;
    struct rf_step_info info; /* its strings are the copies above and constants */
};

struct steps {
    struct step *list;
    size_t n, cap;
    bool no_memory;
};

/* What rf_model_inspect shows is borrowed for the call only. */
static void add_step(void *arg, const struct rf_step_info *info)
{
    struct steps *s = arg;
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 64;
        struct step *list = realloc(s->list, cap * sizeof *list);
        if (!list) {
            s->no_memory = true;
            return;
        }
        s->list = list;
        s->cap = cap;
    }
    struct step *step = &s->list[s->n++];
    step->info = *info;
    step->name = strdup(info->name ? info->name : "");
    step->path = strdup(info->path ? info->path : "");
    s->no_memory |= !step->name || !step->path;
}

static void free_steps(struct steps *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->list[i].name);
        free(s->list[i].path);
    }
    free(s->list);
}

struct report {
    const struct srv_model *model;
    struct steps steps;
    size_t session_bytes;
    int64_t parameters, macs;
    uint64_t batch;
};

static void print_rule(int width)
{
    for (int i = 0; i < width; i++)
        putchar('-');
    putchar('\n');
}

static void print_table(const struct report *r)
{
    int name = 5, path = 4, shape = 12;
    char text[RF_SHAPE_TEXT];
    for (size_t i = 0; i < r->steps.n; i++) {
        const struct step *s = &r->steps.list[i];
        const int n = (int)strlen(s->name), p = (int)strlen(s->path);
        const int o = (int)strlen(rf_shape_text(&s->info.output, text, sizeof text));
        name = n > name ? n : name;
        path = p > path ? p : path;
        shape = o > shape ? o : shape;
    }
    printf("%s, version %s (%s)\n\n", r->model->name, r->model->version, r->model->network.format);
    printf("%-*s  %-*s  %-*s  %12s  %14s  %12s  %s\n", name, "layer", path, "path", shape,
           "output shape", "parameters", "MACs", "slab offset", "algorithm");
    print_rule(name + path + shape + 2 * 6 + 12 + 14 + 12 + 9);
    for (size_t i = 0; i < r->steps.n; i++) {
        const struct step *s = &r->steps.list[i];
        printf("%-*s  %-*s  %-*s  %12" PRId64 "  %14" PRId64 "  %12zu  %s\n", name, s->name, path,
               s->path, shape, rf_shape_text(&s->info.output, text, sizeof text),
               s->info.parameters, s->info.macs, s->info.slab_offset,
               s->info.algorithm ? s->info.algorithm : "");
    }
    print_rule(name + path + shape + 2 * 6 + 12 + 14 + 12 + 9);
    printf("%-*s  %-*s  %-*s  %12" PRId64 "  %14" PRId64 "\n\n", name, "total", path, "", shape, "",
           r->parameters, r->macs);
    printf("%.1f KiB of memory a session at batch %" PRIu64 ". ISA %s, GEMM %s (%s).\n",
           (double)r->session_bytes / 1024, r->batch, rf_engine_isa(), rf_engine_gemm(),
           rf_engine_blas());
}

static void add_member(struct rf_buf *b, const char *separator, const char *key, const char *value)
{
    rf_buf_printf(b, "%s\"%s\":", separator, key);
    rf_buf_json_string(b, value);
}

static void add_json(struct rf_buf *b, const struct report *r)
{
    char text[RF_SHAPE_TEXT];
    add_member(b, "{", "model", r->model->name);
    add_member(b, ",", "version", r->model->version);
    add_member(b, ",", "format", r->model->network.format);
    add_member(b, ",", "sha256", r->model->network.sha256);
    rf_buf_text(b, ",\"layers\":[");
    for (size_t i = 0; i < r->steps.n; i++) {
        const struct step *s = &r->steps.list[i];
        add_member(b, i ? ",{" : "{", "name", s->name);
        add_member(b, ",", "path", s->path);
        rf_buf_printf(b,
                      ",\"output_shape\":%s,\"parameters\":%" PRId64 ",\"macs\":%" PRId64
                      ",\"slab_offset\":%zu",
                      rf_shape_text(&s->info.output, text, sizeof text), s->info.parameters,
                      s->info.macs, s->info.slab_offset);
        add_member(b, ",", "algorithm", s->info.algorithm ? s->info.algorithm : "");
        rf_buf_text(b, "}");
    }
    rf_buf_printf(b,
                  "],\"batch\":%" PRIu64 ",\"parameters\":%" PRId64 ",\"macs\":%" PRId64
                  ",\"session_bytes\":%zu",
                  r->batch, r->parameters, r->macs, r->session_bytes);
    add_member(b, ",", "isa", rf_engine_isa());
    add_member(b, ",", "gemm", rf_engine_gemm());
    add_member(b, ",", "blas", rf_engine_blas());
    rf_buf_text(b, "}\n");
}

static enum rf_status make_report(struct report *r, const struct srv_config *config,
                                  struct rf_error *err)
{
    const size_t n = r->model->io.n_inputs;
    struct rf_shape *shapes = calloc(n, sizeof *shapes);
    enum rf_status rc = RF_OK;
    if (!shapes)
        return rf_fail_nomem(err, "shapes", n * sizeof *shapes);
    r->batch = config->batch;
    if (!srv_model_shapes(r->model->model, (int64_t)config->batch, shapes))
        rc = rf_fail(err, RF_UNSUPPORTED, "%s: an input's size is not fixed", r->model->name);
    struct rf_error inner = RF_ERROR_INIT;
    if (!rc && (rc = rf_model_inspect(r->model->model, shapes, n, add_step, &r->steps,
                                      &r->session_bytes, &inner)) != RF_OK)
        rf_fail(err, rc, "%s: %s", r->model->name, inner.text);
    if (!rc && r->steps.no_memory)
        rc = rf_fail_nomem(err, "the report", 0);
    for (size_t i = 0; i < r->steps.n; i++)
        r->macs += r->steps.list[i].info.macs;
    r->parameters = rf_model_parameters(r->model->model);
    free(shapes);
    return rc;
}

int srv_cmd_inspect(const struct srv_config *config)
{
    struct rf_error err = RF_ERROR_INIT;
    const struct rf_model_options options = {.activity = RF_ACTIVITY_CHANNEL};
    struct srv_model *model = NULL;
    struct report report = {0};
    if (config->args.n > 1)
        return srv_usage("inspect: expected one MODEL, got %zu", config->args.n);
    enum rf_status rc =
        srv_model_load(&model, config->args.n ? config->args.item[0] : NULL, &options, &err);
    report.model = model;
    if (!rc)
        rc = make_report(&report, config, &err);
    if (!rc && config->json) {
        struct rf_buf b;
        rf_buf_init(&b, SIZE_MAX / 2);
        add_json(&b, &report);
        fwrite(b.data, 1, b.len, stdout);
        rf_buf_release(&b);
    } else if (!rc) {
        print_table(&report);
    }
    free_steps(&report.steps);
    srv_model_free(model);
    return rc ? srv_fail("%s", err.text) : SRV_EXIT_OK;
}
