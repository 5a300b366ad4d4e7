import { wasmBackend } from '@coppice/backend-onnx';
import { makeGraph, makeModel, makeNode, makeValueInfo, readTensor, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { computeFeatures, decodeWav, encodeWav } from '@coppice/speech';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportBundle } from './export-bundle.ts';
import type { BundleManifest } from './manifest.ts';
import { syntheticSound } from './synthetic-sound.ts';
import { targetNamed, targets } from './targets/index.ts';
import { runtimeModule } from './targets/onnx-runtime.ts';
import { newFolder, removeFolders, smallBundle, smallRequest } from './testing/small-bundle.ts';

const backend = wasmBackend();
let bundles: Record<'node' | 'web', { folder: string; manifest: BundleManifest }>;
beforeAll(async () => {
  bundles = { node: await smallBundle('node', backend), web: await smallBundle('web', backend) };
});
afterAll(removeFolders);

const filesOf = (folder: string): string[] => globSync('**', { cwd: folder }).map((path) => path.replaceAll('\\', '/')).filter((path) => statSync(join(folder, path)).isFile()).sort();

describe('exportBundle', () => {
  it.each(['node', 'web'] as const)('lists every file of a bundle for %s with its size and hash', (target) => {
    const { folder, manifest } = bundles[target];
    const found = filesOf(folder).filter((path) => path !== 'manifest.json').map((path) => {
      const bytes = readFileSync(join(folder, path));
      return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    });
    expect(found).toEqual(manifest.files.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
  });

  it.each(['node', 'web'] as const)('writes the same bytes for %s again', async (target) => {
    expect((await smallBundle(target, backend)).manifest).toEqual(bundles[target].manifest);
  });

  it('writes the model as it is', () => {
    const [written, given] = [readModel(join(bundles.node.folder, 'model.onnx')), smallRequest(backend).model];
    const values = (model: Model) => model.proto.graph!.initializer.map((tensor) => [tensor.name, readTensor(model, tensor)]);
    expect(values(written)).toEqual(values(given));
  });

  it('writes golden clips whose features are those of the code of training, bit for bit', () => {
    const { folder, manifest: { golden, speech } } = bundles.web;
    for (const { audio, features } of golden.clips) {
      const { data, frames, width } = computeFeatures(decodeWav(readFileSync(join(folder, audio)), audio), speech.features);
      expect([frames, width]).toEqual(features.dims);
      expect(Buffer.from(data.buffer).equals(readFileSync(join(folder, features.path)))).toBe(true);
    }
  });

  it('takes recordings of any rate for golden clips, and says where they are from', async () => {
    const audio = syntheticSound('other', 16_000, 0.5);
    const { manifest } = await smallBundle('node', backend, { clips: { source: 'two of mine', clips: [{ id: '../../<b>.wav', audio, said: 'one' }] } });
    expect(manifest.golden).toMatchObject({ source: 'two of mine', clips: [{ id: '../../<b>.wav', audio: 'golden/1.wav', seconds: 0.5, said: 'one' }] });
  });

  it('refuses, with the whole list and before anything is written, what a target cannot run', async () => {
    const base = newFolder();
    const { speech } = smallRequest(backend);
    const model = makeModel({
      opset: 27, graph: makeGraph({
        inputs: [makeValueInfo('features', 'float32', ['b', 't', 8]), makeValueInfo('lengths', 'int64', ['b'])], outputs: [makeValueInfo('log_probs', 'float32', ['b', 't', 8])],
        nodes: [makeNode({ op: 'Relu', inputs: ['features'], outputs: ['a'] }), makeNode({ op: 'Whiten', domain: 'com.example', name: 'w1', inputs: ['a'], outputs: ['c'] }), makeNode({ op: 'Whiten', domain: 'com.example', name: 'w2', inputs: ['c'], outputs: ['d'] }), makeNode({ op: 'Frobnicate', inputs: ['d'], outputs: ['log_probs'] })],
      }),
    });
    for (const target of targets.filter(({ name }) => name === 'web' || name === 'node')) {
      const words = [/com\.example\.Whiten belongs to the domain.*2 nodes, the first is 'w1'/, /Frobnicate is no operator/, /opset 27/, /2 inputs \('features', 'lengths'\)/, /input 'lengths' is int64/, /Nothing was written/];
      for (const message of words) await expect(exportBundle(target, { name: 'x', model, speech, backend }, join(base, 'out'))).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_TARGET_REFUSED', message: expect.stringMatching(message) }));
    }
    expect(readdirSync(base)).toEqual([]);
  });

  it('knows its targets', () => {
    expect(() => targetNamed('toaster')).toThrow(expect.objectContaining({ code: 'COPPICE_TARGET_UNKNOWN', message: expect.stringMatching(/web, node/) }));
  });
});

describe('a bundle for Node', () => {
  it('recognises files from its command, in a process that knows nothing of Coppice', () => {
    const { folder, manifest } = bundles.node;
    const script = `import { createRecognizer } from ${JSON.stringify(pathToFileURL(join(folder, 'index.js')).href)};
      import { readFileSync } from 'node:fs';
      const wav = readFileSync(${JSON.stringify(join(folder, 'golden/1.wav'))});
      const samples = Float32Array.from({ length: (wav.length - 44) / 2 }, (_, k) => wav.readInt16LE(44 + 2 * k) / 32768);
      const texts = [];
      for (const runtime of [['native', ${JSON.stringify(pathToFileURL(runtimeModule('onnxruntime-node')!).href)}], ['wasm', ${JSON.stringify(pathToFileURL(runtimeModule('onnxruntime-web')!).href)}]]) {
        const recognizer = await createRecognizer({ runtime: runtime[0], runtimeModule: runtime[1] });
        for (let at = 0; at < samples.length; at += 777) recognizer.accept(samples.subarray(at, at + 777));
        texts.push((await recognizer.result()).text);
        recognizer.reset();
        recognizer.accept(new Float32Array(10));
        texts.push((await recognizer.result()).text);
        await recognizer.close();
      }
      console.log(JSON.stringify(texts));`;
    const texts = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })) as string[];
    const [{ text }] = manifest.golden.clips;
    expect(text).not.toBe('');
    expect(texts).toEqual([text, '', text, '']);
  });

  it('exports what its types say, and nothing else', async () => {
    const types = readFileSync(join(bundles.node.folder, 'index.d.ts'), 'utf8');
    const declared = [...types.matchAll(/^export function (\w+)/gm)].map(([, name]) => name).sort();
    const script = `console.log(Object.keys(await import(${JSON.stringify(pathToFileURL(join(bundles.node.folder, 'index.js')).href)})).sort().join())`;
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim()).toBe(declared.join());
  });
});

