import { defineCriterion } from '@coppice/core';

/** A unit matters as much as its largest weight: coppice prune model.onnx --macs 0.5 --plugin ./custom-criterion.ts --scorer peak --out slim.onnx */
export default defineCriterion({
  name: 'peak',
  score: (slices) => slices.reduce((peak, weights) => weights.reduce((p, w) => Math.max(p, Math.abs(w)), peak), 0),
});
