#include "read_audio.h"

#include <string.h>

static uint32_t little_endian(const unsigned char *bytes, int count)
{
    uint32_t value = 0;
    for (int k = count - 1; k >= 0; k--) value = value << 8 | bytes[k];
    return value;
}

static int16_t as_sample(const unsigned char *bytes)
{
    const int32_t value = (int32_t)little_endian(bytes, 2);
    return (int16_t)(value >= 32768 ? value - 65536 : value);
}

const char *coppice_read_audio(FILE *file, int16_t *audio, int32_t samples, int32_t sample_rate_hz)
{
    unsigned char bytes[16];
    int32_t count = 0;
    uint32_t left = UINT32_MAX;
    const size_t head = fread(bytes, 1, 12, file);

    if (head == 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WAVE", 4) == 0) {
        int described = 0;
        for (;;) {
            if (fread(bytes, 1, 8, file) != 8) return "The WAV file ends before its samples.";
            const uint32_t length = little_endian(bytes + 4, 4);
            if (memcmp(bytes, "data", 4) == 0) {
                if (!described) return "The WAV file has samples before it says what they are.";
                left = length;
                break;
            }
            uint32_t skip = length + (length & 1u);
            if (memcmp(bytes, "fmt ", 4) == 0 && length >= 16) {
                if (fread(bytes, 1, 16, file) != 16) return "The WAV file is cut off.";
                if (little_endian(bytes, 2) != 1 || little_endian(bytes + 2, 2) != 1 || little_endian(bytes + 14, 2) != 16) return "The WAV file is not PCM of 16 bits with one channel.";
                if (little_endian(bytes + 4, 4) != (uint32_t)sample_rate_hz) return "The WAV file has another sample rate than the model.";
                described = 1;
                skip -= 16;
            }
            for (; skip > 0; skip--) if (fgetc(file) == EOF) return "The WAV file is cut off.";
        }
    } else {
        for (size_t k = 0; k + 1 < head && count < samples; k += 2) audio[count++] = as_sample(bytes + k);
    }
    for (; count < samples && left >= 2 && fread(bytes, 1, 2, file) == 2; left -= 2) audio[count++] = as_sample(bytes);
    for (; count < samples; count++) audio[count] = 0;
    return NULL;
}
