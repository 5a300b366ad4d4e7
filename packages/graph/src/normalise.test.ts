import { describe, expect, it } from 'vitest';
import { float, type AttributeInput } from './attribute-values.ts';
import { makeGraph, makeNode, withFields } from './edit.ts';
import { AttributeProto_AttributeType } from './gen/onnx_pb.js';
import { normaliseNode } from './normalise.ts';
import type { NormalNode, Operand } from './normalise.ts';

/** Normalises `op(a, b, …)` with so many inputs; a `$` in front of an input's name makes it a constant of its number. */
function normal(op: string, opset: number, inputs: readonly string[], attributes: Record<string, AttributeInput> = {}, outputs: readonly string[] = ['y'], domain = ''): NormalNode {
  const node = makeNode({ op, domain, inputs, outputs, attributes });
  return normaliseNode(node, opset, (name) => (name.startsWith('$') ? { dtype: 'int64', dims: [1], values: [Number(name.slice(1))] } : undefined));
}

/** Operands as text: `x`, `$2=2`, `axes:[0,2]` for numbers from an attribute, `-` for an absent one. */
const operands = ({ operands }: NormalNode): string => operands.map(text).join(' ');
const text = (operand: Operand | undefined): string => {
  if (!operand) return '-';
  if (operand.value === undefined) return `${operand.source.name}:[${operand.constant.join(',')}]`;
  return operand.constant ? `${operand.value}=${operand.constant.join(',')}` : operand.value;
};

describe('normaliseNode: attributes that became inputs', () => {
  it.each([
    ['Squeeze', 11, { axes: [0, -1] }, 'x axes:[0,-1]'],
    ['Unsqueeze', 1, { axes: [1] }, 'x axes:[1]'],
    ['Reshape', 4, { shape: [0, -1] }, 'x shape:[0,-1]'],
    ['Slice', 9, { starts: [0], ends: [9], axes: [1] }, 'x starts:[0] ends:[9] axes:[1]'],
    ['Slice', 1, { starts: [0], ends: [9] }, 'x starts:[0] ends:[9]'],
    ['Pad', 10, { pads: [0, 1, 0, 1], value: float(2) }, 'x pads:[0,1,0,1] value:[2]'],
    ['Pad', 1, { paddings: [0, 1] }, 'x paddings:[0,1]'],
    ['Clip', 6, { min: float(0), max: float(6) }, 'x min:[0] max:[6]'],
    ['Clip', 6, { max: float(6) }, 'x - max:[6]'],
    ['Dropout', 7, { ratio: float(0.5) }, 'x ratio:[0.5]'],
    ['ReduceSum', 11, { axes: [2] }, 'x axes:[2]'],
    ['ReduceMean', 17, { axes: [2] }, 'x axes:[2]'],
    ['TopK', 9, { k: 5 }, 'x k:[5]'],
    ['Split', 12, { split: [1, 2] }, 'x split:[1,2]'],
    ['DFT', 17, { axis: 2 }, 'x - axis:[2]'],
    ['DFT', 17, {}, 'x - axis:[1]'],
    ['Upsample', 8, { scales: float([1, 1, 2, 2]) }, 'x - scales:[1,1,2,2]'],
    ['Upsample', 1, { height_scale: float(2), width_scale: float(3) }, 'x - height_scale:[1,1,2,3]'],
  ])('%s of opset %i', (op, opset, attributes: Record<string, AttributeInput>, expected) => {
    const node = normal(op, opset, ['x'], attributes);
    expect(operands(node)).toBe(expected);
    for (const name of Object.keys(attributes)) expect(node.attributes).not.toHaveProperty(name);
  });

  it('says where surgery has to rewrite each operand', () => {
    expect(normal('Slice', 9, ['x'], { starts: [0], ends: [4] }).operands[2]).toEqual({ constant: [4], source: { kind: 'attribute', name: 'ends' } });
    expect(normal('Slice', 13, ['x', '$0', '$4']).operands[2]).toEqual({ value: '$4', constant: [4], source: { kind: 'input', index: 2 } });
    expect(normal('Pad', 1, ['x'], { paddings: [1, 1] }).operands[1]?.source).toEqual({ kind: 'attribute', name: 'paddings' });
    expect(normal('Resize', 10, ['x', '$2']).operands[2]?.source).toEqual({ kind: 'input', index: 1 });
  });

  it('leaves the form of today alone', () => {
    expect(operands(normal('Clip', 13, ['x', '', '$6']))).toBe('x - $6=6');
    expect(operands(normal('Squeeze', 13, ['x', '$1']))).toBe('x $1=1');
    expect(operands(normal('Squeeze', 13, ['x']))).toBe('x');
  });

  it('reads "to the end" of an old Slice, which no double holds exactly', () => {
    expect(normal('Slice', 9, ['x'], { starts: [1], ends: [2n ** 63n - 1n] }).operands[2]?.constant).toEqual([2 ** 63]);
  });
});

