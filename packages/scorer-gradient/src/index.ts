export { fisher } from './fisher.ts';
export { gradientNorm } from './gradient-norm.ts';
export { gradientModule } from './module.ts';
export { taylor } from './taylor.ts';
