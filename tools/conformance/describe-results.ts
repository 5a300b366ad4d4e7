import { outOfScope, whyOutOfScope, type Finding, type OfficialResult, type TestSubject } from '@coppice/testkit';

/** A test by its name and what it is about. */
export interface DescribedTest {
  readonly name: string;
  readonly subject: TestSubject;
}

/** What one backend made of all tests, in their order. */
export interface Column {
  readonly name: string;
  readonly version: string;
  /** Whether it is a backend, of which everything of our scope is asked, and not a piece of Coppice that is held against the tests. */
  readonly backend: boolean;
  /** What the testkit's own suite finds, and how many claims it tries. */
  readonly suite?: { readonly claims: number; readonly findings: readonly Finding[] };
  readonly results: readonly OfficialResult[];
}

/** Tests that fail on a backend, tests of our scope that one refuses, and findings of the suite, in words. */
export const violationsOf = (tests: readonly DescribedTest[], columns: readonly Column[]): string[] =>
  columns.filter(({ backend }) => backend).flatMap(({ name, results, suite }) => [
    ...results.flatMap((result, k) => {
      const own = whyOutOfScope(tests[k].name, tests[k].subject) === undefined;
      const bad = result.kind === 'fails' || (result.kind === 'refused' && own);
      return bad ? [`${name}: ${tests[k].name} ${result.kind}: ${result.reason}`] : [];
    }),
    ...(suite?.findings ?? []).map(({ family, title, kind, message }) => `${name}: ${family}, ${title}, is ${kind}: ${message}`),
  ]);

/** The committed page: totals, a row for each operator, what is refused and why, what is set aside and why. */
export function describeResults(tests: readonly DescribedTest[], columns: readonly Column[], { machine, command }: { readonly machine: string; readonly command: string }): string {
  const inScope = tests.map(({ name, subject }) => whyOutOfScope(name, subject) === undefined);
  return [
    '# The official operator tests of ONNX',
    '',
    `${tests.length} tests (inputs and expected outputs as ONNX publishes them), run on every backend: a test passes, is refused before it runs, or fails. ${inScope.filter(Boolean).length} of them are of our scope: `
      + 'operators that models of speech, their gradients and the graphs that Coppice writes are made of, in float32, int32, int64 and bool. No backend may refuse or fail one of those.',
    '',
    ...totals(columns, inScope),
    '',
    `The tolerance is ONNX's own, relative 1e-3 and absolute 1e-7; integers, truth values and text are compared exactly. ${columns.filter(({ backend }) => !backend).map(({ name }) => `\`${name}\``).join(' and ')} are no backends: `
      + 'the same tests hold `toModernOpset` (each model is lifted before it runs) and the float64 reference of the testkit to the official answers. ONNX publishes the large models of its `real` tests elsewhere; they are not run.',
    '',
    ...byOperator(tests, columns),
    '',
    ...refusals(tests, columns, inScope),
    ...listed('Set aside', 'These differ for a reason that lies in the test.', tests, columns, 'set aside'),
    ...listed('Compared in another way', 'These pass with a note.', tests, columns, 'passes'),
    ...listed('Failures', '', tests, columns, 'fails'),
    ...suites(columns),
    '## Out of our scope',
    '',
    ...Object.entries(grouped(Object.entries(outOfScope).map(([op, why]) => [why ?? '', op]))).map(([why, ops]) => `- ${ops.join(', ')}: ${why}.`),
    '',
    `${columns.map(({ name, version, backend }) => (backend ? `${name} ${version}` : '')).filter(Boolean).join(', ')}; ${machine}. Made by \`${command}\`.`,
  ].join('\n');
}

const kinds = ['passes', 'refused', 'set aside', 'fails'] as const;

function totals(columns: readonly Column[], inScope: readonly boolean[]): string[] {
  const count = (results: readonly OfficialResult[], kind: string, scoped: boolean) => results.filter((result, k) => result.kind === kind && (!scoped || inScope[k])).length;
  return [
    `| | ${kinds.join(' | ')} | of our scope: ${kinds.join(' | ')} |`,
    `|---|${'---:|'.repeat(2 * kinds.length)}`,
    ...columns.map(({ name, results }) => `| ${name} | ${[false, true].flatMap((scoped) => kinds.map((kind) => count(results, kind, scoped))).join(' | ')} |`),
  ];
}

/** What the testkit's own suite says. */
function suites(columns: readonly Column[]): string[] {
  const asked = columns.filter(({ suite }) => suite);
  if (asked.length === 0) return [];
  return [
    "## The testkit's own suite", '',
    '`checkBackend`: the contract of a backend, and small graphs of each family of operators against float64.', '',
    ...asked.map(({ name, suite }) => `- ${name}: ${suite!.claims} claims, ${suite!.findings.length === 0 ? 'no finding' : `${suite!.findings.length} findings`}`),
    ...asked.flatMap(({ name, suite }) => suite!.findings.map(({ family, title, kind, message }) => `- ${name}, ${family}, ${title}: ${kind}: ${message.replace(/\n[\s\S]*$/, '').slice(0, 240)}`)), '',
  ];
}

