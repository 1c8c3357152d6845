import { signMessage, verifySignature } from '../../identity/index.ts';
import {
  type ActionContext,
  RESULT_CODES,
  type ResultCode,
  readAccount,
  type StateReader,
  type StateWriter,
  sealAction,
} from '../../ledger/index.ts';
import {
  type CanonicalReader,
  CanonicalWriter,
  concatBytes,
  DecodeError,
  equalBytes,
  leafHash,
  type Result,
  toHex,
  treeRoot,
  utf8,
} from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeParts, readAll } from '../payload.ts';
import { isActiveOrganisation, readParty } from '../registry/party.ts';
import { extendRecordChain, NO_PATIENT, readRecordChain, writeRecordChain } from './record-chain.ts';

/** As many as a transaction has parts, but for the head. */
export const MAX_BATCH_ENTRIES = 4095;
const AUTHOR_DOMAIN = utf8('careledger/author/v1\0');
const UNSIGNED = 0;
const SIGNED = 1;

/** One record version: whose, as a pseudonym, and the salted commitment to its content. */
export type RecordEntry = { readonly pseudonym: Uint8Array; readonly commitment: Uint8Array };

export type CommitVersions = {
  /** Who wrote these versions. */
  readonly author: Uint8Array;
  /** The author's signature over the entries; null where the custodian vouches for the author it authenticated. */
  readonly authorSignature: Uint8Array | null;
  readonly entries: readonly RecordEntry[];
};

/** A head part, then one part for each entry, so that a receipt shows one entry and no other patient's. */
export function encodeCommitVersions(payload: CommitVersions): Uint8Array[] {
  const head = new CanonicalWriter().fixed(payload.author, 32);
  if (payload.authorSignature === null) head.u8(UNSIGNED);
  else head.u8(SIGNED).fixed(payload.authorSignature, 64);
  return [head.finish(), ...payload.entries.map(encodeRecordEntry)];
}

export function encodeRecordEntry(entry: RecordEntry): Uint8Array {
  return new CanonicalWriter().fixed(entry.pseudonym, 32).fixed(entry.commitment, 32).finish();
}

export function readRecordEntry(reader: CanonicalReader): RecordEntry {
  return { pseudonym: reader.fixed(32), commitment: reader.fixed(32) };
}

/** What an author signs: this chain, the custodian, and every entry in its order. */
export function authorMessage(
  chainId: Uint8Array,
  custodian: Uint8Array,
  entries: readonly RecordEntry[],
): Uint8Array {
  return concatBytes(
    AUTHOR_DOMAIN,
    chainId,
    custodian,
    treeRoot(entries.map((entry) => leafHash(encodeRecordEntry(entry)))),
  );
}

export function signAsAuthor(
  chainId: Uint8Array,
  custodian: Uint8Array,
  entries: readonly RecordEntry[],
  seed: Uint8Array,
): Uint8Array {
  return signMessage(seed, authorMessage(chainId, custodian, entries));
}

/** A custodian commits to record versions it keeps. */
export const commitVersions = sealAction<CommitVersions>({
  contract: CONTRACT.records,
  action: 1,
  name: 'commit-versions',
  decode: decodeCommitVersions,
  check: checkCommitVersions,
  apply: applyCommitVersions,
});

export function decodeCommitVersions(parts: readonly Uint8Array[]): Result<CommitVersions, DecodeError> {
  return decodeParts(() => {
    const [head, ...entries] = parts;
    if (head === undefined) throw new DecodeError('truncated', 'a batch has a head');
    return { ...readAll(head, readHead), entries: entries.map((entry) => readAll(entry, readRecordEntry)) };
  });
}

function readHead(reader: CanonicalReader): Omit<CommitVersions, 'entries'> {
  const author = reader.fixed(32);
  const flag = reader.u8();
  if (flag !== UNSIGNED && flag !== SIGNED)
    throw new DecodeError('invalid-value', 'the signature flag is 0 or 1');
  return { author, authorSignature: flag === SIGNED ? reader.fixed(64) : null };
}

function checkCommitVersions(
  state: StateReader,
  context: ActionContext,
  payload: CommitVersions,
): ResultCode {
  if (!isActiveOrganisation(state, context.signer)) return RESULT_CODES['not-an-organisation'];
  if (payload.entries.length === 0) return RESULT_CODES['empty-batch'];
  const author = readAccount(state, payload.author);
  if (author === undefined) return RESULT_CODES['unknown-author'];
  if (!pseudonymsBelong(state, context.signer, payload.entries)) return RESULT_CODES['unknown-pseudonym'];
  if (payload.authorSignature === null) return RESULT_CODES.ok;
  const message = authorMessage(context.chainId, context.signer, payload.entries);
  return verifySignature(author.publicKey, message, payload.authorSignature)
    ? RESULT_CODES.ok
    : RESULT_CODES['bad-author-signature'];
}

/** An unregistered pseudonym is one whose patient has not enrolled yet; a registered one must be this custodian's. */
function pseudonymsBelong(
  state: StateReader,
  custodian: Uint8Array,
  entries: readonly RecordEntry[],
): boolean {
  const seen = new Set<string>();
  return entries.every(({ pseudonym }) => {
    const name = toHex(pseudonym);
    if (seen.has(name) || equalBytes(pseudonym, NO_PATIENT)) return true;
    seen.add(name);
    const party = readParty(state, pseudonym);
    return party === undefined || (party.kind === 'patient' && equalBytes(party.organisation, custodian));
  });
}

/** Each chain is read and written once, however many entries it gains. */
function applyCommitVersions(state: StateWriter, context: ActionContext, payload: CommitVersions): void {
  const chains = new Map<string, { pseudonym: Uint8Array; chain: ReturnType<typeof readRecordChain> }>();
  for (const { pseudonym, commitment } of payload.entries) {
    const name = toHex(pseudonym);
    const chain = chains.get(name)?.chain ?? readRecordChain(state, context.signer, pseudonym);
    chains.set(name, { pseudonym, chain: extendRecordChain(chain, commitment) });
  }
  for (const { pseudonym, chain } of chains.values())
    writeRecordChain(state, context.signer, pseudonym, chain);
}