describe('a bundle for the web', () => {
  const read = (path: string): string => readFileSync(join(bundles.web.folder, path), 'utf8');

  it('has scripts without eval, schemas or packages of their own', () => {
    for (const path of filesOf(bundles.web.folder).filter((name) => /\.m?js$/.test(name) && !name.startsWith('runtime/'))) {
      expect(read(path).match(/\bnew Function\b|\beval\(|from ?["'](?!\.)/)?.[0], path).toBeUndefined();
      expect(read(path), path).not.toContain('json-schema.org');
    }
  });

  it('has pages with a strict policy and nothing inline', () => {
    for (const path of ['index.html', 'verify.html']) {
      expect(read(path)).toContain("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'");
      expect(read(path)).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]* src=)|unsafe-inline|https?:\/\/(?!www\.w3\.org)/);
    }
  });

  it('transfers the runtime that the manifest speaks of', () => {
    const { manifest } = bundles.web;
    expect(manifest.files.filter(({ path }) => path.startsWith('runtime/')).reduce((sum, { bytes }) => sum + bytes, 0)).toBe(manifest.runtime.bytes);
    expect(manifest.runtime.bytes).toBeLessThan(4e6);
  });

  it('exports what its types say', () => {
    const declared = [...read('recognizer.d.ts').matchAll(/^export function (\w+)/gm)].map(([, name]) => name).sort();
    const exported = /export\s*\{([^}]*)\}/.exec(read('recognizer.js'))![1].split(',').map((part) => part.trim().split(' as ').at(-1)!).sort();
    expect(exported).toEqual(declared);
  });

  it('keeps a visit\'s own files for offline use, by name, and another version under another name', async () => {
    const worker = read('service-worker.js');
    for (const path of ['page.js', 'index.html', 'recognizer.js', 'worker.js', 'microphone.js', 'manifest.json', 'runtime/ort.wasm.min.mjs', 'runtime/ort-wasm-simd-threaded.mjs'].filter((name) => bundles.web.manifest.files.some((file) => file.path === name))) expect(worker).toContain(path);
    expect(worker).not.toMatch(/\.onnx|\.packed|golden/);
    const other = await smallBundle('web', backend, { name: 'another' });
    expect(readFileSync(join(other.folder, 'service-worker.js'), 'utf8')).not.toBe(worker);
  });
});

describe('hostile names', () => {
  const hostile = '</title><script>alert(1)</script>"\'`|\n---\nlicense: x\n../../etc';

  it('reach neither HTML nor the file system nor YAML as what they are', async () => {
    for (const target of ['web', 'node'] as const) {
      const { speech } = smallRequest(backend);
      const { folder, manifest } = await smallBundle(target, backend, {
        name: hostile, licence: hostile, speech: { ...speech, tokens: ['<blank>', '<img/src=x/onerror=alert(1)>', '../x', '"', "'"] },
        pruned: { original: { name: hostile, sha256: '0'.repeat(64), bytes: 1 }, scorer: hostile, macs: { before: 2, after: 1 }, parameters: { before: 2, after: 1 }, removed: [{ group: hostile, units: 1 }] },
        clips: { source: hostile, clips: [{ id: hostile, audio: syntheticSound(1, 8000, 0.5), said: hostile }] }, measured: { machine: hostile },
      });
      expect(manifest.name).toBe(hostile);
      expect(filesOf(folder).every((path) => /^[\w./-]+$/.test(path) && !path.includes('..'))).toBe(true);
      const texts = filesOf(folder).filter((path) => /\.(html|md|css)$/.test(path)).map((path) => readFileSync(join(folder, path), 'utf8'));
      for (const text of texts) expect(text.replace(/^---\n[\s\S]*?\n---\n/, '')).not.toMatch(/<script>|<img|<\/title><s/);
      const [, front] = /^---\n([\s\S]*?)\n---\n/.exec(readFileSync(join(folder, 'README.md'), 'utf8'))!;
      for (const line of front.split('\n')) expect(() => JSON.parse(line.replace(/^[\w-]+: /, '')) as unknown).not.toThrow();
      expect(front.match(/^license:/gm)).toHaveLength(1);
      if (target === 'node') expect((JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string }).name).toMatch(/^[a-z0-9-]+$/);
    }
  });
});

describe('encodeWav', () => {
  it('is read back by the decoder of training within half a step', () => {
    const audio = syntheticSound(5, 8000, 0.3);
    const { samples } = decodeWav(encodeWav(audio), 'x');
    expect(Math.max(...samples.map((value, k) => Math.abs(value - audio.samples[k])))).toBeLessThan(1 / 32767);
  });
});
