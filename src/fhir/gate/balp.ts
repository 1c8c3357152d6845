/** Access-log entries as FHIR R4 AuditEvent, after IHE Basic Audit Log Patterns (BALP 1.1). */
import type { AuditEvent, AuditEventAgent, AuditEventEntity, Coding, Reference } from '@medplum/fhirtypes';
import { ACCOUNT_URN } from '../../contracts/index.ts';
import type { AccessLogEntry, Interaction } from './access-entry.ts';

const PROFILES = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/';
const DCM = 'http://dicom.nema.org/resources/ontology/DCM';
const ACT_REASON = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';
const ENTITY_TYPE = 'http://terminology.hl7.org/CodeSystem/audit-entity-type';
const OBJECT_ROLE = 'http://terminology.hl7.org/CodeSystem/object-role';
const RESTFUL = 'http://hl7.org/fhir/restful-interaction';
const AUTHZ_SUBTYPE = 'https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType';

/** BALP's profile and DICOM's action code of each interaction. */
const PATTERN: Readonly<
  Record<
    Interaction,
    { readonly profile: string; readonly action: 'C' | 'R' | 'U' | 'D' | 'E'; readonly code: string }
  >
> = {
  read: { profile: 'Read', action: 'R', code: 'read' },
  vread: { profile: 'Read', action: 'R', code: 'vread' },
  history: { profile: 'Query', action: 'E', code: 'history-instance' },
  search: { profile: 'Query', action: 'E', code: 'search-type' },
  operation: { profile: 'Query', action: 'E', code: 'operation' },
  export: { profile: 'Query', action: 'E', code: 'operation' },
  create: { profile: 'Create', action: 'C', code: 'create' },
  update: { profile: 'Update', action: 'U', code: 'update' },
  patch: { profile: 'Update', action: 'U', code: 'patch' },
  delete: { profile: 'Delete', action: 'D', code: 'delete' },
};

export interface AuditEventOptions {
  /** Logical id, for example the leaf index in the log. */
  readonly id: string;
  /** Base URL of this FHIR server. */
  readonly baseUrl: string;
}

/** The AuditEvent of an entry: BALP's pattern for a permitted interaction, an authorization decision for a denial. */
export function toAuditEvent(entry: AccessLogEntry, options: AuditEventOptions): AuditEvent {
  const pattern = PATTERN[entry.interaction];
  const permitted = entry.effect === 'permit';
  const profile = permitted
    ? `IHE.BasicAudit.${entry.patient === null ? '' : 'Patient'}${pattern.profile}`
    : 'IHE.BasicAudit.AuthZconsent';
  return {
    resourceType: 'AuditEvent',
    id: options.id,
    meta: { profile: [PROFILES + profile] },
    type: permitted
      ? {
          system: 'http://terminology.hl7.org/CodeSystem/audit-event-type',
          code: 'rest',
          display: 'Restful Operation',
        }
      : { system: DCM, code: '110113', display: 'Security Alert' },
    subtype: permitted
      ? [{ system: RESTFUL, code: pattern.code, display: pattern.code }]
      : [{ system: AUTHZ_SUBTYPE, code: 'AuthZ-Consent' }],
    action: permitted ? pattern.action : 'E',
    recorded: new Date(entry.timeMs).toISOString(),
    outcome: permitted ? '0' : '8',
    outcomeDesc: entry.reason,
    purposeOfEvent: [{ coding: [{ system: ACT_REASON, code: entry.purpose }] }],
    agent: agents(entry, options, permitted),
    source: {
      observer: account(entry.custodian),
      type: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/security-source-type',
          code: '4',
          display: 'Application Server',
        },
      ],
    },
    entity: entities(entry, options),
  };
}

const account = (accountId: string): Pick<Reference, 'identifier'> => ({
  identifier: { system: 'urn:ietf:rfc:3986', value: ACCOUNT_URN + accountId },
});

