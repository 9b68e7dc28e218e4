/*
 * Layers with weights and windows: conv, linear, batchnorm, pools.
 */
#include <inttypes.h>
#include <stdio.h>

#include "proto/model_build.h"

/* "[3,8,8]" */
static const char *sample_text(const struct rf_flow *flow, char out[RF_SHAPE_TEXT])
{
    return rf_shape_text(&flow->sample, out, RF_SHAPE_TEXT);
}

/* A window that slides over n spatial dimensions. */
struct window {
    int n;
    int64_t kernel[2], stride[2], dilation[2], pads[4];
    bool ceil;
};

/* Sizes behind the channels, as PyTorch has them: with ceil_mode the last window must start
 * within the input or the padding before it. */
static enum rf_status slide(const struct rf_layer *l, const struct window *w,
                            const struct rf_flow *flow, struct rf_shape *sample)
{
    for (int i = 0; i < w->n; i++) {
        const int64_t in = flow->sample.dim[1 + i], begin = w->pads[i], end = w->pads[w->n + i];
        int64_t span, padded;
        char text[RF_SHAPE_TEXT];
        if (__builtin_mul_overflow(w->kernel[i] - 1, w->dilation[i], &span) ||
            __builtin_add_overflow(in, begin + end, &padded) || padded <= span)
            return rf_layer_fail(
                l, RF_SHAPE,
                "its input %s, padded by %" PRId64 ", is smaller than the kernel of %" PRId64
                " (dilation %" PRId64 ")",
                sample_text(flow, text), begin + end, w->kernel[i], w->dilation[i]);
        const int64_t room = padded - span - 1, stride = w->stride[i];
        int64_t out = (w->ceil ? room + stride - 1 : room) / stride + 1;
        if (w->ceil && (out - 1) * stride >= in + begin)
            out--;
        sample->dim[1 + i] = out;
    }
    return RF_OK;
}

static enum rf_status set_window(const struct rf_layer *l, const struct window *w,
                                 struct rf_node *node)
{
    struct rf_graph *const g = l->b->graph;
    const size_t n = (size_t)w->n;
    enum rf_status rc = rf_node_set_ints(g, node, "kernel_shape", w->kernel, n, l->b->err);
    if (rc == RF_OK)
        rc = rf_node_set_ints(g, node, "strides", w->stride, n, l->b->err);
    if (rc == RF_OK)
        rc = rf_node_set_ints(g, node, "pads", w->pads, 2 * n, l->b->err);
    return rc;
}

/* "same" and "valid" are torch's words for paddings of a convolution. */
static enum rf_status read_conv_padding(const struct rf_layer *l, struct window *w)
{
    static const char *const words[] = {"valid", "same", NULL};
    int word;
    if (!json_is_string(json_object_get(l->json, "padding")))
        return rf_arg_padding(l, w->n, w->pads);
    const enum rf_status rc = rf_arg_choice(l, "padding", words, &word);
    for (int i = 0; i < w->n && rc == RF_OK && word == 1; i++) {
        if (w->stride[i] != 1)
            return rf_layer_fail(l, RF_UNSUPPORTED, "\"padding\": \"same\" needs a stride of 1");
        int64_t total;
        if (__builtin_mul_overflow(w->kernel[i] - 1, w->dilation[i], &total) || total > RF_MAX_SIZE)
            return rf_layer_fail(l, RF_LIMIT, "the kernel is too large");
        w->pads[i] = total / 2;
        w->pads[w->n + i] = total - total / 2;
    }
    return rc;
}

static enum rf_status read_conv(const struct rf_layer *l, int64_t in, struct window *w,
                                int64_t *out, int64_t *groups, bool *bias)
{
    static const char *const modes[] = {"zeros", NULL};
    int mode;
    enum rf_status rc = rf_arg_int(l, "out_channels", RF_REQUIRED, 1, out);
    if (rc != RF_OK || (rc = rf_arg_inferred(l, "in_channels", in)) != RF_OK ||
        (rc = rf_arg_sizes(l, "kernel_size", w->n, RF_REQUIRED, 1, w->kernel)) != RF_OK ||
        (rc = rf_arg_sizes(l, "stride", w->n, 1, 1, w->stride)) != RF_OK ||
        (rc = rf_arg_sizes(l, "dilation", w->n, 1, 1, w->dilation)) != RF_OK ||
        (rc = rf_arg_int(l, "groups", 1, 1, groups)) != RF_OK ||
        (rc = rf_arg_bool(l, "bias", true, bias)) != RF_OK ||
        (rc = rf_arg_choice(l, "padding_mode", modes, &mode)) != RF_OK ||
        (rc = read_conv_padding(l, w)) != RF_OK)
        return rc;
    if (in % *groups != 0 || *out % *groups != 0)
        return rf_layer_fail(l, RF_SHAPE,
                             "\"groups\" %" PRId64 " does not divide %" PRId64 " input and %" PRId64
                             " output channels",
                             *groups, in, *out);
    return RF_OK;
}

