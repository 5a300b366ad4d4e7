#include "coppice_ops.h"

#include <math.h>

/* Clamped before it is rounded, so that no float is too large for an integer. */
static int8_t to_8_bits(float value, int32_t zero, int32_t least, int32_t most)
{
    const float low = (float)(least - zero);
    const float high = (float)(most - zero);
    if (value < low) value = low;
    if (value > high) value = high;
    return (int8_t)((int32_t)lrintf(value) + zero);
}

/* Of the taps of a window that begins at `at`, the first that is within the data, and one behind the last. */
static int32_t first_tap(int32_t at, int32_t dilation)
{
    return at < 0 ? (dilation - 1 - at) / dilation : 0;
}

static int32_t end_tap(int32_t at, int32_t dilation, int32_t taps, int32_t extent)
{
    const int32_t inside = at < extent ? (extent - at + dilation - 1) / dilation : 0;
    return inside < taps ? inside : taps;
}

void coppice_conv2d(const struct coppice_conv2d *op, const int8_t *x, int8_t *y)
{
    const int32_t in_group = op->in_channels / op->groups;
    const int32_t out_group = op->out_channels / op->groups;
    const int32_t plane = op->in_height * op->in_width;
    const int32_t kernel = op->kernel_height * op->kernel_width;

    for (int32_t o = 0; o < op->out_channels; o++) {
        const int8_t *const channels = x + (o / out_group) * in_group * plane;
        const int8_t *const weights = op->weights + o * in_group * kernel;
        for (int32_t row = 0; row < op->out_height; row++) {
            const int32_t top = row * op->stride_height - op->pad_top;
            const int32_t i_end = end_tap(top, op->dilation_height, op->kernel_height, op->in_height);
            for (int32_t column = 0; column < op->out_width; column++) {
                const int32_t left = column * op->stride_width - op->pad_left;
                const int32_t j_first = first_tap(left, op->dilation_width);
                const int32_t j_end = end_tap(left, op->dilation_width, op->kernel_width, op->in_width);
                int32_t sum = op->bias[o];
                for (int32_t c = 0; c < in_group; c++) {
                    for (int32_t i = first_tap(top, op->dilation_height); i < i_end; i++) {
                        const int32_t line = c * plane + (top + i * op->dilation_height) * op->in_width + left;
                        const int8_t *const taps = weights + c * kernel + i * op->kernel_width;
                        for (int32_t j = j_first; j < j_end; j++) {
                            sum += taps[j] * (channels[line + j * op->dilation_width] - op->in_zero);
                        }
                    }
                }
                *y++ = to_8_bits((float)sum * op->scale[o], op->out_zero, op->out_least, op->out_most);
            }
        }
    }
}

static int32_t dot(const struct coppice_dense *op, const int8_t *x, int32_t o)
{
    const int8_t *const weights = op->weights + o * op->in_features;
    int32_t sum = op->bias[o];
    for (int32_t k = 0; k < op->in_features; k++) sum += weights[k] * (x[k] - op->in_zero);
    return sum;
}

void coppice_dense(const struct coppice_dense *op, const int8_t *x, int8_t *y)
{
    for (int32_t row = 0; row < op->rows; row++, x += op->in_features) {
        for (int32_t o = 0; o < op->out_features; o++) {
            *y++ = to_8_bits((float)dot(op, x, o) * op->scale[o], op->out_zero, op->out_least, op->out_most);
        }
    }
}

void coppice_dense_float(const struct coppice_dense *op, const int8_t *x, float *y)
{
    for (int32_t row = 0; row < op->rows; row++, x += op->in_features) {
        for (int32_t o = 0; o < op->out_features; o++) *y++ = (float)dot(op, x, o) * op->scale[o];
    }
}

void coppice_lookup(const struct coppice_lookup *op, const int8_t *x, int8_t *y)
{
    for (int32_t k = 0; k < op->count; k++) y[k] = op->table[x[k] + 128];
}

static int32_t place(const int32_t stride[4], int32_t i, int32_t j, int32_t k, int32_t l)
{
    return i * stride[0] + j * stride[1] + k * stride[2] + l * stride[3];
}

void coppice_add(const struct coppice_binary *op, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t i = 0; i < op->extent[0]; i++)
    for (int32_t j = 0; j < op->extent[1]; j++)
    for (int32_t k = 0; k < op->extent[2]; k++)
    for (int32_t l = 0; l < op->extent[3]; l++) {
        const float left = (float)(a[place(op->a_stride, i, j, k, l)] - op->a_zero) * op->a_scale;
        const float right = (float)(b[place(op->b_stride, i, j, k, l)] - op->b_zero) * op->b_scale;
        const float sum = left + right;
        *y++ = to_8_bits(sum / op->out_scale, op->out_zero, op->out_least, op->out_most);
    }
}

void coppice_multiply(const struct coppice_binary *op, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t i = 0; i < op->extent[0]; i++)
    for (int32_t j = 0; j < op->extent[1]; j++)
    for (int32_t k = 0; k < op->extent[2]; k++)
    for (int32_t l = 0; l < op->extent[3]; l++) {
        const float left = (float)(a[place(op->a_stride, i, j, k, l)] - op->a_zero) * op->a_scale;
        const float right = (float)(b[place(op->b_stride, i, j, k, l)] - op->b_zero) * op->b_scale;
        const float product = left * right;
        *y++ = to_8_bits(product / op->out_scale, op->out_zero, op->out_least, op->out_most);
    }
}

