import type { GraphProto, ModelProto, TensorProto } from './gen/onnx_pb.js';

/** Where the bytes of tensors live that the `.onnx` file only points to. Implemented over a folder by `@coppice/graph/node`. */
export interface ExternalData {
  /**
   * The bytes `[offset, offset + length)` of a file; all that follow `offset` when `length` is undefined.
   * @throws CoppiceError `COPPICE_EXTERNAL_DATA_MISSING`, `COPPICE_EXTERNAL_DATA_PATH`
   */
  read(location: string, offset: number, length: number | undefined): Uint8Array;
  /** Size in bytes of a file. */
  size(location: string): number;
}

/** Contents of a tensor that is computed when it is asked for and not kept, so that a large model need not fit in memory twice. */
export interface Payload {
  readonly byteLength: number;
  /** Little-endian, row-major, in the layout of `raw_data`. */
  bytes(): Uint8Array;
}

/**
 * An ONNX model in memory: the message of the file, nothing added and nothing lost. Weights are views on the file's bytes.
 * A model is never changed in place; edits make new messages that share what did not change.
 */
export interface Model {
  readonly proto: ModelProto;
  readonly externalData?: ExternalData;
  /** Tensors of `proto` whose contents are not in the message. */
  readonly payloads?: ReadonlyMap<TensorProto, Payload>;
}

/** The graph of a model. */
export const graphOf = (model: Model): GraphProto => model.proto.graph!;
