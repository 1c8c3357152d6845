/** A custodian with records, consents and an access log in memory, to hold the gate against. */
import {
  type ActiveConsent,
  type ConsentTerms,
  type CustodianPolicy,
  defaultCustodianPolicy,
  END_OF_TIME_MS,
  type ProvisionTerms,
  START_OF_DATA_MS,
  TERMINOLOGY_VERSION,
} from '../../../contracts/index.ts';
import { utf8 } from '../../../shared/index.ts';
import type { AccessEntryWrite, AccessReceipt, SealedRecord } from '../../../vault/index.ts';
import { assignLabels, DEFAULT_LABEL_TABLE, toStoredLabels } from '../../labels/index.ts';
import type { JsonObject } from '../../labels/resource-walk.ts';
import {
  type AccessLogEntry,
  createGate,
  decodeAccessEntry,
  type Gate,
  type GateDeps,
  type Session,
} from '../index.ts';

export const NOW_MS = 1_800_000_000_000;
export const CUSTODIAN = 'c0'.repeat(32);
export const OTHER_HOSPITAL = 'c1'.repeat(32);
export const INSURER = 'e0'.repeat(32);

const session = (accountId: string, over: Partial<Session> = {}): Session => ({
  accountId,
  kind: 'practitioner',
  organisation: CUSTODIAN,
  roles: ['physician'],
  purpose: 'TREAT',
  ...over,
});

/** Who asks. */
export const SESSIONS = {
  clinician: session('d0'.repeat(32)),
  colleague: session('d1'.repeat(32), { roles: ['nurse'] }),
  manager: session('d2'.repeat(32), { roles: ['health-information-manager'], purpose: 'HOPERAT' }),
  device: session('d3'.repeat(32), { kind: 'device', roles: ['medical-device'] }),
  custodian: session(CUSTODIAN, { kind: 'organisation', roles: ['hospital'], purpose: 'HOPERAT' }),
  outsider: session('d4'.repeat(32), { organisation: OTHER_HOSPITAL }),
  insurer: session('e1'.repeat(32), {
    organisation: INSURER,
    roles: ['claims-processor'],
    purpose: 'HPAYMT',
  }),
  researcher: session('e2'.repeat(32), { organisation: INSURER, roles: ['researcher'], purpose: 'HRESCH' }),
  patient: session('f0'.repeat(32), { kind: 'patient', roles: [], purpose: 'PATRQT', patientId: 'p1' }),
  otherPatient: session('f2'.repeat(32), { kind: 'patient', roles: [], purpose: 'PATRQT', patientId: 'p2' }),
  delegate: session('f3'.repeat(32), { kind: 'patient', roles: [], purpose: 'PATRQT', patientId: 'p3' }),
} as const;

/** A provision with no criteria, and what differs. */
export const provision = (over: Partial<ProvisionTerms> = {}): ProvisionTerms => ({
  effect: 'permit',
  periodFromMs: 0,
  periodUntilMs: END_OF_TIME_MS,
  dataFromMs: START_OF_DATA_MS,
  dataUntilMs: END_OF_TIME_MS,
  actors: [],
  authors: [],
  actions: [],
  purposes: [],
  resourceTypes: [],
  documentCodes: [],
  codes: [],
  confidentiality: 0,
  labels: [],
  data: [],
  provisions: [],
  ...over,
});

/** A consent in force, and what differs. */
export const consent = (
  root: Partial<ProvisionTerms>,
  terms: Partial<ConsentTerms> = {},
  id = '01'.repeat(32),
): ActiveConsent => ({
  id,
  version: 1,
  terms: {
    terminologyVersion: TERMINOLOGY_VERSION,
    validFromMs: 0,
    validUntilMs: END_OF_TIME_MS,
    root: provision(root),
    ...terms,
  },
});

export interface World {
  readonly gate: Gate<AccessReceipt>;
  readonly entries: AccessLogEntry[];
  readonly consents: Map<string, readonly ActiveConsent[]>;
  readonly suspended: Set<string>;
  /** Records opened (decrypted), by `Type/id`. */
  readonly opened: string[];
  policy: CustodianPolicy;
  nowMs: number;
  headTimeMs: number;
  /** Replaces the log's append. */
  appendWith: ((write: AccessEntryWrite) => Promise<AccessReceipt>) | undefined;
  notified: string[];
  record(
    resource: JsonObject,
    over?: Partial<Pick<SealedRecord, 'subject' | 'deleted' | 'labels' | 'author'>> & { fails?: Error },
  ): SealedRecord;
}

export const RECEIPT: AccessReceipt = {
  leafIndex: 0,
  leafHash: new Uint8Array(32),
  batch: { root: new Uint8Array(32), firstLeafIndex: 0, size: 1 },
  batchPath: [],
  batchSignature: new Uint8Array(0),
};

/** A fresh world. */
export function createWorld(over: Partial<GateDeps<AccessReceipt>> = {}): World {
  const world: Omit<World, 'gate' | 'record'> = {
    entries: [],
    consents: new Map(),
    suspended: new Set(),
    opened: [],
    policy: defaultCustodianPolicy(CUSTODIAN),
    nowMs: NOW_MS,
    headTimeMs: NOW_MS - 1000,
    appendWith: undefined,
    notified: [],
  };
  const none: readonly ActiveConsent[] = [];
  const gate = createGate<AccessReceipt>({
    get policy() {
      return world.policy;
    },
    labelTable: DEFAULT_LABEL_TABLE,
    ownBase: () => 'https://hospital.example/fhir/R4',
    activeConsents: async (patientId) => world.consents.get(patientId) ?? none,
    isDelegate: async (patientId, accountId) =>
      patientId === 'p1' && accountId === SESSIONS.delegate.accountId,
    isSuspended: (accountId) => world.suspended.has(accountId),
    head: () => ({ height: 7, timeMs: world.headTimeMs }),
    now: () => world.nowMs,
    accessLog: {
      append: async (write) => {
        if (world.appendWith !== undefined) return world.appendWith(write);
        world.entries.push(decodeAccessEntry(write.bytes));
        return RECEIPT;
      },
    },
    promiseOf: (receipt) => receipt,
    notifyPatient: (patientId) => world.notified.push(patientId),
    ...over,
  });
  return Object.assign(world, { gate, record: recordMaker(world.opened) });
}

function recordMaker(opened: string[]): World['record'] {
  return (resource, { fails, ...over } = {}) => {
    const stored = toStoredLabels(assignLabels(resource, DEFAULT_LABEL_TABLE));
    const key = { resourceType: String(resource.resourceType), id: String(resource.id), version: 1 };
    const plaintext = utf8(JSON.stringify(resource));
    const open = async (): Promise<Uint8Array> => {
      opened.push(`${key.resourceType}/${key.id}`);
      if (fails !== undefined) throw fails;
      return plaintext;
    };
    return {
      key,
      subject: 'p1',
      labels: stored.labels,
      category: stored.category,
      lastUpdatedMs: NOW_MS,
      deleted: false,
      author: SESSIONS.clinician.accountId,
      commitment: new Uint8Array(32),
      open,
      disclose: async () => ({ salt: new Uint8Array(32), plaintext: await open() }),
      sealedCopy: () => Promise.reject(new Error('no vault here')),
      ...over,
    };
  };
}
