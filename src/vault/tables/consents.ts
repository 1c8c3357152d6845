import { fromBase64, fromUtf8, toBase64, utf8 } from '../../shared/index.ts';
import type { StagedKeys } from '../keys/category-keys.ts';
import type { SqlSession } from '../storage/sql-store.ts';
import type { VaultContext } from '../vault-context.ts';
import { type EntryWrite, getEntry, putEntry, takeEntry, writeWithKeys } from './entries.ts';
import type { Consents, IsOnLedger, StoredConsent } from './tables.ts';

const VERSION = 'consent-version';
const WAITING = 'consents-waiting';
/** Anybody with a patient's key signs as many grants as they like, and need not send one of them. */
const MAX_WAITING = 100;

type Version = readonly [consentId: string, version: number];

export function createConsents(context: VaultContext): Consents {
  return {
    put: (consent, isOnLedger) =>
      writeWithKeys(context, async (session, staged) => {
        const { consentId, version, patientId } = consent;
        const row = {
          tab: VERSION,
          name: versionName(context, [consentId, version]),
          value: encode(consent),
        };
        await replaceRow(context, session, staged, { ...row, subject: patientId });
        const waiting = await readWaiting(context, session, patientId);
        const others = waiting.filter(
          ([id, itsVersion]) => !(id === consentId && itsVersion === version) && !isOnLedger(id, itsVersion),
        );
        const now: Version[] = isOnLedger(consentId, version) ? others : [...others, [consentId, version]];
        for (const oldest of now.slice(0, -MAX_WAITING))
          await takeEntry(context, session, VERSION, versionName(context, oldest));
        const value = utf8(JSON.stringify(now.slice(-MAX_WAITING)));
        const name = context.naming(WAITING, patientId);
        await replaceRow(context, session, staged, { tab: WAITING, name, value, subject: patientId });
      }),
    get: async (consentId, version) => {
      const name = versionName(context, [consentId, version]);
      return decode(await getEntry(context, context.store.reader, VERSION, name));
    },
  };
}

/** Drops the terms that came for what the ledger does not have: nothing that comes there later makes them count. */
export async function dropWaiting(
  context: VaultContext,
  session: SqlSession,
  patientId: string,
  isOnLedger: IsOnLedger,
): Promise<void> {
  for (const version of await readWaiting(context, session, patientId))
    if (!isOnLedger(...version)) await takeEntry(context, session, VERSION, versionName(context, version));
}

function versionName(context: VaultContext, [consentId, version]: Version): Uint8Array {
  return context.naming(VERSION, consentId, String(version));
}

/** The stored versions of a patient's consents that the ledger did not have when they came, oldest first. */
async function readWaiting(
  context: VaultContext,
  session: SqlSession,
  patientId: string,
): Promise<readonly Version[]> {
  const value = await getEntry(context, session, WAITING, context.naming(WAITING, patientId));
  return value === undefined ? [] : (JSON.parse(fromUtf8(value) ?? '') as Version[]);
}

async function replaceRow(
  context: VaultContext,
  session: SqlSession,
  staged: StagedKeys,
  row: Omit<EntryWrite, 'expiresAtMs'>,
): Promise<void> {
  await putEntry(context, session, staged, { ...row, expiresAtMs: null }, 'replace');
}

function encode(consent: StoredConsent): Uint8Array {
  const { consentId, version, patientId, salt } = consent;
  return utf8(JSON.stringify([consentId, version, patientId, toBase64(salt), toBase64(consent.consent)]));
}

function decode(value: Uint8Array | undefined): StoredConsent | undefined {
  if (value === undefined) return undefined;
  const [consentId, version, patientId, salt, consent] = JSON.parse(fromUtf8(value) ?? '') as [
    string,
    number,
    string,
    string,
    string,
  ];
  return {
    consentId,
    version,
    patientId,
    salt: fromBase64(salt) ?? new Uint8Array(0),
    consent: fromBase64(consent) ?? new Uint8Array(0),
  };
}
