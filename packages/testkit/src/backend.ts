// What checks a backend without a test runner or a file system, for a browser as well: `@coppice/testkit/backend`.
export { checkBackend, countClaims } from './backend/check-backend.ts';
export type { BackendCheckOptions, ClaimFamily, Finding } from './backend/claim.ts';
export { eagerBackend } from './backend/eager-backend.ts';
export { subjectOfTest, type OfficialFiles, type OfficialTest, type TestSubject } from './official/official-test.ts';
export { lifting, runOfficialTest, type OfficialResult, type OfficialRunOptions } from './official/run-official-test.ts';
export { outOfScope, whyOutOfScope } from './official/scope.ts';
