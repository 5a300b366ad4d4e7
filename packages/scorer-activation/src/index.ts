export { apoz } from './apoz.ts';
export { meanMagnitude } from './mean-magnitude.ts';
export { activationModule } from './module.ts';
export { variance } from './variance.ts';
export { wanda } from './wanda.ts';
