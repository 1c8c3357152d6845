import { ACTIONS, type ActionName } from '../../contracts/index.ts';
import { type Committed, type Engine, TransactionRefusedError } from '../../engine/index.ts';
import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import {
  encodeTransaction,
  RESULT_CODES,
  type ResultName,
  readAccount,
  resultName,
  signTransaction,
} from '../../ledger/index.ts';
import { AppError, toHex } from '../../shared/index.ts';

const VALID_FOR_BLOCKS = 1000;

/** Signs and submits one account's transactions, one after the other, so that its sequence has neither gap nor double. */
export interface AccountSigner {
  readonly accountId: Uint8Array;
  readonly accountHex: string;
  readonly publicKey: Uint8Array;
  /**
   * Resolves when the transaction is durable and took effect; refusals throw `transaction-refused`. `before` runs once the
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

  const submitNext = async (
    name: ActionName,
    parts: readonly Uint8Array[],
    before?: () => Promise<void>,
  ): Promise<Committed> => {
    const { contract, action } = ACTIONS[name];
    const sequence = readAccount(engine.state, accountId)?.nextSequence ?? 0;
    await before?.();
    const lastValidHeight = engine.head().height + VALID_FOR_BLOCKS;
    const transaction = signTransaction(
      { chainId, contract, action, signer: accountId, sequence, lastValidHeight, parts },
      seed,
    );
    return requireEffect(await untilDecided(engine, encodeTransaction(transaction)));
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
 * A consortium may take longer than the engine waits. What is not decided may still be recorded, so the next number is not
 * used before it is: the same bytes are handed over again, and are recorded once.
 */
async function untilDecided(engine: Engine, bytes: Uint8Array): Promise<Committed> {
  for (;;) {
    try {
      return await engine.submit(bytes);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'timeout') throw error;
    }
  }
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

/** Whether the ledger has a transaction that it refused; of one that may not enter a block it has nothing. */
export function isRecordedRefusal(cause: unknown): boolean {
  return (
    cause instanceof AppError &&
    cause.code === 'transaction-refused' &&
    !(cause instanceof TransactionRefusedError)
  );
}

/** A recorded refusal is data on the ledger; for who asked for the effect it is an error. */
export function requireEffect(committed: Committed): Committed {
  if (committed.code === RESULT_CODES.ok) return committed;
  throw new EffectRefusedError(committed.code);
}