enum rf_status rf_build_conv(const struct rf_layer *l, struct rf_flow *flow)
{
    struct window w = {.n = flow->sample.rank - 1};
    struct rf_shape sample = flow->sample;
    const int64_t in = flow->sample.dim[0];
    rf_value_id inputs[3] = {flow->value, RF_NO_VALUE, RF_NO_VALUE};
    struct rf_node *node = NULL;
    int64_t out, groups;
    bool bias;
    enum rf_status rc = read_conv(l, in, &w, &out, &groups, &bias);
    if (rc == RF_OK)
        rc = slide(l, &w, flow, &sample);
    if (rc != RF_OK)
        return rc;
    sample.dim[0] = out;
    struct rf_shape weight = {.rank = 2 + w.n, .dim = {out, in / groups}};
    for (int i = 0; i < w.n; i++)
        weight.dim[2 + i] = w.kernel[i];
    const struct rf_shape vector = {.rank = 1, .dim = {out}};
    rc = rf_build_tensor(l, "weight", &weight, &weight, RF_ROLE_WEIGHT, &inputs[1]);
    if (rc == RF_OK && bias)
        rc = rf_build_tensor(l, "bias", &vector, &vector, RF_ROLE_BIAS, &inputs[2]);
    if (rc == RF_OK)
        rc = rf_build_node(l, "Conv", inputs, bias ? 3 : 2, &sample, flow, &node);
    if (rc == RF_OK)
        rc = set_window(l, &w, node);
    if (rc == RF_OK)
        rc = rf_node_set_ints(l->b->graph, node, "dilations", w.dilation, (size_t)w.n, l->b->err);
    return rc == RF_OK ? rf_node_set_int(l->b->graph, node, "group", groups, l->b->err) : rc;
}

enum rf_status rf_build_linear(const struct rf_layer *l, struct rf_flow *flow)
{
    const int64_t in = flow->sample.dim[0];
    rf_value_id inputs[3] = {flow->value, RF_NO_VALUE, RF_NO_VALUE};
    struct rf_node *node = NULL;
    int64_t out;
    bool bias;
    enum rf_status rc = rf_arg_int(l, "out_features", RF_REQUIRED, 1, &out);
    if (rc == RF_OK)
        rc = rf_arg_inferred(l, "in_features", in);
    if (rc == RF_OK)
        rc = rf_arg_bool(l, "bias", true, &bias);
    if (rc != RF_OK)
        return rc;
    const struct rf_shape weight = {.rank = 2, .dim = {out, in}};
    const struct rf_shape vector = {.rank = 1, .dim = {out}};
    rc = rf_build_tensor(l, "weight", &weight, &weight, RF_ROLE_WEIGHT, &inputs[1]);
    if (rc == RF_OK && bias)
        rc = rf_build_tensor(l, "bias", &vector, &vector, RF_ROLE_BIAS, &inputs[2]);
    if (rc == RF_OK)
        rc = rf_build_node(l, "Gemm", inputs, bias ? 3 : 2, &vector, flow, &node);
    return rc == RF_OK ? rf_node_set_int(l->b->graph, node, "transB", 1, l->b->err) : rc;
}

