import { describe, expect, it, vi } from 'vitest';
import { changedFile, decodeChanged, fuzzedFormats } from './fuzz-audio-files.ts';

describe('changed recordings', () => {
  it.each(fuzzedFormats)('give sound or a refusal that names the file: 300 of %s', async (format) => {
    // The FLAC library writes what it refuses to the console.
    const silenced = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const counts = { decoded: 0, refused: 0, wrong: 0 };
    for (let number = 0; number < 300; number++) {
      const { outcome, message } = await decodeChanged(format, number);
      if (outcome === 'wrong') expect.fail(`${format} ${number}: ${message}`);
      counts[outcome]++;
    }
    silenced.mockRestore();
    // Of files that all were refused, or all were read, nothing would be learnt.
    expect(Math.min(counts.decoded, counts.refused)).toBeGreaterThan(10);
  });

  it('are the same for the same number, and others for others', () => {
    for (const format of fuzzedFormats) {
      expect(changedFile(format, 7)).toEqual(changedFile(format, 7));
      expect(new Set(Array.from({ length: 50 }, (_, number) => changedFile(format, number).join())).size).toBeGreaterThan(45);
    }
  });
});
