import { type Command, Option } from 'commander';
import type { ExchangeAnswer, NodeClient } from '../../client/index.ts';
import { AppError, ERROR_TABLE, type ErrorCode, fromUtf8 } from '../../shared/index.ts';
import { connectAs, openSession, type PatientConnection } from '../connect.ts';
import { printable } from '../printable.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import type { Terminal } from '../terminal.ts';
import { keepPromises } from './keep-promises.ts';
import { asOption, nodeOption, purposeOption } from './options.ts';
import { openSealedRecord } from './sealed-record.ts';

interface ReadOptions {
  as: string;
  node: string;
  purpose?: string;
  receipt?: string;
  promise?: string;
  oldWallet?: string;
}

/** `read` and `search`: what a clinician or an app does. */
export function addReadingCommands(program: Command, terminal: Terminal): void {
  program
    .command('read')
    .description('read one record, as far as consent allows')
    .argument('<reference>', 'Type/id, or Type/id/_history/version')
    .addOption(asOption())
    .addOption(purposeOption())
    .addOption(nodeOption())
    .option('--receipt <file>', 'save the proof that this version is on the ledger, with its content')
    .addOption(promiseOption())
    .option(
      '--old-wallet <file>',
      'the wallet that you had when a sealed record was written (same passphrase)',
    )
    .action((reference: string, options: ReadOptions) => get(reference, options, terminal));
  program
    .command('search')
    .description('search records; what you may not see is not counted either')
    .argument('<query>', "such as 'Observation?patient=ana&code=4548-4'")
    .addOption(asOption())
    .addOption(purposeOption())
    .addOption(nodeOption())
    .addOption(promiseOption())
    .action((query: string, options: ReadOptions) => get(query, options, terminal));
}

const promiseOption = (): Option =>
  new Option('--promise <file>', "save the node's promise to log this, for `careledger verify --promise`");

async function get(path: string, options: ReadOptions, terminal: Terminal): Promise<void> {
  if (!/^[A-Z][A-Za-z]+[/?]?/.test(path))
    throw new AppError('usage', 'Name a record as Type/id, or a search as Type?parameter=value.');
  for (const file of [options.receipt, options.promise]) refuseExisting(file);
  const { client, identity, patient } = await connectAs(options.node, options.as);
  const token = await openSession(client, identity, options.purpose);
  const answer = await client.call(`/fhir/R4/${path}`, {
    token,
    headers: { accept: 'application/fhir+json' },
  });
  const resource = parse(fromUtf8(answer.bytes) ?? '');
  // A denial comes with a promise too, where the requester may know that there is something to be denied.
  const doubt =
    options.promise === undefined ? undefined : await savePromises(client, answer, options.promise);
  if (answer.status >= 400) {
    const refused = refusal(answer.status, resource);
    if (refused.code !== 'record-sealed' || patient === undefined || path.includes('?'))
      throw doubt ?? refused;
    return getSealed(patient, token, path, options, terminal);
  }
  if (options.receipt !== undefined) await saveReceipt(client, path, token, options.receipt);
  const text =
    resource.resourceType === 'Bundle' && resource.type === 'searchset'
      ? bundleText(resource)
      : JSON.stringify(resource, null, 2);
  terminal.answer(resource, text);
  if (doubt !== undefined) throw doubt;
}

/** The node keeps it and cannot read it: what comes is closed, and is opened here. */
async function getSealed(
  patient: PatientConnection,
  token: string,
  path: string,
  options: ReadOptions,
  terminal: Terminal,
): Promise<void> {
  if (options.receipt !== undefined)
    throw new AppError('record-sealed', 'A node gives no receipt of a sealed record: it cannot read it.');
  const { resource, promise } = await openSealedRecord(patient, token, path, options.oldWallet);
  const doubt =
    options.promise === undefined || promise === null
      ? undefined
      : await keepPromises(patient.client, promise, options.promise);
  terminal.warn('Opened here, with the wallet: the hospital keeps this record sealed and cannot read it.');
  terminal.answer(resource, JSON.stringify(resource, null, 2));
  if (doubt !== undefined) throw doubt;
}

async function savePromises(
  client: NodeClient,
  answer: ExchangeAnswer,
  file: string,
): Promise<AppError | undefined> {
  const header = answer.headers.get('careledger-log-promise');
  if (header === null && answer.status < 400)
    throw new AppError('not-found', 'The answer carries no promise to log.');
  return header === null ? undefined : keepPromises(client, header, file);
}

async function saveReceipt(
  client: NodeClient,
  reference: string,
  token: string,
  file: string,
): Promise<void> {
  const answer = await client.call(`/records/${reference.replace('/_history/', '/')}/receipt`, { token });
  const text = fromUtf8(answer.bytes) ?? '';
  if (answer.status !== 200) throw new AppError('unavailable', 'The node gave no receipt for this record.');
  writeNew(file, text);
}

/** The node's own code where it tells one, else what the status means. */
function refusal(status: number, outcome: Record<string, unknown>): AppError {
  const [issue] = listOf(outcome.issue) as { details?: { coding?: unknown; text?: unknown } }[];
  const [coding] = listOf(issue?.details?.coding) as { code?: unknown }[];
  const text = issue?.details?.text;
  const code = typeof coding?.code === 'string' ? coding.code : '';
  const byStatus: Record<number, ErrorCode> = {
    401: 'token-refused',
    403: 'forbidden',
    404: 'not-found',
    410: 'gone',
    429: 'too-many-requests',
  };
  const known = Object.hasOwn(ERROR_TABLE, code)
    ? (code as ErrorCode)
    : (byStatus[status] ?? (status >= 500 ? 'unavailable' : 'invalid-request'));
  return new AppError(known, typeof text === 'string' ? text : `The node refused (HTTP ${status}).`);
}

function bundleText(bundle: Record<string, unknown>): string {
  const entries = listOf(bundle.entry) as ({ resource?: Record<string, unknown> } | null)[];
  const lines = entries.map((entry) => {
    const resource = entry?.resource ?? {};
    return `${String(resource.resourceType)}/${String(resource.id)}  ${titleOf(resource)}`;
  });
  const total = bundle.total === undefined ? '' : ` of ${String(bundle.total)}`;
  return [`${entries.length} found${total}`, ...lines].map(printable).join('\n');
}

function titleOf(resource: Record<string, unknown>): string {
  const concept = (resource.code ?? resource.medicationCodeableConcept ?? resource.vaccineCode) as
    | { text?: unknown }
    | undefined;
  if (concept?.text !== undefined) return String(concept.text);
  const [name] = listOf(resource.name) as ({ given?: unknown; family?: unknown } | undefined)[];
  return [...listOf(name?.given), name?.family ?? ''].map(String).join(' ').trim();
}

/** A node may put anything in a place where a list belongs. */
function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
