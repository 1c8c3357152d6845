import { type Checkpoint, chainIdOf, decodeGenesis, isConsortium } from '../../ledger/index.ts';
import { AppError, equalBytes, fromBase64, toHex } from '../../shared/index.ts';
import type { PinnedHeads } from '../heads/pinned-heads.ts';
import {
  type ProofVerdict,
  parseReceipt,
  REFUSALS,
  type Trust,
  type VerifiedProof,
  verifyCheckpointNote,
  verifyReceipt,
} from '../receipts/index.ts';
import {
  type ExchangeAnswer,
  type ExchangeRequest,
  exchangeOk,
  type Fetch,
  jsonObjectOf,
  textOf,
  unreadable,
} from './exchange.ts';

const MAX_HASHES = 64;

export type NodeClientOptions = {
  readonly baseUrl: string;
  readonly trust?: Trust;
  /** Without it, a node that goes back to an older ledger or begins another one between two runs is not noticed. */
  readonly pinnedHeads?: PinnedHeads;
  readonly fetch?: Fetch;
};

type KnownGenesis = {
  readonly bytes: Uint8Array;
  readonly chainId: Uint8Array;
  /** Whether validators decide its heads, and no operator signs them. */
  readonly isConsortium: boolean;
};
type ShownHead = { readonly note: string; readonly checkpoint: Checkpoint };

/** What the questions to one node share: where it is, whom to believe, and the head that was seen last. */
export type Session = {
  readonly baseUrl: string;
  readonly fetch: Fetch;
  readonly trust: Trust;
  ask(path: string, request?: ExchangeRequest): Promise<ExchangeAnswer>;
  /** The genesis bytes; they must hash to the trusted chain id, or be of the chain that the node served before. */
  genesis(): Promise<KnownGenesis>;
  /** The newest head: signed, and continuing the pinned one. */
  head(): Promise<ShownHead>;
  /** The proof between two sizes of the history, as the node gives it; nothing of it is checked yet. */
  consistency(from: number, to: number): Promise<readonly Uint8Array[]>;
  /** Takes a head that is signed, if it continues the pinned one. */
  pin(note: string): Promise<void>;
};

export function createSession({
  baseUrl: address,
  trust = {},
  pinnedHeads,
  fetch = globalThis.fetch,
}: NodeClientOptions): Session {
  const baseUrl = checkedBaseUrl(address);
  const ask = (path: string, request: ExchangeRequest = {}) => exchangeOk(fetch, baseUrl + path, request);
  let known: KnownGenesis | undefined;
  const genesis = async () => {
    if (known !== undefined) return known;
    const read = readGenesis((await ask('/ledger/genesis')).bytes, trust);
    await pinnedHeads?.acceptChain(baseUrl, read.chainId, trust.chainId !== undefined);
    known = read;
    return read;
  };
  const consistency = async (from: number, to: number) =>
    hashesOf(jsonObjectOf(await ask(`/ledger/proofs/consistency?from=${from}&to=${to}`)).proof);
  const pin = async (note: string): Promise<void> => {
    await pinnedHeads?.accept(note, consistency);
  };
  const head = async () => {
    const known = await genesis();
    const shown = known.isConsortium
      ? decidedHead(textOf(await ask('/ledger/head')), { ...trust, chainId: known.chainId })
      : signedHead(textOf(await ask('/ledger/checkpoint')), known, trust);
    await pin(shown.note);
    return shown;
  };
  return { baseUrl, fetch, trust, ask, genesis, head, consistency, pin };
}

function signedHead(note: string, { bytes, chainId }: KnownGenesis, trust: Trust): ShownHead {
  const { checkpoint } = requireVerified(verifyCheckpointNote(note, bytes, { ...trust, chainId }));
  return { note, checkpoint };
}

function decidedHead(receipt: string, trust: Trust): ShownHead {
  const { checkpoint } = requireVerified(verifyReceipt(receipt, trust));
  const parsed = parseReceipt(receipt);
  if (!parsed.ok || parsed.value.kind !== 'head') throw unreadable();
  return { note: parsed.value.checkpoint, checkpoint };
}

function readGenesis(bytes: Uint8Array, trust: Trust): KnownGenesis {
  const genesis = decodeGenesis(bytes);
  if (!genesis.ok) throw new AppError('proof-refused', 'The node gave a genesis that is not valid.');
  const chainId = chainIdOf(genesis.value);
  if (trust.chainId === undefined || equalBytes(trust.chainId, chainId))
    return { bytes, chainId, isConsortium: isConsortium(genesis.value) };
  throw new AppError(
    'wrong-genesis',
    `The node serves chain ${toHex(chainId)}, and you trust ${toHex(trust.chainId)}. Check the address.`,
  );
}

export function requireVerified(verdict: ProofVerdict): VerifiedProof {
  if (verdict.ok) return verdict;
  // That is proven: the refusal is in the log.
  if (verdict.code === 'transaction-refused') throw new AppError(verdict.code, REFUSALS[verdict.code]);
  throw new AppError(
    'proof-refused',
    `The node's proof does not hold (${verdict.code}). ${verdict.notProven.join(' ')} Do not rely on this node.`,
  );
}

export function hashesOf(value: unknown): Uint8Array[] {
  if (!Array.isArray(value) || value.length > MAX_HASHES) throw unreadable();
  return value.map((item: unknown) => {
    const bytes = typeof item === 'string' ? fromBase64(item) : undefined;
    if (bytes?.length !== 32) throw unreadable();
    return bytes;
  });
}

function checkedBaseUrl(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isPlain =
    url !== undefined &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.search === '' &&
    url.hash === '';
  if (!isPlain)
    throw new AppError(
      'usage',
      'The address of the node must look like https://hospital.example or http://127.0.0.1:8490.',
    );
  return url.href.replace(/\/+$/, '');
}
