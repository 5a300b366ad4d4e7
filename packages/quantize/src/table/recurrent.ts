import type { ContribOperatorName, OperatorName } from '@coppice/graph';
import type { Rewriter } from '../rewriter.ts';
import type { Site, Sites } from '../site.ts';
import { absent, type Absent, type IntegerForm, type OperatorForms, type WeightOperand } from './row.ts';

/** W[d, g·h, i] and R[d, g·h, h]: sums over the last axis; each direction and each row has a scale. */
const rows = (input: number): WeightOperand => ({ input, keep: () => [0, 1], summed: () => 2 });
const weights = [rows(1), rows(2)];

/**
 * `DynamicQuantizeLSTM` of ONNX Runtime's own operators: W[d, i, 4h] and R[d, h, 4h] in int8 with scales [d, 4h], the activations of each
 * step quantised on the way.
 */
const lstmDynamic: IntegerForm = {
  misfit(site: Site, { typeOf }: Sites) {
    if (site.weights.length < 2) return 'its weights are not constants';
    if (site.weights.some(({ dtype }) => dtype !== 'float32') || (typeOf(site.step.inputs[0]) ?? 'float32') !== 'float32') return 'it does not compute in float32';
    if (site.node.attributes.layout === 1) return 'its batch comes first, which DynamicQuantizeLSTM has not';
    return undefined;
  },
  write(site: Site, to: Rewriter) {
    const { proto } = site.step;
    const made = site.weights.map((weight) => to.weight(site, weight, {
      sharing: { keep: [0, 2] }, perm: [0, 2, 1], most: to.settings.mostWithActivations, dtype: 'int8', scaleDims: ([directions, , gates]) => [directions, gates],
    }));
    const tails = made.map(({ scaleName, scaleDims: [directions, , gates] }, k) => [
      scaleName, to.constant(`${to.name(site.weights[k].value)}/zero`, 'int8', [directions, gates], new Int8Array(directions * gates)),
    ]);
    const others = [3, 4, 5, 6, 7].map((k) => ((site.step.inputs[k] ?? -1) >= 0 ? to.input(site, k) : ''));
    const [x, layout] = [to.input(site, 0), 'layout'];
    to.domains.add('com.microsoft');
    to.become(site, {
      op: 'DynamicQuantizeLSTM', domain: 'com.microsoft',
      inputs: [x, made[0].qName, made[1].qName, ...others, ...tails.flat()],
      attribute: proto.attribute.filter(({ name }) => name !== layout),
    });
  },
};

const noStatic = 'runtimes have no recurrent kernel between QuantizeLinear and DequantizeLinear';

export const recurrent = {
  GRU: { weights, static: absent(noStatic), dynamic: absent('runtimes have an integer kernel for LSTM only') },
  LSTM: { weights, static: absent(noStatic), dynamic: lstmDynamic },
  RNN: { weights, static: absent(noStatic), dynamic: absent('runtimes have an integer kernel for LSTM only') },
} satisfies { readonly [N in OperatorName]?: OperatorForms | Absent };

export const contribRecurrent = {
  DynamicQuantizeLSTM: absent('it computes in integers already'),
} satisfies { readonly [N in ContribOperatorName]?: OperatorForms | Absent };
