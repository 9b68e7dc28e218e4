/*
 * Which versions of which models are served. Any thread may look here; only one at a time, the
 * loader's or main while nothing else loads, changes it. A look and a change are each one step
 * under the lock, so that a request gets the whole old version or the whole new one.
 */
#ifndef SRV_REPOSITORY_H
#define SRV_REPOSITORY_H

#include <pthread.h>

#include "server/layout.h"
#include "server/models.h"

/* As the protocol's repository extension has them. */
enum srv_state { SRV_LOADING, SRV_READY, SRV_UNLOADING, SRV_UNAVAILABLE };
const char *srv_state_text(enum srv_state state);

struct srv_version {
    uint64_t number;
    uint64_t stamp; /* of the files last tried */
    enum srv_state state;
    uint64_t refused;           /* inferences for it, while it was not there yet */
    struct srv_model *model;    /* a reference, or NULL */
    size_t leaving;             /* copies that are not served any more, but still in use */
    bool goes;                  /* forgotten when they are gone */
    char reason[RF_ERROR_TEXT]; /* why it is not served, or why a newer copy is not; or "" */
};

/* A model, served or not, with the versions known of. */
struct srv_entry {
    char *key, *path; /* as in struct srv_disk_model */
    char name[SRV_MAX_MODEL_NAME + 2];
    bool is_named; /* else the file's name replaces this one when it is loaded */
    bool in_repository;
    bool goes;         /* forgotten with its last version */
    uint64_t failures; /* loads that failed */
    size_t n;
    struct srv_version *versions; /* ascending */
};

struct srv_repository {
    pthread_mutex_t lock;
    size_t n;
    struct srv_entry **entries;
};

void srv_repository_init(struct srv_repository *r);
void srv_repository_release(struct srv_repository *r);

/* ---- for everyone ---- */

enum srv_found { SRV_FOUND, SRV_NO_MODEL, SRV_NO_VERSIONS, SRV_NO_VERSION, SRV_NOT_YET };
/* A reference to the model's version (0: the highest served); NULL unless SRV_FOUND. */
enum srv_found srv_repository_find(struct srv_repository *r, const char *name, uint64_t version,
                                   struct srv_model **model);
/* Counts `n` inferences that were refused because of SRV_NOT_YET. */
void srv_repository_refused(struct srv_repository *r, const char *name, uint64_t version,
                            uint64_t n);
/* The model of /infer when none is named by an option: the only one served, or the first MODEL. A
 * folder of several has none: false, and `name` lists them for a message. */
bool srv_repository_default(struct srv_repository *r, char *name, size_t size);
/* Whether any model is served. */
bool srv_repository_serves(struct srv_repository *r);

/* One version as it was at one moment. */
struct srv_listed {
    char name[SRV_MAX_MODEL_NAME + 2];
    uint64_t number, failures; /* failures: of all versions */
    bool is_first;             /* of its model */
    uint64_t refused;          /* inferences that are not in a model's counters yet */
    enum srv_state state;
    struct srv_model *model; /* a reference, or NULL */
    char reason[RF_ERROR_TEXT];
};
struct srv_listing {
    size_t n;
    struct srv_listed *items;
};
/* Every version known, model by model; empty when there is no memory. Release it. */
void srv_repository_list(struct srv_repository *r, struct srv_listing *listing);
void srv_listing_release(struct srv_listing *listing);

/* ---- for who loads ---- */

/* Borrowed, or NULL. */
struct srv_entry *srv_repository_at(struct srv_repository *r, const char *key);
/* The one that is served under this name, else any that is called so; or NULL. */
struct srv_entry *srv_repository_named(struct srv_repository *r, const char *name);
struct srv_version *srv_entry_version(struct srv_entry *entry, uint64_t number);
/* The entry of a model on disk, and a version of it, loading unless it is served; made where they
 * are not there. NULL: no memory. */
struct srv_entry *srv_repository_add(struct srv_repository *r, const struct srv_disk_model *disk);
struct srv_version *srv_entry_add(struct srv_repository *r, struct srv_entry *entry,
                                  uint64_t number);
/* Serves `model`, whose reference is taken, in place of the one before. */
void srv_repository_swap(struct srv_repository *r, struct srv_entry *entry,
                         struct srv_version *version, struct srv_model *model);
/* What was tried came to nothing; a version that is served goes on. */
void srv_repository_failed(struct srv_repository *r, struct srv_entry *entry,
                           struct srv_version *version, const char *reason);
/* Ends serving: the version is unloading until its last request has ended, and stays listed. */
void srv_repository_unload(struct srv_repository *r, struct srv_version *version,
                           const char *reason);
/* Ends serving, and forgets as soon as nothing is in use any more. */
void srv_repository_remove_version(struct srv_repository *r, struct srv_entry *entry,
                                   uint64_t number);
void srv_repository_remove(struct srv_repository *r, struct srv_entry *entry);
/* Of a model that was served there, now freed. */
void srv_repository_freed(const struct srv_place *place);

#endif
