import { graphOf, makeValueInfo, withFields } from '@coppice/graph';
import { writeModel } from '@coppice/graph/node';
import { writeDescription } from '@coppice/speech';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { newFolder, removeFolders } from '../testing/command-line.ts';
import { smallRecogniser } from '../testing/speech.ts';
import { descriptionPath, readRecogniser, writeRecogniser } from './recogniser.ts';

afterAll(removeFolders);

const recogniser = smallRecogniser();
let path: string;

beforeEach(async () => {
  path = join(newFolder(), 'model.onnx');
  await writeRecogniser(recogniser, path, false);
});

const describeAs = (change: object): void => writeFileSync(descriptionPath(path), writeDescription({ ...recogniser.description, ...change }));
const refused = (code: string, words: RegExp) => expect.objectContaining({ code, message: expect.stringMatching(words) });

describe('a recogniser in files', () => {
  it('is read as it was written', () => {
    expect(readRecogniser(path).description).toEqual(recogniser.description);
  });

  it('is replaced only when that was asked for, both files or none', async () => {
    const before = [path, descriptionPath(path)].map((file) => readFileSync(file));
    await expect(writeRecogniser(smallRecogniser({ seed: 1 }), path, false)).rejects.toThrow(refused('COPPICE_FILE_EXISTS', /--force/));
    expect([path, descriptionPath(path)].map((file) => readFileSync(file))).toEqual(before);
    const fresh = join(newFolder(), 'other.onnx');
    writeFileSync(descriptionPath(fresh), 'mine');
    await expect(writeRecogniser(recogniser, fresh, false)).rejects.toThrow(refused('COPPICE_FILE_EXISTS', /other\.speech\.json/));
    expect(existsSync(fresh)).toBe(false);
  });

  it('needs a description, and the message says where one is explained', () => {
    expect(() => readRecogniser(path, `${path}.json`)).toThrow(refused('COPPICE_FILE_NOT_FOUND', /docs\/speech-description\.md/));
    expect(existsSync(join(import.meta.dirname, '../../../../docs/speech-description.md'))).toBe(true);
  });

  it('with a description that is no JSON or of another form is refused', () => {
    writeFileSync(descriptionPath(path), '{ "format": ');
    expect(() => readRecogniser(path)).toThrow(refused('COPPICE_DESCRIPTION_INVALID', /model\.speech\.json is not JSON/));
    describeAs({ frameStride: 0 });
    expect(() => readRecogniser(path)).toThrow(refused('COPPICE_DESCRIPTION_INVALID', /\/frameStride/));
  });

  it('that wants more than features is refused', () => {
    const { model } = recogniser;
    const graph = graphOf(model);
    writeModel({ ...model, proto: withFields(model.proto, { graph: withFields(graph, { input: [...graph.input, makeValueInfo('lengths', 'int64', ['batch'])] }) }) }, path, { force: true });
    expect(() => readRecogniser(path)).toThrow(refused('COPPICE_DESCRIPTION_INVALID', /also wants 'lengths'/));
  });

  it.each([
    [{ input: 'audio' }, /names the input 'audio'.*has 'features'/],
    [{ output: 'probs' }, /names the output 'probs'.*has 'log_probs'/],
    [{ features: { ...recogniser.description.features, mels: 9 } }, /9 features.*8/],
    [{ tokens: [...recogniser.description.tokens, 'ten'] }, /12 tokens.*11 classes/],
    [{ inputAxes: 'batch 1 time feature' }, /4 axes.*3/],
  ])('whose description does not fit the model is refused: %o', (change, words) => {
    describeAs(change);
    expect(() => readRecogniser(path)).toThrow(refused('COPPICE_DESCRIPTION_INVALID', words));
  });
});
