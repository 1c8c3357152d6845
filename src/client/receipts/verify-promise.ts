import { accessAnchorKey, decodeRecordedAnchor } from '../../contracts/index.ts';
import {
  type AccessPromise,
  accountKey,
  decodePromise,
  judgePromise,
  MAX_PROMISE_DELAY_MS,
  type PromiseState,
  readAccount,
  verifyPromise,
  verifyStateProof,
} from '../../ledger/index.ts';
import { equalBytes, toHex } from '../../shared/index.ts';
import { openSealedJson, sealJson } from '../sealed-json.ts';
import { base64, type Decoded, nullable, object, oneOf, ShapeError, text } from './json-codec.ts';
import {
  accountKeyProof,
  type ConsensusProof,
  consensusProof,
  MAX_ROTATIONS,
  path,
  statePlace,
  stateValue,
} from './receipt-format.ts';
import { ProofRefused, refuseUnless } from './refusal.ts';
import { type ProofVerdict, verdictOf, verified } from './verify-receipt.ts';
import { type Trust, type VerifiedHead, verifyHead } from './verify-recorded.ts';
import { type ShownKey, verifyAccountKeys } from './verify-signer.ts';
import {
  accountText,
  type Findings,
  headFindings,
  joinFindings,
  keyText,
  restartText,
  timeText,
} from './words.ts';

const PROMISE_CASE_FORMAT = 'careledger-promise-case/v1';
/** Of a consortium: with the proof that its validators decided the head. */
const CONSORTIUM_CASE_FORMAT = 'careledger-promise-case/v2';
const MAX_CASE_CHARACTERS = 3 << 20;

/**
 * A promise to log held against a head of the ledger: the custodian's keys up to the one under the promise and the one after it, or where
 * there is none, its account in that head's state, which has that key; its anchor in that state (or that there is none); and the hash of
 * the entry that stands in the promised place, where the custodian showed one. No entry is disclosed.
 */
const members = {
  promise: text(8192),
  custodianKey: accountKeyProof,
  account: stateValue,
  genesis: base64(64 << 10),
  checkpoint: text(64 << 10),
  anchor: object({ value: nullable(base64(1024)), proof: statePlace }),
  leaf: nullable(object({ hash: base64(32), path })),
};
const operatorCase = object({ format: oneOf([PROMISE_CASE_FORMAT]), ...members });
const consortiumCase = object({
  format: oneOf([CONSORTIUM_CASE_FORMAT]),
  ...members,
  consensus: consensusProof,
});

export type PromiseCase = Omit<Decoded<typeof operatorCase>, 'format'> & {
  /** There where the chain's genesis has validators, and only there. */
  readonly consensus?: ConsensusProof;
};

/** Whether a file's text is meant as a case: by the format that it names. */
export function isPromiseCaseText(text: string): boolean {
  return [PROMISE_CASE_FORMAT, CONSORTIUM_CASE_FORMAT].some((format) =>
    text.includes(`"format":"${format}"`),
  );
}

/** The one text of a case. */
export function formatPromiseCase(evidence: PromiseCase): string {
  const { consensus } = evidence;
  const encoded =
    consensus === undefined
      ? operatorCase.encode({ format: PROMISE_CASE_FORMAT, ...evidence })
      : consortiumCase.encode({ format: CONSORTIUM_CASE_FORMAT, ...evidence, consensus });
  return sealJson(encoded as Record<string, unknown>);
}

/** States whether the custodian kept, broke or still owes its promise to log, and what proves it. */
export function verifyPromiseCase(source: string, trust: Trust = {}): ProofVerdict {
  return verdictOf(() => {
    const evidence = parseCase(source);
    const promise = decodePromise(evidence.promise);
    refuseUnless(promise.ok, 'promise-malformed');
    const head = verifyHead(evidence, trust);
    const maker = verifyMaker(promise.value, evidence, head);
    const findings = judge(promise.value, evidence, head);
    return verified(
      'promise',
      head,
      joinFindings(headFindings(head, trust), madeFindings(promise.value, maker), findings),
    );
  });
}

function parseCase(source: string): PromiseCase {
  const opened = openSealedJson(source, MAX_CASE_CHARACTERS);
  if (!opened.ok) throw new ProofRefused(opened.error);
  try {
    return (opened.value['format'] === CONSORTIUM_CASE_FORMAT ? consortiumCase : operatorCase).decode(
      opened.value,
    );
  } catch (error) {
    if (error instanceof ShapeError) throw new ProofRefused('promise-malformed');
    throw error;
  }
}

/** With which key a promise was made, and from when on that key was no longer the account's; undefined where it still is. */
type Maker = { readonly key: ShownKey; readonly replacedMs: number | undefined };

