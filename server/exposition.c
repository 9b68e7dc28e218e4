#include "server/exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void srv_head(struct srv_exposition *x, const char *family, const char *type, const char *help)
{
    const bool counter = x->open && strcmp(type, "counter") == 0;
    const int n = (int)(strlen(family) - (counter ? strlen("_total") : 0));
    rf_buf_printf(x->b, "# HELP %.*s %s\n# TYPE %.*s %s\n", n, family, help, n, family, type);
}

void srv_label(struct srv_exposition *x, const char *separator, const char *key, const char *value)
{
    rf_buf_printf(x->b, "%s%s=\"", separator, key);
    for (const char *p = value; *p; p++) {
        if (*p == '\n')
            rf_buf_text(x->b, "\\n");
        else if (*p == '"' || *p == '\\')
            rf_buf_printf(x->b, "\\%c", *p);
        else
            rf_buf_add(x->b, (unsigned char)*p < 0x20 ? "?" : p, 1);
    }
    rf_buf_text(x->b, "\"");
}

void srv_model_labels(struct srv_exposition *x, const char *family, const struct srv_model *m)
{
    rf_buf_text(x->b, family);
    srv_label(x, "{", "model", m->name);
    srv_label(x, ",", "version", m->version);
}

static void exemplar(struct srv_exposition *x, const struct srv_exemplar *e)
{
    if (x->open && e && *e->trace)
        rf_buf_printf(x->b, " # {trace_id=\"%s\"} %.9g %.3f", e->trace, e->value, e->time);
}

void srv_histogram_text(struct srv_exposition *x, const char *family, const char *labels,
                        const struct srv_histogram *h, const struct srv_buckets *buckets,
                        const struct srv_exemplar *exemplars)
{
    uint64_t n = 0;
    const double sum = (double)srv_read(&h->sum) * buckets->unit;
    for (int i = 0; i <= buckets->n; i++) {
        n += srv_read(&h->count[i]);
        rf_buf_printf(x->b, "%s_bucket%s%sle=\"%s\"} %" PRIu64, family, *labels ? labels : "{",
                      *labels ? "," : "", i < buckets->n ? buckets->text[i] : "+Inf", n);
        exemplar(x, exemplars ? &exemplars[i] : NULL);
        rf_buf_text(x->b, "\n");
    }
    const char *close = *labels ? "}" : "";
    if (buckets->unit < 1)
        rf_buf_printf(x->b, "%s_sum%s%s %.9g\n", family, labels, close, sum);
    else
        rf_buf_printf(x->b, "%s_sum%s%s %.0f\n", family, labels, close, sum);
    rf_buf_printf(x->b, "%s_count%s%s %" PRIu64 "\n", family, labels, close, n);
}

void srv_model_histogram_text(struct srv_exposition *x, const char *family,
                              const struct srv_model *m, const struct srv_histogram *h,
                              const struct srv_buckets *buckets,
                              const struct srv_exemplar *exemplars)
{
    char labels[256];
    /* A model's name needs no escaping: see srv_model_name_is_valid. */
    snprintf(labels, sizeof labels, "{model=\"%s\",version=\"%s\"", m->name, m->version);
    srv_histogram_text(x, family, labels, h, buckets, exemplars);
}
