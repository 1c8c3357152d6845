import { type PromiseState, resultName } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import type { Trust, VerifiedHead } from './verify-recorded.ts';
import type { ShownKey } from './verify-signer.ts';

const LAST_DATE_MS = 8_640_000_000_000_000;

/** What a verification says: each sentence is true if the keys named in it were honest, and no other assumption is hidden. */
export type Findings = {
  readonly statements: string[];
  readonly notProven: string[];
  /** The recorded transaction that a file is about, where it is about one. */
  readonly transactionId?: Uint8Array;
  /** What became of a promise to log, where a file is about one. */
  readonly promise?: PromiseState;
};

export function timeText(timeMs: number): string {
  return timeMs <= LAST_DATE_MS ? new Date(timeMs).toISOString() : `${timeMs} ms`;
}

export function accountText(accountId: Uint8Array): string {
  return `account ${toHex(accountId)}`;
}

export function resultText(code: number): string {
  return code === 0 ? 'it was accepted' : `the ledger refused it (${resultName(code) ?? code})`;
}

/** Who stands behind the checkpoint: the one operator, and the named witnesses that co-signed. */
export function headFindings(head: VerifiedHead, trust: Trust): Findings {
  const { checkpoint, genesis, witnesses } = head;
  const statements = [
    `The operator of the ledger "${genesis.networkName}" (chain ${toHex(head.chainId)}) signed its head of height ${checkpoint.height}, ` +
      `${checkpoint.logSize} entries, ${timeText(checkpoint.timeMs)}. This ledger is run by one operator.`,
    witnessText(head, trust),
  ];
  const notProven = [`Anything that happened after height ${checkpoint.height}.`];
  if (witnesses.length === 0)
    notProven.push(
      'That the operator showed everyone the same history: no witness that you trust co-signed this head.',
    );
  if (trust.chainId === undefined) {
    notProven.push(
      `That this is the chain you mean: compare its id ${toHex(head.chainId)} with one that you got from somebody else than the giver of this file.`,
    );
  }
  return { statements, notProven };
}

function witnessText({ witnesses }: VerifiedHead, trust: Trust): string {
  const known = trust.witnesses?.length ?? 0;
  if (known === 0) return 'No witnesses were named to check against.';
  if (witnesses.length === 0) return `None of the ${known} witnesses that you trust co-signed it.`;
  const names = witnesses
    .map(({ name, timeSeconds }) => `${name} at ${timeText(timeSeconds * 1000)}`)
    .join(', ');
  return `${witnesses.length} of the ${known} witnesses that you trust co-signed it as consistent with all they saw before: ${names}.`;
}

/** What the reader learns of who signed the transaction itself, and with which key. */
export function signerFindings(key: ShownKey | undefined, accountId: Uint8Array): Findings {
  if (key === undefined) {
    return {
      statements: [],
      notProven: [
        `The signature of ${accountText(accountId)}: the file does not carry the key, so for it you rely on the operator.`,
      ],
    };
  }
  const statement = `It carries the valid signature of ${accountText(accountId)}, by ${keyText(key)}.`;
  return { statements: [statement], notProven: [] };
}

export function keyText({ publicKey, rotations, sinceHeight }: ShownKey): string {
  if (rotations === 0) return 'the key that the account is named after';
  const changes = rotations === 1 ? 'one change' : `${rotations} changes`;
  return (
    `the key ${toHex(publicKey)}, its own since height ${sinceHeight}: ${changes} of key lead to it from the key ` +
    'that the account is named after, each signed with the one before'
  );
}

export function joinFindings(...all: readonly Findings[]): Findings {
  const transactionId = all.find((findings) => findings.transactionId !== undefined)?.transactionId;
  const promise = all.find((findings) => findings.promise !== undefined)?.promise;
  return {
    ...(promise === undefined ? {} : { promise }),
    statements: all.flatMap(({ statements }) => statements),
    notProven: all.flatMap(({ notProven }) => notProven),
    ...(transactionId === undefined ? {} : { transactionId }),
  };
}