void coppice_max_pool2d(const struct coppice_pool2d *op, const int8_t *x, int8_t *y)
{
    for (int32_t c = 0; c < op->channels; c++, x += op->in_height * op->in_width) {
        for (int32_t row = 0; row < op->out_height; row++) {
            for (int32_t column = 0; column < op->out_width; column++) {
                int8_t most = INT8_MIN;
                for (int32_t i = 0; i < op->kernel_height; i++) {
                    const int32_t h = row * op->stride_height - op->pad_top + i * op->dilation_height;
                    if (h < 0 || h >= op->in_height) continue;
                    for (int32_t j = 0; j < op->kernel_width; j++) {
                        const int32_t w = column * op->stride_width - op->pad_left + j * op->dilation_width;
                        if (w < 0 || w >= op->in_width) continue;
                        if (x[h * op->in_width + w] > most) most = x[h * op->in_width + w];
                    }
                }
                *y++ = most;
            }
        }
    }
}

void coppice_average_pool2d(const struct coppice_pool2d *op, const int8_t *x, int8_t *y)
{
    for (int32_t c = 0; c < op->channels; c++, x += op->in_height * op->in_width) {
        for (int32_t row = 0; row < op->out_height; row++) {
            for (int32_t column = 0; column < op->out_width; column++) {
                int32_t sum = 0;
                int32_t count = 0;
                for (int32_t i = 0; i < op->kernel_height; i++) {
                    const int32_t h = row * op->stride_height - op->pad_top + i * op->dilation_height;
                    for (int32_t j = 0; j < op->kernel_width; j++) {
                        const int32_t w = column * op->stride_width - op->pad_left + j * op->dilation_width;
                        if (h >= 0 && h < op->in_height && w >= 0 && w < op->in_width) {
                            sum += x[h * op->in_width + w] - op->in_zero;
                            count++;
                        } else if (op->count_padding && h < op->in_height + op->pad_bottom && w < op->in_width + op->pad_right) {
                            count++;
                        }
                    }
                }
                const float mean = (float)sum * op->in_scale / (float)(count > 0 ? count : 1);
                *y++ = to_8_bits(mean / op->out_scale, op->out_zero, op->out_least, op->out_most);
            }
        }
    }
}

void coppice_reduce_sum(const struct coppice_reduce *op, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < op->kept[0]; i++)
    for (int32_t j = 0; j < op->kept[1]; j++)
    for (int32_t k = 0; k < op->kept[2]; k++)
    for (int32_t l = 0; l < op->kept[3]; l++) {
        const int8_t *const from = x + place(op->stride, i, j, k, l);
        int32_t sum = 0;
        for (int32_t a = 0; a < op->reduced[0]; a++)
        for (int32_t b = 0; b < op->reduced[1]; b++)
        for (int32_t c = 0; c < op->reduced[2]; c++)
        for (int32_t d = 0; d < op->reduced[3]; d++) sum += from[place(op->stride, a, b, c, d)] - op->in_zero;
        const float value = (float)sum * op->in_scale / (float)op->divisor;
        *y++ = to_8_bits(value / op->out_scale, op->out_zero, op->out_least, op->out_most);
    }
}

void coppice_reduce_max(const struct coppice_reduce *op, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < op->kept[0]; i++)
    for (int32_t j = 0; j < op->kept[1]; j++)
    for (int32_t k = 0; k < op->kept[2]; k++)
    for (int32_t l = 0; l < op->kept[3]; l++) {
        const int8_t *const from = x + place(op->stride, i, j, k, l);
        int8_t most = INT8_MIN;
        for (int32_t a = 0; a < op->reduced[0]; a++)
        for (int32_t b = 0; b < op->reduced[1]; b++)
        for (int32_t c = 0; c < op->reduced[2]; c++)
        for (int32_t d = 0; d < op->reduced[3]; d++) {
            if (from[place(op->stride, a, b, c, d)] > most) most = from[place(op->stride, a, b, c, d)];
        }
        *y++ = most;
    }
}

void coppice_move(const struct coppice_move *op, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < op->extent[0]; i++)
    for (int32_t j = 0; j < op->extent[1]; j++)
    for (int32_t k = 0; k < op->extent[2]; k++)
    for (int32_t l = 0; l < op->extent[3]; l++) {
        y[op->to + place(op->to_stride, i, j, k, l)] = x[op->from + place(op->from_stride, i, j, k, l)];
    }
}

void coppice_fill(const struct coppice_fill *op, int8_t *y)
{
    for (int32_t k = 0; k < op->count; k++) y[k] = (int8_t)op->value;
}

void coppice_quantise(const struct coppice_quantise *op, const float *x, int8_t *y)
{
    for (int32_t row = 0; row < op->rows; row++) {
        for (int32_t column = 0; column < op->columns; column++) {
            *y++ = to_8_bits(x[row * op->row_stride + column * op->column_stride] / op->scale, op->zero, INT8_MIN, INT8_MAX);
        }
    }
}

void coppice_dequantise(const struct coppice_dequantise *op, const int8_t *x, float *y)
{
    for (int32_t k = 0; k < op->count; k++) y[k] = (float)(x[k] - op->zero) * op->scale;
}

void coppice_log_softmax(const struct coppice_softmax *op, const float *x, float *y)
{
    for (int32_t row = 0; row < op->rows; row++, x += op->classes, y += op->classes) {
        float most = x[0];
        for (int32_t k = 1; k < op->classes; k++) if (x[k] > most) most = x[k];
        float sum = 0.0f;
        for (int32_t k = 0; k < op->classes; k++) sum += expf(x[k] - most);
        const float logarithm = logf(sum);
        for (int32_t k = 0; k < op->classes; k++) y[k] = x[k] - most - logarithm;
    }
}
