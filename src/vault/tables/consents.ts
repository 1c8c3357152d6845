import { fromBase64, fromUtf8, toBase64, utf8 } from '../../shared/index.ts';
import type { VaultContext } from '../vault-context.ts';
import { getEntry, listEntries, putEntry, writeWithKeys } from './entries.ts';
import type { Consents, StoredConsent } from './tables.ts';

const NEWEST = 'consent';
const VERSION = 'consent-version';

export function createConsents(context: VaultContext): Consents {
  const versionName = (consentId: string, version: number) =>
    context.naming(VERSION, consentId, String(version));
  const newest = async (consentId: string) =>
    decode(await getEntry(context, context.store.reader, NEWEST, context.naming(NEWEST, consentId)));
  return {
    put: (consent) =>
      writeWithKeys(context, async (session, staged) => {
        const { consentId, version, patientId } = consent;
        const shared = { subject: patientId, expiresAtMs: null, value: encode(consent) };
        await putEntry(
          context,
          session,
          staged,
          { ...shared, tab: VERSION, name: versionName(consentId, version) },
          'replace',
        );
        const before = decode(await getEntry(context, session, NEWEST, context.naming(NEWEST, consentId)));
        if (before !== undefined && before.version > version) return;
        await putEntry(
          context,
          session,
          staged,
          { ...shared, tab: NEWEST, name: context.naming(NEWEST, consentId) },
          'replace',
        );
      }),
    get: async (consentId, version) => {
      if (version === undefined) return newest(consentId);
      return decode(await getEntry(context, context.store.reader, VERSION, versionName(consentId, version)));
    },
    listByPatient: async (patientId) => {
      const values = await listEntries(context, context.store.reader, NEWEST, patientId);
      return values.flatMap((value) => decode(value) ?? []);
    },
  };
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
