import { AppError } from '../../shared/index.ts';
import type { SealedRecord } from '../../vault/index.ts';
import { readStoredNames } from '../labels/index.ts';
import type { JsonObject } from '../labels/resource-walk.ts';
import { type Interaction, MAX_ENTRY_RECORDS } from './access-entry.ts';
import { type Evidence, type EvidencePorts, gatherEvidence, type Session, stillStands } from './evidence.ts';
import type { GateDeps, Visible, VisibleRecord } from './gate-port.ts';
import { hasHiddenParts, type Judged, judgeRecord, judgeVisible, view } from './judge-record.ts';
import { logDecision } from './log-decision.ts';
import { openRecord } from './open-record.ts';

const MAX_VISIBLE = 10_000;

/** Those of many that may be seen, and the promises of their entries. */
export async function findVisible<P>(
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

/** The same page by page, in groups of so many. */
export async function* visibleAmong<P>(
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
  const logged = await logBatch(deps, session, interaction, permitted);
  return permitted.map((item) => ({
    record: item.record,
    promises: logged.get(item) ?? [],
    hasHiddenParts: hasHiddenParts(item.judged),
    open: () => openVisible(deps, session, item.record, item.evidence, interaction),
  }));
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
  interaction: Interaction,
): Promise<JsonObject | null | undefined> {
  const known = await judgeRecord(deps, session, evidence, record, interaction);
  if (known.failure !== undefined) throw known.failure;
  if (known.decision.effect === 'permit' && (await stillStands(deps, session, evidence)))
    return view(deps, known);
  const renewed = await openRecord(deps, session, record, interaction);
  return renewed.outcome === 'permitted' ? renewed.resource : undefined;
}