enum rf_status rf_build_norm(const struct rf_layer *l, struct rf_flow *flow)
{
    static const struct {
        const char *leaf;
        enum rf_tensor_role role;
    } tensors[4] = {{"weight", RF_ROLE_ONES},
                    {"bias", RF_ROLE_ZEROS},
                    {"running_mean", RF_ROLE_ZEROS},
                    {"running_var", RF_ROLE_ONES}};
    const struct rf_shape vector = {.rank = 1, .dim = {flow->sample.dim[0]}};
    rf_value_id inputs[5] = {flow->value};
    const struct rf_shape sample = flow->sample;
    struct rf_node *node = NULL;
    bool affine, tracked;
    float eps, momentum;
    enum rf_status rc = rf_arg_inferred(l, "num_features", vector.dim[0]);
    if (rc != RF_OK || (rc = rf_arg_float(l, "eps", 1e-5, &eps)) != RF_OK ||
        (rc = rf_arg_float(l, "momentum", 0.1, &momentum)) != RF_OK ||
        (rc = rf_arg_bool(l, "affine", true, &affine)) != RF_OK ||
        (rc = rf_arg_bool(l, "track_running_stats", true, &tracked)) != RF_OK)
        return rc;
    if (!tracked)
        return rf_layer_fail(l, RF_UNSUPPORTED, "it must have running statistics");
    if (eps < 0)
        return rf_layer_fail(l, RF_FORMAT, "\"eps\" must not be negative");
    for (int i = 0; i < 4 && rc == RF_OK; i++) {
        if (affine || i >= 2) {
            rc = rf_build_tensor(l, tensors[i].leaf, &vector, &vector, tensors[i].role,
                                 &inputs[1 + i]);
        } else {
            char name[RF_MAX_NAME + 16];
            snprintf(name, sizeof name, "%s/%s", l->name, tensors[i].leaf);
            rc = rf_build_constant(l->b, name, &vector, i == 0 ? 1 : 0, &inputs[1 + i], NULL);
        }
    }
    if (rc == RF_OK)
        rc = rf_build_node(l, "BatchNormalization", inputs, 5, &sample, flow, &node);
    return rc == RF_OK ? rf_node_set_float(l->b->graph, node, "epsilon", eps, l->b->err) : rc;
}

static enum rf_status read_pool(const struct rf_layer *l, struct window *w)
{
    const bool has_stride = json_object_get(l->json, "stride") != NULL;
    enum rf_status rc = rf_arg_sizes(l, "kernel_size", 2, RF_REQUIRED, 1, w->kernel);
    w->stride[0] = w->kernel[0];
    w->stride[1] = w->kernel[1];
    if (rc == RF_OK && has_stride)
        rc = rf_arg_sizes(l, "stride", 2, 1, 1, w->stride);
    if (rc != RF_OK || (rc = rf_arg_padding(l, 2, w->pads)) != RF_OK ||
        (rc = rf_arg_sizes(l, "dilation", 2, 1, 1, w->dilation)) != RF_OK ||
        (rc = rf_arg_bool(l, "ceil_mode", false, &w->ceil)) != RF_OK)
        return rc;
    for (int i = 0; i < 4; i++)
        if (w->pads[i] > w->kernel[i % 2] / 2)
            return rf_layer_fail(l, RF_SHAPE,
                                 "\"padding\" %" PRId64 " is more than half the kernel of %" PRId64,
                                 w->pads[i], w->kernel[i % 2]);
    return RF_OK;
}

enum rf_status rf_build_pool(const struct rf_layer *l, struct rf_flow *flow)
{
    const bool max = l->type[0] == 'm';
    struct rf_graph *const g = l->b->graph;
    struct window w = {.n = 2};
    struct rf_shape sample = flow->sample;
    const rf_value_id in = flow->value;
    struct rf_node *node = NULL;
    bool include_pad;
    enum rf_status rc = read_pool(l, &w);
    if (rc == RF_OK)
        rc = rf_arg_bool(l, "count_include_pad", true, &include_pad);
    if (rc == RF_OK)
        rc = slide(l, &w, flow, &sample);
    if (rc == RF_OK)
        rc = rf_build_node(l, max ? "MaxPool" : "AveragePool", &in, 1, &sample, flow, &node);
    if (rc == RF_OK)
        rc = set_window(l, &w, node);
    if (rc == RF_OK)
        rc = rf_node_set_int(g, node, "ceil_mode", w.ceil, l->b->err);
    if (rc != RF_OK)
        return rc;
    return max ? rf_node_set_ints(g, node, "dilations", w.dilation, 2, l->b->err)
               : rf_node_set_int(g, node, "count_include_pad", include_pad, l->b->err);
}

enum rf_status rf_build_adaptive(const struct rf_layer *l, struct rf_flow *flow)
{
    struct rf_shape sample = flow->sample;
    const rf_value_id in = flow->value;
    struct rf_node *node = NULL;
    int64_t size[2];
    enum rf_status rc = rf_arg_sizes(l, "output_size", 2, RF_REQUIRED, 1, size);
    if (rc != RF_OK)
        return rc;
    sample.dim[1] = size[0];
    sample.dim[2] = size[1];
    if (size[0] == 1 && size[1] == 1)
        return rf_build_node(l, "GlobalAveragePool", &in, 1, &sample, flow, NULL);
    rc = rf_build_node(l, "AdaptiveAveragePool", &in, 1, &sample, flow, &node);
    return rc == RF_OK ? rf_node_set_ints(l->b->graph, node, "output_size", size, 2, l->b->err)
                       : rc;
}
