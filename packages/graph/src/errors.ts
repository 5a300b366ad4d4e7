/**
 * An error that the user can act on: the message says what was wrong, where, and what to do next.
 * `code` is stable across releases; `docs/errors.md` lists every code.
 */
export class CoppiceError extends Error {
  override readonly name = 'CoppiceError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Every code that Coppice throws, with the one line that `docs/errors.md` shows for it. */
export const errorCodes = {
  COPPICE_ARGUMENT_INVALID: 'The command line is not understood: an unknown command or option, or a value that does not fit it.',
  COPPICE_FILE_NOT_FOUND: 'A file that was named does not exist or cannot be read.',
  COPPICE_FILE_EXISTS: 'The output file exists already; pass --force to replace it.',
  COPPICE_FILE_WRITE: 'An output file could not be written; nothing was left behind.',
  COPPICE_MODEL_MALFORMED: 'The file is not a readable ONNX model.',
  COPPICE_MODEL_INVALID: 'The model can be read but breaks a rule of the ONNX specification.',
  COPPICE_MODEL_TOO_LARGE: 'The model does not fit where it is needed, e.g. over 2 GB in one message.',
  COPPICE_EXTERNAL_DATA_MISSING: 'An external data file is missing or too short.',
  COPPICE_EXTERNAL_DATA_PATH: 'An external data path is absolute or leaves the folder of the model.',
  COPPICE_UNSUPPORTED_TYPE: 'A tensor has an element type that this operation cannot handle.',
  COPPICE_UNSUPPORTED_OPSET: 'The model uses an operator set version that Coppice does not know.',
  COPPICE_UNSUPPORTED_OP: 'The model has an operator that this operation knows nothing about.',
  COPPICE_BACKEND_MISSING: 'The runtime that was asked for is not installed or cannot be loaded.',
  COPPICE_BACKEND_REFUSED: 'The runtime does not accept the model.',
  COPPICE_BACKEND_RUN: 'The runtime failed while running the model.',
  COPPICE_BACKEND_THREADS: 'The runtime of this process already runs with another number of threads.',
  COPPICE_INPUT_MISMATCH: 'The tensors or output names given to a run do not fit the model.',
  COPPICE_TRACE_FAILED: 'The model could not be run to learn its shapes: no default input worked, or the runtime refused it.',
  COPPICE_BUDGET_INVALID: 'A budget is not a fraction of what the model has.',
  COPPICE_BUDGET_UNREACHABLE: 'The budget cannot be kept even with every group at its least width.',
  COPPICE_GROUP_UNKNOWN: 'A pattern matches no group of units.',
  COPPICE_VERIFY_FAILED: 'The slim model does not compute what the masked original does.',
  COPPICE_PLAN_INVALID: 'A plan file is malformed or does not belong to the model.',
  COPPICE_SCORER_UNKNOWN: 'No scorer has that name.',
  COPPICE_SCORER_INVALID: 'A scorer gave something that is not one non-negative number for each unit.',
  COPPICE_CONFIG_INVALID: 'A configuration or plugin file is malformed.',
  COPPICE_INPUT_INVALID: 'A tensor given as input does not fit the model.',
  COPPICE_GRADIENT_MISSING: 'The model has an operator without a gradient between a parameter and the loss.',
  COPPICE_LOSS_INVALID: 'A loss does not fit the model: it reads an output that there is not, or lacks a gradient.',
  COPPICE_LOSS_NOT_FINITE: 'The loss became infinite or not a number, so training stopped at the last good weights.',
  COPPICE_AUDIO_INVALID: 'A recording is empty, broken, or in a format that is not read.',
  COPPICE_DATASET_INVALID: 'A corpus is not where it was said to be, is not what its format looks like, or has too many broken recordings.',
  COPPICE_DATASET_UNKNOWN: 'No dataset format has that name.',
  COPPICE_DESCRIPTION_INVALID: 'The description of the features and the alphabet of a model is malformed or does not fit the model.',
  COPPICE_TRANSCRIPT_INVALID: 'A transcript has a symbol outside the alphabet.',
  COPPICE_RUN_INVALID: 'A run directory is damaged or belongs to another recipe.',
  COPPICE_CALIBRATION_INVALID: 'Calibration saw no runs, or nothing that a range can be taken from.',
  COPPICE_QUANTIZE_INVALID: 'A model, an option or a stored choice is not one that quantisation can work with.',
  COPPICE_TARGET_UNKNOWN: 'No export target has that name.',
  COPPICE_TARGET_REFUSED: 'The model has what an export target cannot run; nothing was written.',
  COPPICE_BUNDLE_INVALID: 'A folder is no bundle of Coppice, or one whose manifest has another form.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof errorCodes;
