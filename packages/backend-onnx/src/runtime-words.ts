import { CoppiceError, dataTypeOf } from '@coppice/graph';

/** Longer words than these do not help anyone; the whole text is the error's `cause`. */
const longest = 600;

/**
 * What a runtime says about a failure, reduced to what a person can use: the node and the reason. Paths of the machine
 * that compiled the runtime, C++ signatures and status numbers go.
 */
export function runtimeWords(error: unknown): string {
  // Emscripten throws C++ exceptions that nobody caught as their address.
  if (typeof error === 'number') return `an internal exception of the WebAssembly runtime (${error}), most often for want of memory`;
  const raw = error instanceof Error ? error.message : String(error);
  const words = withoutSourceLocations(raw)
    .replace(/^.*?ERROR_CODE: \d+, ERROR_MESSAGE: /s, '')
    .replace(/^Load model from .*? failed: ?/s, '')
    .replace(/^This is an invalid model\. (?:In Node, |Error: )?/, '')
    .replace(/Non-zero status code returned while running (\S+) node\. Name: ?'([^']*)' Status Message: /g, "$1 '$2': ")
    .replace(/\s+/g, ' ')
    .trim();
  const text = words || 'it gave no reason';
  return text.length > longest ? `${text.slice(0, longest)} …` : text;
}

/** Removes `/path/file.cc:12 signature(…) ` and `file.h:12 Function `. */
function withoutSourceLocations(text: string): string {
  const location = /(?:\/[^\s:]*\/)?[\w.-]+\.(?:cc|cpp|h|hpp):\d+ /g;
  let kept = '';
  let at = 0;
  for (let match = location.exec(text); match; match = location.exec(text)) {
    kept += text.slice(at, match.index);
    at = location.lastIndex;
    at += match[0].startsWith('/') ? signatureLength(text.slice(at)) : /^\w+ /.exec(text.slice(at))?.[0].length ?? 0;
    location.lastIndex = at;
  }
  return kept + text.slice(at);
}

/** Length of a C++ signature at the start of `text`: up to the parenthesis that closes its parameters, and qualifiers. */
function signatureLength(text: string): number {
  let depth = 0;
  for (let k = text.indexOf('('); k >= 0 && k < text.length; k++) {
    if (text[k] === '(') depth++;
    else if (text[k] === ')' && --depth === 0) return k + 1 + (/^(?: const)?(?: \[with [^\]]*\])?\s*/.exec(text.slice(k + 1))?.[0].length ?? 0);
  }
  return 0;
}

/** Element type numbers that the runtime's JavaScript layer has no name for. */
const unnamedType = /unsupported (?:data )?type: (\d+)/i;

/** The error of `compile`: the runtime does not take the model. */
export function refusal(backend: string, cause: unknown): CoppiceError {
  if (cause instanceof CoppiceError) return cause;
  const number = cause instanceof Error ? unnamedType.exec(cause.message)?.[1] : undefined;
  if (number !== undefined) {
    return new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `${backend}: an output of the model is ${dataTypeOf(Number(number))}, which ONNX Runtime cannot return to JavaScript. Add a Cast to float32 before it.`, { cause });
  }
  return new CoppiceError('COPPICE_BACKEND_REFUSED', `${backend} does not take the model: ${ended(runtimeWords(cause))} ${adviceFor(cause)}`, { cause });
}

/** The error of `run`. */
export function runFailure(backend: string, cause: unknown): CoppiceError {
  if (cause instanceof CoppiceError) return cause;
  return new CoppiceError('COPPICE_BACKEND_RUN', `${backend} failed while running the model: ${ended(runtimeWords(cause))} ${adviceFor(cause)}`, { cause });
}

const ended = (words: string): string => (/[.…!?]$/.test(words) ? words : `${words}.`);

/** The next step, as far as the runtime's words tell. */
function adviceFor(error: unknown): string {
  const text = error instanceof Error ? error.message : '';
  if (typeof error === 'number' || isAbort(error) || /bad_?alloc|SafeIntOnOverflow|failed to allocate|out of memory/i.test(text)) {
    return 'WebAssembly ends at 4 GB: use shorter or fewer inputs at once, or the native runtime (onnx:native).';
  }
  if (/Could not find an implementation/.test(text)) return 'ONNX Runtime has no kernel for this operator with these types on the CPU: try float32.';
  if (/Unsupported model IR version|only \*guarantees\* support/.test(text)) return 'The file is newer than this ONNX Runtime: export it for an older opset.';
  return 'If another runtime takes the model, please report it; onnx.checker tells whether the file itself is at fault.';
}

/** Whether the WebAssembly instance is dead after this error, for every session of the process. */
export const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'RuntimeError' || /\bAborted\(|memory access out of bounds|unreachable/.test(error.message));
