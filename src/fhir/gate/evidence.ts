import {
  type ActiveConsent,
  type CustodianPolicy,
  type Decision,
  decideAccess,
  type RequestResource,
} from '../../contracts/index.ts';
import { type LabelTable, type NamedPatients, NOBODY_ELSE } from '../labels/index.ts';
import { ACTION_OF, type Interaction } from './access-entry.ts';
import type { Candidate } from './candidate.ts';
import type { ContentFacts } from './content-facts.ts';
import { closedToOthers, type JointDecision, joinDecisions } from './joint-decision.ts';
import type { HeldRole } from './stored-references.ts';

/** Who asks, as the node's session knows it. Every claim has been held against the registry. */
export interface Session {
  /** Account id in hexadecimal. */
  readonly accountId: string;
  readonly kind: 'organisation' | 'practitioner' | 'device' | 'patient';
  readonly organisation: string;
  readonly roles: readonly string[];
  /** v3 ActReason code. */
  readonly purpose: string;
  /** The Patient bound to the account, if one is. */
  readonly patientId?: string;
}

/** Where the facts of a decision come from. */
export interface EvidencePorts {
  readonly policy: CustodianPolicy;
  readonly labelTable: LabelTable;
  /** The address of this FHIR server: references that begin with it are to its own records. */
  ownBase(): string;
  /** The patient's consents that are active on the ledger now. A revocation is out of it before it is acknowledged. */
  activeConsents(patientId: string): Promise<readonly ActiveConsent[]>;
  /** Whether the patient recorded the account as a delegate. */
  isDelegate(patientId: string, accountId: string): Promise<boolean>;
  /** Whether the registry has suspended the account or its organisation, or does not know it. */
  isSuspended(accountId: string): boolean;
  /** Throws when the ledger that is known here may be older than allowed: consents may have been revoked since. */
  ensureFresh?(): Promise<void>;
  head(): { readonly height: number; readonly timeMs: number };
  now(): number;
  /**
   * References that the newest version of a record (`Encounter/1`) makes, for consents about what it is related to; undefined
   * when that cannot be told.
   */
  referencesFrom?(reference: string): Promise<readonly string[] | undefined>;
  /** The PractitionerRoles that are or were a Practitioner's: what is authored in a role is authored by who has it. */
  rolesOf?(practitioner: string): Promise<readonly HeldRole[]>;
}

/** What is known about a patient's wishes at one moment. */
export interface Evidence {
  readonly patientId: string | null;
  readonly consents: readonly ActiveConsent[];
  readonly isDelegate: boolean;
  readonly isSuspended: boolean;
  readonly height: number;
  readonly timeMs: number;
  /** What each record named by a consent's `data` as `related` refers to, where that is known. */
  readonly related: ReadonlyMap<string, readonly string[] | undefined>;
  /** The roles of each Practitioner whom a consent names as an author. */
  readonly roles: ReadonlyMap<string, readonly HeldRole[]>;
  /** The same of every other patient whom the record names. */
  readonly others: readonly Evidence[];
  readonly isSubjectsOwn: boolean;
}

/** Gathers evidence. Called after the request began, so an acknowledged revocation is always in it. */
export async function gatherEvidence(
  ports: EvidencePorts,
  session: Session,
  patientId: string | null,
  named: NamedPatients = NOBODY_ELSE,
): Promise<Evidence> {
  await ports.ensureFresh?.();
  const others: Evidence[] = [];
  for (const other of named.others) others.push(await gatherEvidence(ports, session, other));
  const isDelegate = patientId !== null && (await ports.isDelegate(patientId, session.accountId));
  const consents = patientId === null ? [] : await ports.activeConsents(patientId);
  const related = await gatherRelated(ports, consents);
  const roles = await gatherRoles(ports, consents);
  const head = ports.head();
  return {
    patientId,
    consents,
    isDelegate,
    isSuspended: ports.isSuspended(session.accountId),
    height: head.height,
    // A ledger without traffic must not keep an expired consent alive, nor a slow clock.
    timeMs: Math.max(head.timeMs, ports.now()),
    related,
    roles,
    others,
    isSubjectsOwn: named.isSubjectsOwn,
  };
}

async function gatherRelated(
  ports: EvidencePorts,
  consents: readonly ActiveConsent[],
): Promise<Map<string, readonly string[] | undefined>> {
  const related = new Map<string, readonly string[] | undefined>();
  if (ports.referencesFrom === undefined) return related;
  for (const reference of relatedReferences(consents))
    related.set(reference, await ports.referencesFrom(reference));
  return related;
}

function relatedReferences(consents: readonly ActiveConsent[]): ReadonlySet<string> {
  return namedBy(consents, ({ data }) =>
    data.flatMap(({ meaning, reference }) => (meaning === 'related' ? reference : [])),
  );
}

async function gatherRoles(
  ports: EvidencePorts,
  consents: readonly ActiveConsent[],
): Promise<Map<string, readonly HeldRole[]>> {
  const roles = new Map<string, readonly HeldRole[]>();
  if (ports.rolesOf === undefined) return roles;
  const named = namedBy(consents, ({ data, authors }) => [
    ...authors,
    ...data.flatMap(({ meaning, reference }) => (meaning === 'authoredby' ? reference : [])),
  ]);
  for (const author of named)
    if (author.startsWith('Practitioner/')) roles.set(author, await ports.rolesOf(author));
  return roles;
}

