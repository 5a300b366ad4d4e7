/** A set of phones that TIMIT is labelled or scored in. */
export type PhoneSet = 61 | 48 | 39;

/** The 48 phones that models are trained on, and the labels of TIMIT that each stands for; Lee & Hon 1989, table I. `q`, the glottal stop, is in none. */
const members48: Readonly<Record<string, readonly string[]>> = {
  iy: ['iy'], ih: ['ih'], eh: ['eh'], ae: ['ae'], ix: ['ix'], ax: ['ax', 'ax-h'], ah: ['ah'], uw: ['uw', 'ux'], uh: ['uh'], ao: ['ao'], aa: ['aa'], ey: ['ey'], ay: ['ay'], oy: ['oy'], aw: ['aw'], ow: ['ow'],
  l: ['l'], el: ['el'], r: ['r'], y: ['y'], w: ['w'], er: ['er', 'axr'], m: ['m', 'em'], n: ['n', 'nx'], en: ['en'], ng: ['ng', 'eng'],
  ch: ['ch'], jh: ['jh'], dh: ['dh'], b: ['b'], d: ['d'], dx: ['dx'], g: ['g'], p: ['p'], t: ['t'], k: ['k'], z: ['z'], zh: ['zh'], v: ['v'], f: ['f'], th: ['th'], s: ['s'], sh: ['sh'], hh: ['hh', 'hv'],
  cl: ['pcl', 'tcl', 'kcl', 'qcl'], vcl: ['bcl', 'dcl', 'gcl'], epi: ['epi'], sil: ['h#', '#h', 'pau'],
};

/** The phones of the 48 that are not told apart when errors are counted; Lee & Hon 1989, section V. All others stand for themselves. */
const merged39: Readonly<Record<string, string>> = { cl: 'sil', vcl: 'sil', epi: 'sil', el: 'l', en: 'n', zh: 'sh', ao: 'aa', ix: 'ih', ax: 'ah' };

const to48: ReadonlyMap<string, string> = new Map(Object.entries(members48).flatMap(([phone, labels]) => labels.map((label) => [label, phone])));

/** All labels of TIMIT's transcriptions: the 61 of the published table, with `qcl` and `#h`, which lists have and files do not. */
export const timitLabels: readonly string[] = [...to48.keys(), 'q'];

/** The 39 phones that errors are counted in; Lee & Hon 1989. */
export const timitPhones39: readonly string[] = Object.keys(members48).filter((phone) => merged39[phone] === undefined);

/**
 * A label of TIMIT in a smaller set, Lee & Hon 1989. The glottal stop `q` is left out of 48 and 39, so it has none there.
 * @returns undefined for `q` in 48 or 39, and for what is no label
 */
export function foldPhone(label: string, set: PhoneSet): string | undefined {
  const name = label.toLowerCase();
  if (set === 61) return to48.has(name) || name === 'q' ? name : undefined;
  const phone = to48.get(name);
  return phone === undefined || set === 48 ? phone : (merged39[phone] ?? phone);
}
