import * as tf from '@tensorflow/tfjs-core';
import { describeBackend } from '@coppice/testkit';
import { tfjsBackend } from './index.ts';

const memory = (): number => tf.memory().numTensors;

describeBackend(tfjsBackend({ engine: 'wasm' }), { memory });
// Also where even single numbers go through the kernels.
describeBackend(tfjsBackend({ engine: 'cpu', fewOnHost: 0 }), { memory });

const node = tfjsBackend({ engine: 'node', fewOnHost: 0 });
if (await node.info().then(() => true, () => false)) describeBackend(node, { memory });
