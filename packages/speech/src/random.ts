/**
 * Uniform numbers in [−1, 1) from a text: sfc32 (Chris Doty-Humphrey, PractRand 2010), its state filled from FNV-1a hashes
 * of the text. Whole-number arithmetic only, so the same text gives the same numbers on every machine. Not for secrets.
 */
export function uniformFrom(seed: string): () => number {
  let [a, b, c] = [hash(`a/${seed}`), hash(`b/${seed}`), hash(`c/${seed}`)];
  let counter = 1;
  const next = (): number => {
    const word = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + word) | 0;
    return word / 0x80000000;
  };
  // Seeds that differ in one letter start with similar states; twelve rounds mix them.
  for (let round = 0; round < 12; round++) next();
  return next;
}

/** FNV-1a, 32 bits, over UTF-16 units. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let k = 0; k < text.length; k++) sum = Math.imul(sum ^ text.charCodeAt(k), 0x01000193);
  return sum | 0;
}
