import { CoppiceError } from '@coppice/graph';
import { parseDescription } from '@coppice/speech';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { manifestSchema } from './manifest-schema.ts';
import type { BundleManifest } from './manifest.ts';

let compiled: ValidateFunction<BundleManifest> | undefined;
const validator = (): ValidateFunction<BundleManifest> => (compiled ??= new Ajv2020({ discriminator: true, allowUnionTypes: true }).compile<BundleManifest>(manifestSchema));

/**
 * Checks a manifest that came from a file: its form, its speech description, and that no path leaves the folder.
 * @param where how messages call it
 * @throws CoppiceError `COPPICE_BUNDLE_INVALID`, `COPPICE_DESCRIPTION_INVALID` with the path of the fault
 */
export function parseManifest(text: string, where: string): BundleManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CoppiceError('COPPICE_BUNDLE_INVALID', `${where} is not JSON: ${(cause as Error).message}. Was it written completely?`, { cause });
  }
  const isManifest = validator();
  if (!isManifest(json)) {
    const [fault] = isManifest.errors ?? [];
    const unknown = fault?.params['additionalProperty'] as string | undefined;
    throw new CoppiceError('COPPICE_BUNDLE_INVALID', `${where} is not the manifest of a bundle: ${fault?.instancePath || 'the document'} ${fault?.message ?? 'has another form'}${unknown === undefined ? '' : `: '${unknown}'`}. docs/bundle.md describes the format.`);
  }
  parseDescription(json.speech, `${where} (speech)`);
  return json;
}

/** A manifest as the text of its file. */
export const manifestText = (manifest: BundleManifest): string => `${JSON.stringify(manifest, null, 2)}\n`;
