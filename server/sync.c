/* Compares what is on disk with what is served, and loads or ends the difference. */
#include "server/sync.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/baselines.h"
#include "server/log.h"
#include "server/server.h"
#include "server/slots.h"

struct srv_sync {
    struct srv_server *server;
    struct rf_model_options options;
    bool running;             /* past the start */
    struct srv_layout layout; /* as last looked at */
};

enum rf_status srv_sync_new(struct srv_sync **out, struct srv_server *server, struct rf_error *err)
{
    const struct srv_config *config = server->config;
    struct srv_sync *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return rf_fail_nomem(err, "the repository", sizeof *s);
    s->server = server;
    s->options = (struct rf_model_options){
        .activity = (enum rf_activity_level)config->activity,
        .n_slots = SRV_SLOTS,
        .compact = config->weights == SRV_WEIGHTS_COMPACT,
        .max_session_bytes = server->memory / 2 / (uint64_t)rf_pool_threads(server->pool),
    };
    *out = s;
    return RF_OK;
}

void srv_sync_free(struct srv_sync *sync)
{
    if (!sync)
        return;
    srv_layout_release(&sync->layout);
    free(sync);
}

/* Whether what is wrong now may be mended while the server runs. */
static bool looks_again(const struct srv_sync *s)
{
    return s->server->config->model_control != SRV_CONTROL_NONE;
}

/* ---- looking at the disk ---- */

/* What to do where a MODEL is not there. */
enum missing { FAIL, LIST, SKIP };

static enum rf_status scan_one(struct srv_layout *layout, const char *spec, enum missing missing,
                               struct rf_error *err)
{
    struct rf_error inner = RF_ERROR_INIT;
    const enum rf_status rc = srv_layout_scan(layout, spec, &inner);
    if (rc == RF_NOT_FOUND && missing == LIST)
        return srv_layout_expect(layout, spec, err);
    if (rc == RF_NOT_FOUND && missing == SKIP)
        return RF_OK;
    return rc ? rf_fail(err, rc, "%s", inner.text) : RF_OK;
}

static enum rf_status check_keys(const struct srv_layout *layout, struct rf_error *err)
{
    for (size_t i = 0; i < layout->n; i++)
        if (srv_layout_find(layout, layout->models[i].key) != &layout->models[i])
            return rf_fail(err, RF_INVALID, "two models are the same: %s", layout->models[i].key);
    return RF_OK;
}

/* Every MODEL, in the order given. Release the layout in any case. */
static enum rf_status scan(struct srv_sync *s, struct srv_layout *layout, enum missing missing,
                           struct rf_error *err)
{
    const struct srv_list *const lists[] = {&s->server->config->args, &s->server->config->models};
    enum rf_status rc = RF_OK;
    *layout = (struct srv_layout){0};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; !rc && i < lists[k]->n; i++)
            rc = scan_one(layout, lists[k]->item[i], missing, err);
    if (!rc && lists[0]->n + lists[1]->n == 0)
        rc = srv_layout_scan(layout, NULL, err);
    return rc ? rc : check_keys(layout, err);
}

/* ---- loading ---- */

/* No other model may be served under the name. */
static enum rf_status check_name(struct srv_sync *s, const struct srv_entry *entry,
                                 const char *name, struct rf_error *err)
{
    const struct srv_entry *other = srv_repository_named(&s->server->repository, name);
    bool served = false;
    for (size_t i = 0; other && other != entry && i < other->n; i++)
        served |= other->versions[i].model != NULL;
    return served
               ? rf_fail(err, RF_INVALID,
                         "two models are called '%s': %s and %s; give one another name: NAME=PATH",
                         name, other->path, entry->path)
               : RF_OK;
}

static void log_version(enum srv_level level, const char *message, const char *name,
                        uint64_t number, const char *error)
{
    struct srv_line line;
    srv_line_begin(&line, level, message);
    srv_line_text(&line, "model", name);
    srv_line_uint(&line, "version", number);
    if (error)
        srv_line_text(&line, "error", error);
    srv_line_end(&line);
}

static void log_batch(const struct srv_model *m, uint64_t limit)
{
    if (m->max_batch == 0)
        srv_log(SRV_INFO, "model %s: requests share no run, its rows are not independent", m->name);
    else if ((uint64_t)m->max_batch < limit)
        srv_log(SRV_INFO, "model %s: %" PRId64 " rows in one run, for more there is no --memory",
                m->name, m->max_batch);
}

/* Loaded, named and warm, or NULL. `same`, if not NULL: where what is served has its bytes already,
 * it takes over the baseline, and NULL is no failure. */
