#include "server/slots.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/clock.h"
#include "server/log.h"
#include "server/server.h"
#include "server/units.h"

static uint64_t slot_ns(const struct srv_server *server)
{
    return server->config->activity_window / SRV_SLOTS;
}

/* What somebody should look at, once each time that it begins and ends. */
static void log_drift(struct srv_model *m)
{
    struct rf_drift drift = {0};
    struct srv_line line;
    char score[32];
    if (!rf_activity_drift(m->model, &drift, NULL) || drift.state == m->drift_state)
        return;
    m->drift_state = drift.state;
    snprintf(score, sizeof score, "%.3f", drift.score);
    srv_line_begin(&line, drift.state == RF_DRIFT_OK ? SRV_INFO : SRV_WARN,
                   "drift from the baseline");
    srv_line_text(&line, "model", m->name);
    srv_line_text(&line, "version", m->version);
    srv_line_text(&line, "state", rf_drift_state_text(drift.state));
    srv_line_text(&line, "score", score);
    srv_line_end(&line);
}

void srv_slots_roll(struct srv_server *server, uint64_t now)
{
    struct srv_listing listing;
    if (now < server->next_roll)
        return;
    server->next_roll = now + slot_ns(server);
    srv_repository_list(&server->repository, &listing);
    for (size_t i = 0; i < listing.n; i++) {
        struct srv_model *m = listing.items[i].model;
        if (!m)
            continue;
        rf_activity_roll(m->model);
        log_drift(m);
        atomic_store(&m->rolled_ns, now);
    }
    srv_listing_release(&listing);
}

enum rf_status srv_slots_read(struct srv_server *server, struct srv_model *model,
                              const char *window, struct rf_activity **out, double *seconds,
                              struct rf_error *err)
{
    const uint64_t longest = server->config->activity_window, slot = slot_ns(server);
    char text[SRV_UNIT_TEXT];
    const double since_load = (double)(srv_now() - model->loaded_ns) * 1e-9;
    uint64_t ns = 0;
    if (strcmp(window, "load") == 0) {
        *seconds = since_load;
        return rf_activity_read(model->model, out, err);
    }
    if (!srv_parse_duration(window, &ns) || ns == 0 || ns > longest)
        return rf_fail(err, RF_INVALID, "window: expected load, or a time of up to %s, got '%.32s'",
                       srv_duration_text(longest, text, sizeof text), window);
    const enum rf_status rc =
        rf_activity_read_window(model->model, (size_t)((ns + slot - 1) / slot), out, err);
    if (!rc) /* the model's first slot is a short one */
        *seconds = fmin(since_load, ((double)(srv_now() - atomic_load(&model->rolled_ns)) +
                                     (double)(*out)->n_slots * (double)slot) *
                                        1e-9);
    return rc;
}
