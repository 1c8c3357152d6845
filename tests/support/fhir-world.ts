/** A FHIR surface over a real vault and a real gate, without a ledger: consents are what the test says they are. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Resource } from '@medplum/fhirtypes';
import type { ActiveConsent } from '../../src/contracts/index.ts';
import {
  createFhirHandler,
  createGate,
  DEFAULT_LABEL_TABLE,
  type EvidencePorts,
  type FhirHttpReply,
  type Session,
  storedReferences,
  storedRoles,
} from '../../src/fhir/index.ts';
import { REQUEST_LIMITS, type RequestLimits } from '../../src/fhir/request-budget.ts';
import { publicKeyOf, signMessage } from '../../src/identity/index.ts';
import { utf8 } from '../../src/shared/index.ts';
import { openPassphraseKeys, openVault, type Vault } from '../../src/vault/index.ts';

const HOSPITAL = 'aa'.repeat(32);
const INSURER = 'bb'.repeat(32);
export const CLINICIAN: Session = {
  accountId: '01'.repeat(32),
  kind: 'practitioner',
  organisation: HOSPITAL,
  roles: ['physician'],
  purpose: 'TREAT',
};
export const OUTSIDER: Session = {
  accountId: '02'.repeat(32),
  kind: 'practitioner',
  organisation: INSURER,
  roles: ['claims-processor'],
  purpose: 'HPAYMT',
};

export type FhirReply = FhirHttpReply & { readonly json: Resource & Record<string, unknown> };
export type FhirWorld = {
  readonly vault: Vault;
  readonly consents: Map<string, readonly ActiveConsent[]>;
  /** The table in force: a node that starts again may have another. */
  labelTable: EvidencePorts['labelTable'];
  send(
    session: Session,
    method: string,
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<FhirReply>;
  close(): Promise<void>;
};

const ownBase = () => 'http://test/fhir/R4';

export async function createFhirWorld(limits: RequestLimits = REQUEST_LIMITS): Promise<FhirWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-fhir-'));
  const seed = randomBytes(32);
  const random = (length: number) => new Uint8Array(randomBytes(length));
  const keys = await openPassphraseKeys({
    path: join(folder, 'keys.json'),
    passphrase: 'correct horse',
    random,
    create: true,
    costLog2: 10,
  });
  const signer = { publicKey: publicKeyOf(seed), sign: (message: Uint8Array) => signMessage(seed, message) };
  const vault = await openVault({
    url: `sqlite:${join(folder, 'vault.db')}`,
    folder,
    keys,
    signer,
    now: Date.now,
    random,
  });
  const consents = new Map<string, readonly ActiveConsent[]>();
  const gate = createGate<string>({
    policy: {
      custodian: HOSPITAL,
      clinicianRoles: ['physician'],
      breakGlass: true,
    },
    get labelTable() {
      return world.labelTable;
    },
    ownBase,
    activeConsents: async (patient) => consents.get(patient) ?? [],
    isDelegate: async () => false,
    isSuspended: () => false,
    head: () => ({ height: 1, timeMs: Date.now() }),
    now: Date.now,
    accessLog: vault.accessLog,
    referencesFrom: storedReferences(vault, ownBase),
    rolesOf: storedRoles(vault),
    promiseOf: () => 'promise',
  });
  const anchor = async (versions: readonly { key: Parameters<Vault['markAnchored']>[0][number] }[]) =>
    vault.markAnchored(versions.map(({ key }) => key));
  const ports = { vault, gate, anchor, now: Date.now, newId: randomUUID, baseUrl: ownBase };
  const handler = createFhirHandler(ports, limits);
  const world: FhirWorld = {
    vault,
    consents,
    labelTable: DEFAULT_LABEL_TABLE,
    async send(session, method, url, body, headers = {}) {
      const [path = '/', query = ''] = url.split(/\?(.*)/s);
      const bytes =
        body === undefined ? undefined : typeof body === 'string' ? utf8(body) : utf8(JSON.stringify(body));
      const reply = await handler({ method, path, query, headers, body: bytes, session });
      return { ...reply, json: reply.body === '' ? ({} as FhirReply['json']) : JSON.parse(reply.body) };
    },
    async close() {
      await vault.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}
