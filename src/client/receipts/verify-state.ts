import {
  accessAnchorKey,
  consentKey,
  decodeConsent,
  decodeParty,
  decodeRecordedAnchor,
  delegateKey,
  partyKey,
  readRecordChain,
  recordChainKey,
} from '../../contracts/index.ts';
import { accountKey, readAccount, verifyStateProof } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import type { ReceiptBody, StateSubject } from './receipt-format.ts';
import { ProofRefused, refuseUnless } from './refusal.ts';
import type { VerifiedHead } from './verify-recorded.ts';
import { type Findings, restartText, timeText } from './words.ts';

const TABLES: Record<
  StateSubject['table'],
  { ids: 1 | 2; key(first: Uint8Array, second: Uint8Array): Uint8Array; name: string }
> = {
  account: { ids: 1, key: accountKey, name: 'account' },
  party: { ids: 1, key: partyKey, name: 'party' },
  consent: { ids: 1, key: consentKey, name: 'consent' },
  delegate: { ids: 2, key: delegateKey, name: 'delegation by and to' },
  'access-anchor': { ids: 1, key: accessAnchorKey, name: 'access log anchor of' },
  'record-chain': { ids: 2, key: recordChainKey, name: 'chain of record versions at and for' },
};

/** The subject of a table's name and its ids, or undefined when there is no such table or it takes another number of ids. */
export function parseStateSubject(table: string, ids: readonly Uint8Array[]): StateSubject | undefined {
  if (!Object.hasOwn(TABLES, table)) return undefined;
  const name = table as StateSubject['table'];
  const isWhole = ids.length === TABLES[name].ids && ids.every((id) => id.length === 32);
  return isWhole ? { table: name, ids } : undefined;
}

/** The state key that a subject names. */
export function stateKeyOf(subject: StateSubject): Uint8Array {
  const table = TABLES[subject.table];
  const [first, second] = subject.ids;
  if (first === undefined || subject.ids.length !== table.ids)
    throw new ProofRefused('state-subject-invalid');
  return table.key(first, second ?? first);
}

export function verifyStateBody(body: ReceiptBody<'state'>, head: VerifiedHead): Findings {
  const { height, stateRoot } = head.checkpoint;
  const value = body.value ?? undefined;
  refuseUnless(
    verifyStateProof(stateRoot, stateKeyOf(body.subject), value, body.proof),
    'state-proof-invalid',
  );
  const name = `${TABLES[body.subject.table].name} ${body.subject.ids.map(toHex).join(' ')}`;
  const statement =
    value === undefined
      ? `At height ${height} the ledger has no ${name}.`
      : `At height ${height} the ${name}: ${describe(body.subject, value)}.`;
  return { statements: [statement], notProven: ['What the state was at any other height.'] };
}

function describe(subject: StateSubject, value: Uint8Array): string {
  const state = { get: () => value };
  const [first, second] = subject.ids as readonly [Uint8Array, Uint8Array];
  switch (subject.table) {
    case 'account': {
      const account = readAccount(state, first);
      return `key ${toHex(account?.publicKey ?? new Uint8Array())}, next number ${account?.nextSequence}, ${account?.isSuspended === true ? 'suspended' : 'active'}`;
    }
    case 'party': {
      const party = decodeParty(value);
      return `a ${party.kind} of ${toHex(party.organisation)} with ${party.roles.length === 0 ? 'no roles' : `the roles ${party.roles.join(', ')}`}`;
    }
    case 'consent': {
      const consent = decodeConsent(value);
      return `${consent.status}, version ${consent.version}, valid from ${timeText(consent.validFromMs)} until before ${timeText(consent.validUntilMs)}`;
    }
    case 'delegate':
      return 'in force';
    case 'access-anchor': {
      const anchor = decodeRecordedAnchor(value);
      const anchored = `${anchor.logSize} entries, root ${toHex(anchor.logRoot)}, anchored at height ${anchor.height}`;
      return [anchored, restartText(anchor)].filter((text) => text !== undefined).join('. ');
    }
    case 'record-chain': {
      const chain = readRecordChain(state, first, second);
      return `${chain.count} versions, chain head ${toHex(chain.head)}`;
    }
  }
}
