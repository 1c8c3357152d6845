export { collectCosignatures, type WitnessAddress, type WitnessOutcome } from './collect-cosignatures.ts';
