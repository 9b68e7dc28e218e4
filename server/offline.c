#include "server/offline.h"

#include <stdio.h>

#include "server/cpus.h"

struct rf_model_options srv_offline_options(const struct srv_config *config,
                                            enum rf_activity_level level)
{
    return (struct rf_model_options){.activity = level,
                                     .compact = config->weights == SRV_WEIGHTS_COMPACT};
}

enum rf_status srv_offline_pool(struct rf_pool **out, uint64_t threads, struct rf_error *err)
{
    struct srv_cpus cpus;
    *out = NULL;
    srv_cpus_read(&cpus);
    /* The calling thread leads and joins in, but parts are counted by the pool's threads. */
    const int n = srv_cpus_threads(&cpus, threads);
    return n > 1 ? rf_pool_new(out, n, srv_cpus_may_spin(&cpus, n), err) : RF_OK;
}

enum rf_status srv_offline_print(struct rf_buf *report, struct rf_error *err)
{
    const enum rf_status rc =
        report->status ? rf_fail_nomem(err, "the report", report->len) : RF_OK;
    if (!rc)
        fwrite(report->data, 1, report->len, stdout);
    rf_buf_release(report);
    return rc;
}
