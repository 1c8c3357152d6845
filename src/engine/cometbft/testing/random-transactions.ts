import { sign } from 'node:crypto';
import {
  ACTIONS,
  type ActionName,
  ANCHOR_NONCE_BYTES,
  authorMessage,
  encodeAnchorAccessLog,
  encodeCommitVersions,
  encodeDelegation,
  encodeRecordErasure,
  encodeRegistration,
  encodeReplaceConsent,
  encodeRevokeConsent,
  encodeRotateKey,
  encodeSuspension,
  NO_PATIENT,
  possessionMessage,
  type Role,
} from '../../../contracts/index.ts';
import { HEADER_BYTES } from '../../../ledger/index.ts';
import { toHex } from '../../../shared/index.ts';
import { seededRandom } from '../../power-loss-storage.ts';
import {
  consentGrant,
  enrolment,
  SAMPLE_TIME_MS,
  type SampleChain,
  type SampleSigner,
  sampleBytes,
  sampleSigner,
  signedAction,
} from '../../sample-chain.ts';

type Parts = readonly Uint8Array[];
/** What a signer asks for next; a rotation ends what it asks for in the round, since its new key counts only after it. */
type Wish = { readonly name: ActionName; readonly parts: Parts; readonly newKey?: SampleSigner };
type Cast = {
  readonly seed: number;
  readonly chain: SampleChain;
  readonly random: () => number;
  /** They sign in the rounds of the organisations, and change what the others may do. */
  readonly organisations: SampleSigner[];
  readonly delegates: SampleSigner[];
  /** They sign in the other rounds. */
  readonly patients: SampleSigner[];
  readonly practitioners: SampleSigner[];
  readonly idle: SampleSigner;
  readonly impersonated: SampleSigner;
  readonly suspended: Set<string>;
  readonly logSizes: Map<string, number>;
  names: number;
  isForged: boolean;
  /** Who was registered in this round is used from the next one on. */
  readonly newParties: (() => void)[];
};

/** The organisations of the genesis beside the custodian's. */
export const ORGANISATIONS = ['org1', 'org2', 'org3'];
const MAX_PARTIES = 40;
const FAULTY_SHARE = 0.2;

/**
 * Random transactions of every contract in rounds, valid ones and not. What becomes of each follows from the rounds before it and
 * from its signer's own in the round, not from the order among signers: however blocks are cut, every engine must say the same of it.
 */
export function randomTransactions(
  chain: SampleChain,
  count: number,
  size: number,
  seed: number,
): Uint8Array[][] {
  const cast = castOf(chain, seed);
  const rounds = beginning(cast);
  let left = count - rounds.flat().length;
  for (let round = 0; left > 0; round++) {
    const transactions = randomRound(cast, Math.min(size, left), signersOf(cast, round));
    for (const add of cast.newParties.splice(0)) add();
    left -= transactions.length;
    rounds.push(transactions);
  }
  return rounds;
}

function castOf(chain: SampleChain, seed: number): Cast {
  const named = (name: string, count: number): SampleSigner[] =>
    Array.from({ length: count }, (_, at) => sampleSigner(seed, `${name} ${at}`));
  return {
    seed,
    chain,
    random: seededRandom(seed),
    organisations: [chain.custodian, ...ORGANISATIONS.map((name) => sampleSigner(1, name))],
    delegates: named('delegate', 3),
    patients: named('patient', 12),
    practitioners: named('practitioner', 6),
    idle: sampleSigner(seed, 'idle'),
    impersonated: sampleSigner(seed, 'impersonated'),
    suspended: new Set(),
    logSizes: new Map(),
    names: 0,
    isForged: false,
    newParties: [],
  };
}

/** Everybody is made known; the second round has a transaction that later rounds repeat. */
function beginning(cast: Cast): Uint8Array[][] {
  const { chain, patients, delegates, practitioners, idle, impersonated } = cast;
  const by = (name: ActionName, signer: SampleSigner, roles: Role[] = []): Uint8Array =>
    signedAction(chain, chain.custodian, name, [registration(chain, chain.custodian, signer, roles)]);
  const first = [
    ...practitioners.map((one) => by('register-practitioner', one, ['physician'])),
    ...[...patients, ...delegates, idle, impersonated].map((one) => enrolment(chain, one)),
  ];
  return [first, [consentGrant(chain, idle, cast.seed)]];
}

/** One delegate a round: two might change the same consent, and their order would matter. */
function signersOf(
  { organisations, delegates, patients, practitioners }: Cast,
  round: number,
): SampleSigner[] {
  if (round % 2 === 1) return [...patients, ...practitioners];
  return [...organisations, delegates[(round / 2) % delegates.length] as SampleSigner];
}

