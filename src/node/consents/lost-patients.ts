import type { StateReader } from '../../ledger/index.ts';
import type { Vault } from '../../vault/index.ts';
import { createRetryTimer } from '../concurrency/retry-timer.ts';
import type { GrantWatch } from './grant-watch.ts';
import { readLedgerConsent } from './ledger-consent.ts';

/**
 * Pseudonyms that have an active consent on the ledger and whose patient the vault has lost, as one that was restored has: any
 * patient here without a wallet might be the one, would be taken for one who has said nothing, and what the consent denies would be read.
 */
export interface LostPatients {
  /** How many are known. Whoever decides by it waits for `settled` first. */
  readonly size: number;
  /** Looks through all that was granted to this custodian. Call once, when the vault knows of every grant. */
  find(): Promise<void>;
  /** Call while a block is committed that has a consent of this pseudonym. */
  granted(account: string): void;
  /** Call when a consent changed, or a patient was bound: those who are lost are looked at again. */
  changed(): void;
  /** Resolves when everything that was told has been looked at. */
  settled(): Promise<void>;
  /** Looks at nobody again by itself, and waits for what is under way. */
  stop(): Promise<void>;
}

interface Deps {
  state: StateReader;
  vault: {
    readonly grantedConsents: Pick<Vault['grantedConsents'], 'list'>;
    readonly pseudonyms: Pick<Vault['pseudonyms'], 'stateOf'>;
  };
  granted: Pick<GrantWatch, 'of'>;
  /** There are more of them than before, or fewer. */
  onChange: (size: number) => void;
  onFailure: () => void;
}

export function createLostPatients({ state, vault, granted, onChange, onFailure }: Deps): LostPatients {
  const lost = new Set<string>();
  let last: Promise<unknown> = Promise.resolve();

  const hasActive = (consentIds: readonly string[]): boolean =>
    consentIds.some((id) => readLedgerConsent(state, id)?.status === 'active');
  const isLost = async (account: string, consentIds: readonly string[]): Promise<boolean> =>
    hasActive(consentIds) && ['lost', 'announced'].includes(await vault.pseudonyms.stateOf(account));
  /** One who cannot be looked up stays lost, and is looked at again after a while. */
  const lookAt = async (account: string): Promise<void> => {
    lost.add(account);
    if (!(await isLost(account, await granted.of(account)))) lost.delete(account);
  };
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const turn = last.then(async () => {
      const before = lost.size;
      await work().finally(() => {
        if (lost.size !== before) onChange(lost.size);
      });
    });
    last = turn.catch(() => {
      onFailure();
      retry.due();
    });
    return turn;
  };
  const soon = (work: () => Promise<void>): void => void inTurn(work).catch(() => undefined);
  const lookAgain = async (): Promise<void> => {
    const looks: PromiseSettledResult<void>[] = [];
    // One who cannot be looked up holds up no other.
    for (const account of [...lost]) looks.push(...(await Promise.allSettled([lookAt(account)])));
    const failed = looks.find((look) => look.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };
  const retry = createRetryTimer(() => inTurn(lookAgain));
  return {
    get size() {
      return lost.size;
    },
    find: () =>
      inTurn(async () => {
        for await (const { account, consentIds } of vault.grantedConsents.list())
          if (await isLost(account, consentIds)) lost.add(account);
      }),
    granted: (account) => soon(() => lookAt(account)),
    changed() {
      // Also while one is being looked at, who may turn out to be lost.
      soon(lookAgain);
    },
    settled: async () => void (await last),
    async stop() {
      await retry.stop();
      await last;
    },
  };
}
