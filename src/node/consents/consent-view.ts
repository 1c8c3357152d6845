import {
  type ActiveConsent,
  type ConsentTerms,
  normaliseConsent,
  termsCommitment,
} from '../../contracts/index.ts';
import { equalBytes } from '../../shared/index.ts';
import type { Consents, PatientBindings, StoredConsent } from '../../vault/index.ts';
import type { GrantWatch } from './grant-watch.ts';
import type { LostPatients } from './lost-patients.ts';

const MAX_CACHED_PATIENTS = 50_000;

/** Stands for what a patient may have granted under a pseudonym that the vault has lost. No consent of the ledger has this id. */
const OF_A_LOST_PATIENT: ActiveConsent = { id: '0'.repeat(64), version: 1, terms: null };

/** What the ledger says of a consent at its head. */
export interface LedgerConsent {
  status: 'active' | 'revoked';
  version: number;
  validFromMs: number;
  validUntilMs: number;
  termsCommitment: Uint8Array;
}

/** What a block changed about consents. */
export interface ConsentChanges {
  patientAccounts: ReadonlySet<string>;
  consentIds: ReadonlySet<string>;
}

/** The consents that count now, by patient: which ones the ledger says, what they say from the vault. */
export interface ConsentView {
  activeConsents(patientId: string): Promise<readonly ActiveConsent[]>;
  /** The account that enrolment bound to a patient: the pseudonym. */
  accountOf(patientId: string): Promise<string | undefined>;
  /** Call while a block is committed, before anybody hears of it: what it changed is forgotten here. */
  changed(changes: ConsentChanges): void;
  /** A patient's wallet was bound: consents may appear. */
  forget(patientId: string): void;
}

export interface ConsentViewDeps {
  bindings: Pick<PatientBindings, 'byPatient' | 'formerAccounts'>;
  consents: Pick<Consents, 'get'>;
  ledgerConsent: (consentId: string) => LedgerConsent | undefined;
  /** Every consent that the ledger has for a pseudonym, whether or not its terms came here. */
  granted: Pick<GrantWatch, 'of'>;
  /** While there are any, each patient without a wallet here might be one: nothing of them is read. */
  lost: Pick<LostPatients, 'size' | 'settled'>;
}

interface Load {
  patientId: string;
  accounts: Accounts;
  stale: boolean;
}

/** The account that is bound to the patient, and those that were: what was granted under them goes on counting. */
interface Accounts {
  present: string | undefined;
  all: readonly string[];
}

interface Cached {
  accounts: Accounts;
  consentIds: string[];
  active: readonly ActiveConsent[];
}

/**
 * A view that loads a patient's consents when first asked and keeps them until a block changes them. The ledger is read
 * last and in one go with keeping the answer, and a load that a new consent overtook starts again: no answer mixes the
 * state before a revocation with a time after it (invariant 3).
 */
