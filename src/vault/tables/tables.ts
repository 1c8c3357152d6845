/** One-time codes with which a patient's wallet enrols. Only a keyed hash of a code is kept. */
export type EnrolmentCodes = {
  /** Takes the place of every code that the patient had. */
  issue(code: {
    readonly code: string;
    readonly patientId: string;
    readonly expiresAtMs: number;
  }): Promise<void>;
  /** The patient of an unused, unexpired code, without using it up. */
  peek(code: string, nowMs: number): Promise<{ readonly patientId: string } | undefined>;
  /**
   * Uses the code up, with any other of the patient, and binds the wallet to the patient: both or neither. Exactly one caller
   * gets the patient. Where the wallet takes the place of another, terms go that came and that the ledger does not have: that
   * other may be a stolen one.
   */
  redeem(
    code: string,
    nowMs: number,
    wallet: Omit<PatientBinding, 'patientId'>,
    isOnLedger: IsOnLedger,
  ): Promise<{ readonly patientId: string } | undefined>;
};

/** Whose wallet is whose; only the vault knows. */
export type PatientBinding = {
  readonly patientId: string;
  /** Account id in hex: the patient's pseudonym at this custodian. */
  readonly accountId: string;
  /** X25519, for HPKE. */
  readonly sealingPublicKey: Uint8Array;
};

export type PatientBindings = {
  /** Replaces an older binding of the same patient; throws `conflict` when the account is another patient's, or was. */
  put(binding: PatientBinding): Promise<void>;
  byPatient(patientId: string): Promise<PatientBinding | undefined>;
  byAccount(accountId: string): Promise<PatientBinding | undefined>;
  /** The accounts that were bound to the patient before the present one: what was granted under them goes on counting. */
  formerAccounts(patientId: string): Promise<string[]>;
  /** The patient whose account this is, or was. */
  patientEver(accountId: string): Promise<string | undefined>;
};

/** What became of the pseudonyms that this custodian put on the ledger. All are account ids in hex. */
export type Pseudonyms = {
  /** Call before the ledger hears of one: from here on it is no loss that nobody is bound to it yet. */
  announce(account: string): Promise<void>;
  /** Call when the ledger has heard of it, and its enrolment failed all the same. */
  giveUp(account: string): Promise<void>;
  stateOf(account: string): Promise<PseudonymState>;
};

/**
 * `unbound`: the patient was erased, or the enrolment failed. `lost`: the rows of a patient are missing. `announced`: an enrolment
 * is under way, or was cut short; or the patient is lost, and somebody played back what said so then: where the ledger has a
 * consent, whose patient was bound, take it for `lost`.
 */
export type PseudonymState = 'bound' | 'unbound' | 'announced' | 'lost';

/** One version of one consent, with the salt of its commitment. */
export type StoredConsent = {
  /** Hex of the 32-byte id on the ledger. */
  readonly consentId: string;
  readonly version: number;
  readonly patientId: string;
  readonly salt: Uint8Array;
  /** FHIR Consent, JSON. */
  readonly consent: Uint8Array;
};

/** Whether the ledger has this version of a consent, or a later one. */
export type IsOnLedger = (consentId: string, version: number) => boolean;

export type Consents = {
  /**
   * Replaces the same version: which terms count is for the ledger's commitment to say, not for who came first. Of a patient's
   * terms that the ledger has not, a hundred are kept: the oldest go.
   */
  put(consent: StoredConsent, isOnLedger: IsOnLedger): Promise<void>;
  get(consentId: string, version: number): Promise<StoredConsent | undefined>;
};

/** That the ledger has a consent for a pseudonym. Both in hex. */
export type GrantedConsent = { readonly account: string; readonly consentId: string };

/** Which consents the ledger has for whom: its state cannot be asked for that. */
export type GrantedConsents = {
  /** Adds what the blocks up to `height` granted; what is there already stays as it is. */
  add(grants: readonly GrantedConsent[], height: number): Promise<void>;
  /** The ids of all that were ever granted under a pseudonym. */
  of(account: string): Promise<string[]>;
  /** The last block that was taken in; 0 before the first. */
  height(): Promise<number>;
  /** Everything, by pseudonym; one with many comes in several pieces. */
  list(): AsyncIterable<{ readonly account: string; readonly consentIds: readonly string[] }>;
  /** False when a row is missing or older than the others. Ask while nothing is added. */
  isWhole(): Promise<boolean>;
  /** What there is stays, and all blocks are to be taken in once more. */
  beginAnew(): Promise<void>;
};

/** Identifiers that may be used once (the jti of an assertion). */
export type UsedIdentifiers = {
  /** True for the first caller only, until `expiresAtMs`. */
  useOnce(id: string, expiresAtMs: number, nowMs: number): Promise<boolean>;
};

/** Small named values, such as the custodian's own label tables. */
export type Settings = {
  get(name: string): Promise<Uint8Array | undefined>;
  set(name: string, value: Uint8Array): Promise<void>;
};
