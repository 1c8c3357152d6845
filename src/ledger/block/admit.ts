import { equalBytes } from '../../shared/index.ts';
import { type Account, readAccount } from '../account.ts';
import { FIRST_VERSION, versionAt } from '../protocol-version.ts';
import { RESULT_CODES, type ResultCode } from '../result-codes.ts';
import type { StateReader } from '../state/state-key.ts';
import { signingBytes, type Transaction } from '../transaction/transaction.ts';
import type { ContractTable, OpenedAction, SealedAction } from './contract-action.ts';

/** How far ahead `lastValidHeight` may lie, so that a signed transaction cannot be kept for ever and used at a bad moment. */
export const MAX_VALID_BLOCKS = 100_000;

/** Whether a signature over `message` is valid; the engine may answer from what it verified beforehand. */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

export type AdmissionRules = {
  readonly chainId: Uint8Array;
  readonly contracts: ContractTable;
  readonly verify: VerifySignature;
};

export type Admission =
  | { readonly code: 0; readonly account: Account; readonly action: OpenedAction }
  | { readonly code: Exclude<ResultCode, 0> };

/** The one predicate: what it lets in for `height` is what a block of that height executes. */
export function admit(
  state: StateReader,
  height: number,
  transaction: Transaction,
  rules: AdmissionRules,
): Admission {
  const { header } = transaction;
  if (!equalBytes(header.chainId, rules.chainId)) return refused('wrong-chain');
  if (header.lastValidHeight < height) return refused('expired');
  if (header.lastValidHeight > height + MAX_VALID_BLOCKS) return refused('valid-too-long');
  const account = readSigner(state, header.signer, rules.contracts);
  if (account === undefined) return refused('unknown-signer');
  if (account.isSuspended) return refused('suspended-signer');
  if (header.sequence < account.nextSequence) return refused('sequence-replayed');
  if (header.sequence > account.nextSequence) return refused('sequence-gap');
  const sealed = rules.contracts.find(header.contract, header.action);
  if (sealed === undefined || !hasBegun(sealed, state, height)) return refused('unknown-action');
  const action = sealed.open(transaction.parts);
  if (action === undefined) return refused('malformed-payload');
  if (!rules.verify(account.publicKey, signingBytes(header), transaction.signature))
    return refused('bad-signature');
  return { code: RESULT_CODES.ok, account, action };
}

/** An account as admission sees it: suspended also where it acts for one that is. */
export function readSigner(
  state: StateReader,
  signer: Uint8Array,
  contracts: Pick<ContractTable, 'actsForSuspended'>,
): Account | undefined {
  const account = readAccount(state, signer);
  if (account === undefined || account.isSuspended) return account;
  return contracts.actsForSuspended(state, signer) ? { ...account, isSuspended: true } : account;
}

/** An action is not known before its version is active, also to software that knows it already. */
function hasBegun({ sinceVersion }: SealedAction, state: StateReader, height: number): boolean {
  return sinceVersion === FIRST_VERSION || sinceVersion <= versionAt(state, height);
}

function refused(name: Exclude<keyof typeof RESULT_CODES, 'ok'>): Admission {
  return { code: RESULT_CODES[name] };
}
