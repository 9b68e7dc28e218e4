/* An audit as a table and as JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/audit.h"

#define BAR 20
#define MOST_LISTED 16 /* dead channels of a layer, in the table */

/* ---- what it comes to ---- */

enum rf_status srv_audit_judge(struct srv_audit *x, struct rf_error *err)
{
    const size_t n = x->activity->n_layers;
    x->verdicts = calloc(n + 1, sizeof *x->verdicts);
    if (!x->verdicts)
        return rf_fail_nomem(err, "verdicts", n * sizeof *x->verdicts);
    for (size_t i = 0; i < n; i++)
        rf_layer_judge(x->activity, i, &x->criteria, &x->verdicts[i]);
    return RF_OK;
}

/* Over all layers. */
struct sums {
    size_t channels, dead, near_dead, always_on;
    uint64_t values, zeros, nonfinite;
    bool known, dying, judged; /* judged: any of them */
};

static void add_up(const struct srv_audit *x, struct sums *s)
{
    *s = (struct sums){.known = x->activity->n_layers > 0};
    for (size_t i = 0; i < x->activity->n_layers; i++) {
        const struct rf_layer_activity *layer = &x->activity->layers[i];
        const struct rf_layer_verdict *v = &x->verdicts[i];
        s->known &= v->known;
        s->dying |= v->dying;
        s->judged |= srv_verdict_text(layer, v) != NULL;
        s->channels += layer->n_channels;
        s->dead += v->dead;
        s->near_dead += v->near_dead;
        s->always_on += v->always_on;
        s->values += layer->total.values;
        s->zeros += layer->total.zeros;
        s->nonfinite += layer->total.nonfinite;
    }
}

void srv_audit_save(const struct srv_audit *x, struct srv_saving *saving)
{
    const size_t n = x->activity->n_layers;
    size_t *dead = calloc(n + 1, sizeof *dead);
    *saving = (struct srv_saving){0};
    for (size_t i = 0; dead && i < n; i++)
        dead[i] = x->verdicts[i].dead;
    if (dead)
        srv_products_save(x->products, x->activity->layers, n, dead, saving);
    free(dead);
}

static double share(uint64_t n, uint64_t of)
{
    return of ? (double)n / (double)of : NAN;
}

static double sparsity(const struct rf_layer_activity *layer)
{
    return share(layer->total.zeros, layer->total.values);
}

/* ---- rules ---- */

bool srv_rule_parse(struct srv_rule *rule, const char *text)
{
    char *end;
    *rule = (struct srv_rule){.dying = strcmp(text, "dying") == 0};
    if (rule->dying)
        return true;
    if (strncmp(text, "sparsity=", 9) != 0)
        return false;
    rule->sparsity = strtod(text + 9, &end);
    return end > text + 9 && !*end && rule->sparsity >= 0 && rule->sparsity <= 1;
}

size_t srv_rule_check(struct rf_buf *b, const struct srv_audit *x, const struct srv_rule *rule)
{
    size_t n = 0;
    for (size_t i = 0; i < x->activity->n_layers; i++) {
        const struct rf_layer_activity *layer = &x->activity->layers[i];
        const struct rf_layer_verdict *v = &x->verdicts[i];
        if (rule->dying && v->dying)
            rf_buf_printf(b, "%s is dying: %zu of %zu channels are dead\n", layer->name, v->dead,
                          layer->n_channels);
        else if (!rule->dying && sparsity(layer) > rule->sparsity)
            rf_buf_printf(b, "%s has sparsity %.4f, more than %g\n", layer->name, sparsity(layer),
                          rule->sparsity);
        else
            continue;
        n++;
    }
    return n;
}

/* ---- table ---- */

/* "2/16", with the share behind it; "?" while it is unknown. */
static const char *dead_text(char text[48], size_t dead, size_t of, bool known)
{
    if (known)
        snprintf(text, 48, "%zu/%zu %5.1f %%", dead, of,
                 of ? 100.0 * (double)dead / (double)of : 0);
    else
        snprintf(text, 48, "?/%zu      ", of);
    return text;
}

static const char *count_text(char text[24], size_t n, bool known)
{
    if (known)
        snprintf(text, 24, "%zu", n);
    else
        snprintf(text, 24, "?");
    return text;
}

static const char *bar(char text[BAR + 1], double part)
{
    const int full = part >= 0 ? (int)lround(part * BAR) : 0;
    for (int i = 0; i < BAR; i++)
        text[i] = i < full ? '#' : '.';
    text[BAR] = '\0';
    return text;
}

static int name_width(const struct srv_audit *x)
{
    size_t width = 5;
    for (size_t i = 0; i < x->activity->n_layers; i++) {
        const size_t n = strlen(x->activity->layers[i].name);
        width = n > width ? n : width;
    }
    return (int)width;
}

static void add_row(struct rf_buf *b, const struct srv_audit *x, size_t i, int width)
{
    const struct rf_layer_activity *layer = &x->activity->layers[i];
    const struct rf_layer_verdict *v = &x->verdicts[i];
    char dead[48], near_dead[24], always_on[24], zeros[BAR + 1];
    const char *verdict = srv_verdict_text(layer, v);
    rf_buf_printf(b, "%-*s  %-16s  %18s  %5s  %6s  %s %6.2f %%  %9.4g  %9.4g  %9.4g  %s\n", width,
                  layer->name, layer->type, dead_text(dead, v->dead, layer->n_channels, v->known),
                  count_text(near_dead, v->near_dead, v->known),
                  count_text(always_on, v->always_on, v->known), bar(zeros, sparsity(layer)),
                  100 * sparsity(layer), srv_mean(&layer->total), srv_std(&layer->total),
                  layer->total.max, verdict ? verdict : "-");
    if (layer->total.nonfinite)
        rf_buf_printf(b, "%-*s  %" PRIu64 " values are NaN or infinite\n", width, "",
                      layer->total.nonfinite);
}

