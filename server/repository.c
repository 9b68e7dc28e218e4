/* The table behind the lock. References are given back outside of it: the last one frees. */
#include "server/repository.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

const char *srv_state_text(enum srv_state state)
{
    static const char *const text[] = {[SRV_LOADING] = "LOADING",
                                       [SRV_READY] = "READY",
                                       [SRV_UNLOADING] = "UNLOADING",
                                       [SRV_UNAVAILABLE] = "UNAVAILABLE"};
    return text[state];
}

void srv_repository_init(struct srv_repository *r)
{
    *r = (struct srv_repository){0};
    pthread_mutex_init(&r->lock, NULL);
}

static void free_entry(struct srv_entry *entry)
{
    for (size_t i = 0; i < entry->n; i++) {
        struct srv_model *const model = entry->versions[i].model;
        if (model)
            model->place.repository = NULL;
        srv_model_unref(model);
    }
    free(entry->versions);
    free(entry->key);
    free(entry->path);
    free(entry);
}

void srv_repository_release(struct srv_repository *r)
{
    for (size_t i = 0; i < r->n; i++)
        free_entry(r->entries[i]);
    free(r->entries);
    pthread_mutex_destroy(&r->lock);
}

/* ---- looking, under the lock ---- */

static const struct srv_version *highest(const struct srv_entry *entry)
{
    for (size_t i = entry->n; i > 0; i--)
        if (entry->versions[i - 1].model)
            return &entry->versions[i - 1];
    return NULL;
}

static struct srv_version *highest_loading(struct srv_entry *entry)
{
    for (size_t i = entry->n; i > 0; i--)
        if (entry->versions[i - 1].state == SRV_LOADING)
            return &entry->versions[i - 1];
    return NULL;
}

/* Two can have the name for as long as only one is served. */
struct srv_entry *srv_repository_named(struct srv_repository *r, const char *name)
{
    struct srv_entry *entry = NULL;
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->entries[i]->name, name) == 0 && (!entry || highest(r->entries[i])))
            entry = r->entries[i];
    return entry;
}

static enum srv_found find(struct srv_repository *r, const char *name, uint64_t number,
                           struct srv_model **model)
{
    struct srv_entry *const entry = srv_repository_named(r, name);
    if (!entry)
        return SRV_NO_MODEL;
    const struct srv_version *v = number ? srv_entry_version(entry, number) : highest(entry);
    if (v && v->model) {
        *model = srv_model_ref(v->model);
        return SRV_FOUND;
    }
    if (v ? v->state == SRV_LOADING : !highest(entry) && highest_loading(entry))
        return SRV_NOT_YET;
    return highest(entry) ? SRV_NO_VERSION : SRV_NO_VERSIONS;
}

enum srv_found srv_repository_find(struct srv_repository *r, const char *name, uint64_t version,
                                   struct srv_model **model)
{
    *model = NULL;
    pthread_mutex_lock(&r->lock);
    const enum srv_found found = find(r, name, version, model);
    pthread_mutex_unlock(&r->lock);
    return found;
}

void srv_repository_refused(struct srv_repository *r, const char *name, uint64_t version,
                            uint64_t n)
{
    pthread_mutex_lock(&r->lock);
    struct srv_entry *const entry = srv_repository_named(r, name);
    struct srv_version *v = NULL;
    if (entry)
        v = version ? srv_entry_version(entry, version) : highest_loading(entry);
    if (v && v->model) /* by now it is there */
        srv_metrics_refused(&v->model->metrics, n);
    else if (v)
        v->refused += n;
    pthread_mutex_unlock(&r->lock);
}

bool srv_repository_default(struct srv_repository *r, char *name, size_t size)
{
    size_t n = 0, len = 0;
    *name = '\0';
    pthread_mutex_lock(&r->lock);
    const struct srv_entry *const first =
        r->n > 0 && !r->entries[0]->in_repository ? r->entries[0] : NULL;
    for (size_t i = 0; i < r->n && !first; i++)
        if (highest(r->entries[i]) && len < size)
            len += (size_t)snprintf(name + len, size - len, "%s%s", n++ ? ", " : "",
                                    r->entries[i]->name);
    if (first)
        rf_text_copy(name, size, first->name);
    pthread_mutex_unlock(&r->lock);
    return first || n == 1;
}

