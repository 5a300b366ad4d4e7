#include "coppice_features.h"

#include <math.h>

#define HALF (COPPICE_FFT_SIZE / 2)
#define BINS (HALF + 1)

/* Which sample stands at a place outside of the clip; -1 for a zero. */
static int32_t outside(int32_t at)
{
#if COPPICE_EDGES == COPPICE_EDGES_ZEROS
    (void)at;
    return -1;
#elif COPPICE_EDGES == COPPICE_EDGES_REFLECT
    return at < 0 ? -at : 2 * (COPPICE_AUDIO_SAMPLES - 1) - at;
#else
    return at < 0 ? -at - 1 : 2 * (COPPICE_AUDIO_SAMPLES - 1) - at + 1;
#endif
}

static float sample_at(const int16_t *audio, int32_t at)
{
#if COPPICE_EMPHASIS_OVER_CLIP
    if (at > 0) return COPPICE_SAMPLE_SCALE * ((float)audio[at] - COPPICE_PREEMPHASIS * (float)audio[at - 1]);
#endif
    return COPPICE_SAMPLE_SCALE * (float)audio[at];
}

/* frame: [COPPICE_FFT_SIZE], windowed, filled up with zeros */
static void read_frame(const int16_t *audio, int32_t index, float *frame)
{
    const int32_t begin = COPPICE_FIRST_START + index * COPPICE_HOP;
    for (int32_t n = 0; n < COPPICE_WINDOW; n++) {
        int32_t at = begin + n;
        if (at < 0 || at >= COPPICE_AUDIO_SAMPLES) at = outside(at);
        frame[n] = at < 0 ? 0.0f : sample_at(audio, at);
    }
#if COPPICE_REMOVE_MEAN
    float sum = 0.0f;
    for (int32_t n = 0; n < COPPICE_WINDOW; n++) sum += frame[n];
    for (int32_t n = 0; n < COPPICE_WINDOW; n++) frame[n] -= sum / (float)COPPICE_WINDOW;
#endif
#if COPPICE_EMPHASIS_OVER_FRAME
    for (int32_t n = COPPICE_WINDOW - 1; n > 0; n--) frame[n] -= COPPICE_PREEMPHASIS * frame[n - 1];
    frame[0] -= COPPICE_PREEMPHASIS * frame[0];
#endif
    for (int32_t n = 0; n < COPPICE_WINDOW; n++) frame[n] *= coppice_window[n];
    for (int32_t n = COPPICE_WINDOW; n < COPPICE_FFT_SIZE; n++) frame[n] = 0.0f;
}

/*
 * The discrete Fourier transform of HALF complex numbers (real and imaginary part in turn), by Stockham's algorithm: no
 * bit reversal, two buffers. Returns the one with the result. Any length; the factors of it are in the table.
 */
static float *transform(float *from, float *to)
{
    int32_t length = HALF;
    int32_t stride = 1;
    for (int32_t f = 0; f < COPPICE_FFT_FACTORS; f++) {
        const int32_t radix = coppice_fft_factors[f];
        const int32_t part = length / radix;
        const int32_t step = COPPICE_FFT_SIZE / length;
        for (int32_t p = 0; p < part; p++) {
            for (int32_t k = 0; k < radix; k++) {
                float *const out = to + 2 * stride * (radix * p + k);
                for (int32_t q = 0; q < 2 * stride; q++) out[q] = 0.0f;
                for (int32_t j = 0; j < radix; j++) {
                    const float *const in = from + 2 * stride * (p + part * j);
                    const int32_t turn = (step * k * (j * part + p)) % COPPICE_FFT_SIZE;
                    const float c = coppice_cosines[turn];
                    const float s = coppice_sines[turn];
                    for (int32_t q = 0; q < 2 * stride; q += 2) {
                        out[q] += in[q] * c + in[q + 1] * s;
                        out[q + 1] += in[q + 1] * c - in[q] * s;
                    }
                }
            }
        }
        float *const swap = from;
        from = to;
        to = swap;
        length = part;
        stride *= radix;
    }
    return from;
}

/*
 * Powers (or magnitudes) of the real transform of `frame`, which is taken as HALF complex numbers: of their transform Z
 * comes X[k] = (Z[k] + Z*[HALF-k]) / 2 - i/2 exp(-2 pi i k / N) (Z[k] - Z*[HALF-k]).
 */
static void spectrum(float *frame, float *other, float *bins)
{
    const float *const z = transform(frame, other);
    for (int32_t k = 0; k < BINS; k++) {
        const float *const a = z + 2 * (k % HALF);
        const float *const b = z + 2 * ((HALF - k) % HALF);
        const float even_re = 0.5f * (a[0] + b[0]);
        const float even_im = 0.5f * (a[1] - b[1]);
        const float odd_re = 0.5f * (a[1] + b[1]);
        const float odd_im = 0.5f * (b[0] - a[0]);
        const float c = coppice_cosines[k];
        const float s = coppice_sines[k];
        const float re = even_re + odd_re * c + odd_im * s;
        const float im = even_im + odd_im * c - odd_re * s;
        bins[k] = re * re + im * im;
#if COPPICE_MAGNITUDES
        bins[k] = sqrtf(bins[k]);
#endif
    }
}

