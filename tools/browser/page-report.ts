import type { BackendInfo } from '@coppice/core';
import type { Finding } from '@coppice/testkit/backend';

/** What the page found; `run.ts` waits for it. */
export interface PageReport {
  readonly info?: BackendInfo;
  readonly claims?: number;
  readonly findings?: readonly Finding[];
  readonly error?: string;
}

declare global {
  var coppiceReport: PageReport | undefined;
}
