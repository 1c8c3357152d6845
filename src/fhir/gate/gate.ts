/**
 * The single gate. Nothing else in the system opens a record: the content of a version is decrypted here, after a decision,
 * and handed out after the entry about that decision is durable. If the entry cannot be written, the read fails.
 */
import type { Obligation } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { DEFAULT_LABEL_TABLE, isPlacementOpen, type LabelTable, readStoredNames } from '../labels/index.ts';
import type { JsonObject } from '../labels/resource-walk.ts';
import { type Interaction, MAX_ENTRY_RECORDS } from './access-entry.ts';
import {
  type Candidate,
  candidateOf,
  candidateToWrite,
  type Evidence,
  type EvidencePorts,
  gatherEvidence,
  judge,
  mayKnow,
  type Session,
  stillStands,
  withContent,
} from './evidence.ts';
import type {
  Denied,
  Gate,
  GateDeps,
  Opened,
  Visible,
  VisibleRecord,
  WritePermitted,
  WriteRequest,
} from './gate-port.ts';
import type { JointDecision } from './joint-decision.ts';
import { logDecision, type Promises, promised } from './log-decision.ts';
import { type OpenedContent, openContent } from './opened-content.ts';
import { redactResource } from './redact.ts';

const MAX_ATTEMPTS = 5;
const MAX_VISIBLE = 10_000;

/** Makes the gate of a custodian. */
export function createGate<Promised>(deps: GateDeps<Promised>): Gate<Promised> {
  return {
    open: (session, record, interaction) => openRecord(deps, session, record, interaction),
    visible: (session, records, interaction) => findVisible(deps, session, records, interaction),
    visibleAmong: (session, pages, interaction, atOnce) =>
      visibleAmong(deps, session, pages, interaction, atOnce),
    permitWrite: (session, write, interaction) => permitWrite(deps, session, write, interaction),
  };
}

/** Decides again when a consent changed between the decision and the durable entry, so that no answer leaves under an old one. */
async function openRecord<P>(
  deps: GateDeps<P>,
  session: Session,
  record: SealedRecord,
  interaction: Interaction,
): Promise<Opened<P> | Denied<P>> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const evidence = await gatherEvidence(deps, session, record.subject, readStoredNames(record.labels));
    const judged = await judgeRecord(deps, session, evidence, record, interaction);
    const promises = await logDecision(
      deps,
      session,
      evidence,
      [judged.candidate],
      interaction,
      judged.decision,
    );
    if (judged.failure !== undefined) throw judged.failure;
    if (judged.decision.effect === 'deny')
      return denial(deps, session, evidence, judged, interaction, promises);
    if (await stillStands(deps, session, evidence)) return permitted(deps, judged, promises);
  }
  throw new AppError('busy', 'The consents for this record keep changing. Try again in a moment.');
}

interface Judged {
  readonly candidate: Candidate;
  readonly decision: JointDecision;
  /** The content, where it had to be opened or may be seen; null for a tombstone. Never leaves but through `view`. */
  readonly content: OpenedContent | null | undefined;
  /** Why a record that may be seen could not be opened: thrown after the entry is durable. */
  readonly failure?: unknown;
}

/** Decides on what is known without the content; opens it only when it may be seen, or when the rules need to know it. */
async function judgeRecord(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
  record: SealedRecord,
  interaction: Interaction,
): Promise<Judged> {
  const candidate = candidateOf(record);
  const decision = judge(ports, session, evidence, candidate, interaction);
  if (decision.effect === 'deny' && decision.certain) return { candidate, decision, content: undefined };
  if (record.deleted) return { candidate, decision, content: null };
  const isKnown = labelsNothingMore.get(record) === ports.labelTable;
  const opened = await openContent(record, isKnown);
  if ('failure' in opened) {
    return {
      candidate,
      decision,
      content: undefined,
      ...(decision.effect === 'permit' && { failure: opened.failure }),
    };
  }
  // Nothing in the content can change a certain answer but labels that it was not stored with.
  if (decision.certain && isKnown) return { candidate, decision, content: opened.content };
  const known = withContent(candidate, opened.content.resource, record.author, ports);
  if (known.labels === candidate.labels) {
    labelsNothingMore.set(record, ports.labelTable);
    if (decision.certain) return { candidate, decision, content: opened.content };
  }
  return {
    candidate: known,
    decision: judge(ports, session, evidence, known, interaction),
    content: opened.content,
  };
}

/** Versions whose content was read under a table and says no label but those it is stored with: a version never changes. */
const labelsNothingMore = new WeakMap<SealedRecord, LabelTable>();

function permitted<P>(ports: EvidencePorts, judged: Judged, promises: Promises<P>): Opened<P> {
  const { content, decision } = judged;
  const isRedacted = (content ?? null) !== null && withheldLabels(decision.obligations).length > 0;
  let shown: JsonObject | null | undefined;
  return {
    outcome: 'permitted',
    get resource() {
      if (shown === undefined) shown = view(ports, judged);
      return shown;
    },
    ...(!isRedacted && { text: content?.text }),
    isRedacted,
    decision,
    ...promised(promises),
  };
}

