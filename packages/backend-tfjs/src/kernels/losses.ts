import { elements, expectThat, host, numbers, sameDims, sizeOf } from '../host/array.ts';
import { alongAxis } from '../host/reduction.ts';
import type { Rows } from '../row.ts';
import type { Host } from '../value.ts';

interface LossAttributes {
  readonly ignore_index?: number | undefined;
  readonly reduction: string;
}

/** −w[t]·x[n, t, …] of each element, or its sum or weighted mean over those that are not ignored. Spec: NegativeLogLikelihoodLoss-22. */
function likelihoodLoss(x: Host, target: Host, weight: Host | undefined, { ignore_index, reduction }: LossAttributes): Host {
  const [batch, classes] = x.dims;
  const plane = sizeOf(x.dims.slice(2));
  expectThat(sameDims(target.dims, [batch, ...x.dims.slice(2)]) && (!weight || weight.data.length === classes), () => `targets [${target.dims.join(', ')}] and ${weight?.data.length ?? 'no'} weights for scores [${x.dims.join(', ')}]`);
  const targets = numbers(target);
  const losses = elements(x.dtype, targets.length) as Float32Array;
  let [sum, weights] = [0, 0];
  for (let n = 0; n < batch; n++) for (let p = 0; p < plane; p++) {
    const at = n * plane + p;
    const label = targets[at];
    if (label === ignore_index) continue;
    if (label < 0 || label >= classes) throw new Error(`the label ${label} is outside 0 … ${classes - 1}`);
    const w = weight ? (weight.data[label] as number) : 1;
    const loss = -w * (x.data[(n * classes + label) * plane + p] as number);
    losses[at] = loss;
    sum += loss;
    weights += w;
  }
  if (reduction === 'none') return { dtype: x.dtype, dims: target.dims, data: losses };
  return host(x.dtype, [], [reduction === 'sum' ? sum : sum / weights]);
}

const logSoftmax = (x: Host): Host => alongAxis(x, 1, (list) => {
  const most = list.reduce((a, b) => Math.max(a, b), -Infinity);
  const log = most + Math.log(list.reduce((sum, a) => sum + Math.exp(a - most), 0));
  return list.map((a) => a - log);
});

export const losses = {
  NegativeLogLikelihoodLoss: { host: ({ inputs: [x, target, weight], attributes }) => [likelihoodLoss(x, target, weight, attributes)] },
  SoftmaxCrossEntropyLoss: {
    host({ inputs: [scores, labels, weights], attributes }) {
      const logs = logSoftmax(scores);
      return [likelihoodLoss(logs, labels, weights, attributes), logs];
    },
  },
} satisfies Rows;
