import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeNpy, folderWithModel, removeFolders, run } from '../testing/command-line.ts';

afterAll(removeFolders);

/** Runs a command that must fail, and says what it left in the folder. */
async function failing(make: (given: ReturnType<typeof folderWithModel>) => string[]) {
  const given = folderWithModel();
  const words = make(given);
  const before = readdirSync(given.folder).toSorted();
  const outcome = await run(words);
  expect(readdirSync(given.folder).toSorted()).toEqual(before);
  return outcome;
}

const prune = (model: string, path: (name: string) => string, ...more: string[]): string[] => ['prune', model, '--macs', '0.5', '--out', path('slim.onnx'), ...more];

describe('bad input', () => {
  it.each<[string, string, (given: ReturnType<typeof folderWithModel>) => string[]]>([
    ['a missing file', 'COPPICE_FILE_NOT_FOUND', ({ path }) => prune(path('none.onnx'), path)],
    ['a folder', 'COPPICE_FILE_NOT_FOUND', ({ folder, path }) => prune(folder, path)],
    ['a truncated file', 'COPPICE_MODEL_MALFORMED', ({ model, path }) => {
      writeFileSync(path('half.onnx'), readFileSync(model).subarray(0, 3000));
      return prune(path('half.onnx'), path);
    }],
    ['a file of another kind', 'COPPICE_MODEL_MALFORMED', ({ path }) => {
      writeFileSync(path('text.onnx'), 'not a model');
      return prune(path('text.onnx'), path);
    }],
    ['an output folder that does not exist', 'COPPICE_FILE_WRITE', ({ model, path }) => ['prune', model, '--macs', '0.5', '--out', path('none/slim.onnx')]],
    ['the model as its own output', 'COPPICE_ARGUMENT_INVALID', ({ model }) => ['prune', model, '--macs', '0.5', '--out', model, '--force']],
    ['one name for model and plan', 'COPPICE_ARGUMENT_INVALID', ({ model, path }) => prune(model, path, '--plan', path('slim.onnx'))],
    ['no budget', 'COPPICE_BUDGET_INVALID', ({ model, path }) => ['prune', model, '--out', path('slim.onnx')]],
    ['a budget that cannot be reached', 'COPPICE_BUDGET_UNREACHABLE', ({ model, path }) => ['prune', model, '--macs', '0.001', '--out', path('slim.onnx')]],
    ['a budget over all', 'COPPICE_ARGUMENT_INVALID', ({ model, path }) => ['prune', model, '--macs', '1.5', '--out', path('slim.onnx')]],
    ['an unknown scorer', 'COPPICE_SCORER_UNKNOWN', ({ model, path }) => prune(model, path, '--scorer', 'magic')],
    ['an unknown group', 'COPPICE_GROUP_UNKNOWN', ({ model, path }) => prune(model, path, '--only', 'attention*')],
    ['an unknown backend', 'COPPICE_BACKEND_MISSING', ({ model, path }) => prune(model, path, '--backend', 'tpu')],
    ['an unknown policy', 'COPPICE_ARGUMENT_INVALID', ({ model, path }) => prune(model, path, '--norm', 'fuzzy')],
    ['an unknown option', 'COPPICE_ARGUMENT_INVALID', ({ model, path }) => prune(model, path, '--magic')],
    ['an unknown command', 'COPPICE_ARGUMENT_INVALID', () => ['purne']],
    ['an unknown dimension', 'COPPICE_INPUT_MISMATCH', ({ model, path }) => prune(model, path, '--dim', 'length=3')],
    ['a missing plugin', 'COPPICE_FILE_NOT_FOUND', ({ model, path }) => prune(model, path, '--plugin', path('none.ts'))],
    ['a missing input file', 'COPPICE_FILE_NOT_FOUND', ({ model, path }) => prune(model, path, '--input', path('none.npy'))],
    ['an input that is no array', 'COPPICE_INPUT_INVALID', ({ model, path }) => prune(model, path, '--input', model)],
    ['an input of another shape', 'COPPICE_INPUT_INVALID', ({ model, path }) => {
      writeFileSync(path('x.npy'), encodeNpy('<f4', [1, 20, 9], new Float32Array(180)));
      return prune(model, path, '--input', path('x.npy'));
    }],
    ['an input of another kind', 'COPPICE_INPUT_INVALID', ({ model, path }) => {
      writeFileSync(path('x.npy'), encodeNpy('<i8', [1, 20, 8], new BigInt64Array(160)));
      return prune(model, path, '--input', path('x.npy'));
    }],
    ['an input that the model does not have', 'COPPICE_INPUT_MISMATCH', ({ model, path }) => {
      writeFileSync(path('x.npy'), encodeNpy('<f4', [1, 20, 8], new Float32Array(160)));
      return prune(model, path, '--input', `audio=${path('x.npy')}`);
    }],
    ['a missing plan', 'COPPICE_FILE_NOT_FOUND', ({ model, path }) => ['verify', model, model, '--plan', path('none.json')]],
    ['a reference model of no layers', 'COPPICE_ARGUMENT_INVALID', ({ path }) => ['reference', '--layers', '0', '--out', path('ref.onnx')]],
    ['an existing reference model', 'COPPICE_FILE_EXISTS', ({ model }) => ['reference', '--out', model]],
  ])('%s is refused with %s, no stack and no file', async (_, code, make) => {
    const { code: exitCode, out, err } = await failing(make);
    expect(err).toMatch(new RegExp(`^error ${code}: `));
    expect(err).not.toMatch(/^\s+at /m);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
  });

  it('says the least that can be reached, and that much can be', async () => {
    const { model, path } = folderWithModel();
    const { err } = await run(['prune', model, '--macs', '0.001', '--out', path('slim.onnx')]);
    const [, least] = /Ask for at least (0\.\d+)/.exec(err)!;
    expect(await run(['prune', model, '--macs', least, '--out', path('slim.onnx')])).toMatchObject({ code: 0, err: '' });
  });

  it('is a JSON document where JSON was asked for', async () => {
    const { out } = await run(['inspect', '/none.onnx', '--json']);
    expect(JSON.parse(out)).toEqual({ error: { code: 'COPPICE_FILE_NOT_FOUND', message: expect.stringContaining('/none.onnx') } });
  });
});
