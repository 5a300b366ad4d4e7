import { describe, expect, expectTypeOf, it } from 'vitest';
import { contribOperators } from './contrib-operators.ts';
import { newestOpset, operators, schemaOf } from './operators.ts';
import type { Attributes } from './operators.ts';
import type { OperatorSchema } from './operator-schema.ts';

const rows: (readonly [string, OperatorSchema])[] = Object.entries({ ...operators, ...Object.fromEntries(Object.entries(contribOperators).map(([name, row]) => [`com.microsoft.${name}`, row])) });

describe('the operator tables', () => {
  it('have the 203 operators that the default domain ever had, two of them withdrawn, up to opset 28', () => {
    expect(Object.keys(operators)).toHaveLength(203);
    expect(rows.filter(([, row]) => row.deprecated).map(([name]) => name)).toEqual(['Scatter', 'Upsample']);
    expect(Math.max(...rows.flatMap(([, row]) => row.since))).toBe(newestOpset);
  });

  it('have 47 of the operators of ONNX Runtime', () => {
    expect(Object.keys(contribOperators)).toHaveLength(47);
  });

  it('say what the specification says', () => {
    expect(operators.Squeeze).toEqual({ since: [1, 11, 13, 21, 23, 24, 25], inputs: ['data', 'axes?'], outputs: ['squeezed'], attributes: {} });
    expect(operators.Conv.inputs).toEqual(['X', 'W', 'B?']);
    expect(operators.Conv.attributes.group).toEqual(['int', 1]);
    expect(operators.Concat.attributes.axis).toBe('int!');
    expect(operators.LSTM.outputs).toEqual(['Y?', 'Y_h?', 'Y_c?']);
    expect(contribOperators.SkipLayerNormalization.inputs).toEqual(['input', 'skip', 'gamma', 'beta?', 'bias?']);
  });

  it('name versions in rising order, each parameter once, and several parameters at once only at the end', () => {
    for (const [operator, { since, inputs, outputs }] of rows) {
      expect(since, operator).toEqual([...new Set(since)].sort((a, b) => a - b));
      for (const names of [inputs, outputs]) {
        expect(new Set(names.map((name) => name.replace(/[?.]+$/, ''))).size, operator).toBe(names.length);
        expect(names.slice(0, -1).filter((name) => name.endsWith('...')), operator).toEqual([]);
      }
    }
  });

  it('type the attributes: required and defaulted ones are there, others may be undefined', () => {
    expectTypeOf<Attributes<'Concat'>['axis']>().toEqualTypeOf<number>();
    expectTypeOf<Attributes<'LSTM'>['direction']>().toEqualTypeOf<string>();
    expectTypeOf<Attributes<'LSTM'>['hidden_size']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Attributes<'Transpose'>['perm']>().toEqualTypeOf<readonly number[] | undefined>();
  });
});

describe('schemaOf', () => {
  it('keeps the domains apart', () => {
    expect(schemaOf('', 'Attention')).toBe(operators.Attention);
    expect(schemaOf('com.microsoft', 'Attention')).toBe(contribOperators.Attention);
    expect(schemaOf('', 'FusedConv')).toBeUndefined();
    expect(schemaOf('com.example', 'Add')).toBeUndefined();
  });

  it('finds the operator that ONNX Runtime puts into the default domain', () => {
    expect(schemaOf('', 'SimplifiedLayerNormalization')).toBe(contribOperators.SimplifiedLayerNormalization);
  });

  it('does not take a name for a method of objects', () => {
    expect(schemaOf('', 'toString')).toBeUndefined();
    expect(schemaOf('com.microsoft', 'constructor')).toBeUndefined();
  });
});
