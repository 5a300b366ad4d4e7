import type { Model } from '@coppice/graph';
import type { SpeechDescription } from '@coppice/speech';
import type { GoldenRecord } from '../../manifest.ts';
import { fixedSource, fixedSources } from './c-sources.ts';
import { cFloat, cString } from './c-text.ts';
import { modelHeader, modelSource, planMemory, recogniseHeader, recogniseSource, tableBytes } from './emit.ts';
import { featureRefusals, featureSizes, featureTables } from './feature-tables.ts';
import { lowerModel } from './lower.ts';
import type { MicroProgram } from './program.ts';

/** What a model needs on a device. */
export interface Footprint {
  /** Of the one arena. */
  readonly arenaBytes: number;
  /** Constant data of the model in flash; code and the tables of the features come on top. */
  readonly weightBytes: number;
  /** Samples of a clip, which the caller holds. */
  readonly samples: number;
}

/** Everything that keeps a quantised model from C, a sentence each; else the program. */
export function programOf(model: Model, speech: SpeechDescription): MicroProgram | { readonly refusals: readonly string[] } {
  const [features, program] = [featureRefusals(speech), lowerModel(model, speech)];
  return features.length > 0 ? { refusals: [...features, ...('refusals' in program ? program.refusals : [])] } : program;
}

export function footprintOf(program: MicroProgram, speech: SpeechDescription): Footprint {
  return { arenaBytes: planMemory(program, speech).bytes, weightBytes: tableBytes(program), samples: featureSizes(speech).samples };
}

/** The C files of a bundle by their names: the same model and description give the same bytes. */
export function cSources(program: MicroProgram, speech: SpeechDescription, golden: Pick<GoldenRecord, 'clips' | 'tolerance'>): ReadonlyMap<string, string> {
  const plan = planMemory(program, speech);
  const tables = featureTables(speech);
  const labels = speech.tokens.slice(0, program.output.classes);
  return new Map([
    ...fixedSources.map((name) => [name, fixedSource(name)] as const),
    ['coppice_feature_tables.h', tables.header], ['coppice_feature_tables.c', tables.source],
    ['model.h', modelHeader(program, plan)], ['model.c', modelSource(program, plan)],
    ['recognise.h', recogniseHeader], ['recognise.c', recogniseSource(labels)],
    ['golden_clips.h', goldenClips(speech, golden)],
  ]);
}

/** Labels of the clips are what the decoder gave: no text is the blank. */
function goldenClips({ tokens, blank }: SpeechDescription, { clips, tolerance }: Pick<GoldenRecord, 'clips' | 'tolerance'>): string {
  const row = ({ audio, features, logProbs, text }: GoldenRecord['clips'][number]): string => `    { ${[audio, features.path, logProbs.path, text === '' ? tokens[blank] : text].map(cString).join(', ')} },`;
  return [
    '/* Only for verify.c. */', `#define COPPICE_FEATURE_TOLERANCE ${cFloat(tolerance.features)}`, `#define COPPICE_LOG_PROB_TOLERANCE ${cFloat(tolerance.logProbs)}`, `#define COPPICE_GOLDEN_CLIPS ${clips.length}`, '',
    'static const struct golden_clip {', '    const char *audio, *features, *log_probs, *label;', '} golden_clips[] = {', ...clips.map(row), '};', '',
  ].join('\n');
}
