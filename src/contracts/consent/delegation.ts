import { type CanonicalReader, CanonicalWriter } from '../../shared/index.ts';

/** Who may act for the signing patient. Only the patient appoints and dismisses: a delegate cannot pass the right on. */
export type Delegation = { readonly delegate: Uint8Array };

export function encodeDelegation(payload: Delegation): Uint8Array {
  return new CanonicalWriter().fixed(payload.delegate, 32).finish();
}

export function readDelegation(reader: CanonicalReader): Delegation {
  return { delegate: reader.fixed(32) };
}