static void add_dead(struct rf_buf *b, const struct srv_audit *x)
{
    for (size_t i = 0; i < x->activity->n_layers; i++) {
        const struct rf_layer_activity *layer = &x->activity->layers[i];
        const size_t dead = x->verdicts[i].dead;
        size_t listed = 0;
        if (dead == 0)
            continue;
        rf_buf_printf(b, "dead in %s:", layer->name);
        for (size_t c = 0; c < layer->n_channels && listed < MOST_LISTED; c++)
            if (rf_channel_is_dead(&layer->channels[c], &x->criteria))
                rf_buf_printf(b, "%s %zu", listed++ ? "," : "", c);
        if (dead > listed)
            rf_buf_printf(b, " and %zu more", dead - listed);
        rf_buf_text(b, "\n");
    }
}

static double percent(int64_t n, int64_t of)
{
    return of ? 100.0 * (double)n / (double)of : 0;
}

static void add_saving(struct rf_buf *b, const struct srv_audit *x)
{
    struct srv_saving s;
    srv_audit_save(x, &s);
    if (s.channels == 0)
        return;
    rf_buf_printf(b,
                  "Without %zu of them the network would have %" PRId64 " of %" PRId64
                  " parameters less (%.1f %%), and %" PRId64 " of %" PRId64 " MACs (%.1f %%).\n",
                  s.channels, s.parameters, s.all_parameters,
                  percent(s.parameters, s.all_parameters), s.macs, s.all_macs,
                  percent(s.macs, s.all_macs));
}

void srv_audit_table(struct rf_buf *b, const struct srv_audit *x)
{
    const int width = name_width(x);
    struct sums s;
    char dead[48], near_dead[24], always_on[24], zeros[BAR + 1];
    add_up(x, &s);
    rf_buf_printf(b, "%s, version %s: %" PRIu64 " inputs, ", x->model, x->version,
                  x->activity->inputs);
    if (x->replicas)
        rf_buf_printf(b, "%zu replicas", x->replicas);
    else
        rf_buf_printf(b, "%zu different", x->activity->distinct_inputs);
    if (!x->replicas && x->activity->inputs > RF_DISTINCT_INPUTS)
        rf_buf_printf(b, " among the newest %d", RF_DISTINCT_INPUTS);
    rf_buf_text(b, "\n\n");
    rf_buf_printf(b, "%-*s  %-16s  %18s  %5s  %6s  %-*s  %9s  %9s  %9s  %s\n", width, "layer",
                  "type", "dead channels", "near", "always", BAR + 9, "sparsity", "mean", "std",
                  "max", "verdict");
    for (size_t i = 0; i < x->activity->n_layers; i++)
        add_row(b, x, i, width);
    rf_buf_printf(b, "%-*s  %-16s  %18s  %5s  %6s  %s %6.2f %%\n", width, "total", "",
                  dead_text(dead, s.dead, s.channels, s.known),
                  count_text(near_dead, s.near_dead, s.known),
                  count_text(always_on, s.always_on, s.known), bar(zeros, share(s.zeros, s.values)),
                  100 * share(s.zeros, s.values));
    rf_buf_text(b, "\n");
    if (!s.known)
        rf_buf_printf(b,
                      "Which channels are dead is said from %" PRIu64
                      " different inputs on (--activity-min-inputs).\n",
                      x->criteria.min_inputs);
    add_dead(b, x);
    add_saving(b, x);
}

/* ---- JSON ---- */

static void add_total(struct rf_buf *b, const struct srv_audit *x)
{
    struct sums s;
    struct srv_saving saving;
    add_up(x, &s);
    srv_audit_save(x, &saving);
    rf_buf_printf(b, ",\"total\":{\"channels\":%zu", s.channels);
    if (s.known)
        rf_buf_printf(b, ",\"dead\":%zu,\"near_dead\":%zu,\"always_on\":%zu", s.dead, s.near_dead,
                      s.always_on);
    else
        rf_buf_text(b, ",\"dead\":null,\"near_dead\":null,\"always_on\":null");
    rf_buf_printf(b, ",\"values\":%" PRIu64 ",\"zeros\":%" PRIu64 ",\"sparsity\":", s.values,
                  s.zeros);
    srv_json_number(b, share(s.zeros, s.values));
    rf_buf_printf(b, ",\"nonfinite\":%" PRIu64 ",\"verdict\":%s}", s.nonfinite,
                  !s.judged  ? "null"
                  : s.dying  ? "\"dying\""
                  : !s.known ? "\"unknown\""
                             : "\"healthy\"");
    rf_buf_printf(b,
                  ",\"prune\":{\"channels\":%zu,\"parameters\":%" PRId64
                  ",\"of_parameters\":%" PRId64 ",\"macs\":%" PRId64 ",\"of_macs\":%" PRId64 "}",
                  saving.channels, saving.parameters, saving.all_parameters, saving.macs,
                  saving.all_macs);
}

void srv_audit_json(struct rf_buf *b, const struct srv_audit *x)
{
    const struct srv_activity_view view = {.model = x->model,
                                           .version = x->version,
                                           .window = "load",
                                           .window_seconds = -1,
                                           .activity = x->activity,
                                           .criteria = x->criteria};
    const enum rf_status rc = srv_activity_json(b, &view, NULL);
    if (rc && b->status == RF_OK)
        b->status = rc;
    if (x->replicas)
        rf_buf_printf(b, ",\"replicas\":%zu", x->replicas);
    add_total(b, x);
    rf_buf_text(b, "}\n");
}
