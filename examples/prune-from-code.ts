import { wasmBackend } from '@coppice/backend-onnx';
import { assertEqual, cutModel, findUnits, planCut, scoreUnits, traceModel, verifyCut } from '@coppice/core';
import { readModel, writeModel } from '@coppice/graph/node';
import { l2 } from '@coppice/scorer-magnitude';

const [input = 'model.onnx', output = 'slim.onnx'] = process.argv.slice(2);
const backend = wasmBackend();
const trace = await traceModel(readModel(input), backend);
const units = findUnits(trace);
const scores = await scoreUnits(units, l2);
const plan = planCut(units, scores, { macs: 0.5 });
const slim = cutModel(units, plan.removed);
assertEqual(await verifyCut(units, plan.removed, slim, backend));
writeModel(slim, output);
console.log(`${output}: ${Math.round((100 * plan.after.macs) / plan.before.macs)} % of the MACs`);
