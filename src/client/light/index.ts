export { type VerifyStep, verifyByHalving } from './bisection.ts';
export { formatChainFile, openChainFile } from './chain-file.ts';
export type { ForkFound } from './compare-sources.ts';
export { fewestSteps } from './fewest-steps.ts';
export { type ForkVerdict, formatForkEvidence, verifyForkEvidence } from './fork-evidence.ts';
export {
  createLightClient,
  type LightClient,
  type LightClientOptions,
  type LightHead,
  type TrustedHeads,
} from './light-client.ts';
export type { Liar, LieReason, LightSource } from './light-source.ts';
export { type AskNode, nodeSource } from './node-source.ts';
export { type AskRpc, rpcSource } from './rpc-source.ts';
