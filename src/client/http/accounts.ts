import { toHex } from '../../shared/index.ts';
import { jsonObjectOf, unreadable } from './exchange.ts';
import type { Session } from './session.ts';

/** An account as the node tells it; what is signed on its strength is checked again by the ledger. */
export type AccountAnswer = {
  readonly accountId: string;
  readonly publicKey: string;
  readonly nextSequence: number;
  readonly height: number;
  readonly status: string;
  readonly kind: string;
};

export async function fetchAccount(session: Session, accountId: Uint8Array): Promise<AccountAnswer> {
  const answer = jsonObjectOf(await session.ask(`/ledger/accounts/${toHex(accountId)}`));
  const { nextSequence, height } = answer;
  if (!Number.isSafeInteger(nextSequence) || !Number.isSafeInteger(height)) throw unreadable();
  const [id, publicKey, status, kind] = ['accountId', 'publicKey', 'status', 'kind'].map((name) =>
    textMember(answer, name),
  ) as [string, string, string, string];
  return {
    accountId: id,
    publicKey,
    status,
    kind,
    nextSequence: nextSequence as number,
    height: height as number,
  };
}

export function textMember(answer: Record<string, unknown>, name: string): string {
  const value = answer[name];
  if (typeof value !== 'string') throw unreadable();
  return value;
}
