/* What came out of a bench, as text and as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "server/bench.h"
#include "server/clock.h"
#include "server/offline.h"

static double peak_gflops(void)
{
    double best = 0;
    for (int i = 0; i < 20; i++) {
        const uint64_t start = srv_now();
        const int64_t macs = rf_engine_exercise();
        const double gflops = 2.0 * (double)macs / (double)(srv_now() - start);
        best = gflops > best ? gflops : best;
    }
    return best;
}

static double gflops(int64_t macs, double ms)
{
    return ms > 0 ? 2e-6 * (double)macs / ms : 0;
}

/* Parameters and outputs. */
static int64_t layer_bytes(const struct srv_bench_layer *l)
{
    return 4 * (l->parameters + rf_numel(&l->output));
}

static void print_layers(struct srv_bench_subject *s)
{
    const double peak = peak_gflops();
    char text[RF_SHAPE_TEXT];
    printf("%-32s %-22s %-20s %9s %9s %6s %10s\n", "layer", "algorithm", "output shape", "ms",
           "GFLOP/s", "peak", "KiB");
    for (size_t i = 0; i < s->n_layers; i++) {
        struct srv_bench_layer *l = &s->layers[i];
        if (!l->name || !l->times.n)
            continue;
        const double ms = srv_times_median(&l->times), speed = gflops(l->macs, ms);
        printf("%-32.32s %-22s %-20s %9.4f %9.1f %5.0f%% %10" PRId64 "\n", l->name,
               l->algorithm ? l->algorithm : "", rf_shape_text(&l->output, text, sizeof text), ms,
               speed, 100 * speed / peak, layer_bytes(l) / 1024);
    }
    printf("peak of one core: %.1f GFLOP/s (%s)\n", peak, rf_engine_isa());
}

static void json_layers(struct rf_buf *b, struct srv_bench_subject *s)
{
    char text[RF_SHAPE_TEXT];
    const char *separator = "";
    rf_buf_printf(b, ",\"peak_gflops\":%.1f,\"layers\":[", peak_gflops());
    for (size_t i = 0; i < s->n_layers; i++) {
        struct srv_bench_layer *l = &s->layers[i];
        if (!l->name || !l->times.n)
            continue;
        const double ms = srv_times_median(&l->times);
        rf_buf_text(b, separator);
        rf_buf_json_member(b, "{", "name", l->name);
        rf_buf_json_member(b, ",", "algorithm", l->algorithm ? l->algorithm : "");
        rf_buf_printf(b, ",\"shape\":%s,\"median_ms\":%.6f,\"gflops\":%.2f,\"bytes\":%" PRId64 "}",
                      rf_shape_text(&l->output, text, sizeof text), ms, gflops(l->macs, ms),
                      layer_bytes(l));
        separator = ",";
    }
    rf_buf_text(b, "]");
}

static enum rf_status print_json(struct srv_bench_subject *s,
                                 const struct srv_bench_setting *setting, double ms,
                                 double overhead, struct rf_error *err)
{
    struct rf_buf b;
    rf_buf_init(&b, SIZE_MAX / 2);
    rf_buf_json_member(&b, "{", "model", s->model->name);
    rf_buf_printf(&b,
                  ",\"batch\":%" PRId64 ",\"threads\":%" PRId64
                  ",\"isa\":\"%s\",\"gemm\":\"%s\",\"activity\":\"%s\",\"runs\":%zu,"
                  "\"median_ms\":%.6f,\"p10_ms\":%.6f,\"p90_ms\":%.6f,\"gflops\":%.2f,"
                  "\"overhead_pct\":%.2f",
                  setting->batch, setting->threads, rf_engine_isa(), rf_engine_gemm(), s->level,
                  s->times.n, ms, srv_times_quantile(&s->times, 0.1),
                  srv_times_quantile(&s->times, 0.9), gflops(s->macs, ms), overhead);
    if (setting->config->layers)
        json_layers(&b, s);
    rf_buf_text(&b, "}\n");
    return srv_offline_print(&b, err);
}

static void print_line(const struct srv_bench_subject *s, const struct srv_bench_setting *setting,
                       double ms, double overhead)
{
    printf("%s  batch %" PRId64 "  threads %" PRId64
           "  activity %-8s %6zu runs  median %10.4f ms  p10 %10.4f  p90 %10.4f  %7.1f GFLOP/s  "
           "overhead %+.2f %%\n",
           s->model->name, setting->batch, setting->threads, s->level, s->times.n, ms,
           srv_times_quantile(&s->times, 0.1), srv_times_quantile(&s->times, 0.9),
           gflops(s->macs, ms), overhead);
}

enum rf_status srv_bench_report(struct srv_bench_subject *s,
                                const struct srv_bench_setting *setting, struct rf_error *err)
{
    const double ms = srv_times_median(&s->times);
    const double overhead = 100 * (srv_times_median(&s->ratios) - 1);
    enum rf_status rc = RF_OK;
    if (setting->config->json) {
        rc = print_json(s, setting, ms, overhead, err);
    } else {
        print_line(s, setting, ms, overhead);
        if (setting->config->layers)
            print_layers(s);
    }
    fflush(stdout);
    return rc;
}