function randomRound(cast: Cast, size: number, signers: readonly SampleSigner[]): Uint8Array[] {
  const { chain, random } = cast;
  const done = new Set<SampleSigner>();
  cast.isForged = false;
  return Array.from({ length: size }, (_, at) => {
    const signer = pick(cast, signers);
    if (random() < FAULTY_SHARE || done.has(signer)) return faulty(cast, at);
    const { name, parts, newKey } = wishOf(cast, signer);
    // What a suspended signer asks for is refused, and its number does not move.
    if (cast.suspended.has(toHex(signer.accountId))) return signedAction(chain, { ...signer }, name, parts);
    const transaction = signedAction(chain, signer, name, parts);
    if (newKey !== undefined) {
      signer.privateKey = newKey.privateKey;
      done.add(signer);
    }
    return transaction;
  });
}

function wishOf(cast: Cast, signer: SampleSigner): Wish {
  const wishes = cast.organisations.includes(signer) ? ORGANISATION_WISHES : PERSON_WISHES;
  return pick(cast, wishes)(cast, signer);
}

const ORGANISATION_WISHES: readonly ((cast: Cast, signer: SampleSigner) => Wish)[] = [
  (cast, signer) => newParty(cast, signer, 'enrol-patient', cast.patients, []),
  (cast, signer) => newParty(cast, signer, 'register-practitioner', cast.practitioners, ['nurse']),
  (cast, signer) => newParty(cast, signer, 'register-device', [], ['medical-device']),
  // Always refused: several members admit another one by vote.
  (cast, signer) => newParty(cast, signer, 'register-organisation', [], ['laboratory']),
  (cast, signer) => suspension(cast, signer, 'suspend-party'),
  (cast, signer) => suspension(cast, signer, 'reinstate-party'),
  (cast, signer) => suspension(cast, signer, 'reinstate-party'),
  commitment,
  commitment,
  anchor,
  erasure,
];

const PERSON_WISHES: readonly ((cast: Cast, signer: SampleSigner) => Wish)[] = [
  grant,
  grant,
  (cast, signer) => ({ name: 'replace-consent', parts: [replacement(cast, owner(cast, signer))] }),
  (cast, signer) => ({ name: 'revoke-consent', parts: [revocation(cast, owner(cast, signer))] }),
  (cast) => ({ name: 'appoint-delegate', parts: [encodeDelegation({ delegate: delegateId(cast) })] }),
  (cast) => ({ name: 'dismiss-delegate', parts: [encodeDelegation({ delegate: delegateId(cast) })] }),
  rotation,
];

/** Somebody who takes part later, as long as there are few; who was registered before is refused. */
function newParty(
  cast: Cast,
  registrar: SampleSigner,
  name: ActionName,
  group: SampleSigner[],
  roles: Role[],
): Wish {
  const isNew = group.length < MAX_PARTIES && cast.random() < 0.7;
  const party =
    isNew || group.length === 0 ? sampleSigner(cast.seed, `party ${cast.names++}`) : pick(cast, group);
  if (isNew && registrar === cast.chain.custodian) cast.newParties.push(() => group.push(party));
  return { name, parts: [registration(cast.chain, registrar, party, roles)] };
}

function registration(
  chain: SampleChain,
  registrar: SampleSigner,
  party: SampleSigner,
  roles: Role[],
): Uint8Array {
  const message = possessionMessage(chain.chainId, registrar.accountId, party.publicKey);
  const possessionProof = new Uint8Array(sign(null, message, party.privateKey));
  return encodeRegistration({ publicKey: party.publicKey, possessionProof, roles });
}

/** All organisations may suspend everybody here; one of them does, so that their order does not matter. */
function suspension(cast: Cast, signer: SampleSigner, name: 'suspend-party' | 'reinstate-party'): Wish {
  if (signer !== cast.chain.custodian) return anchor(cast, signer);
  const isReinstated = name === 'reinstate-party' && cast.suspended.size > 0;
  const accountId = isReinstated ? Buffer.from(pick(cast, [...cast.suspended]), 'hex') : anyPerson(cast);
  if (name === 'suspend-party') cast.suspended.add(toHex(accountId));
  else cast.suspended.delete(toHex(accountId));
  return { name, parts: [encodeSuspension({ accountId })] };
}

function commitment(cast: Cast, signer: SampleSigner): Wish {
  const author = pick(cast, [signer, ...cast.practitioners]);
  const entries = Array.from({ length: Math.floor(cast.random() * 4) }, () => ({
    pseudonym: cast.random() < 0.3 ? NO_PATIENT : pick(cast, cast.patients).accountId,
    commitment: sampleBytes(cast.seed, `commitment ${cast.names++}`),
  }));
  const message = authorMessage(cast.chain.chainId, signer.accountId, entries);
  const authorSignature = cast.random() < 0.5 ? null : new Uint8Array(sign(null, message, author.privateKey));
  return {
    name: 'commit-versions',
    parts: encodeCommitVersions({ author: author.accountId, authorSignature, entries }),
  };
}

function anchor(cast: Cast, signer: SampleSigner): Wish {
  const key = toHex(signer.accountId);
  const logSize = Math.max(0, (cast.logSizes.get(key) ?? 0) + Math.floor(cast.random() * 6) - 1);
  cast.logSizes.set(key, logSize);
  const logRoot = sampleBytes(cast.seed, `log of ${logSize}`);
  const nonce = sampleBytes(cast.seed, `nonce of ${logSize}`).subarray(0, ANCHOR_NONCE_BYTES);
  const name = cast.random() < 0.1 ? 'restart-access-log' : 'anchor-access-log';
  return { name, parts: [encodeAnchorAccessLog({ logSize, logRoot, nonce })] };
}

