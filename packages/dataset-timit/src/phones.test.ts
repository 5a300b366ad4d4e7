import { describe, expect, it } from 'vitest';
import { coreTestSpeakers, devSpeakers, foldPhone, timitLabels, timitPhones39 } from './index.ts';

/** TIMIT's table of phones, phoncode.doc: stops, closures, affricates, fricatives, nasals, semivowels, vowels, others; 61 with the glottal stop, without the stress marks. */
const phoncode = 'b d g p t k dx q bcl dcl gcl pcl tcl kcl jh ch s sh z zh f th v dh m n ng em en eng nx l r w y hh hv el iy ih eh ey ae aa aw ay ah ao oy ow uh uw ux er ax ix axr ax-h pau epi h#'.split(' ');

describe('the folding of phones', () => {
  it('knows the 61 labels of the corpus, and two that only lists have', () => {
    expect(new Set(phoncode).size).toBe(61);
    expect(timitLabels.toSorted()).toEqual([...phoncode, 'qcl', '#h'].sort());
  });

  it('folds them to 48 and these to 39, as many as the names say', () => {
    const folded = (set: 48 | 39): string[] => [...new Set(phoncode.flatMap((label) => foldPhone(label, set) ?? []))];
    expect(folded(48)).toHaveLength(48);
    expect(folded(39).sort()).toEqual(timitPhones39.toSorted());
    expect(timitPhones39).toHaveLength(39);
    for (const label of phoncode) {
      const phone = foldPhone(label, 48);
      // Folding in two steps is folding in one.
      if (phone !== undefined) expect(foldPhone(timitLabels.find((name) => foldPhone(name, 48) === phone)!, 39)).toBe(foldPhone(label, 39));
    }
  });

  it('has the classes of Lee and Hon 1989', () => {
    const classes = [['sil', 'h# #h pau epi pcl tcl kcl qcl bcl dcl gcl'], ['l', 'l el'], ['n', 'n en nx'], ['sh', 'sh zh'], ['aa', 'aa ao'], ['ih', 'ih ix'], ['ah', 'ah ax ax-h'], ['er', 'er axr'], ['hh', 'hh hv'], ['m', 'm em'], ['ng', 'ng eng'], ['uw', 'uw ux']] as const;
    for (const [phone, labels] of classes) expect(timitLabels.filter((label) => foldPhone(label, 39) === phone).sort()).toEqual(labels.split(' ').sort());
    const others = phoncode.filter((label) => label !== 'q' && !classes.some(([, labels]) => labels.split(' ').includes(label)));
    for (const label of others) expect(foldPhone(label, 39)).toBe(label);
  });

  it('leaves the glottal stop out of 48 and 39, and nothing else', () => {
    expect([foldPhone('q', 61), foldPhone('q', 48), foldPhone('q', 39)]).toEqual(['q', undefined, undefined]);
    expect(phoncode.filter((label) => foldPhone(label, 39) === undefined)).toEqual(['q']);
    expect(foldPhone('AX-H', 48)).toBe('ax');
    expect(foldPhone('zz', 61)).toBeUndefined();
  });
});

describe('the published parts', () => {
  it('have 24 speakers for tests, a third of them women, and 50 others for development', () => {
    expect(coreTestSpeakers.size).toBe(24);
    expect([...coreTestSpeakers].filter((name) => name.startsWith('F'))).toHaveLength(8);
    expect(devSpeakers.size).toBe(50);
    expect([...devSpeakers].filter((name) => coreTestSpeakers.has(name))).toEqual([]);
    for (const name of [...coreTestSpeakers, ...devSpeakers]) expect(name).toMatch(/^[FM][A-Z]{3}\d$/);
  });
});