static struct srv_model *make_model(struct srv_sync *s, const struct srv_entry *entry,
                                    const struct srv_disk_version *disk, struct srv_model *same,
                                    struct rf_error *err)
{
    struct srv_model *m;
    const struct srv_model_source source = {
        .name = entry->is_named ? entry->name : "", .path = disk->path, .version = disk->number};
    const struct srv_batch_limits limits = {.rows = (int64_t)s->server->config->max_batch,
                                            .bytes = s->server->batch_bytes};
    enum rf_status rc = srv_model_load_version(&m, &source, &s->options, err);
    if (rc)
        return NULL;
    m->loader = s->server->loader;
    m->novel.most = s->server->config->novel_inputs;
    const bool known = same && strcmp(same->network.sha256, m->network.sha256) == 0;
    rc = srv_baseline_attach(known ? same : m, disk->path, s->server->config, err);
    if (!known && !rc)
        rc = check_name(s, entry, m->name, err);
    if (!known && !rc && *m->network.note)
        srv_log(SRV_INFO, "model %s: %s", m->name, m->network.note);
    if (!known && !rc)
        rc = srv_model_warm_up(m, s->server->pool, !s->running, &limits, err);
    if (!known && !rc) {
        log_batch(m, s->server->config->max_batch);
        return m;
    }
    srv_model_unref(m);
    return NULL;
}

/* `anew`: even if its bytes are those served. */
static enum rf_status load_version(struct srv_sync *s, struct srv_entry *entry,
                                   const struct srv_disk_version *disk, bool anew,
                                   struct rf_error *err)
{
    struct rf_error why = RF_ERROR_INIT;
    struct srv_repository *repository = &s->server->repository;
    struct srv_version *v = srv_entry_add(repository, entry, disk->number);
    if (!v)
        return rf_fail_nomem(err, "a model's version", sizeof *v);
    v->stamp = disk->stamp;
    struct srv_model *m = make_model(s, entry, disk, anew ? NULL : v->model, &why);
    if (m) {
        srv_repository_swap(repository, entry, v, m);
        if (s->running)
            log_version(SRV_INFO, "model loaded", entry->name, disk->number, NULL);
    } else if (why.status) {
        srv_repository_failed(repository, entry, v, why.text);
        if (looks_again(s))
            log_version(SRV_ERROR, "model not loaded", entry->name, disk->number, why.text);
        rf_fail(err, why.status, "%s", why.text);
    }
    return why.status;
}

static bool is_wanted(const struct srv_sync *s, const struct srv_disk_model *disk, uint64_t number)
{
    for (size_t i = 0; i < disk->n; i++)
        if (disk->versions[i].number == number)
            return srv_policy_wants(&s->server->policy, disk, i);
    return false;
}

/* Ends versions that are not wanted any more, once all that are wanted are served. */
static void end_versions(struct srv_sync *s, struct srv_entry *entry,
                         const struct srv_disk_model *disk)
{
    bool all = true;
    for (size_t i = 0; i < disk->n; i++) {
        const struct srv_version *v = srv_entry_version(entry, disk->versions[i].number);
        all &= (v && v->model) || !srv_policy_wants(&s->server->policy, disk, i);
    }
    for (size_t i = entry->n; i > 0; i--) {
        const struct srv_version *const v = &entry->versions[i - 1];
        const uint64_t number = v->number;
        if (is_wanted(s, disk, number) || (v->model && !all))
            continue;
        if (v->model)
            log_version(SRV_INFO, "model unloaded", entry->name, number, NULL);
        srv_repository_remove_version(&s->server->repository, entry, number);
    }
}

/* Lists the versions wanted as loading. */
static enum rf_status announce(struct srv_sync *s, const struct srv_disk_model *disk,
                               struct rf_error *err)
{
    struct srv_entry *entry = srv_repository_add(&s->server->repository, disk);
    for (size_t i = 0; entry && i < disk->n; i++)
        if (srv_policy_wants(&s->server->policy, disk, i) &&
            !srv_entry_add(&s->server->repository, entry, disk->versions[i].number))
            entry = NULL;
    return entry ? RF_OK : rf_fail_nomem(err, "the list of models", sizeof *entry);
}

/* ---- at the start ---- */

/* In place of what was listed; inferences that were refused meanwhile stay counted. */
static enum rf_status announce_all(struct srv_sync *s, const struct srv_layout *layout,
                                   struct rf_error *err)
{
    struct srv_repository *repository = &s->server->repository;
    struct srv_listing before;
    enum rf_status rc = RF_OK;
    srv_repository_list(repository, &before);
    while (repository->n > 0)
        srv_repository_remove(repository, repository->entries[repository->n - 1]);
    for (size_t i = 0; !rc && i < layout->n; i++)
        rc = announce(s, &layout->models[i], err);
    for (size_t i = 0; i < before.n; i++)
        srv_repository_refused(repository, before.items[i].name, before.items[i].number,
                               before.items[i].refused);
    srv_listing_release(&before);
    return rc;
}