function erasure(cast: Cast): Wish {
  const pseudonym = pick(cast, cast.patients).accountId;
  const erasureRoot = sampleBytes(cast.seed, `erasure ${Math.floor(cast.random() * 30)}`);
  const count = Math.floor(cast.random() * 3);
  return { name: 'record-erasure', parts: [encodeRecordErasure({ pseudonym, count, erasureRoot })] };
}

function grant(cast: Cast, signer: SampleSigner): Wish {
  const made = consentGrant(cast.chain, { ...signer }, cast.seed);
  return { name: 'grant-consent', parts: [made.slice(-GRANT_BYTES)] };
}
/** A grant's payload is the end of the transaction. */
const GRANT_BYTES = 32 * 3 + 8 * 2 + 32;

/** Whose consents somebody changes: mostly one's own; delegates those of patients, who may have appointed them or not. */
function owner(cast: Cast, signer: SampleSigner): SampleSigner {
  return cast.delegates.includes(signer) || cast.random() < 0.1 ? pick(cast, cast.patients) : signer;
}

function consentIdOf(cast: Cast, patient: SampleSigner): Uint8Array {
  const number = Math.floor(cast.random() * (patient.nextSequence + 1));
  return sampleBytes(cast.seed, `consent ${number} ${Buffer.from(patient.accountId).toString('hex')}`);
}

function revocation(cast: Cast, patient: SampleSigner): Uint8Array {
  return encodeRevokeConsent({ consentId: consentIdOf(cast, patient), expectedVersion: 1 });
}

function replacement(cast: Cast, patient: SampleSigner): Uint8Array {
  return encodeReplaceConsent({
    consentId: consentIdOf(cast, patient),
    expectedVersion: cast.random() < 0.8 ? 1 : 2,
    validFromMs: SAMPLE_TIME_MS,
    validUntilMs: SAMPLE_TIME_MS + Math.floor(cast.random() * 3),
    termsCommitment: sampleBytes(cast.seed, `terms ${cast.names++}`),
  });
}

function rotation(cast: Cast, signer: SampleSigner): Wish {
  const newKey = sampleSigner(cast.seed, `key ${cast.names++}`);
  const message = possessionMessage(cast.chain.chainId, signer.accountId, newKey.publicKey);
  const possessionProof = new Uint8Array(sign(null, message, newKey.privateKey));
  return {
    name: 'rotate-key',
    parts: [encodeRotateKey({ newKey: newKey.publicKey, possessionProof })],
    newKey,
  };
}

function anyPerson({ patients, practitioners, random }: Cast): Uint8Array {
  const people = [...patients, ...practitioners];
  return (people[Math.floor(random() * people.length)] as SampleSigner).accountId;
}

/** Nobody who signs in the round of the patients: they might change the same consent, and what is urgent changes places. */
function delegateId(cast: Cast): Uint8Array {
  return pick(cast, cast.random() < 0.8 ? cast.delegates : cast.organisations).accountId;
}

const NAMES = Object.keys(ACTIONS) as ActionName[];

/** A transaction that may not enter a block, each kind for another reason. Its signer's number never moves. */
function faulty(cast: Cast, at: number): Uint8Array {
  const { chain, seed, idle, random } = cast;
  const kind = Math.floor(random() * 9);
  const unused = { ...idle };
  if (kind === 0) return consentGrant(chain, { ...idle, nextSequence: 0 }, seed);
  if (kind === 1) return consentGrant(chain, { ...idle, nextSequence: idle.nextSequence + 1 + at }, seed);
  if (kind === 2) return consentGrant(chain, sampleSigner(seed, `stranger ${at}`), seed);
  if (kind === 3) return consentGrant({ ...chain, chainId: sampleBytes(seed, 'other chain') }, unused, seed);
  if (kind === 4) return sampleBytes(seed, `noise ${at}`);
  if (kind === 5) return consentGrant(chain, { ...idle, nextSequence: 0 }, seed + 1 + at);
  if (kind === 6) return signedAction(chain, unused, 'grant-consent', [sampleBytes(seed, 'late')], -50_000);
  if (kind === 7)
    return signedAction(chain, unused, pick(cast, NAMES), [
      sampleBytes(seed, 'no payload').slice(1 + (at % 7)),
    ]);
  // Until its signature is checked a transaction holds its number in the queue, so there is one such in a round.
  if (cast.isForged) return sampleBytes(seed, `more noise ${at}`);
  cast.isForged = true;
  const valid = consentGrant(chain, { ...cast.impersonated }, seed);
  return valid.map((byte, index) => (index === HEADER_BYTES ? byte ^ 1 : byte));
}

function pick<Item>({ random }: Cast, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)] as Item;
}