bool srv_repository_serves(struct srv_repository *r)
{
    bool serves = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n && !serves; i++)
        serves = highest(r->entries[i]) != NULL;
    pthread_mutex_unlock(&r->lock);
    return serves;
}

static void list_entry(struct srv_listing *listing, const struct srv_entry *entry)
{
    for (size_t i = 0; i < entry->n; i++) {
        const struct srv_version *const v = &entry->versions[i];
        struct srv_listed *const item = &listing->items[listing->n++];
        *item = (struct srv_listed){.number = v->number,
                                    .failures = entry->failures,
                                    .is_first = i == 0,
                                    .state = v->state,
                                    .refused = v->refused,
                                    .model = v->model ? srv_model_ref(v->model) : NULL};
        snprintf(item->name, sizeof item->name, "%s", entry->name);
        snprintf(item->reason, sizeof item->reason, "%s", v->reason);
    }
}

void srv_repository_list(struct srv_repository *r, struct srv_listing *listing)
{
    size_t n = 0;
    *listing = (struct srv_listing){0};
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n; i++)
        n += r->entries[i]->n;
    listing->items = calloc(n ? n : 1, sizeof *listing->items);
    for (size_t i = 0; listing->items && i < r->n; i++)
        list_entry(listing, r->entries[i]);
    pthread_mutex_unlock(&r->lock);
}

void srv_listing_release(struct srv_listing *listing)
{
    for (size_t i = 0; i < listing->n; i++)
        srv_model_unref(listing->items[i].model);
    free(listing->items);
}

/* ---- changing; who changes may look without the lock ---- */

struct srv_entry *srv_repository_at(struct srv_repository *r, const char *key)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->entries[i]->key, key) == 0)
            return r->entries[i];
    return NULL;
}

struct srv_version *srv_entry_version(struct srv_entry *entry, uint64_t number)
{
    for (size_t i = 0; i < entry->n; i++)
        if (entry->versions[i].number == number)
            return &entry->versions[i];
    return NULL;
}

/* Adds the entry to the list and gives it back; NULL without memory. */
static struct srv_entry *append(struct srv_repository *r, struct srv_entry *entry)
{
    pthread_mutex_lock(&r->lock);
    struct srv_entry **const list = realloc(r->entries, (r->n + 1) * sizeof(struct srv_entry *));
    if (list) {
        r->entries = list;
        list[r->n++] = entry;
    }
    pthread_mutex_unlock(&r->lock);
    return list ? entry : NULL;
}

struct srv_entry *srv_repository_add(struct srv_repository *r, const struct srv_disk_model *disk)
{
    struct srv_entry *entry = srv_repository_at(r, disk->key);
    if (entry) {
        entry->goes = false;
        return entry;
    }
    entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->key = strdup(disk->key);
    entry->path = strdup(disk->path);
    entry->is_named = disk->is_named;
    entry->in_repository = disk->in_repository;
    snprintf(entry->name, sizeof entry->name, "%s", disk->name);
    if (entry->key && entry->path && append(r, entry))
        return entry;
    free_entry(entry);
    return NULL;
}

struct srv_version *srv_entry_add(struct srv_repository *r, struct srv_entry *entry,
                                  uint64_t number)
{
    struct srv_version *v = srv_entry_version(entry, number);
    pthread_mutex_lock(&r->lock);
    if (v) {
        v->state = v->model ? SRV_READY : SRV_LOADING;
        v->goes = false;
        pthread_mutex_unlock(&r->lock);
        return v;
    }
    struct srv_version *const list = realloc(entry->versions, (entry->n + 1) * sizeof *list);
    if (list) {
        size_t at = entry->n++;
        entry->versions = list;
        for (; at > 0 && list[at - 1].number > number; at--)
            list[at] = list[at - 1];
        v = &list[at];
        *v = (struct srv_version){.number = number, .state = SRV_LOADING};
    }
    pthread_mutex_unlock(&r->lock);
    return v;
}

