/** The names under which plugins bind what they offer, and under which an app asks the container for it. */
export const tokens = {
  Backend: Symbol.for('coppice.Backend'),
  Scorer: Symbol.for('coppice.Scorer'),
  Dataset: Symbol.for('coppice.Dataset'),
} as const;
