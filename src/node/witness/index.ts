export { createWitness, type WatchedLog, type Witness } from './witness.ts';
export { startWitnessServer } from './witness-server.ts';
