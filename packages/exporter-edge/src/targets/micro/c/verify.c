/* Recognises the golden clips again and compares. Run it in the folder of the bundle: make verify. */
#include "golden_clips.h"
#include "read_audio.h"
#include "recognise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int16_t audio[COPPICE_AUDIO_SAMPLES];

static int read_clip(const char *path)
{
    FILE *const file = fopen(path, "rb");
    const char *const fault = file == NULL ? "It cannot be opened." : coppice_read_audio(file, audio, COPPICE_AUDIO_SAMPLES, COPPICE_SAMPLE_RATE_HZ);
    if (file != NULL) fclose(file);
    if (fault != NULL) fprintf(stderr, "%s: %s\n", path, fault);
    return fault == NULL;
}

/* Little-endian, whatever the machine's own order. */
static int read_float(FILE *file, float *value)
{
    unsigned char bytes[4];
    if (fread(bytes, 1, 4, file) != 4) return 0;
    const uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    memcpy(value, &bits, 4);
    return 1;
}

/* Largest |difference| / max(1, |expected|); -1 when the file cannot be read. */
static float difference(const char *path, const float *values, int32_t count)
{
    FILE *const file = fopen(path, "rb");
    float largest = 0.0f;
    if (file == NULL) return -1.0f;
    for (int32_t k = 0; k < count; k++) {
        float expected;
        if (!read_float(file, &expected)) {
            fclose(file);
            return -1.0f;
        }
        const float size = fabsf(expected) > 1.0f ? fabsf(expected) : 1.0f;
        const float relative = fabsf(values[k] - expected) / size;
        if (!(relative <= largest)) largest = relative == relative ? relative : INFINITY;
    }
    fclose(file);
    return largest;
}

static int within(const char *path, const char *what, float found, float tolerance)
{
    if (found >= 0.0f && found <= tolerance) return 1;
    if (found < 0.0f) fprintf(stderr, "%s: cannot be read, or is too short\n", path);
    else fprintf(stderr, "%s: %s differ by up to %g (tolerance %g)\n", path, what, (double)found, (double)tolerance);
    return 0;
}

static int check(const struct golden_clip *clip)
{
    float scores[COPPICE_CLASSES];
    if (!read_clip(clip->audio)) return 0;
    if (!within(clip->features, "features", difference(clip->features, coppice_hear(audio), COPPICE_MODEL_FRAMES * COPPICE_FEATURES), COPPICE_FEATURE_TOLERANCE)) return 0;
    const int32_t best = coppice_recognise(audio, scores);
    if (!within(clip->log_probs, "log-probabilities", difference(clip->log_probs, scores, COPPICE_CLASSES), COPPICE_LOG_PROB_TOLERANCE)) return 0;
    if (strcmp(coppice_labels[best], clip->label) == 0) return 1;
    fprintf(stderr, "%s: '%s' was recognised, and '%s' was expected\n", clip->audio, coppice_labels[best], clip->label);
    return 0;
}

/* For programs: features and scores of a clip as this machine's floats. */
static int dump(const char *path)
{
    float scores[COPPICE_CLASSES];
    if (!read_clip(path)) return 1;
    fwrite(coppice_hear(audio), sizeof(float), COPPICE_MODEL_FRAMES * COPPICE_FEATURES, stdout);
    coppice_recognise(audio, scores);
    fwrite(scores, sizeof(float), COPPICE_CLASSES, stdout);
    return 0;
}

int main(int count, char **words)
{
    int faults = 0;
    if (count == 3 && strcmp(words[1], "--dump") == 0) return dump(words[2]);
    if (count == 2 && strcmp(words[1], "--labels") == 0) {
        for (int32_t k = 0; k < COPPICE_CLASSES; k++) fwrite(coppice_labels[k], 1, strlen(coppice_labels[k]) + 1, stdout);
        return 0;
    }
    for (int k = 0; k < COPPICE_GOLDEN_CLIPS; k++) if (!check(&golden_clips[k])) faults++;
    if (faults == 0) printf("%d golden clips are recognised as at the export\n", COPPICE_GOLDEN_CLIPS);
    return faults > 0;
}
