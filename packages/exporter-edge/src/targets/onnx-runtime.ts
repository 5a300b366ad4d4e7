import { describeInputs } from '@coppice/core';
import { domainOf, everyTensor, graphOf, isExternal, schemaOf, tensorByteLength, type Model } from '@coppice/graph';
import { createRequire } from 'node:module';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { everyNode } from '../model-entry.ts';

/** The version that every bundle for ONNX Runtime is made for. */
export const onnxRuntimeVersion = '1.30.0';
/** The newest operator set that this version takes. */
const newestOpset = 26;

/** Operators of ONNX itself that ONNX Runtime 1.30 has no kernel for on the CPU (found with ONNX's own tests: docs/results/conformance.md). */
const withoutKernel = new Set(['Adagrad', 'Adam', 'Momentum', 'Gradient', 'ArrayFeatureExtractor']);
const ownDomains = new Set(['', 'com.microsoft', 'ai.onnx.ml', 'com.microsoft.nchwc']);

/** What keeps a model from ONNX Runtime, in Node and in WebAssembly, a sentence each. */
export function onnxRuntimeRefusals(model: Model, { mostBytes = Infinity }: { readonly mostBytes?: number } = {}): string[] {
  const { proto } = model;
  const functions = new Set(proto.functions.map(({ domain, name }) => `${domain} ${name}`));
  const seen = new Map<string, { readonly count: number; readonly where: string; readonly reason: string }>();
  for (const node of everyNode(graphOf(model))) {
    const domain = domainOf(node);
    if (functions.has(`${node.domain} ${node.opType}`)) continue;
    const reason = !ownDomains.has(domain) ? `belongs to the domain '${domain}', which ONNX Runtime does not have`
      : withoutKernel.has(node.opType) ? 'has no kernel in ONNX Runtime'
        : domain === '' && schemaOf(domain, node.opType) === undefined ? 'is no operator of ONNX that is known here' : undefined;
    if (reason === undefined) continue;
    const key = `${domain}.${node.opType}`;
    const before = seen.get(key);
    seen.set(key, { count: (before?.count ?? 0) + 1, where: before?.where ?? (node.name || node.output[0]), reason });
  }
  const refusals = [...seen].map(([key, { count, where, reason }]) => `${key.replace(/^\./, '')} ${reason}: ${count === 1 ? `node '${where}'` : `${count} nodes, the first is '${where}'`}.`);
  const opset = proto.opsetImport.find((entry) => domainOf(entry) === '');
  if (opset !== undefined && Number(opset.version) > newestOpset) refusals.push(`The model uses opset ${opset.version}, and ONNX Runtime ${onnxRuntimeVersion} takes up to ${newestOpset}. Export it with an older one.`);
  const inputs = describeInputs(model);
  if (inputs.length > 1) refusals.push(`The model wants ${inputs.length} inputs (${inputs.map(({ name }) => `'${name}'`).join(', ')}), and a bundle gives features alone. Make the others initializers.`);
  for (const { name, dtype } of inputs) if (dtype !== 'float32') refusals.push(`The input '${name}' is ${dtype}, and features are float32. Put a Cast behind the input.`);
  const bytes = [...everyTensor(proto)].reduce((sum, tensor) => sum + tensorByteLength(model, tensor), 0);
  if (bytes > mostBytes) refusals.push(`The model has ${(bytes / 1e9).toFixed(2)} GB of weights, and at most ${(mostBytes / 1e9).toFixed(1)} GB fit there${[...everyTensor(proto)].some(isExternal) ? ', external data included' : ''}.`);
  return refusals;
}

const require = createRequire(import.meta.url);

/** The folder with the builds of onnxruntime-web. */
export const webRuntimeFolder = (): string => dirname(require.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));

/** A file of onnxruntime-web. */
export const webRuntimeFile = (name: string): Uint8Array => readFileSync(join(webRuntimeFolder(), name));
export const webRuntimeBytes = (names: readonly string[]): number => names.reduce((sum, name) => sum + statSync(join(webRuntimeFolder(), name)).size, 0);

/** Where a runtime is imported from when a bundle has none beside it; undefined where it is not installed here either. */
export function runtimeModule(name: 'onnxruntime-node' | 'onnxruntime-web'): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}
