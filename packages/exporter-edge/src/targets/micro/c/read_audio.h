#ifndef COPPICE_READ_AUDIO_H
#define COPPICE_READ_AUDIO_H

#include <stdint.h>
#include <stdio.h>

/*
 * Reads a WAV file (PCM, 16 bits, mono) or raw samples (16 bits, little-endian) into `audio`; what is missing in the end
 * becomes silence, and what is too much is left. Returns NULL, or a sentence about what is wrong. For computers: a device
 * hands its samples to coppice_recognise itself.
 */
const char *coppice_read_audio(FILE *file, int16_t *audio, int32_t samples, int32_t sample_rate_hz);

#endif
