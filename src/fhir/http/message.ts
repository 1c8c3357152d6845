import type { Session } from '../gate/index.ts';

/** A request as the FHIR surface sees it, whatever brought it. */
export type FhirHttpRequest = {
  readonly method: string;
  /** Below /fhir/R4, beginning with a slash; without the query. */
  readonly path: string;
  readonly query: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array | undefined;
  /** undefined for what needs none: the capability statement. */
  readonly session: Session | undefined;
};

export type FhirHttpReply = {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
  /** Behind a status of 500 or more: what went wrong, for the node's own log. */
  readonly error?: unknown;
};
