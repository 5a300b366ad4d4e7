import { defineRecipe } from '@coppice/cli';

/** Three rounds down to a fifth of the compute: coppice prune model.onnx --recipe ./recipe.ts --out slim.onnx */
export default defineRecipe({
  dataset: 'digits:free-spoken-digit-dataset',
  datasetOptions: { strings: 'true', uses: 3 },
  macs: [0.6, 0.35, 0.2],
  scorer: 'taylor',
  plan: { roundTo: 4 },
  roundSteps: 300,
  tune: { steps: 900, peak: 5e-4, distillation: 0.2, augment: 'small' },
});
