import { readFileSync } from 'node:fs';
import { type FileTrust, type ProofVerdict, verifyText } from '../../client/index.ts';
import { decodePromise, isDueInTime } from '../../ledger/index.ts';
import { AppError } from '../../shared/index.ts';
import { connect } from '../connect.ts';
import { refuseExisting, writeNew } from '../private-output.ts';
import type { Terminal } from '../terminal.ts';
import { verdictJson, verdictText } from '../verdict-text.ts';

const MAX_FILE_BYTES = 1 << 20;
const MAX_PROMISES = 100;
const HEADER = /^careledger-log-promise:\s*(.+)$/gim;

/** Asks the node what became of its promises to log, and keeps what shows it as a file that anybody can check offline. */
export async function verifyPromises(
  file: string,
  options: { node: string; out?: string },
  trust: FileTrust,
  terminal: Terminal,
): Promise<void> {
  const promises = promisesIn(readText(file));
  for (const index of promises.keys()) refuseExisting(placeOf(options.out, index, promises.length));
  const client = connect(options.node, trust.chainId);
  const cases: { verdict: ProofVerdict; out: string | undefined }[] = [];
  for (const [index, promise] of promises.entries()) {
    const evidence = await client.promiseCase(promise);
    const out = placeOf(options.out, index, promises.length);
    if (out !== undefined) writeNew(out, evidence);
    cases.push({ verdict: verifyText(evidence, trust), out });
  }
  terminal.answer(
    { cases: cases.map(({ verdict, out }) => ({ ...verdictJson(verdict), out })) },
    cases
      .map(({ verdict, out }) => `${verdictText(verdict)}${out === undefined ? '' : `\n\nSaved in ${out}.`}`)
      .join('\n\n'),
  );
  judge(cases.map(({ verdict }) => verdict));
  refusePutOff(promises);
}

/** Who has a promise already, and whose deadline is still further away than it may be at the answer, has none. */
function refusePutOff(promises: readonly string[]): void {
  const isPutOff = promises.some((text) => {
    const promise = decodePromise(text);
    return promise.ok && !isDueInTime(promise.value, Date.now());
  });
  if (isPutOff)
    throw new AppError(
      'proof-refused',
      'The deadline of a promise is later than that of any promise to log may be: it binds nobody. Ask the custodian why.',
    );
}

function judge(verdicts: readonly ProofVerdict[]): void {
  const refused = verdicts.find(({ ok }) => !ok);
  if (refused !== undefined)
    throw new AppError('proof-refused', `The evidence does not hold: ${refused.code}.`);
  if (verdicts.some((verdict) => verdict.ok && verdict.promise === 'broken'))
    throw new AppError(
      'promise-broken',
      'The custodian broke its promise to log. Keep the file (--out): `careledger verify FILE` shows it to anybody, offline.',
    );
}

/** The lines of saved headers (`curl -D`) that are promises, or the bare value of one. One header may hold several. */
function promisesIn(text: string): string[] {
  const headers = [...text.matchAll(HEADER)].map(([, value = '']) => value);
  const values = (headers.length > 0 ? headers : [text]).flatMap((value) =>
    value.split(',').map((item) => item.trim()),
  );
  const promises = [...new Set(values.filter((value) => value !== ''))];
  if (
    promises.length > 0 &&
    promises.length <= MAX_PROMISES &&
    promises.every((value) => decodePromise(value).ok)
  )
    return promises;
  throw new AppError(
    'usage',
    `The file holds no promise to log, or more than ${MAX_PROMISES}. It is the value of the header CareLedger-Log-Promise, or the saved headers of an answer.`,
  );
}

function placeOf(out: string | undefined, index: number, count: number): string | undefined {
  if (out === undefined || count === 1) return out;
  return out.replace(/(\.[a-z]+)?$/, (extension) => `-${index + 1}${extension}`);
}

function readText(file: string): string {
  try {
    const bytes = readFileSync(file);
    if (bytes.length <= MAX_FILE_BYTES) return bytes.toString('utf8');
  } catch (cause) {
    throw new AppError('file-failed', `${file} cannot be read.`, { cause });
  }
  throw new AppError('body-too-large', `${file} is larger than any headers.`);
}
