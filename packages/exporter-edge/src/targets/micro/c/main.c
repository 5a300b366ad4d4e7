/* Recognises a WAV file or raw samples (16 bits, little-endian, mono) from standard input. */
#include "read_audio.h"
#include "recognise.h"

#include <math.h>
#include <stdio.h>

int main(void)
{
    static int16_t audio[COPPICE_AUDIO_SAMPLES];
    float scores[COPPICE_CLASSES];
    const char *const fault = coppice_read_audio(stdin, audio, COPPICE_AUDIO_SAMPLES, COPPICE_SAMPLE_RATE_HZ);
    if (fault != NULL) {
        fprintf(stderr, "%s\n", fault);
        return 1;
    }
    const int32_t best = coppice_recognise(audio, scores);
    printf("%s %.3f\n", coppice_labels[best], (double)expf(scores[best]));
    return 0;
}