export function createConsentView(deps: ConsentViewDeps): ConsentView {
  const cached = new Map<string, Cached>();
  const patientOf = new Map<string, string>();
  const loads = new Set<Load>();

  const forget = (patientId: string): void => {
    const entry = cached.get(patientId);
    for (const key of entry === undefined ? [] : keysOf(entry)) patientOf.delete(key);
    cached.delete(patientId);
    for (const load of loads) if (load.patientId === patientId) load.stale = true;
  };
  const keep = (patientId: string, entry: Cached): void => {
    const oldest = cached.keys().next().value;
    if (cached.size >= MAX_CACHED_PATIENTS && oldest !== undefined) forget(oldest);
    cached.set(patientId, entry);
    for (const key of keysOf(entry)) patientOf.set(key, patientId);
  };
  const attempt = async (load: Load): Promise<Cached | undefined> => {
    load.accounts = await accountsOf(deps, load.patientId);
    const granted = (await Promise.all(load.accounts.all.map((account) => deps.granted.of(account)))).flat();
    const looked: Looked[] = [];
    for (const consentId of granted) looked.push(await lookUp(deps, consentId));
    const active = load.stale ? undefined : activeOnLedger(deps, looked);
    if (active === undefined) return undefined;
    const consentIds = looked.map(({ consentId }) => consentId);
    const entry: Cached = { accounts: load.accounts, consentIds, active };
    keep(load.patientId, entry);
    return entry;
  };
  const load = async (patientId: string): Promise<Cached> => {
    for (;;) {
      const current: Load = { patientId, accounts: { present: undefined, all: [] }, stale: false };
      loads.add(current);
      try {
        const entry = await attempt(current);
        if (entry !== undefined) return entry;
      } finally {
        loads.delete(current);
      }
    }
  };
  const entryOf = async (patientId: string): Promise<Cached> => cached.get(patientId) ?? load(patientId);
  return {
    async activeConsents(patientId) {
      const { accounts, active } = await entryOf(patientId);
      if (accounts.present !== undefined) return active;
      await deps.lost.settled();
      // Looked up again: it may have been bound, or granted something, meanwhile.
      const now = await entryOf(patientId);
      const mayBeLost = deps.lost.size > 0 && now.accounts.present === undefined;
      return mayBeLost ? [...now.active, OF_A_LOST_PATIENT] : now.active;
    },
    async accountOf(patientId) {
      if (!cached.has(patientId)) await load(patientId);
      return cached.get(patientId)?.accounts.present;
    },
    changed({ patientAccounts, consentIds }) {
      for (const key of [...patientAccounts, ...consentIds]) {
        const patientId = patientOf.get(key);
        if (patientId !== undefined) forget(patientId);
      }
      for (const current of loads)
        if (current.accounts.all.some((account) => patientAccounts.has(account))) current.stale = true;
    },
    forget,
  };
}

/** Account ids and consent ids are hashes of different things, so one map can hold both. */
function keysOf({ accounts, consentIds }: Cached): string[] {
  return [...accounts.all, ...consentIds];
}

async function accountsOf({ bindings }: ConsentViewDeps, patientId: string): Promise<Accounts> {
  const present = (await bindings.byPatient(patientId))?.accountId;
  const former = await bindings.formerAccounts(patientId);
  return { present, all: present === undefined ? former : [present, ...former] };
}

interface Looked {
  consentId: string;
  /** Undefined where nobody brought its terms: it denies until they come. */
  consent: StoredConsent | undefined;
  /** The version that the ledger had when the vault was asked for it. */
  version: number | undefined;
}

/**
 * The terms of the version that the ledger has. Only what is granted there is looked for: anybody with the patient's key can
 * leave terms here by the hundred whose transaction never comes.
 */
async function lookUp(deps: ConsentViewDeps, consentId: string): Promise<Looked> {
  const onLedger = deps.ledgerConsent(consentId);
  const consent =
    onLedger?.status === 'active' ? await deps.consents.get(consentId, onLedger.version) : undefined;
  return { consentId, consent, version: onLedger?.version };
}

/** What the ledger says about the stored consents at this moment; undefined when it has moved on since they were read. */
function activeOnLedger(deps: ConsentViewDeps, looked: Looked[]): ActiveConsent[] | undefined {
  const active: ActiveConsent[] = [];
  for (const { consentId, consent, version } of looked) {
    const onLedger = deps.ledgerConsent(consentId);
    if (onLedger !== undefined && onLedger.version !== version) return undefined;
    if (onLedger?.status !== 'active') continue;
    active.push({
      id: consentId,
      version: onLedger.version,
      terms: consent === undefined ? null : provenTerms(consent, onLedger.termsCommitment),
      validFromMs: onLedger.validFromMs,
      validUntilMs: onLedger.validUntilMs,
    });
  }
  return active;
}

/** The terms of a stored consent if they are what the patient committed to on the ledger; else null, which denies. */
function provenTerms(stored: StoredConsent, commitment: Uint8Array): ConsentTerms | null {
  const terms = normaliseStored(stored);
  return terms !== null && equalBytes(termsCommitment(stored.salt, terms), commitment) ? terms : null;
}

function normaliseStored(stored: StoredConsent): ConsentTerms | null {
  try {
    const consent: unknown = JSON.parse(new TextDecoder().decode(stored.consent));
    const terms = normaliseConsent(consent, { patientReference: `Patient/${stored.patientId}` });
    return terms.ok ? terms.value : null;
  } catch {
    return null;
  }
}
