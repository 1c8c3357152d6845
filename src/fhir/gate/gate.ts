/**
 * The single gate. Nothing else in the system opens a record: the content of a version is decrypted here (`judge-record.ts`), after
 * a decision, and handed out after the entry about that decision is durable. If the entry cannot be written, the read fails. What
 * is `sealed` is not opened here at all: its patient gets a copy (`sealed-copy.ts`) on the same terms.
 */
import type { Gate, GateDeps } from './gate-port.ts';
import { openRecord } from './open-record.ts';
import { permitWrite } from './permit-write.ts';
import { giveSealedCopy } from './sealed-copy.ts';
import { findVisible, visibleAmong } from './visible-records.ts';

/** Makes the gate of a custodian. */
export function createGate<Promised>(deps: GateDeps<Promised>): Gate<Promised> {
  return {
    open: (session, record, interaction) => openRecord(deps, session, record, interaction),
    sealedCopy: (session, record, interaction) => giveSealedCopy(deps, session, record, interaction),
    visible: (session, records, interaction) => findVisible(deps, session, records, interaction),
    visibleAmong: (session, pages, interaction, atOnce) =>
      visibleAmong(deps, session, pages, interaction, atOnce),
    permitWrite: (session, write, interaction) => permitWrite(deps, session, write, interaction),
  };
}
