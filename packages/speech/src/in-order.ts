/**
 * Results in the order of the items, with up to `width` under way at a time: what is slow to come does not keep the next ones waiting, and no
 * more than `width` results are ever held. When one fails, no more are begun.
 */
export async function* inOrder<T, R>(items: readonly T[], width: number, run: (item: T, at: number) => Promise<R>): AsyncGenerator<R, undefined> {
  const running: Promise<R>[] = [];
  let next = 0;
  for (let at = 0; at < items.length; at++) {
    for (; next < items.length && next < at + width; next++) {
      const begun = run(items[next], next);
      // Its failure is told when its turn comes, and must not be a loose end until then.
      begun.catch(() => undefined);
      running.push(begun);
    }
    yield await running.shift()!;
  }
  return undefined;
}
