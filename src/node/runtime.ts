import type { Engine } from '../engine/index.ts';
import type { FhirHandler, Gate } from '../fhir/index.ts';
import type { AppError } from '../shared/index.ts';
import type { Vault } from '../vault/index.ts';
import type { AccessAnchorTimer } from './anchoring/access-anchor.ts';
import type { RecordAnchor } from './anchoring/record-anchor.ts';
import type { Attempts } from './auth/attempts.ts';
import type { RegistryView } from './auth/registry-view.ts';
import type { SessionStore } from './auth/sessions.ts';
import type { NodeSession } from './auth/token-endpoint.ts';
import type { createConsentDesk } from './consents/consent-submission.ts';
import type { ConsentView } from './consents/consent-view.ts';
import type { EpochWatch } from './consents/epoch-watch.ts';
import type { GrantWatch } from './consents/grant-watch.ts';
import type { LostPatients } from './consents/lost-patients.ts';
import type { Cosigner } from './cosigning/cosigner.ts';
import type { FhirDoor } from './fhir/fhir-door.ts';
import type { OpenedFolder } from './folder/init-folder.ts';
import type { Log } from './http/log.ts';
import type { Metrics } from './http/metrics.ts';
import type { RequestOrigin } from './http/request-origin.ts';
import type { AccountSigner } from './ledger/account-signer.ts';
import type { ConsensusProver } from './ledger/consensus-prover.ts';
import type { Freshness } from './ledger/freshness.ts';
import type { ReceiptDesk } from './ledger/receipts.ts';
import type { Consortium } from './network/open-consortium.ts';
import type { Enrolment } from './wallet/enrolment.ts';

/** Everything a running node is made of; each route names the parts that it takes (`PartsOfNode`). */
export interface NodeRuntime {
  readonly opened: OpenedFolder;
  readonly chainId: Uint8Array;
  readonly genesisBytes: Uint8Array;
  readonly engine: Engine;
  /** The same engine where consensus drives it; undefined where one operator does. */
  readonly consortium: Consortium | undefined;
  /** Resolves with the reason when this node has to end: it could not go on, or what it would go on with is not whole. */
  readonly halted: Promise<AppError>;
  /** Where validators decide: their signatures, for whoever asks. */
  readonly prover: ConsensusProver | undefined;
  readonly freshness: Freshness | undefined;
  readonly vault: Vault;
  readonly custodian: AccountSigner;
  readonly registry: RegistryView;
  readonly sessions: SessionStore<NodeSession>;
  readonly attempts: Attempts;
  readonly originOf: RequestOrigin;
  readonly consents: ConsentView;
  readonly consentDesk: ReturnType<typeof createConsentDesk>;
  readonly epochs: EpochWatch;
  readonly granted: GrantWatch;
  readonly lostPatients: LostPatients;
  readonly enrolment: Enrolment;
  readonly recordAnchor: RecordAnchor;
  readonly accessAnchor: AccessAnchorTimer;
  readonly cosigner: Cosigner;
  readonly receipts: ReceiptDesk;
  readonly fhir: FhirDoor;
  readonly fhirHandler: FhirHandler;
  readonly gate: Gate<string>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly nowMs: () => number;
  /** Set once it listens: callers' tokens and links name it. */
  baseUrl: string;
  state: 'starting' | 'ready' | 'closing';
}

export type PartsOfNode<Name extends keyof NodeRuntime> = Pick<NodeRuntime, Name>;
