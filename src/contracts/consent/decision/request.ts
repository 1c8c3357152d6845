/** What is asked of a decision. Facts that are not known are left out, and an unknown fact never helps the requester. */
import { ACTIONS, isPurpose, SENSITIVITY_LABELS } from './terminology.ts';
import type { ConsentTerms } from './terms.ts';

export interface RequestActor {
  /** Account id in hexadecimal. */
  readonly accountId: string;
  readonly kind: 'organisation' | 'practitioner' | 'device' | 'patient';
  /** Account id of the organisation the party belongs to; an organisation's own id for an organisation. */
  readonly organisation: string;
  readonly roles: readonly string[];
  /** The Patient that the custodian bound this account to by enrolment. */
  readonly patientId?: string;
  /** True when the registry has suspended the party or its organisation. */
  readonly suspended?: boolean;
}

export interface RequestCoding {
  readonly system: string;
  readonly code: string;
}

export interface RequestResource {
  readonly type: string;
  readonly id: string;
  /** Patient in whose compartment the record is; null for none. */
  readonly patientId: string | null;
  /** Accounts the patient recorded as delegates. */
  readonly delegates?: readonly string[];
  /** Every sensitivity label of the record, its parts included. */
  readonly labels: readonly string[];
  /** Labels of the record itself; the others sit only in parts that can be taken out. Left out before the content is open. */
  readonly ownLabels?: readonly string[];
  /** Every coding in the content. Left out before the content is open. */
  readonly codes?: readonly RequestCoding[];
  /** Clinically relevant time; from ≤ t ≤ end. Left out when the record does not tell, or not yet. */
  readonly dataTimeMs?: number;
  readonly dataEndMs?: number;
  /** Account ids (hexadecimal) and references (`Practitioner/1`) of the authors. */
  readonly authors?: readonly string[];
  /** References this record makes. */
  readonly references?: readonly string[];
  /** Records named in a consent's `data` that refer to this record. */
  readonly referredBy?: readonly string[];
  /** What it holds beside itself, which only a denial can turn on. Left out before the content is open. */
  readonly within?: HeldContent;
}

/** From ≤ t ≤ last. */
export interface DataTime {
  readonly fromMs: number;
  readonly lastMs: number;
}

/** Of the resources in a record (contained, in a Bundle) and of its parts. */
export interface HeldContent {
  readonly types: readonly string[];
  /** Addresses (`Observation/1`) of the records that it holds a copy of. */
  readonly resources: readonly string[];
  /** Whoever had a hand in any part of it. */
  readonly authors: readonly string[];
  /** Records named in a consent's `data` that refer to any of `resources`. */
  readonly referredBy: readonly string[];
  /** When those resources are from; one that does not say is from when the record is. */
  readonly times: readonly DataTime[];
}

export interface AccessRequest {
  readonly actor: RequestActor;
  readonly action: string;
  readonly purpose: string;
  readonly resource: RequestResource;
}

/** A consent that is active on the ledger. `terms` is null when the vault cannot give or verify them: that denies. */
export interface ActiveConsent {
  readonly id: string;
  readonly version: number;
  readonly terms: ConsentTerms | null;
  /** Validity as the ledger records it; what terms and ledger both allow counts. */
  readonly validFromMs?: number;
  readonly validUntilMs?: number;
}

export type Obligation =
  | { readonly kind: 'redact'; readonly labels: readonly string[] }
  | { readonly kind: 'notify-patient' };

/** Stable codes, append-only: they are in the access log. */
export type DecisionReason =
  | 'invalid-request'
  | 'actor-suspended'
  | 'consent-unreadable'
  | 'consent-denies'
  | 'consent-permits'
  | 'label-withheld'
  | 'no-consent'
  | 'patient-self'
  | 'patient-delegate'
  | 'own-clinician'
  | 'own-break-glass'
  | 'own-intake'
  | 'shared-resource'
  | 'directory-resource'
  | 'no-subject'
  /** Another patient whom the record names does not permit it. */
  | 'named-patient-denies';

export interface Decision {
  readonly effect: 'permit' | 'deny';
  readonly obligations: readonly Obligation[];
  /** Paths of the rules that decided, sorted: `default:own-clinician`, `consent:<id>#<version>:root.0`. */
  readonly matched: readonly string[];
  readonly reason: DecisionReason;
  readonly engineVersion: string;
  /** Every consent that was weighed, so that an auditor can take the decision again. */
  readonly considered: readonly { readonly id: string; readonly version: number }[];
  /** False when facts that the request leaves out could change the answer. The effect is then the worst of them. */
  readonly certain: boolean;
}

/** Part of every decision and of its log entry. Changes whenever any input could give another answer than before. */
export const ENGINE_VERSION = 'careledger-decision/2';

const ACCOUNT = /^[0-9a-f]{64}$/;
const KINDS: ReadonlySet<string> = new Set(['organisation', 'practitioner', 'device', 'patient']);

/** Whether every field that a rule reads has a meaning the rules know. */
export function isValidRequest(request: AccessRequest, blockTimeMs: number): boolean {
  const { actor, resource } = request;
  return (
    Number.isSafeInteger(blockTimeMs) &&
    blockTimeMs >= 0 &&
    ACCOUNT.test(actor.accountId) &&
    ACCOUNT.test(actor.organisation) &&
    KINDS.has(actor.kind) &&
    ACTIONS.includes(request.action) &&
    isPurpose(request.purpose) &&
    resource.type !== '' &&
    resource.patientId !== '' &&
    actor.patientId !== '' &&
    areValidLabels(resource) &&
    areValidTimes(resource)
  );
}

function areValidLabels({ labels, ownLabels }: RequestResource): boolean {
  if (!labels.every((label) => SENSITIVITY_LABELS.includes(label))) return false;
  return ownLabels === undefined || ownLabels.every((label) => labels.includes(label));
}

function areValidTimes({ dataTimeMs, dataEndMs, within }: RequestResource): boolean {
  const known = [dataTimeMs, dataEndMs].filter((time) => time !== undefined);
  return (
    known.every((time) => Number.isSafeInteger(time)) &&
    (within?.times ?? []).every(({ fromMs, lastMs }) => Number.isSafeInteger(fromMs) && fromMs <= lastMs)
  );
}
