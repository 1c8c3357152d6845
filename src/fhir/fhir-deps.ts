import type { PendingCommitment, Vault } from '../vault/index.ts';
import type { Compartment } from './definitions/patient-compartment.ts';
import type { SearchParameters } from './definitions/search-parameters.ts';
import type { Gate, Session } from './gate/index.ts';
import type { RequestBudget } from './request-budget.ts';
import type { CursorSeal } from './search/page-cursor.ts';
import type { Validator } from './validation/validate.ts';

/** What the FHIR surface stands on. The gate is the only way to the content of a record. */
export type FhirDeps = {
  readonly vault: Pick<Vault, 'read' | 'readVersion' | 'history' | 'find' | 'put' | 'putAll'>;
  readonly gate: Gate<string>;
  /** Resolves when the versions' commitments are durable on the ledger. */
  anchor(versions: readonly PendingCommitment[]): Promise<void>;
  readonly now: () => number;
  readonly newId: () => string;
  /** Where clients reach `/fhir/R4`, for links. */
  baseUrl(): string;
};

/** What is the same for all requests: the official definitions, compiled. */
export type FhirDefinitions = {
  readonly resourceTypes: ReadonlySet<string>;
  readonly parameters: SearchParameters;
  readonly compartment: Compartment;
  readonly validator: Validator;
};

/** One request: who asks, the promises to log that its answer has to carry, and what it may still cost. */
export type RequestScope = {
  readonly session: Session;
  readonly promises: string[];
  readonly budget: RequestBudget;
};

/** Runs one piece of work after the other, in the order asked. */
export type WorkQueue = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * What a repository has beside: one queue for all conditional writes of the node, one for the large bundles, and the seal of its
 * page links.
 */
export type RepositoryDeps = FhirDeps & {
  readonly serialise: WorkQueue;
  readonly largeBundles: WorkQueue;
  readonly cursors: CursorSeal;
};
