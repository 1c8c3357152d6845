/** The gate: the only way to the content of a record. */
export {
  ACTION_OF,
  type AccessLogEntry,
  decodeAccessEntry,
  encodeAccessEntry,
  type Interaction,
} from './access-entry.ts';
export { type AuditEventOptions, toAuditEvent } from './balp.ts';
export type { EvidencePorts, Session } from './evidence.ts';
export { createGate } from './gate.ts';
export type {
  DenialCode,
  Denied,
  Gate,
  GateDeps,
  Opened,
  SealedCopyGiven,
  Visible,
  VisibleRecord,
  WritePermitted,
  WriteRequest,
} from './gate-port.ts';
export { isSealedAway } from './opened-content.ts';
export { isRedactedView } from './redact.ts';
export { storedReferences, storedRoles } from './stored-references.ts';
export { promisesOf } from './visible-records.ts';
