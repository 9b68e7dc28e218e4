/* `rectifier bench`: times a network, its layers, and what watching its activations costs. */
#include <stdio.h>
#include <string.h>

#include "server/bench.h"
#include "server/cli.h"
#include "server/commands.h"
#include "server/offline.h"
#include "server/units.h"

#define MAX_NUMBERS 16
#define MAX_LEVELS 4

struct numbers {
    int64_t list[MAX_NUMBERS];
    size_t n;
};

struct levels {
    enum rf_activity_level list[MAX_LEVELS];
    size_t n;
};

static const char *const level_names[] = {[RF_ACTIVITY_OFF] = "off",
                                          [RF_ACTIVITY_LAYER] = "layer",
                                          [RF_ACTIVITY_CHANNEL] = "channel",
                                          [RF_ACTIVITY_UNIT] = "unit"};
#define N_LEVELS (sizeof level_names / sizeof *level_names)

/* "1,8" -> numbers; false unless each is at least 1. */
static bool parse_numbers(const char *text, struct numbers *numbers)
{
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word; (word = strsep(&rest, ","));) {
        uint64_t v;
        if (numbers->n == MAX_NUMBERS || !srv_parse_uint(word, &v) || v < 1 || v > 65536)
            return false;
        numbers->list[numbers->n++] = (int64_t)v;
    }
    return true;
}

static bool parse_levels(const char *text, struct levels *levels)
{
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word; (word = strsep(&rest, ","));) {
        size_t level = 0;
        while (level < N_LEVELS && strcmp(word, level_names[level]) != 0)
            level++;
        if (levels->n == MAX_LEVELS || level == N_LEVELS)
            return false;
        levels->list[levels->n++] = (enum rf_activity_level)level;
    }
    return true;
}

static enum rf_status compare_levels(const struct srv_bench_setting *setting,
                                     const struct levels *levels, struct rf_error *err)
{
    struct srv_bench_subject subjects[MAX_LEVELS] = {{0}};
    enum rf_status rc = RF_OK;
    for (size_t i = 0; i < levels->n && !rc; i++) {
        subjects[i].level = level_names[levels->list[i]];
        rc = srv_bench_set_up(&subjects[i], setting, levels->list[i], err);
    }
    if (!rc)
        rc = srv_bench_measure(subjects, levels->n, setting, err);
    for (size_t i = 0; i < levels->n && !rc; i++)
        rc = srv_bench_report(&subjects[i], setting, err);
    for (size_t i = 0; i < levels->n; i++)
        srv_bench_release(&subjects[i]);
    return rc;
}

static enum rf_status bench(const struct srv_config *config, const struct levels *levels,
                            int64_t batch, int64_t threads, struct rf_error *err)
{
    struct srv_bench_setting setting = {.config = config, .batch = batch, .threads = threads};
    enum rf_status rc = srv_offline_pool(&setting.pool, (uint64_t)threads, err);
    if (!rc)
        rc = compare_levels(&setting, levels, err);
    rf_pool_free(setting.pool);
    return rc;
}

int srv_cmd_bench(const struct srv_config *config)
{
    struct numbers batches = {.n = 0}, threads = {.n = 0};
    struct levels levels = {.n = 0};
    struct rf_error err = RF_ERROR_INIT;
    enum rf_status rc = RF_OK;
    if (config->args.n != 1)
        return srv_usage("bench: expected one MODEL, got %zu arguments", config->args.n);
    if (!parse_numbers(config->batches, &batches))
        return srv_usage("--batch: expected up to %d numbers as 1,8, got '%.100s'", MAX_NUMBERS,
                         config->batches);
    if (!parse_numbers(config->thread_counts, &threads))
        return srv_usage("--threads: expected up to %d numbers as 1,2, got '%.100s'", MAX_NUMBERS,
                         config->thread_counts);
    if (!parse_levels(config->levels, &levels))
        return srv_usage("--activity: expected off, layer, channel, unit or several of them as "
                         "off,unit, got '%.100s'",
                         config->levels);
    for (size_t b = 0; b < batches.n && !rc; b++)
        for (size_t t = 0; t < threads.n && !rc; t++)
            rc = bench(config, &levels, batches.list[b], threads.list[t], &err);
    return rc ? srv_fail("%s", err.text) : SRV_EXIT_OK;
}
