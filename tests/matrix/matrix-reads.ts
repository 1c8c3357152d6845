/** Every way to read, and what of a patient's records comes out of it. */
import { KINDS, type Kind, type Role, type State } from './matrix-oracle.ts';
import { CANARY, CANARY_SYSTEM, canaryOf, idOf, partUrl, urlOf } from './matrix-records.ts';
import { type Ask, type MatrixWorld, patientIdOf, type Reply } from './matrix-world.ts';

/** Which other record has to be seen for this one to be found. */
type Through = 'patient' | 'prov';
export interface Way {
  readonly name: string;
  readonly through?: Through;
  /** Found by what only the part of it has that carries a label. */
  readonly byPart?: boolean;
}
export interface ReadOne extends Way {
  /** undefined for a kind that the interaction is not for. */
  readonly request: (patientId: string, kind: Kind) => readonly [path: string, ask?: Ask] | undefined;
  readonly isSeen: (reply: Reply, patientId: string, kind: Kind) => boolean;
}
export interface ReadMany extends Way {
  readonly request: (patientId: string) => readonly [path: string, ask?: Ask];
  readonly kinds: readonly Kind[];
  readonly isSeen: (reply: Reply, patientId: string, kind: Kind) => boolean;
}

const json = (reply: Reply): Record<string, never> => JSON.parse(reply.body || '{}') as Record<string, never>;
type Entry = { resource?: { resourceType: string; id: string; entry?: Entry[] }; search?: { mode: string } };
export const entriesOf = (reply: Reply): Entry[] => (json(reply).entry ?? []) as Entry[];
const isListed = (reply: Reply, patientId: string, kind: Kind): boolean =>
  entriesOf(reply).some(
    ({ resource }) => resource?.resourceType === kind.type && resource.id === idOf(patientId, kind),
  );
const is = (status: number) => (reply: Reply) => reply.status === status;
const totalIsOne = (reply: Reply): boolean => (json(reply).total as unknown) === 1;
const PROV = KINDS.find(({ name }) => name === 'prov') as Kind;
const provOf = (patientId: string): string => idOf(patientId, PROV);
const value = (patientId: string, kind: Kind): string =>
  `${CANARY_SYSTEM}%7C${canaryOf(patientId, kind.name)}`;
const hasPatient = (kind: Kind): boolean => kind.name !== 'patient';
const isOther = (kind: Kind): boolean => kind.name !== 'prov';
const get = (patientId: string, kind: Kind) => ({ request: { method: 'GET', url: urlOf(patientId, kind) } });
const bundle = (type: string, entry: readonly unknown[]): readonly [string, Ask] => [
  '',
  { method: 'POST', body: { resourceType: 'Bundle', type, entry } },
];

/** Asked for each record. */
export const READS_OF_ONE: readonly ReadOne[] = [
  { name: 'read', request: (id, kind) => [urlOf(id, kind)], isSeen: is(200) },
  {
    name: 'read if changed',
    request: (id, kind) => [urlOf(id, kind), { headers: { 'if-none-match': 'W/"1"' } }],
    isSeen: is(304),
  },
  { name: 'vread', request: (id, kind) => [`${urlOf(id, kind)}/_history/1`], isSeen: is(200) },
  { name: 'history of one', request: (id, kind) => [`${urlOf(id, kind)}/_history`], isSeen: is(200) },
  { name: 'search by id', request: (id, kind) => [`${kind.type}?_id=${idOf(id, kind)}`], isSeen: isListed },
  {
    name: 'search by POST',
    request: (id, kind) => [`${kind.type}/_search`, { method: 'POST', body: `_id=${idOf(id, kind)}` }],
    isSeen: isListed,
  },
  {
    name: 'search by value',
    request: (id, kind) => (isOther(kind) ? [`${kind.type}?identifier=${value(id, kind)}`] : undefined),
    isSeen: isListed,
  },
  {
    name: 'search by part',
    byPart: true,
    request: (id, kind) =>
      kind.part === undefined ? undefined : [`${kind.type}?_id=${idOf(id, kind)}&identifier=${partUrl(id)}`],
    isSeen: isListed,
  },
  {
    name: 'count by part',
    byPart: true,
    request: (id, kind) =>
      kind.part === undefined ? undefined : [`${kind.type}?identifier=${partUrl(id)}&_summary=count`],
    isSeen: totalIsOne,
  },
  {
    name: 'chain to its part',
    through: 'prov',
    byPart: true,
    request: (id, kind) =>
      kind.part === undefined
        ? undefined
        : [`Provenance?_id=${provOf(id)}&target:${kind.type}.identifier=${partUrl(id)}`],
    isSeen: totalIsOne,
  },
  {
    name: '_has its part',
    through: 'patient',
    byPart: true,
    request: (id, kind) =>
      kind.part === undefined
        ? undefined
        : [`Patient?_id=${id}&_has:${kind.type}:patient:identifier=${partUrl(id)}`],
    isSeen: totalIsOne,
  },
  {
    name: 'search by presence',
    request: (id, kind) => [
      `${kind.type}?_id=${idOf(id, kind)}&${isOther(kind) ? 'identifier' : 'recorded'}:missing=false`,
    ],
    isSeen: isListed,
  },
  {
    name: 'search of elements, sorted',
    request: (id, kind) => [
      `${kind.type}?_id=${idOf(id, kind)}&_elements=id&_sort=-_lastUpdated&_total=none`,
    ],
    isSeen: isListed,
  },
  {
    name: 'count',
    request: (id, kind) => [`${kind.type}?_id=${idOf(id, kind)}&_summary=count`],
    isSeen: totalIsOne,
  },
  {
    name: 'chain to the patient',
    through: 'patient',
    request: (id, kind) =>
      hasPatient(kind)
        ? [`${kind.type}?_id=${idOf(id, kind)}&patient:Patient.identifier=${value(id, KINDS[0] as Kind)}`]
        : undefined,
    isSeen: isListed,
  },
  {
    name: 'chain to its value',
    through: 'prov',
    request: (id, kind) =>
      isOther(kind)
        ? [`Provenance?_id=${provOf(id)}&target:${kind.type}.identifier=${value(id, kind)}`]
        : undefined,
    isSeen: totalIsOne,
  },
  {
    name: '_has its value',
    through: 'patient',
    request: (id, kind) =>
      hasPatient(kind) && isOther(kind)
        ? [`Patient?_id=${id}&_has:${kind.type}:patient:identifier=${value(id, kind)}`]
        : undefined,
    isSeen: totalIsOne,
  },
  {
    name: '_revinclude to it',
    through: 'prov',
    request: (id, kind) =>
      isOther(kind) ? [`${kind.type}?_id=${idOf(id, kind)}&_revinclude=Provenance:target`] : undefined,
    isSeen: (reply, id) => isListed(reply, id, PROV),
  },
  {
    name: 'transaction of a read',
    request: (id, kind) => bundle('transaction', [get(id, kind)]),
    isSeen: is(200),
  },
];

