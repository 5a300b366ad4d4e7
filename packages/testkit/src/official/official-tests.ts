import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { OfficialFiles, OfficialTest } from './official-test.ts';

/**
 * The operator tests of ONNX below a folder, in the order of their names: every folder with a `model.onnx` and `test_data_set_*` with
 * `input_*.pb` and `output_*.pb`. Debian's libonnx-testdata has them in /usr/share/libonnx-testdata/data. Files are read when a test is.
 */
export function officialTests(folder: string): OfficialTest[] {
  return globSync('**/test_data_set_0', { cwd: folder }).map((path) => dirname(path).replaceAll('\\', '/')).sort()
    .map((name) => ({ name, load: () => loadFiles(join(folder, name)) }));
}

function loadFiles(folder: string): OfficialFiles {
  const files = (set: string, kind: string): Uint8Array[] => {
    const numbers = globSync(`${kind}_*.pb`, { cwd: join(folder, set) }).map((name) => Number(/\d+/.exec(name)![0])).sort((a, b) => a - b);
    return numbers.map((k) => new Uint8Array(readFileSync(join(folder, set, `${kind}_${k}.pb`))));
  };
  const sets = globSync('test_data_set_*', { cwd: folder }).sort();
  return { model: new Uint8Array(readFileSync(join(folder, 'model.onnx'))), sets: sets.map((set) => ({ inputs: files(set, 'input'), outputs: files(set, 'output') })) };
}
