import { modelFeatures, type Audio, type ClipSize, type Features, type FeatureSettings } from '@coppice/speech';

/** Values that a setting may have elsewhere: the choices of the format, and what common toolkits use. */
function alternatives({ sampleRateHz }: FeatureSettings): Readonly<Record<string, readonly unknown[]>> {
  const half = sampleRateHz / 2;
  return {
    melScale: ['htk', 'slaney'],
    window: ['hann', 'hamming', 'povey', 'rectangular'],
    windowForm: ['periodic', 'symmetric'],
    framing: ['snip-edges', 'mirror-edges', 'center-zeros', 'center-reflect'],
    removeMean: [true, false],
    preemphasis: [0, 0.95, 0.97],
    preemphasisOver: ['clip', 'frame'],
    spectrum: ['power', 'magnitude'],
    triangles: ['hz', 'mel'],
    area: ['none', 'slaney'],
    log: ['ln', 'log10', 'db'],
    floorBy: ['max', 'add'],
    floor: [1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 2 ** -23, 2 ** -24],
    scale: [1, 32768],
    lowHz: [0, 20, 60, 64, 80, 125, 300],
    highHz: [half, half - 400, 0.95 * half, 3700, 3800, 7600, 8000].filter((hz) => hz <= half),
    windowMs: [16, 20, 25, 30, 32, 40, 64],
    hopMs: [5, 8, 10, 12, 12.5, 15, 16, 20],
    fftSize: [128, 256, 400, 512, 1024],
    dither: [0],
    normalisation: [{ type: 'none' }, ...['population', 'sample', 'none'].map((deviation) => ({ type: 'utterance', deviation, epsilon: 1e-5 }))],
  };
}

/**
 * Why features are not the expected ones: the one setting that, changed, gives them.
 * @param clip of a model that hears clips of one length
 * @returns a sentence, or undefined when no single setting does
 */
export function explainFeatures(audio: Audio, settings: FeatureSettings, isExpected: (features: Features) => boolean, clip?: ClipSize): string | undefined {
  const found = findSetting(audio, settings, isExpected, clip);
  return found && `The setting '${found.name}' of the features is wrong: it is ${JSON.stringify(found.now)}, and with ${JSON.stringify(found.value)} the features are the expected ones.`;
}

/** The one setting that, changed to `value`, gives the expected features; undefined when no single one does. */
export function findSetting(audio: Audio, settings: FeatureSettings, isExpected: (features: Features) => boolean, clip?: ClipSize): { readonly name: string; readonly now: unknown; readonly value: unknown } | undefined {
  for (const [name, values] of Object.entries(alternatives(settings))) {
    const now = settings[name as keyof FeatureSettings];
    for (const value of values) {
      if (JSON.stringify(value) === JSON.stringify(now)) continue;
      const changed = { ...settings, [name]: value } as FeatureSettings;
      // What triangles are straight in is what the type says.
      const settled = name !== 'triangles' || changed.type === 'mfcc' ? changed : ({ ...changed, type: value === 'mel' ? 'fbank' : 'log-mel' } as FeatureSettings);
      if (matches(audio, settled, isExpected, clip)) return { name, now, value };
    }
  }
  return undefined;
}

function matches(audio: Audio, settings: FeatureSettings, isExpected: (features: Features) => boolean, clip: ClipSize | undefined): boolean {
  try {
    return isExpected(modelFeatures(audio, { features: settings, clip }));
  } catch {
    // A value that does not go with the others is no explanation.
    return false;
  }
}
