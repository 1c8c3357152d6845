import { RESULT_CODES, sealAction, stateKey } from '../../ledger/index.ts';
import { type CanonicalReader, CanonicalWriter, concatBytes } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { isActiveOrganisation } from '../registry/party.ts';

/** That content was destroyed: of how many versions, and the RFC 9162 root over their commitments in ascending order. */
export type RecordErasure = {
  readonly pseudonym: Uint8Array;
  readonly count: number;
  readonly erasureRoot: Uint8Array;
};

export function erasureKey(custodian: Uint8Array, erasureRoot: Uint8Array): Uint8Array {
  return stateKey(CONTRACT.erasure, 'erasure', concatBytes(custodian, erasureRoot));
}

export function encodeRecordErasure(payload: RecordErasure): Uint8Array {
  return new CanonicalWriter()
    .fixed(payload.pseudonym, 32)
    .u64(payload.count)
    .fixed(payload.erasureRoot, 32)
    .finish();
}

/** A custodian records that it erased versions. Their commitments stay, and mean nothing without the salts. */
export const recordErasure = sealAction<RecordErasure>({
  contract: CONTRACT.erasure,
  action: 1,
  name: 'record-erasure',
  decode: (parts) => decodeSinglePart(parts, readRecordErasure),
  check(state, context, payload) {
    if (!isActiveOrganisation(state, context.signer)) return RESULT_CODES['not-an-organisation'];
    return payload.count === 0 ? RESULT_CODES['nothing-erased'] : RESULT_CODES.ok;
  },
  apply(state, context, payload) {
    const value = new CanonicalWriter()
      .fixed(payload.pseudonym, 32)
      .u64(payload.count)
      .u64(context.height)
      .finish();
    state.set(erasureKey(context.signer, payload.erasureRoot), value);
  },
});

export function readRecordErasure(reader: CanonicalReader): RecordErasure {
  return { pseudonym: reader.fixed(32), count: reader.u64(), erasureRoot: reader.fixed(32) };
}
