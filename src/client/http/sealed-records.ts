import { MAX_SEALED_COPY_BYTES, parseSealedCopy, type SealedCopy } from '../../shared/index.ts';
import { jsonObjectOf, unreadable } from './exchange.ts';
import type { Session } from './session.ts';

const MAX_LISTED = 1000;

/** One version that is sealed to the patient's wallet. */
export type SealedVersion = {
  readonly resourceType: string;
  readonly id: string;
  readonly version: number;
  readonly lastUpdated: string;
};

/** Which version is asked for; the current one without a number. */
export type AskedVersion = { readonly resourceType: string; readonly id: string; readonly version?: number };

/** The sealed copy of the version asked for, and the promise to log that came with it. */
export async function fetchSealedCopy(
  session: Session,
  asked: AskedVersion,
  token: string,
): Promise<{ readonly copy: SealedCopy; readonly promise: string | null }> {
  const { resourceType, id, version } = asked;
  const place = [resourceType, id, ...(version === undefined ? [] : [version])].join('/');
  const answer = await session.ask(`/wallet/sealed/${place}`, {
    headers: { authorization: `Bearer ${token}` },
    maxBytes: MAX_SEALED_COPY_BYTES,
  });
  const copy = parseSealedCopy(answer.bytes);
  const isAsked =
    copy.resourceType === resourceType &&
    copy.id === id &&
    (version === undefined || copy.version === version);
  if (!isAsked) throw unreadable();
  return { copy, promise: answer.headers.get('careledger-log-promise') };
}

/** What is sealed to the patient's wallet, newest first. */
export async function fetchSealedVersions(
  session: Session,
  token: string,
): Promise<readonly SealedVersion[]> {
  const answer = await session.ask('/wallet/sealed', { headers: { authorization: `Bearer ${token}` } });
  const { records } = jsonObjectOf(answer);
  if (Array.isArray(records) && records.length <= MAX_LISTED && records.every(isSealedVersion))
    return records;
  throw unreadable();
}

function isSealedVersion(value: unknown): value is SealedVersion {
  const { resourceType, id, version, lastUpdated } = (value ?? {}) as Record<string, unknown>;
  return (
    [resourceType, id, lastUpdated].every((one) => typeof one === 'string') && Number.isSafeInteger(version)
  );
}
