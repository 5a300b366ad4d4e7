export { demoPage } from './demo-page.ts';
export { makeBundles, type Bundles } from './make-bundles.ts';
