/** Becomes `service-worker.js`: keeps the page's own files, so that it opens without a network. The model and the runtime are kept by the worker, which checks them. */
declare const SHELL_FILES: readonly string[];
declare const SHELL_VERSION: string;

interface LifeCycleEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Scope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: LifeCycleEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
}

const scope = globalThis as unknown as Scope;
const prefix = `coppice-shell ${scope.registration.scope} `;
const name = `${prefix}${SHELL_VERSION}`;
const base = scope.registration.scope;
const shell = new Set(SHELL_FILES.map((path) => new URL(path, base).href));

scope.addEventListener('install', (event) => {
  // What the page has just loaded comes from the browser's own cache where the server allows that.
  const requests = [base, ...shell].map((url) => new Request(url, { cache: url.endsWith('manifest.json') || url === base ? 'no-cache' : 'default' }));
  event.waitUntil(caches.open(name).then((cache) => cache.addAll(requests)).then(() => scope.skipWaiting()));
});

scope.addEventListener('activate', (event) => {
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((old) => old.startsWith(prefix) && old !== name).map((old) => caches.delete(old))))
    .then(() => scope.clients.claim()));
});

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = request.url.split(/[?#]/)[0];
  // Downloads that go past every cache, large files and golden clips are not ours.
  if (request.method !== 'GET' || request.cache === 'reload' || !url.startsWith(base) || !/\.(html|js|mjs|css|svg|d\.ts)$|\/$|manifest\.json$/.test(url)) return;
  event.respondWith(answer(request, url));
});

async function answer(request: Request, url: string): Promise<Response> {
  const cache = await caches.open(name);
  const kept = await cache.match(url);
  if (kept !== undefined) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(url, response.clone());
  return response;
}
