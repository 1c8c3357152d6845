/** Talking to a node and believing only what is proven: receipts, pinned heads, wallets, witnesses. */
export * from './governance/index.ts';
export { type HeadConflict, openPinnedHeads, type PinnedHeads } from './heads/pinned-heads.ts';
export type { AccountAnswer } from './http/accounts.ts';
export type { ExchangeAnswer, ExchangeRequest, Fetch } from './http/exchange.ts';
export type { ProvenTransaction, ReceiptOptions } from './http/ledger-proofs.ts';
export { nodeSourceAt } from './http/light-node.ts';
export { createNodeClient, type NodeClient } from './http/node-client.ts';
export type { NodeClientOptions } from './http/session.ts';
export * from './light/index.ts';
export { openTrustedHeads } from './light/trusted-heads.ts';
export * from './receipts/index.ts';
export { verifyFile, verifyForkFile } from './verify-file.ts';
export * from './wallet/index.ts';
export * from './witness/index.ts';