enum rf_status srv_sync_look(struct srv_sync *sync, bool *settled, struct rf_error *err)
{
    struct srv_layout layout;
    enum rf_status rc = scan(sync, &layout, LIST, err);
    *settled = !rc && srv_layout_same(&layout, &sync->layout);
    if (!rc && !*settled)
        rc = announce_all(sync, &layout, err);
    for (size_t i = 0; i < layout.n; i++)
        for (size_t k = 0; k < layout.models[i].n; k++)
            *settled &= !layout.models[i].versions[k].is_empty;
    srv_layout_release(&sync->layout);
    sync->layout = layout;
    return rc;
}

/* Whether version i is to be loaded, after `served` higher ones were. */
static bool is_next(const struct srv_sync *s, const struct srv_disk_model *disk, size_t i,
                    size_t served)
{
    const struct srv_policy *const policy = &s->server->policy;
    return looks_again(s) && disk->is_versioned && policy->latest
               ? served < policy->latest
               : srv_policy_wants(policy, disk, i);
}

/* The highest first. Where one that fails may be mended later, lower ones stand in for it, as they
 * would had they been served before it came; then it is a failure only when none can be served. */
static enum rf_status start_model(struct srv_sync *s, const struct srv_disk_model *disk,
                                  struct rf_error *err)
{
    struct srv_entry *entry = srv_repository_add(&s->server->repository, disk);
    enum rf_status rc = entry ? RF_OK : rf_fail_nomem(err, "a model", sizeof(struct srv_entry));
    size_t tried = 0, served = 0;
    for (size_t i = disk->n; entry && i > 0 && (!rc || looks_again(s)); i--) {
        if (!is_next(s, disk, i - 1, served))
            continue;
        const enum rf_status one =
            load_version(s, entry, &disk->versions[i - 1], true, rc ? NULL : err);
        rc = rc ? rc : one;
        served += one == RF_OK;
        tried++;
    }
    if (!rc && tried == 0) {
        static const char text[] = "%s: none of its versions is one of --version-policy %s";
        const char *const policy = s->server->config->version_policy;
        if (looks_again(s))
            srv_log(SRV_WARN, text, disk->path, policy);
        return rf_fail(err, RF_NOT_FOUND, text, disk->path, policy);
    }
    return served > 0 && looks_again(s) ? RF_OK : rc;
}

static enum rf_status start_models(struct srv_sync *s, const struct srv_layout *layout,
                                   struct rf_error *err)
{
    enum rf_status rc = RF_OK;
    for (size_t i = 0; i < layout->n && (!rc || looks_again(s)); i++) {
        const enum rf_status one = start_model(s, &layout->models[i], rc ? NULL : err);
        rc = rc ? rc : one;
    }
    return looks_again(s) && srv_repository_serves(&s->server->repository) ? RF_OK : rc;
}

/* What options say of models that are not there; of a baseline's, one may be loaded later. */
static enum rf_status check_names(struct srv_sync *s, struct rf_error *err)
{
    const struct srv_config *config = s->server->config;
    struct srv_repository *r = &s->server->repository;
    if (!srv_repository_serves(r))
        return RF_OK;
    if (*config->default_model && !srv_repository_named(r, config->default_model))
        return rf_fail(err, RF_INVALID, "--default-model: no model is called '%s'",
                       config->default_model);
    for (size_t i = 0; i < config->baselines.n && !looks_again(s); i++) {
        char name[SRV_MAX_MODEL_NAME + 2];
        const char *item = config->baselines.item[i];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(item, "="), item);
        if (!srv_repository_named(r, name))
            return rf_fail(err, RF_INVALID, "--baseline: no model is called '%s'", name);
    }
    return RF_OK;
}

/* Only a server that can be given models later may start without one. */
enum rf_status srv_sync_start(struct srv_sync *sync, struct rf_error *err)
{
    struct srv_layout layout;
    enum rf_status rc = scan(sync, &layout, FAIL, err);
    if (looks_again(sync))
        srv_layout_drop_empty(&layout);
    if (!rc)
        rc = announce_all(sync, &layout, err);
    if (!rc)
        rc = start_models(sync, &layout, err);
    srv_layout_release(&sync->layout);
    sync->layout = layout;
    sync->running = true;
    return rc ? rc : check_names(sync, err);
}

/* ---- afterwards: by polling ---- */

/* The version as the look before saw it, too. */
static bool is_stable(const struct srv_disk_model *before, const struct srv_disk_version *now)
{
    const struct srv_disk_version *v = before ? srv_disk_version_find(before, now->number) : NULL;
    return v && v->stamp == now->stamp;
}

