import { randomUUID } from 'node:crypto';
import type { Engine } from '../../engine/index.ts';
import {
  createFhirHandler,
  createGate,
  type FhirDeps,
  type FhirHandler,
  type Gate,
} from '../../fhir/index.ts';
import { encodePromise, promiseOfEntry } from '../../ledger/index.ts';
import type { Vault } from '../../vault/index.ts';
import type { RecordAnchor } from '../anchoring/record-anchor.ts';
import type { RegistryView } from '../auth/registry-view.ts';
import type { SessionStore } from '../auth/sessions.ts';
import type { NodeSession } from '../auth/token-endpoint.ts';
import { DEFAULT_MAX_FHIR_BODY_BYTES, type NodeConfig } from '../config.ts';
import type { ConsentView } from '../consents/consent-view.ts';
import type { AccountSigner } from '../ledger/account-signer.ts';
import type { Freshness } from '../ledger/freshness.ts';
import { createFhirDoor, FHIR_PREFIX, type FhirDoor } from './fhir-door.ts';
import { gatePorts } from './gate-ports.ts';

interface Parts {
  engine: Engine;
  vault: Vault;
  consents: ConsentView;
  registry: RegistryView;
  sessions: SessionStore<NodeSession>;
  custodian: AccountSigner;
  recordAnchor: RecordAnchor;
  config: NodeConfig;
  nowMs: () => number;
  freshness: Freshness | undefined;
  baseUrl: () => string;
  /** A record was opened, or asked for, by breaking the glass. Whose and by whom is in the patient's access log alone. */
  onBreakGlass: () => void;
}

/** The gate over this node's ledger and vault, the FHIR surface behind it, and the door in front. */
export function openFhir(parts: Parts): { fhir: FhirDoor; fhirHandler: FhirHandler; gate: Gate<string> } {
  const { vault, custodian, config, nowMs } = parts;
  const ownBase = () => parts.baseUrl() + FHIR_PREFIX;
  const gate = createGate<string>({
    ...gatePorts({
      ...parts,
      ownBase,
      custodian: custodian.accountHex,
      labelFile: config.labelFile,
      breakGlass: config.breakGlass,
    }),
    accessLog: vault.accessLog,
    promiseOf(receipt) {
      const promise = promiseOfEntry(custodian, receipt);
      return promise === undefined ? '' : encodePromise(promise);
    },
    notifyPatient: parts.onBreakGlass,
  });
  const fhirHandler = createFhirHandler({
    vault: storingWithRoom(vault, parts.recordAnchor),
    gate,
    anchor: (versions) => parts.recordAnchor.anchor(versions),
    now: nowMs,
    newId: randomUUID,
    baseUrl: ownBase,
  });
  const maxBodyBytes = config.maxFhirBodyBytes ?? DEFAULT_MAX_FHIR_BODY_BYTES;
  return { gate, fhirHandler, fhir: createFhirDoor({ ...parts, handler: fhirHandler, maxBodyBytes }) };
}

/** Nothing is stored that the ledger could not be told of: what is refused before it is stored can be sent again. */
function storingWithRoom(vault: Vault, recordAnchor: RecordAnchor): FhirDeps['vault'] {
  return {
    read: (resourceType, id) => vault.read(resourceType, id),
    readVersion: (key) => vault.readVersion(key),
    history: (query) => vault.history(query),
    find: (query) => vault.find(query),
    async put(write) {
      recordAnchor.ensureRoom();
      return vault.put(write);
    },
    async putAll(writes) {
      recordAnchor.ensureRoom();
      return vault.putAll(writes);
    },
  };
}
