import { CoppiceError } from '@coppice/graph';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import type { BundleFile } from './target.ts';

export interface CodeOptions {
  /** What a script is called in the bundle, without `.js`, and the source that it begins with. */
  readonly entries: Readonly<Record<string, string>>;
  readonly platform: 'node' | 'browser';
  /** Modules that are not packed but imported where the bundle runs. */
  readonly external?: readonly RegExp[];
  /** Where pieces go that several scripts share or that load later; default beside them. */
  readonly chunks?: string;
  /** Names that are replaced by source text. */
  readonly define?: Readonly<Record<string, string>>;
}

/** Scripts, and the folders of the packages of others whose code is in them. */
export interface BundledCode {
  readonly files: readonly BundleFile[];
  readonly packages: readonly string[];
}

/**
 * Packs our own sources into plain JavaScript modules: only what the entries use, so that a bundle needs no package of Coppice.
 * @throws CoppiceError `COPPICE_BUNDLE_INVALID` when a module cannot be found; that is a broken installation
 */
export async function bundleCode({ entries, platform, external = [], chunks = '', define = {} }: CodeOptions): Promise<BundledCode> {
  try {
    const build = await rolldown({
      input: { ...entries }, platform, external: [...external], logLevel: 'silent',
      // Our modules do nothing when they are imported; so what nobody calls, such as the validation of schemas, stays out.
      treeshake: { moduleSideEffects: false },
      transform: { define: { ...define } },
    });
    const { output } = await build.generate({ format: 'esm', minify: platform === 'browser', entryFileNames: '[name].js', chunkFileNames: `${chunks}[name].js`, assetFileNames: '[name][extname]', comments: { legal: true } });
    await build.close();
    const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
    return {
      files: output.map((file) => ({ path: file.fileName, bytes: file.type === 'chunk' ? file.code : file.source })),
      packages: [...new Set(modules.filter((id) => id.includes('node_modules')).map(packageFolder))].sort(),
    };
  } catch (cause) {
    throw new CoppiceError('COPPICE_BUNDLE_INVALID', `The code of the bundle cannot be packed: ${(cause as Error).message.split('\n')[0]}. Install the dependencies again.`, { cause });
  }
}

/** The folder with the `package.json` that a module belongs to. */
function packageFolder(module: string): string {
  let folder = dirname(module.replace(/\?.*$/, ''));
  while (!existsSync(join(folder, 'package.json')) || !('version' in (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as object))) {
    if (dirname(folder) === folder) return folder;
    folder = dirname(folder);
  }
  return folder;
}

/** What the licences of others ask for: their names and texts. */
export function thirdPartyNotices(packages: readonly string[]): string {
  const notices = [...new Set(packages)].map((folder) => {
    const { name, version, license = 'see its text' } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string; version: string; license?: string };
    const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)/i.test(each));
    return `${name} ${version} (${license})\n\n${file === undefined ? 'Its package has no text of the licence.' : readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  return `This folder has code of others in it.\n\n${notices.sort().join(`\n${'-'.repeat(80)}\n\n`)}`;
}

/** A source file of this package beside the module that asks, compiled or not. */
export function sourceFile(base: string, name: string): string {
  return fileURLToPath(new URL(`${name}${base.endsWith('.ts') ? '.ts' : '.js'}`, base));
}
