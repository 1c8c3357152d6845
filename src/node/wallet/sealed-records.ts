import { promisesThatFit, readVersionUnderLabelsOfNow } from '../../fhir/index.ts';
import { AppError, encodeSealedCopy } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import type { NodeSession } from '../auth/token-endpoint.ts';
import type { HttpReply } from '../http/error-response.ts';
import type { PartsOfNode } from '../runtime.ts';

type SealedParts = PartsOfNode<'vault' | 'gate'>;
/** As an address names it. */
type Asked = { readonly type: string; readonly id: string; readonly version?: string };

/**
 * What the wallet of its patient opens a sealed version with. The gate decides and logs as for a read; whatever is refused is
 * answered as if it were not there.
 */
export async function sealedCopyReply(
  node: SealedParts,
  session: NodeSession,
  asked: Asked,
): Promise<HttpReply> {
  const record = await recordOf(node, asked);
  if (record?.category !== 'sealed') throw notFound();
  const given = await node.gate.sealedCopy(session, record, asked.version === undefined ? 'read' : 'vread');
  if (given.outcome === 'denied') throw notFound();
  if (given.copy === null)
    throw new AppError('gone', 'The record was deleted. Its older versions may still be there.');
  return replyWith([given.promise, ...given.otherPromises], encodeSealedCopy(given.copy));
}

/** The versions that are sealed to the session's patient, newest first: what there is, and nothing of what they say. */
export async function sealedListReply(node: SealedParts, session: NodeSession): Promise<HttpReply> {
  if (session.kind !== 'patient' || session.patientId === undefined)
    throw new AppError('forbidden', 'Only a patient lists what is sealed to their wallet.');
  const sealed = await node.vault.listSealed(session.patientId);
  const present = sealed.filter(({ deleted }) => !deleted);
  const { records, promises } = await node.gate.visible(session, present, 'search');
  const listed = records.map(({ record: { key, lastUpdatedMs } }) => ({
    ...key,
    lastUpdated: new Date(lastUpdatedMs).toISOString(),
  }));
  return replyWith(promises, JSON.stringify({ records: listed }));
}

async function recordOf(
  { vault }: SealedParts,
  { type, id, version }: Asked,
): Promise<SealedRecord | undefined> {
  if (version === undefined) return vault.read(type, id);
  if (!/^[1-9]\d{0,9}$/.test(version)) return undefined;
  return readVersionUnderLabelsOfNow(vault, { resourceType: type, id, version: Number(version) });
}

function replyWith(promises: readonly string[], body: string): HttpReply {
  const promise = promisesThatFit(promises);
  const headers = {
    'content-type': 'application/json',
    ...(promise !== '' && { 'careledger-log-promise': promise }),
  };
  return { status: 200, headers, body };
}

function notFound(): AppError {
  return new AppError('not-found', 'There is no such sealed record, or it may not be seen.');
}
