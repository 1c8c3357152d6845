import {
  type ActionContext,
  RESULT_CODES,
  type StateReader,
  type StateWriter,
  sealAction,
  stateKey,
} from '../../ledger/index.ts';
import { CanonicalReader, CanonicalWriter, equalBytes } from '../../shared/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { isActiveOrganisation } from '../registry/party.ts';

/** The head of a custodian's access log. */
type AccessLogHead = { readonly logSize: number; readonly logRoot: Uint8Array };

/**
 * The nonce is drawn anew for each: an anchor is also how a node asks whether its ledger is fresh (docs/adr/0004), and one of an earlier
 * question, signed over the same head and number, must not be taken for the answer to a later one.
 */
export type AccessAnchor = AccessLogHead & { readonly nonce: Uint8Array };

export const ANCHOR_NONCE_BYTES = 16;

export type RecordedAnchor = AccessLogHead & {
  readonly height: number;
  readonly timeMs: number;
  /** How often the custodian declared that it lost the end of its log, and where last; 0 where it never did. */
  readonly restarts: number;
  readonly restartedHeight: number;
};

export function accessAnchorKey(custodian: Uint8Array): Uint8Array {
  return stateKey(CONTRACT.access, 'anchor', custodian);
}

export function readAccessAnchor(state: StateReader, custodian: Uint8Array): RecordedAnchor | undefined {
  const value = state.get(accessAnchorKey(custodian));
  return value === undefined ? undefined : decodeRecordedAnchor(value);
}

export function decodeRecordedAnchor(value: Uint8Array): RecordedAnchor {
  const reader = new CanonicalReader(value);
  const place = { ...readHead(reader), height: reader.u64(), timeMs: reader.u64() };
  const anchor = { ...place, restarts: reader.u64(), restartedHeight: reader.u64() };
  reader.end();
  return anchor;
}

export function encodeAnchorAccessLog(payload: AccessAnchor): Uint8Array {
  const { logSize, logRoot, nonce } = payload;
  return new CanonicalWriter().u64(logSize).fixed(logRoot, 32).fixed(nonce, ANCHOR_NONCE_BYTES).finish();
}

/** A custodian anchors its access log, so that an entry cannot be taken out or slipped in afterwards. */
export const anchorAccessLog = sealAction<AccessAnchor>({
  contract: CONTRACT.access,
  action: 1,
  name: 'anchor-access-log',
  decode: (parts) => decodeSinglePart(parts, readAnchor),
  check(state, context, payload) {
    if (!isActiveOrganisation(state, context.signer)) return RESULT_CODES['not-an-organisation'];
    const last = readAccessAnchor(state, context.signer);
    if (last === undefined || payload.logSize > last.logSize) return RESULT_CODES.ok;
    if (payload.logSize < last.logSize) return RESULT_CODES['log-shrank'];
    return equalBytes(payload.logRoot, last.logRoot) ? RESULT_CODES.ok : RESULT_CODES['log-root-conflict'];
  },
  apply(state, context, payload) {
    const { restarts = 0, restartedHeight = 0 } = readAccessAnchor(state, context.signer) ?? {};
    recordAnchor(state, context, { ...payload, restarts, restartedHeight });
  },
});

/** Puts an anchor into the custodian's row, in place of the one before. */
export function recordAnchor(
  state: StateWriter,
  context: ActionContext,
  payload: AccessLogHead & Pick<RecordedAnchor, 'restarts' | 'restartedHeight'>,
): void {
  const value = new CanonicalWriter()
    .u64(payload.logSize)
    .fixed(payload.logRoot, 32)
    .u64(context.height)
    .u64(context.timeMs)
    .u64(payload.restarts)
    .u64(payload.restartedHeight)
    .finish();
  state.set(accessAnchorKey(context.signer), value);
}

export function readAnchor(reader: CanonicalReader): AccessAnchor {
  return { ...readHead(reader), nonce: reader.fixed(ANCHOR_NONCE_BYTES) };
}

function readHead(reader: CanonicalReader): AccessLogHead {
  return { logSize: reader.u64(), logRoot: reader.fixed(32) };
}
