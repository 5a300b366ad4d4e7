import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, resolve, sep } from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml', '.wasm': 'application/wasm', '.wav': 'audio/wav', '.md': 'text/markdown; charset=utf-8', '.ts': 'text/plain; charset=utf-8',
};

export interface ServedFolder {
  /** Ends with a slash. */
  readonly url: string;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Whether pages are cross-origin isolated, which threads of WebAssembly need. Default true. */
  readonly isolated?: boolean;
  /** Called for every file that is sent. */
  readonly onSent?: (path: string, bytes: number) => void;
  /** Default: any that is free. */
  readonly port?: number;
}

/** Serves a folder to this machine alone, as any web server would. */
export function serveFolder(folder: string, { isolated = true, onSent, port = 0 }: ServeOptions = {}): Promise<ServedFolder> {
  const root = resolve(folder);
  const isolation = isolated ? { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' } : {};
  const server = createServer((request, response) => {
    let path: string;
    try {
      path = resolve(root, `.${decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname)}`);
    } catch {
      return void response.writeHead(400).end();
    }
    const file = path === root ? join(root, 'index.html') : path;
    const found = file.startsWith(root + sep) ? statSync(file, { throwIfNoEntry: false }) : undefined;
    if (!found?.isFile()) return void response.writeHead(404, { 'content-type': 'text/plain' }).end('not here');
    const tag = `"${found.size}-${found.mtimeMs}"`;
    if (request.headers['if-none-match'] === tag) return void response.writeHead(304, { etag: tag, ...isolation }).end();
    response.writeHead(200, {
      etag: tag, 'content-type': types[extname(file)] ?? 'application/octet-stream', 'content-length': found.size, 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff',
      ...isolation,
    });
    onSent?.(file.slice(root.length + 1).replaceAll('\\', '/'), found.size);
    createReadStream(file).on('error', () => response.destroy()).pipe(response);
  });
  return new Promise((done, fail) => {
    server.on('error', fail);
    server.listen(port, '127.0.0.1', () => done({
      url: `http://127.0.0.1:${(server.address() as { port: number }).port}/`,
      close: () => new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
    }));
  });
}
