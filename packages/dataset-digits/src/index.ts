export { digits, type DigitsDataset, openDigits } from './digits.ts';
export { type DigitString, joinDigits, type JoinOptions } from './join-digits.ts';
export { digitsModule } from './module.ts';
export type { NoiseColour } from './noise.ts';
export type { DigitsOptions } from './options.ts';
export { readRecordings, type ReadRecordingsOptions, type Recording, type RecordingsFolder } from './recordings.ts';
export { splitRecordings, type Splits } from './splits.ts';
