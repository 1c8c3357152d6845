import type { WitnessAddress } from '../client/index.ts';
import type { LogLevel } from './http/log.ts';

/** How a node runs. Everything has a default but the folder. */
export interface NodeConfig {
  dataPath: string;
  host?: string;
  /** 0 lets the system choose. */
  port?: number;
  /** What callers reach the node as; tokens are made out to it. The address it listens on when absent. */
  baseUrl?: string;
  /** `postgres://…`; SQLite in the data folder when absent. */
  vaultUrl?: string;
  /** Name of the organisation, for a folder that is made now. */
  organisationName?: string;
  /** Whether a folder that is made now gets sample patients and demo keys; true when absent. */
  withSamples?: boolean;
  passphrase?: string;
  logLevel?: LogLevel;
  /** Where log lines go; standard error when absent. */
  logSink?: (text: string) => void;
  /** How often the access log is anchored. */
  anchorEveryMs?: number;
  /** Who is asked to cosign the ledger's heads. */
  witnesses?: readonly WitnessAddress[];
  /** How often they are asked. */
  cosignEveryMs?: number;
  /** The hospital's own sensitivity labels: the content of a file of rows that add to the table. */
  labelFile?: Uint8Array;
  /** Whether clinicians who state an emergency read what consents neither open nor deny; true when absent. */
  breakGlass?: boolean;
  /**
   * After a restored backup, said by the operator at this start: that the end of the access log is lost, which is declared on the
   * ledger, and that patients are lost, for whom all without a wallet here are closed until they enrol again. Otherwise both refuse the start.
   */
  acceptLoss?: boolean;
  /** In a consortium: how many blocks its consensus engine keeps, 1,000,000 at least; all when absent. */
  retainBlocks?: number;
  /** Largest body of a FHIR request. */
  maxFhirBodyBytes?: number;
  /** Addresses or networks of proxies whose `X-Forwarded-For` is believed; of nobody when absent. */
  trustedProxies?: readonly string[];
  /** Refused tokens and codes from one address in a minute before its further ones are told to wait, and checked one by one. */
  maxFailuresPerMinute?: number;
  now?: () => number;
  /** What a person may see of the first start. */
  onProgress?: (text: string) => void;
}

export const DEFAULT_PORT = 8490;
export const DEFAULT_HOST = '127.0.0.1';
export const DEFAULT_ORGANISATION = 'CareLedger demo hospital';
export const DEFAULT_ANCHOR_EVERY_MS = 10_000;
export const DEFAULT_COSIGN_EVERY_MS = 10_000;
/**
 * Within this every entry of the access log is anchored; what the signed promise to log says. Shorter than a promise may be: a clock that
 * is some seconds ahead makes none that is too late.
 */
export const ANCHOR_DEADLINE_MS = 45_000;
/** In a consortium: nothing is read from a ledger that may be older than this. */
export const MAX_LEDGER_AGE_MS = 10_000;
/** How long a reader waits until the consortium has confirmed that it is not. */
export const FRESHNESS_PATIENCE_MS = 8_000;
export const DEFAULT_MAX_FHIR_BODY_BYTES = 10 * 1024 * 1024;
export const DEFAULT_MAX_FAILURES_PER_MINUTE = 30;
