export {
  createWitness,
  type WatchedLog,
  type Witness,
  type WitnessAnswer,
  type WitnessOptions,
} from './witness.ts';
export { startWitnessServer, type WitnessServer } from './witness-server.ts';
