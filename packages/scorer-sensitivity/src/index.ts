export { measuredLoss } from './measured-loss.ts';
export { sensitivityModule } from './module.ts';
export { obd } from './obd.ts';
export { snip } from './snip.ts';
