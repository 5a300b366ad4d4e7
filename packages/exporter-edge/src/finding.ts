/** One thing that is wrong with a bundle. */
export interface Finding {
  /** What it is about. */
  readonly about: 'file' | 'manifest' | 'features' | 'log-probs' | 'text' | 'runtime';
  /** Which file or clip. */
  readonly where: string;
  /** A sentence that names the fault. */
  readonly message: string;
}

/** What was found, and what it ran on. */
export interface Verification {
  /** E.g. `onnxruntime-node 1.30.0`; undefined where nothing could be run. */
  readonly ranOn?: string;
  /** Golden clips that were compared. */
  readonly clips: number;
  /** Largest differences over all clips, of max(1, |expected|); 0 is bit for bit. */
  readonly largest?: { readonly features: number; readonly logProbs: number };
  /** Computing time over the length of the clips. */
  readonly realTimeFactor?: number;
  readonly findings: readonly Finding[];
  /** What should be known beside, e.g. why the runtime could not be tried. */
  readonly notes: readonly string[];
}
