import type { Decision } from '../../contracts/index.ts';
import { AppError, fromUtf8, utf8 } from '../../shared/index.ts';

/** What was done to a record. The restful interactions of R4, and the exports beside them. */
export type Interaction =
  | 'read'
  | 'vread'
  | 'history'
  | 'search'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'operation'
  | 'export';

/** Consent actions (R4 consent-action) behind each interaction. */
export const ACTION_OF: Readonly<Record<Interaction, string>> = {
  read: 'access',
  vread: 'access',
  history: 'access',
  search: 'access',
  operation: 'access',
  create: 'collect',
  update: 'correct',
  patch: 'correct',
  delete: 'correct',
  export: 'disclose',
};

/** One entry of the access log: who, when, why, what, the decision, and all that is needed to take it again. */
export interface AccessLogEntry {
  readonly format: 'careledger-access/v1';
  /** The time the decision was taken at, which is the time its rules were read at. */
  readonly timeMs: number;
  readonly custodian: string;
  readonly ledgerHeight: number;
  readonly actor: {
    readonly accountId: string;
    readonly kind: string;
    readonly organisation: string;
    readonly roles: readonly string[];
  };
  readonly purpose: string;
  readonly interaction: Interaction;
  readonly effect: Decision['effect'];
  readonly reason: Decision['reason'];
  readonly matched: readonly string[];
  readonly obligations: Decision['obligations'];
  readonly engineVersion: string;
  readonly consents: Decision['considered'];
  /** Id of the Patient whose record it is; null for none. */
  readonly patient: string | null;
  /** Not more than MAX_ENTRY_RECORDS. */
  readonly records: readonly { readonly type: string; readonly id: string; readonly version: number }[];
}

export const MAX_ENTRY_RECORDS = 500;

/**
 * The bytes the log keeps: RFC 8785 JSON, so that a promise over them is a promise over one meaning. Members are written in
 * sorted order here, which makes JSON.stringify canonical: there are only texts and integers.
 */
export function encodeAccessEntry(entry: AccessLogEntry): Uint8Array {
  const { accountId, kind, organisation, roles } = entry.actor;
  return utf8(
    JSON.stringify({
      actor: { accountId, kind, organisation, roles },
      consents: entry.consents.map(({ id, version }) => ({ id, version })),
      custodian: entry.custodian,
      effect: entry.effect,
      engineVersion: entry.engineVersion,
      format: entry.format,
      interaction: entry.interaction,
      ledgerHeight: entry.ledgerHeight,
      matched: entry.matched,
      obligations: entry.obligations.map((obligation) =>
        obligation.kind === 'redact'
          ? { kind: obligation.kind, labels: obligation.labels }
          : { kind: obligation.kind },
      ),
      patient: entry.patient,
      purpose: entry.purpose,
      reason: entry.reason,
      records: entry.records.map(({ type, id, version }) => ({ id, type, version })),
      timeMs: entry.timeMs,
    }),
  );
}

/** Reads an entry back. Throws `damaged` for bytes that are none. */
export function decodeAccessEntry(bytes: Uint8Array): AccessLogEntry {
  const entry = parse(bytes);
  if (entry?.format === 'careledger-access/v1') return entry;
  throw new AppError(
    'damaged',
    'An entry of the access log cannot be read. Run `careledger audit` to see what else is damaged.',
  );
}

function parse(bytes: Uint8Array): AccessLogEntry | undefined {
  try {
    return JSON.parse(fromUtf8(bytes) ?? 'null') as AccessLogEntry | undefined;
  } catch {
    return undefined;
  }
}
