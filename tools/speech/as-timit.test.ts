import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openTimit } from '../../packages/dataset-timit/src/index.ts';
import { writeFlac } from '../../packages/speech/src/testing/flac-writer.ts';
import { timitLabel, trainSpeakers, writeTimit } from './as-timit.ts';

it('names speakers of the training part as no speaker of the test part is called', () => {
  expect(new Set(trainSpeakers(500)).size).toBe(500);
  expect(['AH0_B', 'HH', 'ZH_E', '|', 'SPN'].map(timitLabel)).toEqual(['ah', 'hh', 'zh', undefined, undefined]);
});

it('is read back as TIMIT, sample by sample and phone by phone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coppice-as-timit-'));
  try {
    const sound = (seed: number): number[] => Array.from({ length: 900 }, (_, t) => ((t * 37 + seed * 101) % 2000) - 1000);
    for (const [part, speaker, seed] of [['train', '0001', 1], ['train', '0002', 2], ['dev', '0003', 3]] as const) {
      const at = join(folder, 'corpus', part, speaker, '1');
      mkdirSync(at, { recursive: true });
      writeFileSync(join(at, `${speaker}-1-0000.flac`), writeFlac(sound(seed), { blockSize: 576 }));
      writeFileSync(join(at, `${speaker}-1.trans.txt`), `${speaker}-1-0000 NEW SHOE\n`);
      writeFileSync(join(at, `${speaker}-1.phones.txt`), `${speaker}-1-0000 N_B UW0_E | SH_B UW1_E\n`);
    }
    await writeTimit(join(folder, 'corpus'), join(folder, 'timit'), 1);
    const timit = await openTimit(join(folder, 'timit'));
    expect(timit.splits).toEqual(['train', 'dev', 'test', 'test-complete']);
    for (const [split, seed] of [['train', 1], ['dev', 2], ['test', 3]] as const) {
      const [utterance, ...more] = await timit.utterances(split);
      expect(more).toEqual([]);
      expect(utterance.transcript).toBe('new shoe');
      expect(utterance.phones).toEqual(['sil', 'n', 'uw', 'sh', 'uw', 'sil']);
      expect([...(await utterance.audio()).samples].map((sample) => Math.round(sample * 32_768))).toEqual(sound(seed));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
