export { timitModule } from './module.ts';
export type { TimitOptions } from './options.ts';
export { foldPhone, type PhoneSet, timitLabels, timitPhones39 } from './phones.ts';
export { coreTestSpeakers, devSpeakers } from './speakers.ts';
export type { TimedPhone, TimitUtterance } from './speaker-folder.ts';
export { openTimit, timit, type TimitDataset } from './timit.ts';
