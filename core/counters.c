#include "core/counters.h"

#include <math.h>
#include <stdlib.h>

#include "core/model.h"

enum { IDLE, RUNNING, READING };

/* Values a channel that make moving them to the totals cheap beside having counted them. */
#define WORTH_MOVING 64
/* Values of which no channel's counts may have seen more. */
#define MUST_MOVE (UINT64_C(1) << 31)

void rf_channels_add(struct rf_channel_activity *to, const struct rf_channel_activity *from,
                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i].values += from[i].values;
        to[i].fired += from[i].fired;
        to[i].fired_inputs += from[i].fired_inputs;
        to[i].zeros += from[i].zeros;
        to[i].inactive += from[i].inactive;
        to[i].saturated += from[i].saturated;
        to[i].nonfinite += from[i].nonfinite;
        to[i].sum += from[i].sum;
        to[i].sum_squares += from[i].sum_squares;
        to[i].max = from[i].max > to[i].max ? from[i].max : to[i].max;
    }
}

void rf_channels_clear(struct rf_channel_activity *channels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        channels[i] = (struct rf_channel_activity){.max = -INFINITY};
}

enum rf_status rf_counters_init(struct rf_counters *c, struct rf_model *model, struct rf_error *err)
{
    *c = (struct rf_counters){.model = model};
    const enum rf_status rc = rf_tally_init(&c->pending, model->layers, model->n_layers, err);

    if (rc)
        return rc;
    c->totals = calloc(model->n_channels + 1, sizeof(*c->totals));
    if (!c->totals) {
        rf_tally_release(&c->pending);
        return rf_fail_nomem(err, "counters", model->n_channels * sizeof(*c->totals));
    }
    rf_channels_clear(c->totals, model->n_channels);
    atomic_init(&c->state, IDLE);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_lock(&model->lock);
    c->next = model->counters;
    model->counters = c;
    pthread_mutex_unlock(&model->lock);
    return RF_OK;
}

/* Under the lock, by whoever may touch what is pending. */
static void merge(struct rf_counters *c)
{
    rf_tally_flush(&c->pending, c->model->layers, c->model->n_layers, c->totals);
    c->inputs += c->pending_inputs;
    c->pending_inputs = 0;
}

void rf_counters_release(struct rf_counters *c, struct rf_model *model)
{
    pthread_mutex_lock(&model->lock);
    for (struct rf_counters **at = &model->counters; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    merge(c);
    rf_channels_add(model->retired, c->totals, model->n_channels);
    model->retired_inputs += c->inputs;
    pthread_mutex_unlock(&model->lock);
    pthread_mutex_destroy(&c->lock);
    rf_tally_release(&c->pending);
    free(c->totals);
}

void rf_counters_begin(struct rf_counters *c)
{
    int idle = IDLE;

    if (atomic_compare_exchange_strong(&c->state, &idle, RUNNING))
        return;
    /* A reader is merging, under the lock and within microseconds. */
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->state, RUNNING);
    pthread_mutex_unlock(&c->lock);
}

/* Whether to move what is pending now; takes the lock. */
static bool moves(struct rf_counters *c)
{
    if (c->pending.n_values >= MUST_MOVE)
        return !pthread_mutex_lock(&c->lock);
    return c->pending.n_values >= WORTH_MOVING * c->model->n_channels &&
           !pthread_mutex_trylock(&c->lock);
}

void rf_counters_end(struct rf_counters *c)
{
    const bool locked = moves(c);

    if (locked)
        merge(c);
    atomic_store(&c->state, IDLE);
    if (locked)
        pthread_mutex_unlock(&c->lock);
}

void rf_counters_read(struct rf_counters *c, uint64_t *inputs, struct rf_channel_activity *sum)
{
    int idle = IDLE;

    pthread_mutex_lock(&c->lock);
    if (atomic_compare_exchange_strong(&c->state, &idle, READING)) {
        if (c->pending.n_values || c->pending_inputs)
            merge(c);
        atomic_store(&c->state, IDLE);
    }
    *inputs += c->inputs;
    rf_channels_add(sum, c->totals, c->model->n_channels);
    pthread_mutex_unlock(&c->lock);
}
