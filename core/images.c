#include "core/images.h"

/* Elements that a core's second-level cache holds beside weights. */
#define HOT (1 << 18)

struct rf_tensor rf_image_like(const struct rf_tensor *batch)
{
    struct rf_tensor one = *batch;

    one.data = NULL;
    one.shape.dim[0] = 1;
    return one;
}

struct rf_tensor rf_image_of(const struct rf_tensor *batch, size_t n)
{
    struct rf_tensor one = rf_image_like(batch);
    const size_t image = batch->layout == RF_NHWC ? batch->image : (size_t)rf_numel(&one.shape);

    one.data = (char *)batch->data + n * image * rf_dtype_size(batch->dtype);
    return one;
}

static bool is_batch(const struct rf_tensor *t, int64_t n)
{
    return t->shape.rank > 2 && t->shape.dim[0] == n && rf_numel(&t->shape) > 0;
}

/* Read alike for every image: nothing, or weights that are known before a run. */
static bool is_shared(const struct rf_graph *g, const struct rf_node *node, int k)
{
    return node->in[k] == RF_NO_VALUE || node->op->const_in >> k & 1 ||
           (node->op->param_in >> k & 1 && g->values[node->in[k]].known);
}

/* Whether each image of the outputs follows from the same image of the inputs. Weights that arrive
 * with the request are no batch, whatever their shape. */
static bool is_imagewise(const struct rf_graph *g, const struct rf_tensor *tensors,
                         const struct rf_node *node, int64_t n)
{
    const struct rf_tensor *const out = &tensors[node->out[0]];

    if (!(node->op->flags & RF_OP_IMAGEWISE) || node->n_out != 1 || out->layout != RF_NHWC ||
        !is_batch(out, n))
        return false;
    for (int k = 0; k < node->n_in; k++) {
        if (is_shared(g, node, k))
            continue;
        if (node->op->param_in >> k & 1 || g->values[node->in[k]].known ||
            !is_batch(&tensors[node->in[k]], n))
            return false;
    }
    return true;
}

/* Elements of one image that a step reads and writes. */
static int64_t traffic(const struct rf_graph *g, const struct rf_tensor *tensors,
                       const struct rf_node *node)
{
    int64_t sum = 0;

    for (int k = 0; k < node->n_in; k++)
        if (!is_shared(g, node, k))
            sum += rf_numel(&tensors[node->in[k]].shape);
    sum += rf_numel(&tensors[node->out[0]].shape);
    return sum / tensors[node->out[0]].shape.dim[0];
}

/* Each weight takes part once at every position. */
static int64_t n_weights(const struct rf_infer *wish, const struct rf_tensor *out)
{
    return wish->macs / (rf_numel(&out->shape) / out->shape.dim[1]);
}

size_t rf_image_steps(const struct rf_graph *g, const struct rf_tensor *tensors,
                      const struct rf_infer *wishes, size_t *n_images)
{
    int64_t n = 0, most = 0;
    size_t i = 0, steps = 0;

    for (; i < g->n_nodes; i++) {
        const struct rf_node *const node = g->nodes[i];

        if (node->known)
            continue;
        n = n ? n : tensors[node->out[0]].shape.dim[0];
        if (n < 2 || !is_imagewise(g, tensors, node, n))
            break;
        const int64_t moved = traffic(g, tensors, node);
        if (n_weights(&wishes[i], &tensors[node->out[0]]) > moved)
            break;
        most = moved > most ? moved : most;
        steps++;
    }
    *n_images = (size_t)n;
    return steps > 1 && n * most > HOT ? i : 0;
}
