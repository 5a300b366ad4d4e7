#ifndef COPPICE_FEATURES_H
#define COPPICE_FEATURES_H

#include "coppice_feature_tables.h"

#include <stdint.h>

/*
 * Features of one clip, as the model was trained on them, in float.
 *
 * audio:    [COPPICE_AUDIO_SAMPLES], 16 bits, mono, COPPICE_SAMPLE_RATE_HZ
 * features: [COPPICE_FRAMES, COPPICE_FEATURES]; room for COPPICE_FEATURE_FLOATS numbers
 * scratch:  [COPPICE_FEATURE_SCRATCH_FLOATS]
 */
void coppice_features(const int16_t *audio, float *features, float *scratch);

#endif
