export { tfjsBackend, type TfjsOptions } from './backend.ts';
export { chooseTfjsBackend, type TfjsBackendName } from './choose.ts';
export { engineNames, tfjsEngines, type EngineName, type EngineReport } from './engines.ts';
export { tfjsModule } from './module.ts';