/** What may leave: the content as the obligations leave it. */
function view(ports: EvidencePorts, { content, decision }: Judged): JsonObject | null {
  if (content === null || content === undefined) return null;
  const withheld = withheldLabels(decision.obligations);
  return withheld.length === 0
    ? content.resource
    : redactResource(content.resource, withheld, ports.labelTable);
}

function withheldLabels(obligations: readonly Obligation[]): readonly string[] {
  return obligations.flatMap((obligation) => (obligation.kind === 'redact' ? obligation.labels : []));
}

function denial<P>(
  deps: GateDeps<P>,
  session: Session,
  evidence: Evidence,
  judged: Judged,
  interaction: Interaction,
  promises: Promises<P>,
): Denied<P> {
  const isWriteOfOwn = interaction === 'create' || interaction === 'update';
  const entitled = isWriteOfOwn || mayKnow(deps, session, evidence, judged.candidate);
  return {
    outcome: 'denied',
    code: entitled ? 'forbidden' : 'not-found',
    decision: judged.decision,
    ...promised(promises),
  };
}

async function findVisible<P>(
  deps: GateDeps<P>,
  session: Session,
  records: readonly SealedRecord[],
  interaction: Interaction,
): Promise<Visible<P>> {
  if (records.length > MAX_VISIBLE)
    throw new AppError(
      'too-many',
      `At most ${MAX_VISIBLE} records can be decided on at once. Ask for smaller pages.`,
    );
  const visible: VisibleRecord<P>[] = [];
  for await (const some of visibleAmong(deps, session, [records], interaction, MAX_VISIBLE))
    visible.push(...some);
  return { records: visible, promises: promisesOf(visible) };
}

/** Of every entry that names one of these records, each once. */
export function promisesOf<P>(records: readonly Pick<VisibleRecord<P>, 'promises'>[]): P[] {
  return [...new Set(records.map(({ promises }) => promises))].flat();
}

async function* visibleAmong<P>(
  deps: GateDeps<P>,
  session: Session,
  pages: Iterable<readonly SealedRecord[]> | AsyncIterable<readonly SealedRecord[]>,
  interaction: Interaction,
  atOnce: number,
): AsyncGenerator<readonly VisibleRecord<P>[]> {
  const permitted: VisibleItem[] = [];
  const denied: VisibleItem[] = [];
  // In one flush. What is denied here looks like what is not there, so its promises stay here.
  const logged = async () => {
    const [visible] = await Promise.all([
      logVisible(deps, session, interaction, permitted.splice(0, atOnce)),
      logBatch(deps, session, interaction, denied.splice(0)),
    ]);
    return visible;
  };
  for await (const records of pages) {
    for (const item of await judgeAll(deps, session, records, interaction))
      (item.judged.decision.effect === 'permit' ? permitted : denied).push(item);
    while (permitted.length >= atOnce) yield await logged();
    if (denied.length >= MAX_VISIBLE) await logBatch(deps, session, interaction, denied.splice(0));
  }
  if (permitted.length > 0) yield await logged();
  else await logBatch(deps, session, interaction, denied);
}

async function judgeAll(
  ports: EvidencePorts,
  session: Session,
  records: readonly SealedRecord[],
  interaction: Interaction,
): Promise<VisibleItem[]> {
  const evidences = new Map<string | null, Evidence>();
  const items: VisibleItem[] = [];
  for (const record of records) {
    const named = readStoredNames(record.labels);
    const asked = named.others.length === 0 ? record.subject : JSON.stringify([record.subject, named]);
    const evidence = evidences.get(asked) ?? (await gatherEvidence(ports, session, record.subject, named));
    evidences.set(asked, evidence);
    const judged = await judgeVisible(ports, session, evidence, record, interaction);
    items.push({ record, evidence, judged });
  }
  return items;
}

async function logVisible<P>(
  deps: GateDeps<P>,
  session: Session,
  interaction: Interaction,
  permitted: readonly VisibleItem[],
): Promise<VisibleRecord<P>[]> {
  const promisesOf = await logBatch(deps, session, interaction, permitted);
  return permitted.map((item) => ({
    record: item.record,
    promises: promisesOf.get(item) ?? [],
    hasHiddenParts: hasHiddenParts(item.judged),
    open: () => openVisible(deps, session, item.record, item.evidence, item.judged, interaction),
  }));
}

/** Like `judgeRecord`, but content that the rules do not need stays closed until it is asked for, and is not kept till then. */
async function judgeVisible(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
  record: SealedRecord,
  interaction: Interaction,
): Promise<Judged> {
  const candidate = candidateOf(record);
  const decision = judge(ports, session, evidence, candidate, interaction);
  const isSettled = decision.certain && (decision.effect === 'deny' || !mayBeLabelledMore(ports, record));
  if (isSettled) return { candidate, decision, content: undefined };
  const judged = await judgeRecord(ports, session, evidence, record, interaction);
  return decision.certain ? { ...judged, content: undefined } : judged;
}