describe('normaliseNode: attributes', () => {
  it('fills in the defaults of the newest form', () => {
    expect(normal('Conv', 11, ['x', 'w'], { group: 2 }).attributes).toEqual({ auto_pad: 'NOTSET', group: 2 });
    expect(normal('LSTM', 7, ['x', 'w', 'r'], { hidden_size: 3 }).attributes).toEqual({ hidden_size: 3, direction: 'forward', input_forget: 0, layout: 0 });
  });

  it.each([
    ['Concat', 1, 1], ['Softmax', 12, 1], ['Softmax', 13, -1], ['LogSoftmax', 11, 1], ['Hardmax', 13, -1], ['Split', 1, 0], ['ArgMax', 1, 0],
  ])('takes the default axis that %s had in opset %i', (op, opset, axis) => {
    expect(normal(op, opset, ['x']).attributes.axis).toBe(axis);
  });

  it('gives Split as many parts as it has outputs where nothing else says so', () => {
    expect(normal('Split', 13, ['x'], {}, ['a', 'b', 'c']).attributes.num_outputs).toBe(3);
    expect(normal('Split', 13, ['x', '$1'], {}, ['a', 'b']).attributes.num_outputs).toBeUndefined();
    expect(normal('Split', 11, ['x'], { split: [1, 2] }, ['a', 'b']).attributes.num_outputs).toBeUndefined();
  });

  it('reads the data type of an old Cast by its name', () => {
    expect(normal('Cast', 1, ['x'], { to: 'FLOAT16' }).attributes.to).toBe(10);
  });

  it('drops what was withdrawn', () => {
    expect(normal('BatchNormalization', 6, ['x', 's', 'b', 'm', 'v'], { is_test: 1, spatial: 1, consumed_inputs: [0, 0] }).attributes).toEqual({ epsilon: 1e-5, momentum: 0.9, training_mode: 0 });
    expect(normal('GRU', 1, ['x', 'w', 'r'], { output_sequence: 1 }).attributes.output_sequence).toBeUndefined();
  });

  it('takes more than one result of an old BatchNormalization for training', () => {
    expect(normal('BatchNormalization', 9, ['x', 's', 'b', 'm', 'v'], {}, ['y', 'mean', 'var']).attributes.training_mode).toBe(1);
    expect(normal('BatchNormalization', 9, ['x', 's', 'b', 'm', 'v'], {}, ['y', '', '']).attributes.training_mode).toBe(0);
  });

  it('reads attributes without a stated type, as in files of 2017', () => {
    const node = makeNode({ op: 'Conv', inputs: ['x', 'w'], outputs: ['y'], attributes: { pads: [1, 1], group: 1 } });
    const untyped = withFields(node, { attribute: node.attribute.map((a) => withFields(a, { type: AttributeProto_AttributeType.UNDEFINED })) });
    expect(normaliseNode(untyped, 1, () => undefined).attributes).toMatchObject({ pads: [1, 1], group: 1 });
  });

  it('keeps bodies as they are', () => {
    const body = makeGraph({ inputs: [], outputs: [], nodes: [] });
    expect(normal('If', 16, ['c'], { then_branch: body, else_branch: body }).attributes.then_branch).toBe(body);
  });

  it('fills in the defaults of ONNX Runtime, and leaves an unknown operator alone', () => {
    expect(normal('FusedMatMul', 1, ['a', 'b'], {}, ['y'], 'com.microsoft').attributes.alpha).toBe(1);
    expect(normal('Mystery', 1, ['a'], { knob: 3 }, ['y'], 'com.example')).toMatchObject({ op: 'Mystery', domain: 'com.example', attributes: { knob: 3 } });
  });
});

describe('normaliseNode: operators that another one replaced', () => {
  it('calls Scatter ScatterElements and Upsample Resize', () => {
    expect(normal('Scatter', 9, ['x', 'i', 'u']).op).toBe('ScatterElements');
    const upsample = normal('Upsample', 9, ['x', '$2'], { mode: 'linear' });
    expect(upsample).toMatchObject({ op: 'Resize', attributes: { mode: 'linear', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' } });
    expect(operands(upsample)).toBe('x - $2=2');
  });

  it('takes `ai.onnx` for the default domain', () => {
    expect(normal('Relu', 14, ['x'], {}, ['y'], 'ai.onnx').domain).toBe('');
  });
});

describe('normaliseNode: what the newest form cannot say', () => {
  it.each([
    ['Softmax', 12, {}, { flattenFrom: 1 }],
    ['Softmax', 11, { axis: 2 }, { flattenFrom: 2 }],
    ['Softmax', 11, { axis: -1 }, {}],
    ['Softmax', 13, { axis: 1 }, {}],
    ['Add', 6, { broadcast: 1, axis: 1 }, { alignAt: 1 }],
    ['Add', 6, { broadcast: 1 }, {}],
    ['Mul', 7, {}, {}],
    ['PRelu', 6, {}, { alignAt: 1 }],
    ['BatchNormalization', 8, { spatial: 0 }, { spatial: false }],
    ['GroupNormalization', 18, { num_groups: 2 }, { scalePer: 'group' }],
    ['GroupNormalization', 21, { num_groups: 2 }, {}],
  ])('%s of opset %i', (op, opset, attributes: Record<string, AttributeInput>, legacy) => {
    expect(normal(op, opset, ['x', 'z'], attributes).legacy).toEqual(legacy);
  });

  it('Tile of opset 1 repeats one axis', () => {
    const tile = normal('Tile', 1, ['x', '$3', '$2']);
    expect([operands(tile), tile.legacy]).toEqual(['x $3=3', { tileAxis: 2 }]);
  });

  it('Scan of opset 8 has lengths in front and a batch axis', () => {
    const scan = normal('Scan', 8, ['', 'state', 'x'], { num_scan_inputs: 1, directions: [1] });
    expect([operands(scan), scan.legacy, scan.attributes]).toEqual(['state x', { batched: true }, { num_scan_inputs: 1, scan_input_directions: [1] }]);
  });
});
