/* Places values in one slab: no two that live at once overlap. */
#ifndef RF_CORE_MEMORY_H
#define RF_CORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct rf_span {
    uint32_t first, last; /* steps, both inclusive: it lives in [first, last] */
    size_t bytes;         /* 0: not placed */
    size_t offset;        /* out: from the start of the slab, a multiple of RF_ALIGN */
};

/* Writes every offset and the slab's size. RF_LIMIT when that overflows. */
enum rf_status rf_place_spans(struct rf_span *spans, size_t n, size_t *slab_bytes) RF_CHECKED;

#endif
