import type { DecodeError, Result } from '../../shared/index.ts';
import { FIRST_VERSION } from '../protocol-version.ts';
import type { ResultCode } from '../result-codes.ts';
import type { StateReader, StateWriter } from '../state/state-key.ts';

/** All that a contract may know beside its payload and the state: no clock, no randomness, no machine. */
export type ActionContext = {
  readonly chainId: Uint8Array;
  readonly height: number;
  readonly timeMs: number;
  readonly signer: Uint8Array;
  /** Of the rules by which this block is executed; an action whose rules change asks it. */
  readonly version: number;
};

/** One transaction type. `check` decides and changes nothing; `apply` runs only when `check` gave `ok`. */
export type ContractAction<Payload> = {
  readonly contract: number;
  readonly action: number;
  readonly name: string;
  /** The version of the rules that brought this action; every version has it unless said otherwise. */
  readonly sinceVersion?: number;
  decode(parts: readonly Uint8Array[]): Result<Payload, DecodeError>;
  check(state: StateReader, context: ActionContext, payload: Payload): ResultCode;
  apply(state: StateWriter, context: ActionContext, payload: Payload): void;
};

/** An action whose payload type is sealed inside: decoding once gives what to check and what to apply. */
export type SealedAction = {
  readonly contract: number;
  readonly action: number;
  readonly name: string;
  readonly sinceVersion: number;
  open(parts: readonly Uint8Array[]): OpenedAction | undefined;
};

export type OpenedAction = {
  check(state: StateReader, context: ActionContext): ResultCode;
  apply(state: StateWriter, context: ActionContext): void;
};

export type ContractTable = {
  /** The newest version of the rules that this software knows. */
  readonly newestVersion: number;
  find(contract: number, action: number): SealedAction | undefined;
  /** Whether an account signs on behalf of another one that is suspended. */
  actsForSuspended(state: StateReader, accountId: Uint8Array): boolean;
};

export function sealAction<Payload>(action: ContractAction<Payload>): SealedAction {
  return {
    contract: action.contract,
    action: action.action,
    name: action.name,
    sinceVersion: action.sinceVersion ?? FIRST_VERSION,
    open(parts) {
      const payload = action.decode(parts);
      if (!payload.ok) return undefined;
      return {
        check: (state, context) => action.check(state, context, payload.value),
        apply: (state, context) => action.apply(state, context, payload.value),
      };
    },
  };
}