static void log_mel(const float *bins, float *logs)
{
    const float *weights = coppice_mel_weights;
    for (int32_t m = 0; m < COPPICE_MELS; m++) {
        float energy = 0.0f;
        for (int32_t n = 0; n < coppice_mel_lengths[m]; n++) energy += *weights++ * bins[coppice_mel_firsts[m] + n];
#if COPPICE_FLOOR_ADDS
        energy += COPPICE_FLOOR;
#else
        if (energy < COPPICE_FLOOR) energy = COPPICE_FLOOR;
#endif
        logs[m] = COPPICE_LOG_FACTOR * logf(energy);
    }
}

/* What one frame hands out of its logarithms. */
static void finish_frame(const float *logs, float *features)
{
#if COPPICE_CEPSTRA
    for (int32_t k = 0; k < COPPICE_FEATURES; k++) {
        float sum = 0.0f;
        for (int32_t m = 0; m < COPPICE_MELS; m++) sum += coppice_cosine_transform[k * COPPICE_MELS + m] * logs[m];
        features[k] = sum;
    }
#else
    for (int32_t k = 0; k < COPPICE_FEATURES; k++) features[k] = logs[k];
#endif
}

#if COPPICE_LIMITS_RANGE
/* Lifts what lies too far below the largest logarithm of the clip; needs all frames before the first is finished. */
static void limit_range(float *logs)
{
    float most = logs[0];
    for (int32_t k = 1; k < COPPICE_FRAMES * COPPICE_MELS; k++) if (logs[k] > most) most = logs[k];
    for (int32_t k = 0; k < COPPICE_FRAMES * COPPICE_MELS; k++) {
        if (logs[k] < most - COPPICE_DYNAMIC_RANGE) logs[k] = most - COPPICE_DYNAMIC_RANGE;
    }
}
#endif

static void normalise(float *features)
{
    for (int32_t column = 0; column < COPPICE_FEATURES; column++) {
#if COPPICE_NORMALISES == COPPICE_NORMALISES_CLIP
        /* From the first value on: a band without sound is constant, and its spread is epsilon alone, so its mean has to be exact. */
        const float first = features[column];
        float sum = 0.0f;
        for (int32_t t = 0; t < COPPICE_FRAMES; t++) sum += features[t * COPPICE_FEATURES + column] - first;
        const float mean = sum / (float)COPPICE_FRAMES;
        float spread = 1.0f;
#if COPPICE_DEVIATION_DIVISOR > 0
        float squares = 0.0f;
        for (int32_t t = 0; t < COPPICE_FRAMES; t++) {
            const float difference = features[t * COPPICE_FEATURES + column] - first - mean;
            squares += difference * difference;
        }
        spread = sqrtf(squares / (float)COPPICE_DEVIATION_DIVISOR) + COPPICE_DEVIATION_EPSILON;
#endif
#elif COPPICE_NORMALISES == COPPICE_NORMALISES_GLOBALLY
        const float first = 0.0f;
        const float mean = coppice_feature_mean[column];
        const float spread = coppice_feature_deviation[column];
#else
        const float first = 0.0f;
        const float mean = 0.0f;
        const float spread = 1.0f;
#endif
        for (int32_t t = 0; t < COPPICE_FRAMES; t++) {
            float *const value = features + t * COPPICE_FEATURES + column;
            *value = spread > 0.0f ? (*value - first - mean) / spread : 0.0f;
        }
    }
}

void coppice_features(const int16_t *audio, float *features, float *scratch)
{
    float *const frame = scratch;
    float *const other = frame + COPPICE_FFT_SIZE;
    float *const bins = other + COPPICE_FFT_SIZE;
    float *const logs = bins + BINS;
    for (int32_t t = 0; t < COPPICE_FRAMES; t++) {
        read_frame(audio, t, frame);
        spectrum(frame, other, bins);
#if COPPICE_LIMITS_RANGE
        log_mel(bins, features + t * COPPICE_MELS);
#else
        log_mel(bins, logs);
        finish_frame(logs, features + t * COPPICE_FEATURES);
#endif
    }
#if COPPICE_LIMITS_RANGE
    limit_range(features);
    for (int32_t t = 0; t < COPPICE_FRAMES; t++) {
        for (int32_t m = 0; m < COPPICE_MELS; m++) logs[m] = features[t * COPPICE_MELS + m];
        finish_frame(logs, features + t * COPPICE_FEATURES);
    }
#endif
    normalise(features);
}