/* Under the lock: the model is not served any more. The reference, to be given back outside. */
static struct srv_model *take_model(struct srv_version *v)
{
    struct srv_model *const model = v->model;
    v->model = NULL;
    v->leaving += model != NULL;
    return model;
}

/* Under the lock: of a version without a model. */
static void end_version(struct srv_version *v)
{
    v->state = v->leaving > 0 ? SRV_UNLOADING : SRV_UNAVAILABLE;
}

void srv_repository_swap(struct srv_repository *r, struct srv_entry *entry,
                         struct srv_version *version, struct srv_model *model)
{
    model->place = (struct srv_place){r, entry, version->number};
    pthread_mutex_lock(&r->lock);
    struct srv_model *const before = take_model(version);
    version->model = model;
    version->state = SRV_READY;
    srv_metrics_refused(&model->metrics, version->refused);
    version->refused = 0;
    version->reason[0] = '\0';
    snprintf(entry->name, sizeof entry->name, "%s", model->name);
    entry->is_named = true;
    pthread_mutex_unlock(&r->lock);
    srv_model_unref(before);
}

void srv_repository_failed(struct srv_repository *r, struct srv_entry *entry,
                           struct srv_version *version, const char *reason)
{
    pthread_mutex_lock(&r->lock);
    entry->failures++;
    if (version->model)
        version->state = SRV_READY;
    else
        end_version(version);
    snprintf(version->reason, sizeof version->reason, "%s", reason);
    pthread_mutex_unlock(&r->lock);
}

void srv_repository_unload(struct srv_repository *r, struct srv_version *version,
                           const char *reason)
{
    pthread_mutex_lock(&r->lock);
    struct srv_model *const before = take_model(version);
    end_version(version);
    snprintf(version->reason, sizeof version->reason, "%s", reason);
    pthread_mutex_unlock(&r->lock);
    srv_model_unref(before);
}

/* Under the lock; nothing of it is in use. */
static void forget_version(struct srv_entry *entry, struct srv_version *v)
{
    entry->n--;
    memmove(v, v + 1, (size_t)(entry->versions + entry->n - v) * sizeof *v);
}

/* The same of an entry without versions. */
static void forget_entry(struct srv_repository *r, struct srv_entry *entry)
{
    size_t i = 0;
    while (r->entries[i] != entry)
        i++;
    r->n--;
    memmove(&r->entries[i], &r->entries[i + 1], (r->n - i) * sizeof(struct srv_entry *));
    free_entry(entry);
}

/* Forgets the version, and its entry, if they are to go and not in use. */
static void clean_up(struct srv_repository *r, struct srv_entry *entry, struct srv_version *v)
{
    if (v && v->goes && v->leaving == 0)
        forget_version(entry, v);
    if (entry->goes && entry->n == 0)
        forget_entry(r, entry);
}

void srv_repository_remove_version(struct srv_repository *r, struct srv_entry *entry,
                                   uint64_t number)
{
    pthread_mutex_lock(&r->lock);
    struct srv_version *const v = srv_entry_version(entry, number);
    struct srv_model *const before = v ? take_model(v) : NULL;
    if (v) {
        v->goes = true;
        v->stamp = 0; /* if it comes back meanwhile, it is loaded again */
        end_version(v);
        clean_up(r, entry, v);
    }
    pthread_mutex_unlock(&r->lock);
    srv_model_unref(before);
}

void srv_repository_remove(struct srv_repository *r, struct srv_entry *entry)
{
    for (size_t i = entry->n; i > 0; i--)
        srv_repository_remove_version(r, entry, entry->versions[i - 1].number);
    pthread_mutex_lock(&r->lock);
    entry->goes = true;
    clean_up(r, entry, NULL);
    pthread_mutex_unlock(&r->lock);
}

void srv_repository_freed(const struct srv_place *place)
{
    struct srv_repository *const r = place->repository;
    pthread_mutex_lock(&r->lock);
    struct srv_version *const v = srv_entry_version(place->entry, place->number);
    v->leaving--;
    if (v->state == SRV_UNLOADING)
        end_version(v);
    clean_up(r, place->entry, v);
    pthread_mutex_unlock(&r->lock);
}
