import { nativeBackend } from '@coppice/backend-onnx';
import { runStudy } from '@coppice/testkit';
const [from, cases, plans] = process.argv.slice(2).map(Number);
const s = await runStudy(nativeBackend(), { from, cases, plans, explain: 1 });
console.log(s.outcomes, s.seconds, s.widest);
for (const f of s.failures) console.log(f.seed, f.kind, f.message.slice(0, 300), f.blocks.join(), JSON.stringify(f.recipe)), console.log(f.graph);
