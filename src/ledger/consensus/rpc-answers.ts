import type { PublicKey } from '../../identity/index.ts';
import { err, fromBase64, fromHex, ok, type Result } from '../../shared/index.ts';
import { type BlockHeader, type BlockId, isHeight } from './block-header.ts';
import type { Commit, CommitSignature } from './commit.ts';
import { MAX_VALIDATORS, type Validator } from './validator-set.ts';

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/;
const DECIMAL = /^(?:0|[1-9]\d{0,15})$/;
const HEXADECIMAL = /^(?:[0-9A-F]{2}){0,64}$/;
/** Go's zero time, which an absent signature has. */
const NO_TIME = '0001-01-01T00:00:00Z';
const KEY_TYPE = 'tendermint/PubKeyEd25519';
const KEY_BYTES = 32;
/** types.BlockIDFlag. */
const FLAG_ABSENT = 1;
const FLAG_COMMIT = 2;
const FLAG_NIL = 3;

/** Ends the reading of an answer; it never leaves this file. */
class AnswerError extends Error {
  override readonly name = 'AnswerError';
}

type Members = Readonly<Record<string, unknown>>;

/** A page of validators, and how many there are on all pages. */
export type ValidatorsPage = {
  readonly height: number;
  readonly validators: readonly Validator[];
  readonly total: number;
};

/** Reads the result of CometBFT's `/commit`. Nothing is verified but the form. */
export function parseCommitAnswer(
  result: unknown,
): Result<{ readonly header: BlockHeader; readonly commit: Commit }, 'answer-malformed'> {
  return reading(() => {
    const { header, commit } = membersOf(membersOf(result)['signed_header']);
    return { header: headerOf(membersOf(header)), commit: commitOf(membersOf(commit)) };
  });
}

/** Reads the result of CometBFT's `/validators`. */
export function parseValidatorsAnswer(result: unknown): Result<ValidatorsPage, 'answer-malformed'> {
  return reading(() => {
    const { block_height, validators, total } = membersOf(result);
    return {
      height: decimal(block_height),
      total: decimal(total),
      validators: listOf(validators).map((one) => validatorOf(membersOf(one))),
    };
  });
}

function reading<T>(read: () => T): Result<T, 'answer-malformed'> {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof AnswerError) return err('answer-malformed');
    throw error;
  }
}

function headerOf(json: Members): BlockHeader {
  const version = membersOf(json['version']);
  return {
    version: { block: decimal(version['block']), app: decimal(version['app'] ?? '0') },
    chainName: text(json['chain_id']),
    height: decimal(json['height']),
    timeNs: timeOf(json['time']),
    lastBlockId: blockIdOf(json['last_block_id']),
    lastCommitHash: hexOf(json['last_commit_hash']),
    dataHash: hexOf(json['data_hash']),
    validatorsHash: hexOf(json['validators_hash']),
    nextValidatorsHash: hexOf(json['next_validators_hash']),
    consensusHash: hexOf(json['consensus_hash']),
    appHash: hexOf(json['app_hash']),
    lastResultsHash: hexOf(json['last_results_hash']),
    evidenceHash: hexOf(json['evidence_hash']),
    proposerAddress: hexOf(json['proposer_address']),
  };
}

function commitOf(json: Members): Commit {
  return {
    height: decimal(json['height']),
    round: count(json['round']),
    blockId: blockIdOf(json['block_id']),
    signatures: listOf(json['signatures']).map((one) => signatureOf(membersOf(one))),
  };
}

function signatureOf(json: Members): CommitSignature {
  const { block_id_flag: flag, validator_address, timestamp, signature } = json;
  if (flag === FLAG_ABSENT) {
    const isEmpty = validator_address === '' && timestamp === NO_TIME && (signature ?? '') === '';
    if (!isEmpty) throw new AnswerError();
    return { vote: 'absent' };
  }
  if (flag !== FLAG_COMMIT && flag !== FLAG_NIL) throw new AnswerError();
  return {
    vote: flag === FLAG_COMMIT ? 'commit' : 'nil',
    address: hexOf(validator_address),
    timeNs: timeOf(timestamp),
    signature: base64(signature),
  };
}

function validatorOf(json: Members): Validator {
  const key = membersOf(json['pub_key']);
  const publicKey: PublicKey = base64(key['value']);
  if (key['type'] !== KEY_TYPE || publicKey.length !== KEY_BYTES) throw new AnswerError();
  const power = decimal(json['voting_power']);
  if (!isHeight(power)) throw new AnswerError();
  return { publicKey, power };
}

function blockIdOf(json: unknown): BlockId {
  const { hash, parts } = membersOf(json);
  const { total, hash: root } = membersOf(parts);
  return { hash: hexOf(hash), parts: { total: count(total), hash: hexOf(root) } };
}

/** RFC 3339 in UTC with up to nine digits after the second, as Go writes it. */
function timeOf(json: unknown): bigint {
  const [, seconds, fraction = ''] = TIME.exec(text(json)) ?? [];
  const timeMs = seconds === undefined ? Number.NaN : Date.parse(`${seconds}Z`);
  const isDate = !Number.isNaN(timeMs) && new Date(timeMs).toISOString().startsWith(`${seconds}.`);
  if (!isDate) throw new AnswerError();
  return BigInt(timeMs) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

function membersOf(json: unknown): Members {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new AnswerError();
  return json as Members;
}

function listOf(json: unknown): readonly unknown[] {
  if (!Array.isArray(json) || json.length > MAX_VALIDATORS) throw new AnswerError();
  return json;
}

function text(json: unknown): string {
  if (typeof json !== 'string') throw new AnswerError();
  return json;
}

/** Go's JSON writes 64-bit integers as text. */
function decimal(json: unknown): number {
  const value = DECIMAL.test(text(json)) ? Number(json) : Number.NaN;
  return count(value);
}

function count(json: unknown): number {
  if (typeof json !== 'number' || !Number.isSafeInteger(json) || json < 0) throw new AnswerError();
  return json;
}

function hexOf(json: unknown): Uint8Array {
  const bytes = HEXADECIMAL.test(text(json)) ? fromHex(text(json).toLowerCase()) : undefined;
  if (bytes === undefined) throw new AnswerError();
  return bytes;
}

function base64(json: unknown): Uint8Array {
  const bytes = text(json).length <= 128 ? fromBase64(text(json)) : undefined;
  if (bytes === undefined) throw new AnswerError();
  return bytes;
}
