import type { SpeechDescription } from '@coppice/speech';

/** `manifest.json`: everything that must be known of a bundle to use it and to prove it. Plain data; `docs/bundle.md` describes it. */
export interface BundleManifest {
  readonly format: 'coppice-bundle';
  readonly version: 1;
  readonly name: string;
  /** Which target wrote the folder, e.g. `web`. */
  readonly target: string;
  /** What the model may be used for: an SPDX expression, or null where nobody said. */
  readonly licence: string | null;
  readonly speech: DescriptionFile;
  readonly decoder: DecoderChoice;
  readonly model: ModelEntry;
  /** The model before pruning, where the bundle carries it for comparison. */
  readonly original?: ModelEntry;
  /** What was pruned, where that is known. */
  readonly pruned?: PruningRecord;
  readonly measured: Measurements;
  readonly golden: GoldenRecord;
  /** What runs the model there. */
  readonly runtime: RuntimeEntry;
  /** Every file but this one, by its path. */
  readonly files: readonly FileEntry[];
}

/** A speech description as it is written to a file. */
export type DescriptionFile = SpeechDescription & { readonly format: 'coppice-speech'; readonly version: 1 };

/** How log-probabilities become text. */
export type DecoderChoice = { readonly type: 'greedy' } | { readonly type: 'beam'; readonly width: number };

export interface FileEntry {
  /** From the bundle's folder, with slashes. */
  readonly path: string;
  readonly bytes: number;
  /** Of the bytes, hexadecimal. */
  readonly sha256: string;
}

/** A value that goes into a model or comes out of it. */
export interface PortEntry {
  readonly name: string;
  readonly dtype: string;
  /** A size, a name for one that is open, or null for an open one without a name. */
  readonly dims: readonly (number | string | null)[];
  /** What each axis is, e.g. `batch time feature`. */
  readonly axes: string;
}

export interface ModelEntry extends FileEntry {
  /** Version of each operator set, by its domain; '' is ONNX's own. */
  readonly opset: Readonly<Record<string, number>>;
  /** Elements of all weights. */
  readonly parameters: number;
  /** How often each operator occurs, bodies of loops and branches included. */
  readonly operators: Readonly<Record<string, number>>;
  readonly input: PortEntry;
  readonly output: PortEntry;
  /** `none`, or how weights and activations were quantised. */
  readonly quantisation: string;
}

/** A summary of `plan.json`. */
export interface PruningRecord {
  readonly original: { readonly name: string; readonly sha256: string; readonly bytes: number };
  readonly scorer: string;
  readonly macs: BeforeAfter;
  readonly parameters: BeforeAfter;
  /** Units that left each group. */
  readonly removed: readonly { readonly group: string; readonly units: number }[];
}

export interface BeforeAfter {
  readonly before: number;
  readonly after: number;
}

/** What was measured, and where; empty where nothing was. */
export interface Measurements {
  readonly machine?: string;
  readonly model?: ModelMeasurements;
  readonly original?: ModelMeasurements;
}

export interface ModelMeasurements {
  readonly errors?: {
    readonly unit: 'word' | 'character' | 'phone';
    /** Errors over the length of what was said. */
    readonly rate: number;
    /** Bootstrap over utterances. */
    readonly interval: { readonly low: number; readonly high: number; readonly level: number };
    readonly utterances: number;
    /** Words (or phones) that were said. */
    readonly length: number;
    /** E.g. `digits, test`. */
    readonly corpus: string;
    readonly normaliser: string;
  };
  readonly latency?: {
    readonly backend: string;
    readonly threads: number;
    /** Of sound in one run. */
    readonly seconds: number;
    readonly medianMs: number;
    readonly p10Ms: number;
    readonly p90Ms: number;
    readonly runs: number;
  };
}

/** Clips with what must come out of them. */
export interface GoldenRecord {
  /** Where they are from, in words. */
  readonly source: string;
  /** What computed the expected values. */
  readonly computedBy: string;
  /** Largest |difference| / max(1, |expected|) that is still equal. */
  readonly tolerance: { readonly features: number; readonly logProbs: number };
  /** What the decoder must give when every token but the blank is said once, in the order of the alphabet. */
  readonly alphabet: string;
  readonly clips: readonly GoldenClip[];
}

export interface GoldenClip {
  readonly id: string;
  /** A WAV file of 16-bit samples. */
  readonly audio: string;
  readonly seconds: number;
  /** Little-endian float32, [time, feature]. */
  readonly features: ArrayEntry;
  /** Little-endian float32, [time, token]: natural logarithms. */
  readonly logProbs: ArrayEntry;
  /** What the decoder must give. */
  readonly text: string;
  /** What is said in it, where that is known. */
  readonly said?: string;
}

export interface ArrayEntry {
  readonly path: string;
  readonly dims: readonly [number, number];
}

export interface RuntimeEntry {
  readonly name: string;
  readonly version: string;
  /** What is transferred or installed for it. */
  readonly bytes: number;
  /** A sentence about that cost. */
  readonly note: string;
}
