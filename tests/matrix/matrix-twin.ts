/** Questions whose answers must not depend on what the asker may not see. */
import { KINDS } from './matrix-oracle.ts';
import { READS_OF_MANY, READS_OF_ONE } from './matrix-reads.ts';
import { CANARY_SYSTEM, canaryOf, partUrl, urlOf } from './matrix-records.ts';
import type { Ask, Reply } from './matrix-world.ts';

const TYPES = [...new Set(KINDS.map(({ type }) => type))].filter(
  (type) => type !== 'Patient' && type !== 'Provenance',
);
const PATCH = [{ op: 'test', path: '/id', value: 'x' }];

/** Reads of every way, and searches that probe values, order, counts, absence and pages; nothing that could change a record. */
export function twinProbes(patientId: string): (readonly [path: string, ask?: Ask])[] {
  const ofOne = READS_OF_ONE.flatMap((read) => KINDS.map((kind) => read.request(patientId, kind)));
  const ofMany = READS_OF_MANY.map((read) => read.request(patientId));
  const ofType = TYPES.flatMap((type) => {
    const search = `${type}?patient=${patientId}`;
    return [
      search,
      `${search}&_sort=_id`,
      `${search}&_sort=-_lastUpdated,_id`,
      `${search}&_sort=identifier`,
      `${search}&_count=1`,
      `${search}&_count=1&_sort=_id`,
      `${search}&_count=0`,
      `${search}&_summary=count`,
      `${search}&_total=estimate`,
      `${search}&_elements=identifier`,
      `${search}&identifier:missing=true`,
      `${search}&identifier:not=${CANARY_SYSTEM}%7Cnothing`,
      `${search}&_lastUpdated=gt2020-01-01&_count=1`,
      `${type}?patient:Patient.family=cnry-${patientId}`,
      `${type}/_history?_count=1`,
      `${type}/_history?_count=1&_since=2020-01-01`,
      `${type}?subject:Patient.birthdate=1980-05-01&_summary=count`,
      `Patient?_has:${type}:patient:identifier=${canaryOf(patientId, 'hiv')}`,
      `Patient?_id=${patientId}&_has:${type}:patient:_lastUpdated=gt2020-01-01`,
    ];
  });
  const values = [
    `Condition?code=http://hl7.org/fhir/sid/icd-10-cm%7CB20&patient=${patientId}`,
    `Condition?code:not=http://hl7.org/fhir/sid/icd-10-cm%7CB20&patient=${patientId}`,
    `Observation?value-quantity=72&patient=${patientId}`,
    `Observation?date=lt2020&patient=${patientId}`,
    `Observation?_sort=-date&patient=${patientId}`,
    `Patient?family=cnry-${patientId}&_summary=count`,
    `Patient/${patientId}/$everything`,
    `Encounter?_has:Observation:encounter:code=8867-4&patient=${patientId}`,
    `Observation?encounter.patient=Patient/${patientId}`,
    `DiagnosticReport?result.code=8867-4&patient=${patientId}`,
    `ServiceRequest?patient=${patientId}&_include=*`,
    `ServiceRequest?identifier:not=${partUrl(patientId)}&patient=${patientId}`,
    `ServiceRequest?identifier=${partUrl(patientId)}&_total=none&_count=1`,
    `Patient?_security=http://terminology.hl7.org/CodeSystem/v3-ObservationValue%7CREDACTED`,
  ].map((path): [string] => [path]);
  const unchanging = KINDS.map((kind): [string, Ask] => [
    urlOf(patientId, kind),
    { method: 'PATCH', body: PATCH },
  ]);
  return [
    ...ofOne.filter((request) => request !== undefined),
    ...ofMany,
    ...ofType.map((path): [string] => [path]),
    ...values,
    ...unchanging,
  ];
}

/** Every search parameter that the server says it has, asked for presence, absence, order, includes and both ways of chaining. */
export function parameterProbes(
  patientId: string,
  parametersOf: (type: string) => readonly string[],
): readonly string[] {
  return ['Patient', 'Provenance', ...TYPES].flatMap((type) => {
    const search = `${type}?${type === 'Patient' ? '_id' : 'patient'}=${patientId}`;
    return parametersOf(type).flatMap((name) => [
      `${search}&${name}:missing=false`,
      `${search}&${name}:missing=true&_summary=count`,
      `${search}&_sort=${name}&_count=1`,
      `${search}&_include=${type}:${name}`,
      `${type}?_sort=-${name}&_count=2`,
      `Patient?_has:${type}:patient:${name}:missing=false&_summary=count`,
      `Encounter?_revinclude=${type}:${name}&_count=2`,
      `Provenance?target:${type}.${name}:missing=false&_summary=count`,
    ]);
  });
}

/** What `/metadata` names. */
export function searchParametersIn(metadata: string): (type: string) => readonly string[] {
  type Listed = { type: string; searchParam: { name: string }[] };
  const { rest } = JSON.parse(metadata) as { rest: [{ resource: Listed[] }] };
  const byType = new Map(
    rest[0].resource.map(({ type, searchParam }) => [type, searchParam.map(({ name }) => name)]),
  );
  return (type) => byType.get(type) ?? [];
}

const VARYING = new Set([
  'date',
  'keep-alive',
  'careledger-log-promise',
  'x-request-id',
  'last-modified',
  'content-length',
]);

/** An answer without what differs from one time to the next: times, ids of the answer, cursors, the places of promises. */
export function plainReply({ status, headers, body }: Reply): string {
  const kept = Object.entries(headers).filter(([name]) => !VARYING.has(name));
  const promises = (headers['careledger-log-promise'] ?? '').split(',').length;
  return JSON.stringify([status, kept, promises, body])
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
    .replace(/_cursor=[\w-]+/g, 'CURSOR');
}
