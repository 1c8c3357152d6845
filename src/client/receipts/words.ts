import type { RecordedAnchor } from '../../contracts/index.ts';
import { type PromiseState, type ResultCode, resultName } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import type { VerifiedConsensus } from './verify-consensus.ts';
import type { Trust, VerifiedHead } from './verify-recorded.ts';
import type { ShownKey } from './verify-signer.ts';

const LAST_DATE_MS = 8_640_000_000_000_000;

/** What a verification says: each sentence is true if the keys named in it were honest, and no other assumption is hidden. */
export type Findings = {
  readonly statements: string[];
  readonly notProven: string[];
  /** The recorded transaction that a file is about, where it is about one. */
  readonly transactionId?: Uint8Array;
  /** What the ledger said to it. */
  readonly resultCode?: ResultCode;
  /** What became of a promise to log, where a file is about one. */
  readonly promise?: PromiseState;
  /** The place in a custodian's access log, where a file is about one. */
  readonly accessEntry?: AccessEntryPlace;
};

/** Which entry stands where in whose access log. */
export type AccessEntryPlace = {
  readonly custodian: Uint8Array;
  readonly index: number;
  readonly leafHash: Uint8Array;
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
  const { checkpoint, witnesses, consensus } = head;
  const statements = [...whoSigned(head, trust), ...witnessText(head, trust)];
  const notProven = [`Anything that happened after height ${checkpoint.height}.`];
  if (consensus !== undefined) notProven.push(...consensusLimits(consensus));
  else if (witnesses.length === 0)
    notProven.push(`That the operator showed everyone the same history: ${missingWitnesses(trust)}.`);
  notProven.push(...chainLimits(head.chainId, trust));
  return { statements, notProven };
}

/** A file is of the chain that it names itself, unless the reader names one. */
export function chainLimits(chainId: Uint8Array, trust: Pick<Trust, 'chainId'>): string[] {
  if (trust.chainId !== undefined) return [];
  return [
    `That this is the chain you mean: compare its id ${toHex(chainId)} with one that you got from somebody else than the giver of this file.`,
  ];
}

function whoSigned({ checkpoint, genesis, chainId, consensus }: VerifiedHead, trust: Trust): string[] {
  const chain = `"${genesis.networkName}" (chain ${toHex(chainId)})`;
  const head = `head of height ${checkpoint.height}, ${checkpoint.logSize} entries, ${timeText(checkpoint.timeMs)}`;
  if (consensus !== undefined)
    return [`The consortium ${chain} decided its ${head}.`, ...consensusText(consensus, trust)];
  return [`The operator of the ledger ${chain} signed its ${head}. This ledger is run by one operator.`];
}

/** Whose validators signed, and how one gets to them from the genesis. */
function consensusText(
  { signers, validatorCount, power, totalPower, steps, blockHeight }: VerifiedConsensus,
  trust: Trust,
): string[] {
  const names = signers.map(({ organisation, consensusKey }) =>
    organisation === undefined
      ? `a validator whose organisation the file does not show (key ${toHex(consensusKey)})`
      : organisationText(organisation, trust),
  );
  const lead =
    steps === 1
      ? 'More than two thirds of the validators of the genesis signed it.'
      : `${steps} blocks lead to these validators from those of the genesis, each signed by more than two thirds of the validators before.`;
  return [
    `It stands in block ${blockHeight}, which ${signers.length} of ${validatorCount} validators signed, with ${power} of ${totalPower} votes. They are those of ${names.join(', ')}.`,
    lead,
  ];
}

function organisationText(organisation: Uint8Array, { organisationNames }: Trust): string {
  const name = organisationNames?.get(toHex(organisation));
  return name === undefined
    ? `organisation ${toHex(organisation)}`
    : `${name} (organisation ${toHex(organisation)})`;
}

function consensusLimits({ steps }: VerifiedConsensus): string[] {
  const earlier = steps === 1 ? '' : ', now or when they were validators';
  return [
    `That the same validators did not sign another history too: a third of them or more would have to break the protocol${earlier}. A light client that asks several nodes would notice.`,
  ];
}

function missingWitnesses({ witnesses = [] }: Trust): string {
  return witnesses.length === 0
    ? 'no witnesses were named to check against'
    : `none of the ${witnesses.length} witnesses that you trust co-signed this head`;
}

function witnessText({ witnesses }: VerifiedHead, trust: Trust): string[] {
  if (witnesses.length === 0) return [];
  const known = trust.witnesses?.length ?? 0;
  const names = witnesses
    .map(({ name, timeSeconds }) => `${name} at ${timeText(timeSeconds * 1000)}`)
    .join(', ');
  return [
    `${witnesses.length} of the ${known} witnesses that you trust co-signed it as consistent with all they saw before: ${names}.`,
  ];
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

/** What a custodian's row says of lost ends of its log; undefined where it never declared one. */
export function restartText({ restarts, restartedHeight }: RecordedAnchor): string | undefined {
  if (restarts === 0) return undefined;
  const often =
    restarts === 1
      ? `once, at height ${restartedHeight},`
      : `${restarts} times, last at height ${restartedHeight},`;
  return `The custodian declared ${often} that it lost the end of its access log.`;
}

export function joinFindings(...all: readonly Findings[]): Findings {
  const facts: Partial<Findings> = Object.assign({}, ...all);
  return {
    ...facts,
    statements: all.flatMap(({ statements }) => statements),
    notProven: all.flatMap(({ notProven }) => notProven),
  };
}