/**
 * The key must have been the custodian's when a promise with this deadline was made. Who stole a key that was replaced since could
 * otherwise promise in its name for ever. Which keys came later does not matter: a custodian that had many is held to its promise too.
 */
function verifyMaker(promise: AccessPromise, evidence: PromiseCase, head: VerifiedHead): Maker {
  refuseUnless(verifyPromise(promise), 'signature-invalid');
  const keys = verifyAccountKeys(evidence.custodianKey, promise.custodian, head);
  const key = keys.findLast(({ publicKey }) => equalBytes(publicKey, promise.key));
  refuseUnless(key !== undefined && key.rotations <= MAX_ROTATIONS, 'signer-unproven');
  const now = keyAt(head, promise.custodian, evidence.account);
  const replacedMs = keys[key.rotations + 1]?.sinceMs;
  refuseUnless(replacedMs !== undefined || equalBytes(now, promise.key), 'signer-unproven');
  const isInTime = replacedMs === undefined || promise.anchorDeadlineMs <= replacedMs + MAX_PROMISE_DELAY_MS;
  refuseUnless(isInTime, 'promise-key-replaced');
  return { key, replacedMs };
}

/** The key that the account has in the state of the head. */
function keyAt(
  { checkpoint }: VerifiedHead,
  custodian: Uint8Array,
  { value, proof }: PromiseCase['account'],
): Uint8Array {
  refuseUnless(
    verifyStateProof(checkpoint.stateRoot, accountKey(custodian), value, proof),
    'state-proof-invalid',
  );
  const account = readAccount({ get: () => value }, custodian);
  refuseUnless(account !== undefined, 'signer-unproven');
  return account.publicKey;
}

function judge(promise: AccessPromise, { anchor, leaf }: PromiseCase, head: VerifiedHead): Findings {
  const { stateRoot, timeMs } = head.checkpoint;
  const place = accessAnchorKey(promise.custodian);
  refuseUnless(
    verifyStateProof(stateRoot, place, anchor.value ?? undefined, anchor.proof),
    'state-proof-invalid',
  );
  const recorded = anchor.value === null ? undefined : decodeRecordedAnchor(anchor.value);
  const state = judgePromise(promise, {
    headTimeMs: timeMs,
    ...(recorded === undefined ? {} : { anchor: recorded }),
    ...(leaf === null ? {} : { leaf }),
  });
  const restart = recorded && restartText(recorded);
  const restarts = { statements: restart === undefined ? [] : [restart], notProven: [] };
  return { ...joinFindings(outcome(state, promise, recorded?.logSize ?? 0), restarts), promise: state };
}

function madeFindings(promise: AccessPromise, { key, replacedMs }: Maker): Findings {
  const statement =
    `${accountText(promise.custodian)} signed, by ${keyText(key)}, the promise that the entry ${toHex(promise.entryHash)} stands at place ${promise.leafIndex} ` +
    `of its access log, and that this will be on the ledger by ${timeText(promise.anchorDeadlineMs)}.`;
  const notProven =
    replacedMs === undefined
      ? []
      : [
          `That the custodian itself signed it: it replaced this key at ${timeText(replacedMs)}, and whoever has the old key can sign what looks older.`,
        ];
  return { statements: [statement], notProven };
}

function outcome(state: PromiseState, promise: AccessPromise, anchoredSize: number): Findings {
  const { leafIndex, anchorDeadlineMs } = promise;
  switch (state) {
    case 'kept':
      return {
        statements: ['The custodian kept its promise: the entry is in the anchored log.'],
        notProven: ['That the entry tells the truth.'],
      };
    case 'broken': {
      const why =
        anchoredSize <= leafIndex
          ? `after the deadline its anchored log has ${anchoredSize} entries, too few for place ${leafIndex}`
          : `another entry stands at place ${leafIndex} of its anchored log`;
      return {
        statements: [
          `The custodian broke its promise to log: ${why}. The signature under it and the ledger's state prove it.`,
        ],
        notProven: [],
      };
    }
    case 'not-shown':
      return {
        statements: [],
        notProven: [
          'Whether the promise was kept: the deadline has passed and the log is long enough, but the custodian showed no entry at the place. Ask it for one.',
        ],
      };
    case 'open':
      return {
        statements: [],
        notProven: [
          `Whether the promise will be kept: at this head the deadline, ${timeText(anchorDeadlineMs)}, has not passed or no proof was shown.`,
          `When the promise was made. Its deadline may be ${MAX_PROMISE_DELAY_MS / 1000} s after the answer: if you had the answer before ${timeText(anchorDeadlineMs - MAX_PROMISE_DELAY_MS)}, the custodian put the deadline off, and this is no promise to log.`,
        ],
      };
  }
}