static void poll_model(struct srv_sync *s, const struct srv_disk_model *disk,
                       const struct srv_disk_model *before)
{
    struct srv_entry *entry = srv_repository_add(&s->server->repository, disk);
    if (!entry)
        return;
    for (size_t i = 0; i < disk->n; i++) {
        const struct srv_disk_version *now = &disk->versions[i];
        const struct srv_version *v = srv_entry_version(entry, now->number);
        if (srv_policy_wants(&s->server->policy, disk, i) && !(v && v->stamp == now->stamp) &&
            is_stable(before, now))
            (void)!load_version(s, entry, now, false, NULL);
    }
    end_versions(s, entry, disk);
}

/* A model that a MODEL of its own names stays listed, and is loaded when it comes back. */
static void end_model(struct srv_sync *s, struct srv_entry *entry)
{
    for (size_t i = 0; i < entry->n; i++) {
        struct srv_version *const v = &entry->versions[i];
        if (!v->model)
            continue;
        log_version(SRV_INFO, "model unloaded: its files are gone", entry->name, v->number, NULL);
        v->stamp = 0;
        srv_repository_unload(&s->server->repository, v, "its files are gone");
    }
    if (entry->in_repository)
        srv_repository_remove(&s->server->repository, entry);
}

void srv_sync_poll(struct srv_sync *sync)
{
    struct rf_error err = RF_ERROR_INIT;
    struct srv_repository *repository = &sync->server->repository;
    struct srv_layout now;
    if (scan(sync, &now, SKIP, &err)) {
        srv_log(SRV_ERROR, "the models could not be looked at: %s", err.text);
        srv_layout_release(&now);
        return;
    }
    srv_layout_drop_empty(&now);
    for (size_t i = 0; i < now.n; i++)
        poll_model(sync, &now.models[i], srv_layout_find(&sync->layout, now.models[i].key));
    for (size_t i = repository->n; i > 0; i--) {
        struct srv_entry *const entry = repository->entries[i - 1];
        if (!srv_layout_find(&now, entry->key) && !srv_layout_find(&sync->layout, entry->key))
            end_model(sync, entry);
    }
    srv_layout_release(&sync->layout);
    sync->layout = now;
}

/* ---- afterwards: by request ---- */

static const struct srv_disk_model *find_on_disk(const struct srv_layout *layout,
                                                 const struct srv_entry *entry, const char *name)
{
    if (entry)
        return srv_layout_find(layout, entry->key);
    for (size_t i = 0; i < layout->n; i++)
        if (layout->models[i].is_named && strcmp(layout->models[i].name, name) == 0)
            return &layout->models[i];
    return NULL;
}

static enum rf_status load_model(struct srv_sync *s, const struct srv_disk_model *disk,
                                 struct rf_error *err)
{
    struct srv_entry *entry = srv_repository_add(&s->server->repository, disk);
    enum rf_status rc = entry ? RF_OK : rf_fail_nomem(err, "a model", sizeof(struct srv_entry));
    for (size_t i = 0; entry && i < disk->n; i++) {
        if (!srv_policy_wants(&s->server->policy, disk, i))
            continue;
        const enum rf_status one =
            load_version(s, entry, &disk->versions[i], true, rc ? NULL : err);
        rc = rc ? rc : one;
    }
    if (entry)
        end_versions(s, entry, disk);
    return rc;
}

enum rf_status srv_sync_load(struct srv_sync *sync, const char *name, struct rf_error *err)
{
    const struct srv_entry *entry = srv_repository_named(&sync->server->repository, name);
    struct srv_layout layout;
    enum rf_status rc = scan(sync, &layout, SKIP, err);
    srv_layout_drop_empty(&layout);
    const struct srv_disk_model *disk = rc ? NULL : find_on_disk(&layout, entry, name);
    if (disk)
        rc = load_model(sync, disk, err);
    if (disk && rc == RF_NOT_FOUND) /* a file of it */
        rc = RF_INVALID;
    if (!disk && !rc && entry)
        rc = rf_fail(err, RF_NOT_FOUND, "its files are gone");
    else if (!disk && !rc)
        rc = rf_fail(err, RF_NOT_FOUND, "there is no such model");
    srv_layout_release(&layout);
    return rc;
}

enum rf_status srv_sync_unload(struct srv_sync *sync, const char *name, struct rf_error *err)
{
    struct srv_entry *entry = srv_repository_named(&sync->server->repository, name);
    if (!entry)
        return rf_fail(err, RF_NOT_FOUND, "there is no such model");
    for (size_t i = 0; i < entry->n; i++) {
        struct srv_version *const v = &entry->versions[i];
        if (!v->model)
            continue;
        log_version(SRV_INFO, "model unloaded", entry->name, v->number, NULL);
        srv_repository_unload(&sync->server->repository, v, "unloaded");
    }
    return RF_OK;
}
