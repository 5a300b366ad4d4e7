import { checkInputs, expectedInput, type ExpectedInput, type NamedTensors } from '@coppice/core';
import { CoppiceError, graphOf, type Model } from '@coppice/graph';
import { faultOf, isCarried } from './tensors.ts';

/**
 * The inputs without a default, as the file declares them.
 * (Read from the file because the runtime reports an open rank as a scalar.)
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` when ONNX Runtime has no way to take one from JavaScript
 */
export function expectedInputs(model: Model): readonly ExpectedInput[] {
  const defaults = defaultsOf(model);
  return graphOf(model).input.filter(({ name }) => !defaults.has(name)).map((value) => {
    const unsupported = (what: string): CoppiceError => new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Input '${value.name}' is ${what}`);
    const input = expectedInput(value, (kind) => unsupported(`a ${kind}; ONNX Runtime takes only tensors from JavaScript. Change the model so that its inputs are tensors.`));
    if (!isCarried(input.dtype)) throw unsupported(`${input.dtype}, which ONNX Runtime does not take from JavaScript. Give the model a float32 or integer input and a Cast behind it.`);
    return input;
  });
}

/** Inputs whose value the file brings along. */
export function defaultsOf(model: Model): ReadonlySet<string> {
  const { initializer, sparseInitializer } = graphOf(model);
  return new Set([...initializer.map(({ name }) => name), ...sparseInitializer.map(({ values }) => values?.name ?? '')]);
}

/**
 * Checks the tensors for a run before the runtime sees them.
 * @throws CoppiceError `COPPICE_INPUT_MISMATCH`, listing what the model expects
 */
export const checkGiven = (expected: readonly ExpectedInput[], defaults: ReadonlySet<string>, given: NamedTensors): void => checkInputs(expected, given, {
  faultOf,
  strange: (name) => (defaults.has(name) ? `'${name}' has its value in the file, and ONNX Runtime's JavaScript interface cannot replace it; remove its initializer from the model to make it an input` : undefined),
});
