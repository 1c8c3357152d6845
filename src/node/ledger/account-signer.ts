import { ACTIONS, type ActionName } from '../../contracts/index.ts';
import type { Committed, Engine } from '../../engine/index.ts';
import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import {
  encodeTransaction,
  RESULT_CODES,
  type ResultName,
  readAccount,
  resultName,
  signTransaction,
} from '../../ledger/index.ts';
import { AppError, type ErrorCode, toHex } from '../../shared/index.ts';

const VALID_FOR_BLOCKS = 1000;
/** After these the engine may have the transaction all the same: it is handed over to others before it is asked about. */
const UNDECIDED: ReadonlySet<ErrorCode> = new Set(['timeout', 'unavailable', 'busy']);
const MAX_TRIES = 3;
const FIRST_PAUSE_MS = 200;

/** Signs and submits one account's transactions, one after the other, so that its sequence has neither gap nor double. */
export interface AccountSigner {
  readonly accountId: Uint8Array;
  readonly accountHex: string;
  readonly publicKey: Uint8Array;
  /**
   * Resolves when the transaction is durable and took effect; refusals throw `transaction-refused`. After `unavailable` and
   * `busy` it may still be recorded, and no other is signed before that is decided. `before` runs once the
   * sequence number is taken: a transaction that is recorded after what it saw makes that number a used one.
   */
  submit(action: ActionName, parts: readonly Uint8Array[], before?: () => Promise<void>): Promise<Committed>;
}

/** A signer for the account of the given seed on the engine's chain. */
export function createAccountSigner(options: {
  engine: Engine;
  chainId: Uint8Array;
  seed: Uint8Array;
}): AccountSigner {
  const { engine, chainId, seed } = options;
  const publicKey = publicKeyOf(seed);
  const accountId = accountIdOf(publicKey);
  let last: Promise<unknown> = Promise.resolve();
  /** Has the number that comes next, and may still be recorded. */
  let undecided: Uint8Array | undefined;

  const decide = async (bytes: Uint8Array): Promise<Committed> => {
    undecided = bytes;
    try {
      const committed = await handOver(engine, bytes);
      undecided = undefined;
      return committed;
    } catch (cause) {
      if (!isUndecided(cause)) undecided = undefined;
      throw cause;
    }
  };
  const decideEarlier = async (): Promise<void> => {
    if (undecided === undefined) return;
    await decide(undecided).catch((cause: unknown) => {
      // Whoever submitted it has had an answer.
      if (undecided !== undefined) throw cause;
    });
  };
  const submitNext = async (
    name: ActionName,
    parts: readonly Uint8Array[],
    before?: () => Promise<void>,
  ): Promise<Committed> => {
    const { contract, action } = ACTIONS[name];
    await decideEarlier();
    const sequence = readAccount(engine.state, accountId)?.nextSequence ?? 0;
    await before?.();
    const lastValidHeight = engine.head().height + VALID_FOR_BLOCKS;
    const transaction = signTransaction(
      { chainId, contract, action, signer: accountId, sequence, lastValidHeight, parts },
      seed,
    );
    return requireEffect(await decide(encodeTransaction(transaction)));
  };
  return {
    accountId,
    accountHex: toHex(accountId),
    publicKey,
    submit(name, parts, before) {
      const turn = last.then(() => submitNext(name, parts, before));
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}

/**
 * A consortium may take longer than the engine waits, and its engine may not answer for a while: the same bytes are handed over
 * again, and are recorded once. An engine that is closed ends it.
 */
async function handOver(engine: Engine, bytes: Uint8Array): Promise<Committed> {
  for (let tries = 1; ; ) {
    try {
      return await engine.submit(bytes);
    } catch (cause) {
      if (!isUndecided(cause) || tries === MAX_TRIES) throw cause;
      if (cause.code === 'timeout') continue;
      await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE_MS * tries));
      tries += 1;
    }
  }
}

function isUndecided(cause: unknown): cause is AppError {
  return cause instanceof AppError && UNDECIDED.has(cause.code);
}

/** A block has the transaction, and it had no effect. */
export class EffectRefusedError extends AppError {
  readonly resultName: ResultName | undefined;

  constructor(code: Committed['code']) {
    const name = resultName(code);
    super('transaction-refused', `The ledger recorded the transaction and refused it: ${name ?? 'unknown'}.`);
    this.resultName = name;
  }
}

/** A recorded refusal is data on the ledger; for who asked for the effect it is an error. */
export function requireEffect(committed: Committed): Committed {
  if (committed.code === RESULT_CODES.ok) return committed;
  throw new EffectRefusedError(committed.code);
}
