import type { IncomingMessage } from 'node:http';
import type { RecordOpening } from '../../client/index.ts';
import { readVersionUnderLabelsOfNow } from '../../fhir/index.ts';
import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { authenticate } from '../fhir/fhir-door.ts';
import { type NodeApp, type NodeContext, reply } from '../http/app.ts';
import type { PartsOfNode } from '../runtime.ts';

type RecordParts = PartsOfNode<'vault' | 'gate' | 'receipts' | 'registry' | 'sessions'>;

/** Receipts of record versions, for who may read them. */
export function addRecordRoutes(app: NodeApp, runtime: RecordParts): void {
  app.get('/records/:type/:id/receipt', async (context) => {
    const { type, id } = context.req.param();
    return receiptOf(runtime, context, await runtime.vault.read(type, id));
  });
  app.get('/records/:type/:id/:version/receipt', async (context) => {
    const { type, id, version } = context.req.param();
    if (!/^[1-9]\d{0,9}$/.test(version))
      throw new AppError('invalid-request', 'A version is a number from 1 on.');
    const key = { resourceType: type, id, version: Number(version) };
    return receiptOf(runtime, context, await readVersionUnderLabelsOfNow(runtime.vault, key));
  });
}

/** The gate decides and logs as for a read; what it would redact is not in the receipt either. */
async function receiptOf(
  runtime: RecordParts,
  context: NodeContext,
  record: SealedRecord | undefined,
): Promise<Response> {
  const session = authenticate(context.env.incoming as IncomingMessage, runtime);
  const opened = record === undefined ? undefined : await runtime.gate.open(session, record, 'vread');
  if (record === undefined || opened?.outcome !== 'permitted') {
    throw new AppError('not-found', 'There is no such version, or it may not be seen.');
  }
  const isWhole = opened.resource !== null && !opened.isRedacted;
  const receipt = await runtime.receipts.ofRecordVersion(record, isWhole ? await openingOf(record) : null);
  const headers = { 'content-type': 'application/json', 'careledger-log-promise': opened.promise };
  return reply({ status: 200, headers, body: receipt });
}

async function openingOf(record: SealedRecord): Promise<RecordOpening> {
  const { salt, plaintext } = await record.disclose();
  return { ...record.key, subject: record.subject, salt, content: plaintext };
}