const TYPES = [...new Set(KINDS.map(({ type }) => type))];
const OTHERS = KINDS.filter(hasPatient);

/** Asked for each patient. */
export const READS_OF_MANY: readonly ReadMany[] = [
  {
    name: 'batch of reads',
    kinds: KINDS,
    request: (id) =>
      bundle(
        'batch',
        KINDS.map((kind) => get(id, kind)),
      ),
    isSeen: isListed,
  },
  {
    name: '_include from a provenance',
    through: 'prov',
    kinds: KINDS.filter(isOther),
    request: (id) => [`Provenance?_id=${provOf(id)}&_include=Provenance:target`],
    isSeen: isListed,
  },
  {
    name: '_include of everything',
    through: 'prov',
    kinds: KINDS.filter(isOther),
    request: (id) => [
      `Provenance?_id=${provOf(id)}&_include=Provenance:*&_include:iterate=Observation:encounter`,
    ],
    isSeen: isListed,
  },
  {
    name: '_revinclude to the patient',
    through: 'patient',
    kinds: OTHERS,
    request: (id) => [
      `Patient?_id=${id}&${TYPES.filter((type) => type !== 'Patient')
        .map((type) => `_revinclude=${type}:patient`)
        .join('&')}`,
    ],
    isSeen: isListed,
  },
  {
    name: 'search over types',
    kinds: OTHERS,
    request: (id) => [
      `?_type=${TYPES.filter((type) => type !== 'Patient').join(',')}&patient=${id}&_count=100`,
    ],
    isSeen: isListed,
  },
  {
    name: 'batch of searches',
    kinds: OTHERS,
    request: (id) =>
      bundle(
        'batch',
        TYPES.filter((type) => type !== 'Patient').map((type) => ({
          request: { method: 'GET', url: `${type}?patient=Patient/${id}&_count=100` },
        })),
      ),
    isSeen: (reply, id, kind) =>
      entriesOf(reply).some(({ resource }) =>
        isListed({ ...reply, body: JSON.stringify(resource ?? {}) }, id, kind),
      ),
  },
  ...TYPES.filter((type) => type !== 'Patient').map(
    (type): ReadMany => ({
      name: `compartment search of ${type}`,
      kinds: KINDS.filter((kind) => kind.type === type),
      request: (id) => [`Patient/${id}/${type}?_count=100`],
      isSeen: isListed,
    }),
  ),
  ...TYPES.map(
    (type): ReadMany => ({
      name: `history of ${type}`,
      kinds: KINDS.filter((kind) => kind.type === type),
      request: () => [`${type}/_history?_count=1000`],
      isSeen: isListed,
    }),
  ),
];

/** Canaries of records in an answer, but for the query that the answer repeats in its links. */
export function canariesIn(reply: Reply): Set<string> {
  const text = JSON.stringify(reply.headers) + withoutLinks(reply.body);
  return new Set(Array.from(text.matchAll(CANARY), ([canary]) => canary));
}

export function withoutLinks(body: string): string {
  return body.replace(/"link":\[[^\]]*\]/g, '');
}

export type AskAs = (path: string, ask?: Ask) => Promise<Reply>;

export function askAs(world: MatrixWorld, role: Role, state: State): AskAs {
  return (path, ask) => world.ask(role, patientIdOf(state), path, ask);
}
