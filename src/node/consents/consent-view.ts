import { type ActiveConsent, type ConsentTerms, normaliseConsent, termsCommitment } from '../../contracts/index.ts';
import { equalBytes } from '../../shared/index.ts';
import type { Consents, PatientBindings, StoredConsent } from '../../vault/index.ts';

const MAX_CACHED_PATIENTS = 50_000;

/** What the ledger says of a consent at its head. */
export interface LedgerConsent {
  status: 'active' | 'revoked';
  version: number;
  validFromMs: number;
  validUntilMs: number;
  termsCommitment: Uint8Array;
}

/** The consents that count now, by patient: which ones the ledger says, what they say from the vault. */
export interface ConsentView {
  activeConsents(patientId: string): Promise<readonly ActiveConsent[]>;
  /** Call while a block is committed, before anybody hears of it: what was known of these patients' consents is forgotten. */
  changed(patientAccounts: ReadonlySet<string>): void;
  /** A patient's wallet was bound: consents may appear. */
  forget(patientId: string): void;
}

export interface ConsentViewDeps {
  bindings: Pick<PatientBindings, 'byPatient'>;
  consents: Pick<Consents, 'get' | 'listByPatient'>;
  ledgerConsent: (consentId: string) => LedgerConsent | undefined;
}

interface Load {
  patientId: string;
  account: string | undefined;
  stale: boolean;
}

/**
 * A view that loads a patient's consents when first asked and keeps them until a block changes them. A load that a block
 * overtook starts again, so an answer never mixes the state before a revocation with a time after it (invariant 3).
 */
export function createConsentView(deps: ConsentViewDeps): ConsentView {
  const cached = new Map<string, { account: string | undefined; consents: readonly ActiveConsent[] }>();
  const patientOfAccount = new Map<string, string>();
  const loads = new Set<Load>();

  const forget = (patientId: string): void => {
    const entry = cached.get(patientId);
    if (entry?.account !== undefined) patientOfAccount.delete(entry.account);
    cached.delete(patientId);
    for (const load of loads) if (load.patientId === patientId) load.stale = true;
  };
  const keep = (load: Load, consents: readonly ActiveConsent[]): void => {
    const oldest = cached.keys().next().value;
    if (cached.size >= MAX_CACHED_PATIENTS && oldest !== undefined) forget(oldest);
    cached.set(load.patientId, { account: load.account, consents });
    if (load.account !== undefined) patientOfAccount.set(load.account, load.patientId);
  };
  const load = async (patientId: string): Promise<readonly ActiveConsent[]> => {
    for (;;) {
      const attempt: Load = { patientId, account: undefined, stale: false };
      loads.add(attempt);
      try {
        attempt.account = (await deps.bindings.byPatient(patientId))?.accountId;
        const consents = await readConsents(deps, patientId);
        if (attempt.stale) continue;
        keep(attempt, consents);
        return consents;
      } finally {
        loads.delete(attempt);
      }
    }
  };
  return {
    activeConsents: (patientId) => {
      const entry = cached.get(patientId);
      return entry === undefined ? load(patientId) : Promise.resolve(entry.consents);
    },
    changed(patientAccounts) {
      for (const account of patientAccounts) {
        const patientId = patientOfAccount.get(account);
        if (patientId !== undefined) forget(patientId);
      }
      for (const attempt of loads) {
        if (attempt.account === undefined || patientAccounts.has(attempt.account)) attempt.stale = true;
      }
    },
    forget,
  };
}

async function readConsents(deps: ConsentViewDeps, patientId: string): Promise<ActiveConsent[]> {
  const active: ActiveConsent[] = [];
  for (const newest of await deps.consents.listByPatient(patientId)) {
    const onLedger = deps.ledgerConsent(newest.consentId);
    if (onLedger?.status !== 'active') continue;
    const stored = newest.version === onLedger.version ? newest : await deps.consents.get(newest.consentId, onLedger.version);
    active.push({
      id: newest.consentId,
      version: onLedger.version,
      terms: stored === undefined ? null : provenTerms(stored, onLedger.termsCommitment),
      validFromMs: onLedger.validFromMs,
      validUntilMs: onLedger.validUntilMs,
    });
  }
  return active;
}

/** The terms of a stored consent if they are what the patient committed to on the ledger; else null, which denies. */
export function provenTerms(stored: StoredConsent, commitment: Uint8Array): ConsentTerms | null {
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
