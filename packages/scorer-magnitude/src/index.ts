export { bnScale } from './bn-scale.ts';
export { geometricMedian } from './geometric-median.ts';
export { lamp } from './lamp.ts';
export { magnitudeModule } from './module.ts';
export { l1, l2 } from './norms.ts';
export { random } from './random.ts';
