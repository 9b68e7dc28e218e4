#include "core/traffic.h"

#define SUB_WINDOWS 10 /* less memory than those of an audit */

enum rf_status rf_traffic_init(struct rf_traffic *t, const struct rf_feature_map *map,
                               struct rf_error *err)
{
    *t = (struct rf_traffic){.n = 0};
    const enum rf_status rc = rf_baseline_builder_new(&t->old, map, SUB_WINDOWS, err);

    return rc ? rc : rf_baseline_builder_new(&t->young, map, SUB_WINDOWS, err);
}

void rf_traffic_release(struct rf_traffic *t)
{
    rf_baseline_builder_free(t->old);
    rf_baseline_builder_free(t->young);
}

size_t rf_traffic_bytes(const struct rf_feature_map *map)
{
    return 2 * rf_baseline_builder_bytes(map, SUB_WINDOWS);
}

bool rf_traffic_wants(const struct rf_traffic *t)
{
    return t->of_slot < RF_TRAFFIC_SLOT;
}

void rf_traffic_add(struct rf_traffic *t, const struct rf_feature_sum *block)
{
    t->of_slot++;
    if (rf_baseline_builder_add(t->old, block, NULL))
        return; /* not finite */
    if (t->n >= RF_TRAFFIC_BLOCKS / 2 && rf_baseline_builder_add(t->young, block, NULL))
        return;
    if (++t->n < RF_TRAFFIC_BLOCKS)
        return;
    struct rf_baseline_builder *const full = t->old;

    t->old = t->young;
    t->young = full;
    t->n = RF_TRAFFIC_BLOCKS / 2;
    rf_baseline_builder_clear(full);
}

void rf_traffic_roll(struct rf_traffic *t)
{
    t->of_slot = 0;
}

enum rf_status rf_traffic_baseline(const struct rf_traffic *t, struct rf_baseline **out,
                                   struct rf_error *err)
{
    return rf_baseline_builder_finish(t->old, false, out, err);
}
