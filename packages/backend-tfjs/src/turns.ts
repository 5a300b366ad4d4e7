let last: Promise<unknown> = Promise.resolve();

/**
 * Does some work when all earlier work has ended, in the order of the calls: all engines of a process share one global state in TensorFlow.js,
 * which says who computes. A failure is the caller's and does not stop the next.
 */
export function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const next = last.then(work);
  last = next.catch(() => undefined);
  return next;
}
