#include "core/counters.h"

#include <stdlib.h>

enum { IDLE, RUNNING, READING };

/* Inputs that make moving them cheap beside having counted them. */
#define WORTH_MOVING RF_BLOCK_INPUTS

enum rf_status rf_counters_init(struct rf_counters *c, struct rf_record *record,
                                struct rf_error *err)
{
    *c = (struct rf_counters){.record = record};
    enum rf_status rc = rf_inputs_init(&c->inputs, record->layout.map, err);

    if (!rc)
        rc = rf_counters_reserve(c, 1, 1, err);
    if (rc) {
        rf_inputs_release(&c->inputs);
        return rc;
    }
    atomic_init(&c->state, IDLE);
    pthread_mutex_lock(&record->lock);
    c->next = record->sessions;
    record->sessions = c;
    pthread_mutex_unlock(&record->lock);
    return RF_OK;
}

static bool is_pending(const struct rf_counters *c)
{
    bool pending = c->inputs.n > 0;

    for (size_t i = 0; i < c->tallies->n_layers && !pending; i++)
        pending = c->tallies->positions[i] > 0;
    return pending;
}

/* Under the lock, by whoever may touch what is pending. */
static void move(struct rf_counters *c)
{
    if (is_pending(c))
        rf_record_move(c->record, c->tallies, c->n_tallies, &c->inputs);
}

void rf_counters_release(struct rf_counters *c)
{
    struct rf_record *const record = c->record;

    pthread_mutex_lock(&record->lock);
    for (struct rf_counters **at = &record->sessions; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    move(c);
    pthread_mutex_unlock(&record->lock);
    for (size_t i = 0; i < c->n_tallies; i++)
        rf_tally_release(&c->tallies[i]);
    free(c->tallies);
    rf_inputs_release(&c->inputs);
}

static enum rf_status add_tally(struct rf_counters *c, struct rf_error *err)
{
    const struct rf_record_layout *const l = &c->record->layout;
    struct rf_tally *const more = realloc(c->tallies, (c->n_tallies + 1) * sizeof(*more));

    if (!more)
        return rf_fail_nomem(err, "counters", (c->n_tallies + 1) * sizeof(*more));
    c->tallies = more;
    struct rf_tally *const t = &c->tallies[c->n_tallies];
    const enum rf_status rc = rf_tally_init(t, l->layers, l->n_layers, l->unit_words, err);
    if (rc)
        return rc;
    rf_tally_clear(t);
    c->n_tallies++;
    return RF_OK;
}

/* Takes the session from readers. */
static void claim(struct rf_counters *c)
{
    int idle = IDLE;

    if (atomic_compare_exchange_strong(&c->state, &idle, RUNNING))
        return;
    /* A reader is moving what is pending, under the lock. */
    pthread_mutex_lock(&c->record->lock);
    atomic_store(&c->state, RUNNING);
    pthread_mutex_unlock(&c->record->lock);
}

enum rf_status rf_counters_reserve(struct rf_counters *c, size_t n_tallies, size_t inputs,
                                   struct rf_error *err)
{
    enum rf_status rc = RF_OK;
    const bool looks = c->record->layout.level >= RF_ACTIVITY_CHANNEL;

    if (!c->is_observed)
        claim(c);
    while (c->n_tallies < n_tallies && !rc)
        rc = add_tally(c, err);
    if (!rc && looks)
        rc = rf_inputs_reserve(&c->inputs, WORTH_MOVING + inputs, err);
    if (!c->is_observed)
        atomic_store(&c->state, IDLE);
    return rc;
}

static void move_now(struct rf_counters *c)
{
    pthread_mutex_lock(&c->record->lock);
    move(c);
    pthread_mutex_unlock(&c->record->lock);
}

void rf_counters_begin(struct rf_counters *c)
{
    if (c->is_observed)
        move_now(c);
    else
        claim(c);
}

static bool must_move(const struct rf_counters *c)
{
    for (const struct rf_tally *t = c->tallies; t < c->tallies + c->n_tallies; t++)
        for (size_t i = 0; i < t->n_layers; i++)
            if (t->positions[i] >= RF_MAX_POSITIONS)
                return true;
    return false;
}

/* Whether to move what is pending now; takes the lock. */
static bool moves(struct rf_counters *c)
{
    if (must_move(c))
        return !pthread_mutex_lock(&c->record->lock);
    return c->inputs.n >= WORTH_MOVING && !pthread_mutex_trylock(&c->record->lock);
}

void rf_counters_end(struct rf_counters *c)
{
    if (c->is_observed)
        return;
    const bool locked = moves(c);

    if (locked)
        move(c);
    atomic_store(&c->state, IDLE);
    if (locked)
        pthread_mutex_unlock(&c->record->lock);
}

void rf_counters_observe(struct rf_counters *c, bool on)
{
    if (on == c->is_observed)
        return;
    if (on)
        claim(c);
    move_now(c);
    c->is_observed = on;
    if (!on)
        atomic_store(&c->state, IDLE);
}

void rf_counters_collect(struct rf_record *record)
{
    pthread_mutex_lock(&record->lock);
    for (struct rf_counters *c = record->sessions; c; c = c->next) {
        int idle = IDLE;

        if (!atomic_compare_exchange_strong(&c->state, &idle, READING))
            continue;
        move(c);
        atomic_store(&c->state, IDLE);
    }
    pthread_mutex_unlock(&record->lock);
}
