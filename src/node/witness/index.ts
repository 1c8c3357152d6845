export { createWitness, type WatchedLog, type Witness } from './witness.ts';
export { openWitnessFolder } from './witness-folder.ts';
export { startWitnessServer } from './witness-server.ts';
