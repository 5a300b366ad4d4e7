import type { BundleManifest } from '../../manifest.ts';
import { onnxRuntimeVersion } from '../onnx-runtime.ts';

/** A name that npm takes, whatever the bundle is called. */
export function packageName(name: string): string {
  const plain = name.normalize('NFKD').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '').slice(0, 100);
  return plain === '' || plain === 'node-modules' || plain === 'favicon-ico' ? 'recogniser' : plain;
}

/** `package.json` of a bundle for Node. */
export function packageJson({ name, licence }: Pick<BundleManifest, 'name' | 'licence'>): string {
  return `${JSON.stringify({
    name: packageName(name), version: '1.0.0', private: true, description: `Speech recogniser ${name}`, license: licence ?? 'UNLICENSED', type: 'module',
    engines: { node: '>=20' },
    exports: { '.': { types: './index.d.ts', default: './index.js' }, './manifest.json': './manifest.json' },
    bin: { transcribe: './transcribe.js' },
    scripts: { verify: 'node verify.js' },
    dependencies: { 'onnxruntime-node': onnxRuntimeVersion },
  }, undefined, 2)}\n`;
}
