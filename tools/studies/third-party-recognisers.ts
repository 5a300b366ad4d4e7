/**
 * Writes the classifiers of ../shared/models that hear speech as recognisers that every command takes: the model as CTC of one frame, with its
 * description beside it.
 * Usage: node tools/studies/third-party-recognisers.ts MODELS OUT   (the folder with moonshine_spelling.onnx and honk_kws.onnx; where to)
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { nativeBackend } from '@coppice/backend-onnx';
import { writeModel } from '@coppice/graph/node';
import { writeDescription } from '@coppice/speech';
import { writeFileSync } from 'node:fs';
import { honkRecogniser, moonshineRecogniser, type Described } from './third-party/as-recogniser.ts';
import { openHonk } from './third-party/honk.ts';
import { openMoonshine } from './third-party/moonshine.ts';

const [models, out] = process.argv.slice(2);
if (!models || !out) throw new Error('Say where the models lie and where to write: node tools/studies/third-party-recognisers.ts ../shared/models recognisers');
mkdirSync(out, { recursive: true });
const recognisers: Readonly<Record<string, Described>> = {
  moonshine: moonshineRecogniser(await openMoonshine(join(models, 'moonshine_spelling.onnx'), nativeBackend())),
  honk: honkRecogniser(openHonk(join(models, 'honk_kws.onnx'))),
};
for (const [name, { model, description }] of Object.entries(recognisers)) {
  writeModel(model, join(out, `${name}.onnx`), { force: true });
  writeFileSync(join(out, `${name}.speech.json`), writeDescription(description));
  console.log(join(out, `${name}.onnx`));
}
