/** What the gate needs, and what it answers. */
import type { Decision } from '../../contracts/index.ts';
import type { SealedCopy } from '../../shared/index.ts';
import type { AccessLog, AccessReceipt, SealedRecord } from '../../vault/index.ts';
import type { LabelAssignment, NamedPatients } from '../labels/index.ts';
import type { JsonObject } from '../labels/resource-walk.ts';
import type { AccessLogEntry, Interaction } from './access-entry.ts';
import type { EvidencePorts, Session } from './evidence.ts';

export interface GateDeps<Promised = AccessReceipt> extends EvidencePorts {
  readonly accessLog: Pick<AccessLog, 'append'>;
  /** Makes the signed promise to log out of what the log says about an entry. */
  promiseOf(receipt: AccessReceipt): Promised;
  /** Called after an entry with the obligation `notify-patient` is durable. */
  notifyPatient?(patientId: string, entry: AccessLogEntry): void;
}

/** `not-found` unless the requester is entitled to know that there is something to be denied. */
export type DenialCode = 'not-found' | 'forbidden';

export type Denied<Promised> = {
  readonly outcome: 'denied';
  readonly code: DenialCode;
  readonly decision: Decision;
  readonly promise: Promised;
  /** Of the entries for other patients whom the record names. */
  readonly otherPromises: readonly Promised[];
};

export type Opened<Promised> = {
  readonly outcome: 'permitted';
  /** The content after redaction; null for a tombstone. Parsed when it is asked for. */
  readonly resource: JsonObject | null;
  /** The content as it was stored, where nothing of it is withheld. */
  readonly text?: string | undefined;
  /** True when something may be missing. Search must then match this view, not the stored tokens. */
  readonly isRedacted: boolean;
  readonly decision: Decision;
  readonly promise: Promised;
  readonly otherPromises: readonly Promised[];
};

/** What only the patient's wallet opens. */
export type SealedCopyGiven<Promised> = {
  readonly outcome: 'permitted';
  /** null for a tombstone. */
  readonly copy: SealedCopy | null;
  readonly promise: Promised;
  readonly otherPromises: readonly Promised[];
};

export type WritePermitted<Promised> = {
  readonly outcome: 'permitted';
  readonly decision: Decision;
  /** Labels to store with the version. */
  readonly labels: LabelAssignment;
  readonly promise: Promised;
  readonly otherPromises: readonly Promised[];
};

/** A record that the requester may see. */
export type VisibleRecord<Promised = AccessReceipt> = {
  readonly record: SealedRecord;
  /** Of the entries that name it. The records of an entry share one list. */
  readonly promises: readonly Promised[];
  /** True when a part that the requester may not see is in it: a search must match the opened view, not the tokens. */
  readonly hasHiddenParts: boolean;
  /** The content, redacted. undefined when a consent changed meanwhile so that it may not be seen any more. */
  open(): Promise<JsonObject | null | undefined>;
};

export type Visible<Promised> = {
  readonly records: readonly VisibleRecord<Promised>[];
  readonly promises: readonly Promised[];
};

export type WriteRequest = {
  readonly type: string;
  readonly id: string;
  /** The version that the write will make. */
  readonly version: number;
  /** Patient in whose compartment the new version is. */
  readonly patientId: string | null;
  readonly resource: JsonObject;
  /** The current version, when there is one. */
  readonly existing?: SealedRecord;
  /** Other patients whom the new version names. */
  readonly named?: NamedPatients;
  /** Labels of the records that `definingReferences` names, for example of the Medication that is prescribed. */
  readonly inheritedLabels?: readonly string[];
};

export interface Gate<Promised = AccessReceipt> {
  /** Opens one version. */
  open(
    session: Session,
    record: SealedRecord,
    interaction: Interaction,
  ): Promise<Opened<Promised> | Denied<Promised>>;
  /** The sealed copy of a version: for its patient alone, whoever else may see the record. */
  sealedCopy(
    session: Session,
    record: SealedRecord,
    interaction: Interaction,
  ): Promise<SealedCopyGiven<Promised> | Denied<Promised>>;
  /** Which of these versions the requester may see; one entry of the log per patient and effect. */
  visible(
    session: Session,
    records: readonly SealedRecord[],
    interaction: Interaction,
  ): Promise<Visible<Promised>>;
  /**
   * The same of many, page after page: those that may be seen, `atOnce` of them at a time (the last time fewer). How they are
   * gathered into entries, and so how many promises there are, does not depend on what lies hidden between them.
   */
  visibleAmong(
    session: Session,
    pages: Iterable<readonly SealedRecord[]> | AsyncIterable<readonly SealedRecord[]>,
    interaction: Interaction,
    atOnce: number,
  ): AsyncGenerator<readonly VisibleRecord<Promised>[]>;
  /** Whether a version may be written. For a deletion, `resource` is the current content as `open` gave it. */
  permitWrite(
    session: Session,
    write: WriteRequest,
    interaction: 'create' | 'update' | 'patch' | 'delete',
  ): Promise<WritePermitted<Promised> | Denied<Promised>>;
}
