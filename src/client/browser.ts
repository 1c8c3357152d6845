/**
 * What a web page needs to check a node: proofs offline, and the validators of a consortium. Pure code: no file, network or clock of
 * its own, and nothing of Node. `npm run bundle:browser` makes one file of it.
 */
export { chainIdOf, decodeGenesis, type Genesis } from '../ledger/index.ts';
export { fromBase64, fromHex, toBase64, toHex } from '../shared/index.ts';
export * from './light/index.ts';
export type { ProofVerdict, RefusedProof, VerifiedProof } from './receipts/verify-receipt.ts';
export { type FileTrust, verifyText } from './receipts/verify-text.ts';
