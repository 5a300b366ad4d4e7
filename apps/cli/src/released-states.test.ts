import { graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, type Model } from '@coppice/graph';
import { readModel, writeModel } from '@coppice/graph/node';
import { createRandom } from '@coppice/core';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RELEASED_KEY, releasedShapes } from './released-states.ts';
import { newFolder, removeFolders, run } from './testing/command-line.ts';

afterAll(removeFolders);

const HIDDEN = 6;

/** A streaming GRU over frames of 3 features, its state among inputs and outputs, and a dense layer to 2. */
function streamingModel(): Model {
  const random = createRandom('streaming');
  const weight = (name: string, dims: readonly number[]) => makeInitializer(name, 'float32', dims, Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.normal() / 2));
  return makeModel({ opset: 17, graph: {
    inputs: [makeValueInfo('x', 'float32', ['time', 'batch', 3]), makeValueInfo('state', 'float32', [1, 'batch', HIDDEN])],
    outputs: [makeValueInfo('y', 'float32', ['time', 'batch', 2]), makeValueInfo('new_state', 'float32', [1, 'batch', HIDDEN])],
    nodes: [
      makeNode({ op: 'GRU', name: 'gru', inputs: ['x', 'gru.W', 'gru.R', 'gru.B', '', 'state'], outputs: ['all', 'new_state'], attributes: { hidden_size: HIDDEN } }),
      makeNode({ op: 'Squeeze', inputs: ['all', 'one'], outputs: ['h'] }),
      makeNode({ op: 'MatMul', name: 'dense', inputs: ['h', 'dense.weight'], outputs: ['y'] }),
    ],
    initializers: [weight('gru.W', [1, 3 * HIDDEN, 3]), weight('gru.R', [1, 3 * HIDDEN, HIDDEN]), weight('gru.B', [1, 6 * HIDDEN]), weight('dense.weight', [HIDDEN, 2]), makeInitializer('one', 'int64', [1], [1])],
  } });
}

function streamingFile(): { model: string; path: (name: string) => string } {
  const folder = newFolder();
  const path = (name: string): string => join(folder, name);
  writeModel(streamingModel(), path('model.onnx'));
  return { model: path('model.onnx'), path };
}

describe('a recurrent state', () => {
  it('freezes its layer, and the reason names both ends and the way out', async () => {
    const { out } = await run(['inspect', streamingFile().model]);
    expect(out).toMatch(/Nothing can be pruned/);
    expect(out.replaceAll(/\s+/g, ' ')).toMatch(/gru output \(6\).*because of (x, )?state, (y, )?new_state/);
    expect(out).toContain('--release');
  });

  it('becomes narrower when it is released, and the new shapes are printed and in the metadata', async () => {
    const { model, path } = streamingFile();
    const { code, out, err } = await run(['prune', model, '--group', 'gru=0.5', '--release', '*state', '--out', path('slim.onnx')]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/states +state is now \[1, batch, 3\], new_state is now \[1, batch, 3\]/);
    const slim = readModel(path('slim.onnx'));
    expect(JSON.parse(slim.proto.metadataProps.find(({ key }) => key === RELEASED_KEY)!.value)).toEqual({ state: [1, 'batch', 3], new_state: [1, 'batch', 3] });
    expect(releasedShapes(readModel(model), slim)).toEqual({ state: [1, 'batch', 3], new_state: [1, 'batch', 3] });
    expect(graphOf(slim).input.map(({ name }) => name)).toEqual(['x', 'state']);
    expect((await run(['verify', model, path('slim.onnx')])).code).toBe(0);
    expect((await run(['bench', model, path('slim.onnx'), '--runs', '5', '--dim', 'time=9', '--json'])).code).toBe(0);
  });

  it('that is released at one end only stays, and a model that did not change has no note', async () => {
    const { model, path } = streamingFile();
    expect(await run(['prune', model, '--macs', '0.5', '--release', 'state', '--out', path('slim.onnx')])).toMatchObject({ code: 2, err: expect.stringContaining('COPPICE_BUDGET_UNREACHABLE') });
    expect(releasedShapes(streamingModel(), streamingModel())).toEqual({});
  });
});
