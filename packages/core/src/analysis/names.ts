import type { ProgramValue } from '../program.ts';
import type { AnalysedStep } from './steps.ts';

const ANONYMOUS = /^(onnx::|\d+$|val_\d+$|_?const|constant|.*\/constant|const_fold)|^[A-Za-z]+_\d+_?(quantized)?$/i;
const SUFFIX = /([._](weight|kernel|W|w|weight_quantized|quantized|weight_fp16|read[_/]readvariableop.*))+$/i;

/** The name of a layer as its author knows it: from the parameter's name where an exporter kept it, else from the node's. */
export function nameOf(step: AnalysedStep, values: readonly ProgramValue[]): string {
  const parameter = step.inputs.map((id) => values[id]).find((v, k) => k > 0 && v && !v.tainted && v.tensor && v.tensor.dims.length > 1);
  const fromParameter = parameter?.name.replace(SUFFIX, '').replace(/_quantized$/, '');
  if (fromParameter && !ANONYMOUS.test(parameter!.name) && !/^\d+$/.test(fromParameter)) return tidy(fromParameter);
  const { name, op } = step.step.node;
  if (name) return tidy(name.replace(new RegExp(`[/_.]${op}(_quant|_\\d+)*$`), '') || name);
  return `${op}_${step.step.index}`;
}

const tidy = (name: string) => name.replace(/^[/]+/, '').replaceAll('/', '.').replace(/^(model|module|self)\.(?=.)/, '');
