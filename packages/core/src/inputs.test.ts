import { makeInitializer, makeModel, makeNode, makeValueInfo, type GraphParts } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { describeInputs } from './inputs.ts';

const describeGraph = (parts: Partial<GraphParts>) => describeInputs(makeModel({ opset: 17, graph: { inputs: [], outputs: [], nodes: [], ...parts } }));

describe('describeInputs', () => {
  it('tells fixed, named and nameless dimensions apart', () => {
    expect(describeGraph({ inputs: [makeValueInfo('x', 'float16', ['batch', 40, '', '?', -1]), makeValueInfo('s', 'int64', []), makeValueInfo('open', 'float32')] })).toEqual([
      { name: 'x', dtype: 'float16', dims: ['batch', 40, undefined, undefined, undefined] },
      { name: 's', dtype: 'int64', dims: [] },
      { name: 'open', dtype: 'float32', dims: undefined },
    ]);
  });

  it('leaves out inputs whose value the file brings along', () => {
    const specs = describeGraph({ inputs: [makeValueInfo('x', 'float32', [1]), makeValueInfo('w', 'float32', [1])], initializers: [makeInitializer('w', 'float32', [1], [0])] });
    expect(specs.map(({ name }) => name)).toEqual(['x']);
  });

  it('finds how many rows the tables have that an integer input looks up', () => {
    const [tokens, positions, plain] = describeGraph({
      inputs: [makeValueInfo('tokens', 'int64', ['batch', 'time']), makeValueInfo('positions', 'int32', ['time']), makeValueInfo('plain', 'int64', [1])],
      nodes: [
        makeNode({ op: 'Unsqueeze', inputs: ['tokens', 'axis'], outputs: ['t1'] }),
        makeNode({ op: 'Cast', inputs: ['t1'], outputs: ['t2'] }),
        makeNode({ op: 'Gather', inputs: ['embedding', 't2'], outputs: ['e'] }),
        makeNode({ op: 'DequantizeLinear', inputs: ['table8', 'scale'], outputs: ['table'] }),
        makeNode({ op: 'Gather', inputs: ['table', 'positions'], outputs: ['p'], attributes: { axis: -1 } }),
        makeNode({ op: 'Shape', inputs: ['plain'], outputs: ['s'] }),
        makeNode({ op: 'Gather', inputs: ['embedding', 's'], outputs: ['q'] }),
      ],
      initializers: [makeInitializer('embedding', 'float32', [29, 2], new Float32Array(58)), makeInitializer('table8', 'int8', [2, 13], new Int8Array(26)), makeInitializer('scale', 'float32', [], [1])],
    });
    expect([tokens, positions, plain].map(({ vocabulary }) => vocabulary)).toEqual([29, 13, undefined]);
  });
});
