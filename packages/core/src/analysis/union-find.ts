/** Disjoint sets over the integers 0 … size−1, with path halving and union by size. */
export class UnionFind {
  private readonly parent: Int32Array;
  private readonly weight: Int32Array;

  constructor(size: number) {
    this.parent = Int32Array.from({ length: size }, (_, i) => i);
    this.weight = new Int32Array(size).fill(1);
  }

  find(element: number): number {
    const { parent } = this;
    let e = element;
    while (parent[e] !== e) {
      parent[e] = parent[parent[e]];
      e = parent[e];
    }
    return e;
  }

  /** Joins two sets; returns the root that stays and the one that is absorbed, or undefined when they were one already. */
  union(a: number, b: number): { readonly root: number; readonly absorbed: number } | undefined {
    let x = this.find(a);
    let y = this.find(b);
    if (x === y) return undefined;
    if (this.weight[x] < this.weight[y]) [x, y] = [y, x];
    this.parent[y] = x;
    this.weight[x] += this.weight[y];
    return { root: x, absorbed: y };
  }
}
