#ifndef COPPICE_OPS_H
#define COPPICE_OPS_H

#include <stdint.h>

/*
 * Operators of small convolutional networks in 8 bits.
 *
 * A number q of a tensor stands for (q - zero) * scale. Tensors are row-major, channels before height before width. Sums
 * are exact in int32_t (the exporter proves that they fit); a sum becomes 8 bits again by one float multiplication and
 * rounding to the nearest, ties to even, which is what ONNX Runtime does. Nothing here allocates, and no operator reads
 * what it writes.
 */

struct coppice_conv2d {
    int32_t groups;
    int32_t in_channels, in_height, in_width;
    int32_t out_channels, out_height, out_width;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t in_zero, out_zero;
    int32_t out_least, out_most;
    const int8_t *weights; /* [out_channels, in_channels / groups, kernel_height, kernel_width] */
    const int32_t *bias;   /* [out_channels] */
    const float *scale;    /* [out_channels]: from sums to the numbers of the result */
};

struct coppice_dense {
    int32_t rows, in_features, out_features;
    int32_t in_zero, out_zero;
    int32_t out_least, out_most;
    const int8_t *weights; /* [out_features, in_features] */
    const int32_t *bias;   /* [out_features] */
    const float *scale;    /* [out_features] */
};

struct coppice_lookup {
    int32_t count;
    const int8_t *table; /* [256], for -128 first */
};

/* A stride of 0 repeats an operand along an axis. */
struct coppice_binary {
    int32_t extent[4];
    int32_t a_stride[4], b_stride[4];
    int32_t a_zero, b_zero, out_zero;
    int32_t out_least, out_most;
    float a_scale, b_scale, out_scale;
};

struct coppice_pool2d {
    int32_t channels, in_height, in_width, out_height, out_width;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t pad_bottom, pad_right;
    int32_t count_padding; /* whether an average divides by places of the padding too */
    int32_t in_zero, out_zero;
    int32_t out_least, out_most;
    float in_scale, out_scale;
};

/* Each axis is either kept (its extent is in `kept`, and `reduced` has 1) or summed over (the other way round). */
struct coppice_reduce {
    int32_t kept[4], reduced[4], stride[4];
    int32_t in_zero, out_zero;
    int32_t out_least, out_most;
    float in_scale, out_scale;
    int32_t divisor;
};

struct coppice_move {
    int32_t extent[4];
    int32_t from, from_stride[4];
    int32_t to, to_stride[4];
};

struct coppice_fill {
    int32_t count, value;
};

/* Writes [rows, columns] row-major from floats that lie at these strides. */
struct coppice_quantise {
    int32_t rows, columns, row_stride, column_stride;
    int32_t zero;
    float scale;
};

struct coppice_dequantise {
    int32_t count, zero;
    float scale;
};

struct coppice_softmax {
    int32_t rows, classes;
};

void coppice_conv2d(const struct coppice_conv2d *op, const int8_t *x, int8_t *y);
void coppice_dense(const struct coppice_dense *op, const int8_t *x, int8_t *y);
void coppice_dense_float(const struct coppice_dense *op, const int8_t *x, float *y);
void coppice_lookup(const struct coppice_lookup *op, const int8_t *x, int8_t *y);
void coppice_add(const struct coppice_binary *op, const int8_t *a, const int8_t *b, int8_t *y);
void coppice_multiply(const struct coppice_binary *op, const int8_t *a, const int8_t *b, int8_t *y);
void coppice_max_pool2d(const struct coppice_pool2d *op, const int8_t *x, int8_t *y);
void coppice_average_pool2d(const struct coppice_pool2d *op, const int8_t *x, int8_t *y);
void coppice_reduce_sum(const struct coppice_reduce *op, const int8_t *x, int8_t *y);
void coppice_reduce_max(const struct coppice_reduce *op, const int8_t *x, int8_t *y);
void coppice_move(const struct coppice_move *op, const int8_t *x, int8_t *y);
void coppice_fill(const struct coppice_fill *op, int8_t *y);
void coppice_quantise(const struct coppice_quantise *op, const float *x, int8_t *y);
void coppice_dequantise(const struct coppice_dequantise *op, const int8_t *x, float *y);
void coppice_log_softmax(const struct coppice_softmax *op, const float *x, float *y);

#endif
