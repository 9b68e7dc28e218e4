#include "core/record.h"

#include <stdlib.h>

size_t rf_record_bytes(const struct rf_record_layout *l)
{
    const size_t tally = rf_tally_bytes(l->n_layers, l->places, 0);
    const size_t units = rf_units_bytes(l->unit_words);
    const size_t rest = l->n_channels * sizeof(struct rf_channel_activity) +
                        2 * RF_DISTINCT_INPUTS * sizeof(uint64_t) +
                        (l->level < RF_ACTIVITY_CHANNEL ? 0 : rf_recent_bytes(l->map));
    size_t bytes;

    return __builtin_mul_overflow(tally, l->n_slots + 1, &bytes) ||
                   __builtin_add_overflow(bytes, units, &bytes) ||
                   __builtin_add_overflow(bytes, rest, &bytes)
               ? SIZE_MAX
               : bytes;
}

static void clear_slot(struct rf_slot *slot)
{
    rf_tally_clear(&slot->tally);
    rf_inputs_clear(&slot->inputs);
}

static enum rf_status init_slots(struct rf_record *r, struct rf_error *err)
{
    const struct rf_record_layout *const l = &r->layout;
    enum rf_status rc = RF_OK;

    r->slots = calloc(l->n_slots + 1, sizeof(*r->slots));
    if (!r->slots)
        return rf_fail_nomem(err, "slots", (l->n_slots + 1) * sizeof(*r->slots));
    for (size_t i = 0; i <= l->n_slots && !rc; i++) {
        rc = rf_tally_init(&r->slots[i].tally, l->layers, l->n_layers, 0, err);
        if (!rc)
            rc = rf_inputs_init(&r->slots[i].inputs, l->map, err);
    }
    if (!rc)
        clear_slot(&r->slots[0]);
    return rc;
}

enum rf_status rf_record_init(struct rf_record *r, const struct rf_record_layout *layout,
                              struct rf_error *err)
{
    const size_t n = layout->n_channels;

    *r = (struct rf_record){.layout = *layout};
    pthread_mutex_init(&r->lock, NULL);
    r->totals = calloc(n + 1, sizeof(*r->totals));
    if (!r->totals)
        return rf_fail_nomem(err, "counters", n * sizeof(*r->totals));
    rf_channels_clear(r->totals, n);
    enum rf_status rc = init_slots(r, err);
    if (!rc)
        rc = rf_units_init(&r->units, layout->unit_words, err);
    if (!rc)
        rc = rf_distinct_init(&r->distinct, err);
    if (!rc)
        rc = rf_recent_init(&r->recent, layout->level < RF_ACTIVITY_CHANNEL ? NULL : layout->map,
                            err);
    return rc;
}

void rf_record_release(struct rf_record *r)
{
    for (size_t i = 0; r->slots && i <= r->layout.n_slots; i++) {
        rf_tally_release(&r->slots[i].tally);
        rf_inputs_release(&r->slots[i].inputs);
    }
    free(r->slots);
    free(r->totals);
    rf_units_release(&r->units);
    rf_distinct_release(&r->distinct);
    rf_recent_release(&r->recent);
    pthread_mutex_destroy(&r->lock);
}

/* ---- under the lock ---- */

void rf_record_roll(struct rf_record *r)
{
    const struct rf_slot *const closed = &r->slots[r->open];

    rf_tally_add(&closed->tally, r->layout.layers, r->totals);
    r->inputs += closed->inputs.n;
    rf_units_roll(&r->units, r->layout.kernels);
    rf_traffic_roll(&r->recent.traffic);
    r->open = (r->open + 1) % (r->layout.n_slots + 1);
    if (r->n_closed < r->layout.n_slots)
        r->n_closed++;
    r->rolls++;
    clear_slot(&r->slots[r->open]);
}

/* Whether a count could pass 2^32. */
static bool overflows(const struct rf_tally *to, const struct rf_tally *from)
{
    for (size_t i = 0; i < from->n_layers; i++)
        if (to->positions[i] + from->positions[i] > UINT32_MAX)
            return true;
    return false;
}

void rf_record_move(struct rf_record *r, struct rf_tally *tallies, size_t n, struct rf_inputs *in)
{
    struct rf_slot *slot = &r->slots[r->open];

    rf_recent_add(&r->recent, r->layout.layers, tallies, n, in);
    for (size_t i = 0; i < n; i++) {
        if (overflows(&slot->tally, &tallies[i])) {
            rf_record_roll(r);
            slot = &r->slots[r->open];
        }
        rf_tally_move(&slot->tally, &tallies[i], r->layout.kernels);
        if (tallies[i].units)
            rf_units_move(&r->units, tallies[i].units, r->layout.kernels);
    }
    rf_distinct_add(&r->distinct, in, r->rolls);
    rf_inputs_add(&slot->inputs, in);
    rf_inputs_clear(in);
}

const struct rf_slot *rf_record_slot(const struct rf_record *r, size_t age)
{
    const size_t n = r->layout.n_slots + 1;

    return age > r->n_closed ? NULL : &r->slots[(r->open + n - age) % n];
}
