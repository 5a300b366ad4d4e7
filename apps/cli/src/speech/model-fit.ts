import { describeInputs } from '@coppice/core';
import { CoppiceError, graphOf, type Model } from '@coppice/graph';
import { featureWidth, type SpeechDescription } from '@coppice/speech';

/**
 * Whether a description is one of this model, as far as the file says: names, numbers of axes, and sizes that it fixes.
 * @param path how messages call the model
 * @param where how they call the description
 * @throws CoppiceError `COPPICE_DESCRIPTION_INVALID`
 */
export function assertDescribes(description: SpeechDescription, model: Model, path: string, where: string): void {
  const refuse = (what: string) => new CoppiceError('COPPICE_DESCRIPTION_INVALID', `${where} ${what}.`);
  const { input, output } = graphOf(model);
  const names = (list: readonly { readonly name: string }[]): string => list.map(({ name }) => `'${name}'`).join(', ');
  if (!input.some(({ name }) => name === description.input)) throw refuse(`names the input '${description.input}', and ${path} has ${names(input)}`);
  if (!output.some(({ name }) => name === description.output)) throw refuse(`names the output '${description.output}', and ${path} has ${names(output)}`);
  const specs = describeInputs(model);
  const others = specs.filter(({ name }) => name !== description.input);
  if (others.length > 0) throw refuse(`describes ${path}, which also wants ${names(others)}: only features can be given. Make them initializers, or export the model without them`);

  const axes = description.inputAxes.trim().split(/\s+/);
  const given = specs.find(({ name }) => name === description.input)?.dims;
  if (given && given.length !== axes.length) throw refuse(`says that the input '${description.input}' has the ${axes.length} axes '${axes.join(' ')}', and in ${path} it has ${given.length}`);
  const width = given?.[axes.indexOf('feature')];
  const described = featureWidth(description.features);
  if (typeof width === 'number' && width !== described) throw refuse(`describes ${described} features a frame, and the input '${description.input}' of ${path} takes ${width}`);

  const result = fixedDims(model, description.output);
  if (result && result.length !== 3) throw refuse(`says that the output '${description.output}' has the axes '${description.outputAxes}', and in ${path} it has ${result.length}`);
  const classes = result?.[2];
  if (classes !== undefined && classes !== description.tokens.length) throw refuse(`names ${description.tokens.length} tokens, and the output '${description.output}' of ${path} has ${classes} classes`);
}

/** The sizes that the file fixes of an output; undefined where it leaves one, or all, open. */
function fixedDims(model: Model, name: string): (number | undefined)[] | undefined {
  const type = graphOf(model).output.find((output) => output.name === name)?.type?.value;
  if (type?.case !== 'tensorType') return undefined;
  return type.value.shape?.dim.map(({ value }) => (value.case === 'dimValue' && value.value > 0n ? Number(value.value) : undefined));
}