function agents(
  entry: AccessLogEntry,
  { baseUrl }: AuditEventOptions,
  permitted: boolean,
): AuditEventAgent[] {
  const sends =
    entry.interaction === 'create' || entry.interaction === 'update' || entry.interaction === 'patch';
  const [clientType, serverType] = sends ? ['110153', '110152'] : ['110152', '110153'];
  const dcm = (code: string, display: string): Coding => ({ system: DCM, code, display });
  const role = (code: string): Coding =>
    code === '110153' ? dcm(code, 'Source Role ID') : dcm(code, 'Destination Role ID');
  const client = permitted ? role(clientType as string) : dcm('110150', 'Application');
  const server = permitted
    ? role(serverType as string)
    : { system: 'http://terminology.hl7.org/CodeSystem/extra-security-role-type', code: 'authserver' };
  return [
    {
      type: { coding: [client] },
      who: account(entry.actor.organisation),
      requestor: false,
      network: { address: ACCOUNT_URN + entry.actor.organisation, type: '5' },
    },
    {
      type: { coding: [server] },
      who: account(entry.custodian),
      requestor: false,
      network: { address: baseUrl, type: '5' },
    },
    user(entry),
  ];
}

function user({ actor, purpose, matched }: AccessLogEntry): AuditEventAgent {
  const roles = actor.roles.map((role) => ({ coding: [{ system: 'urn:careledger:role', code: role }] }));
  return {
    type: {
      coding: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType',
          code: 'IRCP',
          display: 'information recipient',
        },
      ],
    },
    ...(roles.length > 0 && { role: roles }),
    who: account(actor.accountId),
    requestor: true,
    ...(matched.length > 0 && {
      policy: matched.map((rule) => `urn:careledger:rule:${rule.replace('#', ':')}`),
    }),
    purposeOfUse: [{ coding: [{ system: ACT_REASON, code: purpose }] }],
  };
}

function entities(entry: AccessLogEntry, { baseUrl }: AuditEventOptions): AuditEventEntity[] {
  const patient: AuditEventEntity[] =
    entry.patient === null
      ? []
      : [
          {
            type: { system: ENTITY_TYPE, code: '1', display: 'Person' },
            role: { system: OBJECT_ROLE, code: '1', display: 'Patient' },
            what: { reference: `Patient/${entry.patient}` },
          },
        ];
  const records = entry.records.map(
    ({ type, id, version }): AuditEventEntity => ({
      type: { system: ENTITY_TYPE, code: '2', display: 'System Object' },
      role: { system: OBJECT_ROLE, code: '4', display: 'Domain Resource' },
      what: { reference: version > 0 ? `${type}/${id}/_history/${version}` : `${type}/${id}` },
    }),
  );
  const consents = entry.consents.map(
    ({ id, version }): AuditEventEntity => ({
      type: { system: 'http://hl7.org/fhir/resource-types', code: 'Consent', display: 'Consent' },
      what: { identifier: { system: 'urn:careledger:consent', value: `${id}#${version}` } },
      detail: [
        { type: 'engine', valueString: entry.engineVersion },
        { type: 'ledger-height', valueString: String(entry.ledgerHeight) },
      ],
    }),
  );
  return [...patient, ...records, ...queryEntity(entry, baseUrl), ...consents];
}

/** BALP's Query needs the query; its parameters may hold personal data, so only that it was one is kept. */
function queryEntity({ interaction, effect }: AccessLogEntry, baseUrl: string): AuditEventEntity[] {
  if (effect !== 'permit' || PATTERN[interaction].profile !== 'Query') return [];
  const query = Buffer.from(baseUrl, 'utf8').toString('base64');
  return [
    {
      type: { system: ENTITY_TYPE, code: '2', display: 'System Object' },
      role: { system: OBJECT_ROLE, code: '24', display: 'Query' },
      query,
    },
  ];
}
