/**
 * Says how long the rest of some work takes, at the pace since the first time it was asked: what comes before that, such as compiling, is
 * not work of that kind. Nothing is said before there is a pace.
 * @param of how much there is to do
 * @param now milliseconds, from anywhere
 */
export function paceOf(of: number, now: () => number = () => performance.now()): (done: number) => string {
  let first: { readonly done: number; readonly at: number } | undefined;
  return (done) => {
    const at = now();
    first ??= { done, at };
    return done > first.done ? `, ${formatLeft(((at - first.at) / (done - first.done)) * (of - done))}` : '';
  };
}

function formatLeft(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds < 100 ? `${seconds} s left` : `${Math.ceil(seconds / 60)} min left`;
}
