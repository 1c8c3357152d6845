import { RESULT_CODES, sealAction } from '../../ledger/index.ts';
import { CONTRACT } from '../contract-ids.ts';
import { decodeSinglePart } from '../payload.ts';
import { isActiveOrganisation } from '../registry/party.ts';
import { type AccessAnchor, readAccessAnchor, readAnchor, recordAnchor } from './anchor-access-log.ts';

/**
 * A custodian declares for all to see that it lost the end of its access log, and goes on from what it has. The history keeps
 * the anchors from before, and the row counts the declarations: who holds a promise about an entry that was lost proves with the row as it is now that it was broken.
 */
export const restartAccessLog = sealAction<AccessAnchor>({
  contract: CONTRACT.access,
  action: 2,
  name: 'restart-access-log',
  decode: (parts) => decodeSinglePart(parts, readAnchor),
  check: (state, { signer }) =>
    isActiveOrganisation(state, signer) ? RESULT_CODES.ok : RESULT_CODES['not-an-organisation'],
  apply(state, context, payload) {
    const restarts = (readAccessAnchor(state, context.signer)?.restarts ?? 0) + 1;
    recordAnchor(state, context, { ...payload, restarts, restartedHeight: context.height });
  },
});