type Provision = NonNullable<ActiveConsent['terms']>['root'];

/** What the provisions of these consents name, at any depth. */
function namedBy(
  consents: readonly ActiveConsent[],
  namesOf: (provision: Provision) => readonly string[],
): ReadonlySet<string> {
  const found = new Set<string>();
  const walk = (provision: Provision): void => {
    for (const name of namesOf(provision)) found.add(name);
    provision.provisions.forEach(walk);
  };
  for (const { terms } of consents) if (terms !== null) walk(terms.root);
  return found;
}

/** Whether the evidence still stands: the same consents, no delegate dismissed, nobody suspended since. */
export async function stillStands(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
): Promise<boolean> {
  if (ports.isSuspended(session.accountId) !== evidence.isSuspended) return false;
  for (const other of evidence.others) if (!(await stillStands(ports, session, other))) return false;
  if (evidence.patientId === null) return true;
  if (evidence.isDelegate && !(await ports.isDelegate(evidence.patientId, session.accountId))) return false;
  const consents = await ports.activeConsents(evidence.patientId);
  if (consents === evidence.consents) return true;
  const identity = (list: readonly ActiveConsent[]): string =>
    list
      .map(({ id, version }) => `${id}#${version}`)
      .sort()
      .join();
  return identity(consents) === identity(evidence.consents);
}

/** Asks the rules, for each patient whom the record names. */
export function judge(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
  candidate: Candidate,
  interaction: Interaction,
): JointDecision {
  return decideForAll(ports, session, evidence, candidate, ACTION_OF[interaction]);
}

/** Whether the requester may know that the record exists: it may look at it. */
export function mayKnow(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
  candidate: Candidate,
): boolean {
  return decideForAll(ports, session, evidence, candidate, 'access').effect === 'permit';
}

function decideForAll(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
  candidate: Candidate,
  action: string,
): JointDecision {
  const decision = decideJointly(ports, session, evidence, candidate, action);
  const isClosed = candidate.onlyFor !== undefined && candidate.onlyFor !== session.accountId;
  return isClosed ? closedToOthers(decision) : decision;
}

function decideJointly(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
  candidate: Candidate,
  action: string,
): JointDecision {
  const ofSubject = decideFor(ports, session, evidence, candidate, action);
  if (evidence.others.length === 0) return ofSubject;
  const ofOthers = evidence.others.map((other) =>
    decideFor(ports, session, other, { ...candidate, patientId: other.patientId }, action),
  );
  return joinDecisions(ofSubject, ofOthers, evidence.isSubjectsOwn);
}

function decideFor(
  ports: EvidencePorts,
  session: Session,
  evidence: Evidence,
  candidate: Candidate,
  action: string,
): Decision {
  const { accountId, kind, organisation, roles, purpose, patientId } = session;
  return decideAccess({
    custodianPolicy: ports.policy,
    consents: evidence.consents,
    blockTimeMs: evidence.timeMs,
    request: {
      actor: {
        accountId,
        kind,
        organisation,
        roles,
        suspended: evidence.isSuspended,
        ...(patientId !== undefined && { patientId }),
      },
      action,
      purpose,
      resource: toRequestResource(session, evidence, candidate),
    },
  });
}

function toRequestResource(session: Session, evidence: Evidence, candidate: Candidate): RequestResource {
  const { type, id, patientId, labels } = candidate;
  const isKnown = evidence.related.size > 0 && ![...evidence.related.values()].includes(undefined);
  return {
    type,
    id,
    patientId,
    delegates: evidence.isDelegate ? [session.accountId] : [],
    labels: [...labels.own, ...labels.parts],
    ownLabels: labels.own,
    // The custodian's own rules never ask what the content says: only a consent does.
    ...(evidence.consents.length > 0 && withRelations(evidence, candidate.facts())),
    ...(isKnown && { referredBy: referringTo(evidence, [`${type}/${id}`]) }),
  };
}

/** Which of the records that a consent names as `related` refer to one of these. */
function referringTo({ related }: Evidence, references: readonly string[]): string[] {
  return [...related].flatMap(([from, targets]) =>
    references.some((reference) => targets?.includes(reference)) ? from : [],
  );
}

/** A role that was also somebody else's is its holder's where a consent denies, and nobody's where one permits. */
function withRelations(evidence: Evidence, facts: ContentFacts): ContentFacts {
  const { authors, within } = facts;
  return {
    ...facts,
    ...(authors !== undefined && { authors: [...authors, ...holdersOf(evidence, authors, true)] }),
    ...(within !== undefined && {
      within: {
        ...within,
        authors: [...within.authors, ...holdersOf(evidence, [...within.authors, ...(authors ?? [])], false)],
        referredBy: referringTo(evidence, within.resources),
      },
    }),
  };
}

function holdersOf({ roles }: Evidence, authors: readonly string[], surely: boolean): string[] {
  return [...roles].flatMap(([holder, held]) =>
    held.some(({ role, isTheirsAlone }) => authors.includes(role) && (isTheirsAlone || !surely))
      ? holder
      : [],
  );
}