/** Rows that a hospital adds count for what was stored before them too: a total or a link must not tell of what they hide. */
function mayBeLabelledMore({ labelTable }: EvidencePorts, record: SealedRecord): boolean {
  return labelTable !== DEFAULT_LABEL_TABLE && labelsNothingMore.get(record) !== labelTable;
}

function hasHiddenParts({ candidate, decision }: Judged): boolean {
  return withheldLabels(decision.obligations).some((label) => candidate.labels.parts.includes(label));
}

type VisibleItem = { readonly record: SealedRecord; readonly evidence: Evidence; readonly judged: Judged };

/** Entries per patient and way of deciding; all appended together, so that they share one flush. */
async function logBatch<P>(
  deps: GateDeps<P>,
  session: Session,
  interaction: Interaction,
  items: readonly VisibleItem[],
): Promise<Map<VisibleItem, readonly P[]>> {
  const groups = new Map<string, VisibleItem[]>();
  for (const item of items) {
    const { effect, reason, matched, obligations, each } = item.judged.decision;
    const others = item.evidence.others.map(({ patientId }) => patientId);
    const key = JSON.stringify([item.evidence.patientId, others, effect, reason, matched, obligations, each]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  const batches = [...groups.values()].flatMap((group) => chunk(group, MAX_ENTRY_RECORDS));
  const logged = await Promise.all(
    batches.map(async (batch) => {
      const { evidence, judged } = batch[0] as VisibleItem;
      const candidates = batch.map((item) => item.judged.candidate);
      const promises = await logDecision(deps, session, evidence, candidates, interaction, judged.decision);
      return batch.map((item) => [item, promises] as const);
    }),
  );
  return new Map(logged.flat());
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** Opens what a logged decision permits, unless the consents have changed or the content says more than its labels did. */
async function openVisible<P>(
  deps: GateDeps<P>,
  session: Session,
  record: SealedRecord,
  evidence: Evidence,
  judged: Judged,
  interaction: Interaction,
): Promise<JsonObject | null | undefined> {
  const known =
    judged.content === undefined ? await judgeRecord(deps, session, evidence, record, interaction) : judged;
  if (known.failure !== undefined) throw known.failure;
  if (known.decision.effect === 'permit' && (await stillStands(deps, session, evidence)))
    return view(deps, known);
  const renewed = await openRecord(deps, session, record, interaction);
  return renewed.outcome === 'permitted' ? renewed.resource : undefined;
}

async function permitWrite<P>(
  deps: GateDeps<P>,
  session: Session,
  write: WriteRequest,
  interaction: 'create' | 'update' | 'patch' | 'delete',
): Promise<WritePermitted<P> | Denied<P>> {
  const { existing } = write;
  if (existing !== undefined) {
    const refused = await refusedOnExisting(deps, session, existing, write, interaction);
    if (refused !== undefined) return refused;
  }
  const evidence = await gatherEvidence(deps, session, write.patientId, write.named);
  const candidate = candidateToWrite({ ...write, author: session.accountId }, deps, {
    ...(existing !== undefined && { previous: existing.labels }),
    ...(write.inheritedLabels !== undefined && { inherited: write.inheritedLabels }),
  });
  const decision = judge(deps, session, evidence, candidate, interaction);
  const promises = await logDecision(deps, session, evidence, [candidate], interaction, decision);
  const judged = { candidate, decision, content: undefined };
  if (decision.effect === 'deny') return denial(deps, session, evidence, judged, interaction, promises);
  return { outcome: 'permitted', decision, labels: candidate.labels, ...promised(promises) };
}

/**
 * Who may not change the version that is there may not replace it either, nor move it to another patient. What is deleted may be
 * made anew for the same patient by whoever may write for that patient; for another it is a move like any. What is for its author
 * alone stays so.
 */
async function refusedOnExisting<P>(
  deps: GateDeps<P>,
  session: Session,
  existing: SealedRecord,
  { patientId }: Pick<WriteRequest, 'patientId'>,
  interaction: Interaction,
): Promise<Denied<P> | undefined> {
  const isOpen = isPlacementOpen(existing.labels);
  if (existing.deleted && existing.subject === patientId && !isOpen) return undefined;
  const named = readStoredNames(existing.labels);
  const evidence = await gatherEvidence(deps, session, existing.subject, named);
  const judged = withoutBlindWrites(await judgeRecord(deps, session, evidence, existing, interaction));
  if (judged.decision.effect === 'permit' && judged.failure === undefined) return undefined;
  const promises = await logDecision(
    deps,
    session,
    evidence,
    [judged.candidate],
    interaction,
    judged.decision,
  );
  if (judged.failure !== undefined) throw judged.failure;
  return denial(deps, session, evidence, judged, interaction, promises);
}

/** Who sees only a part of a record would lose the rest by writing it back. */
function withoutBlindWrites(judged: Judged): Judged {
  if (judged.decision.effect === 'deny' || !hasHiddenParts(judged)) return judged;
  return {
    ...judged,
    decision: { ...judged.decision, effect: 'deny', reason: 'label-withheld', obligations: [] },
  };
}
