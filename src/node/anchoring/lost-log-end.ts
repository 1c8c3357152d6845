import { type RecordedAnchor, readAccessAnchor } from '../../contracts/index.ts';
import type { Engine } from '../../engine/index.ts';
import { AppError, equalBytes } from '../../shared/index.ts';
import type { AccessLog } from '../../vault/index.ts';

/** The access log has to be the one whose root is on the ledger: entries that were taken away are missed at once. */
export function refuseOtherLog(
  { state }: Pick<Engine, 'state'>,
  custodian: Uint8Array,
  accessLog: Pick<AccessLog, 'size' | 'root'>,
): void {
  const anchor = readAccessAnchor(state, custodian);
  if (anchor === undefined) return;
  if (accessLog.size >= anchor.logSize && equalBytes(accessLog.root(anchor.logSize), anchor.logRoot)) return;
  throw otherLog(anchor);
}

/** What the operator is told: the end of the log is lost for good only when they say so. */
export function otherLog(anchor: Pick<RecordedAnchor, 'logSize' | 'height'> | undefined): AppError {
  const which =
    anchor === undefined
      ? 'that was anchored on the ledger'
      : `whose first ${anchor.logSize} entries were anchored on the ledger at height ${anchor.height}`;
  return new AppError(
    'damaged',
    `The access log is not the one ${which}. Nothing was touched. Run the audit, and restore the last backup to a new folder. ` +
      'If this is the last backup and its end is lost for good, start once with --accept-loss: the ledger will say for all to see that this organisation lost it.',
  );
}
