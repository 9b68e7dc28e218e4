/*
 * Early steps of a network that sees images work on large values with few weights. Over a batch,
 * what one step writes has left the cache before the next one reads it. So these steps run image by
 * image: one goes through all of them, in memory of its own, then the next.
 */
#ifndef RF_CORE_IMAGES_H
#define RF_CORE_IMAGES_H

#include "core/infer.h"

/*
 * How many steps, the first ones of the graph, are better run image by image; 0 where it does not
 * pay. Follows from the geometry alone. `tensors` are laid out, one a value; a wish for each node.
 */
size_t rf_image_steps(const struct rf_graph *g, const struct rf_tensor *tensors,
                      const struct rf_infer *wishes, size_t *n_images);

/* Image `n` of a batch that the data holds. */
struct rf_tensor rf_image_of(const struct rf_tensor *batch, size_t n);
/* A tensor of one such image, without data. */
struct rf_tensor rf_image_like(const struct rf_tensor *batch);

#endif