const grouped = (pairs: readonly (readonly [string, string])[]): Record<string, string[]> => {
  const groups: Record<string, string[]> = {};
  for (const [key, value] of pairs) (groups[key] ??= []).push(value);
  return groups;
};

/** The operator of a test of one; tests of several are one row, by their folder. */
const rowOf = ({ name, subject: { operators } }: DescribedTest): string =>
  (operators.length === 1 ? operators[0] : operators.length === 0 ? '(unreadable)' : name.endsWith('_expanded') ? '(definitions of operators by others)' : `(several operators, ${name.split('/')[0]})`);

function byOperator(tests: readonly DescribedTest[], columns: readonly Column[]): string[] {
  const rows = grouped(tests.map((test, k) => [rowOf(test), String(k)]));
  const cell = (results: readonly OfficialResult[], numbers: readonly string[]): string => {
    const count = (kind: string) => numbers.filter((k) => results[Number(k)].kind === kind).length;
    const [passes, refused, aside, fails] = kinds.map(count);
    return [passes, ...(refused || aside || fails ? [refused] : []), ...(aside ? [`${aside} aside`] : []), ...(fails ? [`**${fails} fail**`] : [])].join(' / ');
  };
  return [
    '## By operator',
    '',
    'Passes / refused. A dot marks operators of our scope.',
    '',
    `| operator | | ${columns.map(({ name }) => name).join(' | ')} |`,
    `|---|---|${'---:|'.repeat(columns.length)}`,
    ...Object.keys(rows).sort().map((op) => `| ${op} | ${op.startsWith('(') || op.includes('.') || op in outOfScope ? '' : '•'} | ${columns.map(({ results }) => cell(results, rows[op])).join(' | ')} |`),
  ];
}

/** What is refused, by reason; of what is no backend only what is of our scope. */
function refusals(tests: readonly DescribedTest[], columns: readonly Column[], inScope: readonly boolean[]): string[] {
  return columns.flatMap(({ name, backend, results }) => {
    const groups = grouped(results.flatMap((result, k) => (result.kind === 'refused' && (backend || inScope[k])
      ? [[`${result.by === 'reader' ? 'by the reader: ' : ''}${shortened(result.reason)}${isNamed(result.reason, tests[k].subject) ? '' : ' (without a name)'}`, `${lastOf(tests[k].name)}${backend && inScope[k] ? ' (of our scope)' : ''}`] as const] : [])));
    return [`## Refused by ${name}${backend ? '' : ', of our scope'}`, '', ...Object.entries(groups).map(([why, names]) => `- ${why}: ${shortList(names)}`), ''];
  });
}

const lastOf = (name: string): string => name.split('/').at(-1)!.replace(/^test_/, '');
const shortList = (names: readonly string[]): string => (names.length > 12 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', '));

/** Whether a refusal says which operator or type it is about. */
const isNamed = (reason: string, { operators, types }: TestSubject): boolean =>
  operators.length === 0 || [...operators.map((op) => op.split('.').at(-1)!), ...types].some((word) => reason.includes(word));

/** A reason without what differs between tests, in one line. */
const shortened = (reason: string): string => reason
  .replace(/^.*? does not take the model: /, '').replace(/^(Fatal error|Exception during initialization): /, '').replace(/^\S*<lambda\(\)> /, '')
  .replace(/^(Input |Output )?'[^']*' is an? /, 'a value that is no tensor: ').replace(/^Input '[^']*' is /, 'an input is ').replace(/^onnx:\w+: an output of the model is /, 'an output is ')
  .replace(/(\w+) '[^']*' of opset \d+/, '$1 of an old opset').replace(/\(-1\) is not/, ' is not').replace(/ node with name ''/, '')
  .replace(/(?<=[^.])[.;]\s[\s\S]*$/, '').replace(/\s*\n[\s\S]*$/, '').replace(/[.;:]+$/, '').slice(0, 160);

function listed(title: string, text: string, tests: readonly DescribedTest[], columns: readonly Column[], kind: OfficialResult['kind']): string[] {
  const lines = grouped(columns.flatMap(({ name, results }) => results.flatMap((result, k) => {
    const words = result.kind !== kind ? undefined : result.kind === 'passes' ? result.note : result.reason;
    return words === undefined ? [] : [[`${tests[k].name}: ${words.replace(/\n[\s\S]*$/, '').slice(0, 240)}`, name] as const];
  })));
  return Object.keys(lines).length === 0 ? [] : [`## ${title}`, '', ...(text ? [text, ''] : []), ...Object.entries(lines).map(([line, names]) => `- ${line} (${names.join('; ')})`), ''];
}
