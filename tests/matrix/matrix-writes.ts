/** Every way to write, and whether it is done. */
import { type Kind, ROLES, type Role } from './matrix-oracle.ts';
import type { AskAs } from './matrix-reads.ts';
import { CANARY_SYSTEM, canaryOf, recordOf, urlOf } from './matrix-records.ts';
import { plainReply } from './matrix-twin.ts';
import type { Ask, Reply } from './matrix-world.ts';

export interface May {
  readonly see: boolean;
  /** Whether it writes the record itself, whatever parts of it are hidden: it knows what it has written. */
  readonly write: boolean;
  readonly add: boolean;
  readonly change: boolean;
  readonly seeUncut: boolean;
}
interface Scene {
  readonly ask: AskAs;
  readonly patientId: string;
  readonly kind: Kind;
  readonly role: Role;
  readonly may: May;
}
export interface Write {
  readonly name: string;
  readonly isFor: (kind: Kind) => boolean;
  readonly perform: (scene: Scene) => Promise<{ readonly all: readonly Reply[]; readonly isDone: boolean }>;
  readonly isExpected: (may: May) => boolean;
}

/** A new Patient is in a compartment of its own, and nobody's consent is about it yet. */
const isPatients = ({ name }: Kind): boolean => name !== 'patient';
const hasIdentifier = (kind: Kind): boolean => isPatients(kind) && kind.name !== 'prov';
const isDone = ({ status }: Reply): boolean => status >= 200 && status < 300;
const one = async (reply: Promise<Reply>) => ({ all: [await reply], isDone: isDone(await reply) });
const LANGUAGES = ['en', 'de', 'fr', 'nl', 'sv', 'da', 'it', 'es', 'pt'];
const languageOf = (role: Role): string => LANGUAGES[ROLES.indexOf(role)] as string;

let made = 0;
/** A record that nobody has, in the patient's compartment. */
function fresh({ patientId, kind }: Scene): { id: string; resource: Record<string, unknown> } {
  made += 1;
  const id = `new-${patientId}-${kind.name}-${made}`;
  return { id, resource: recordOf(patientId, kind, id, `new-${made}`) };
}
const put = (resource: unknown, headers = {}): Ask => ({ method: 'PUT', body: resource, headers });
const post = (resource: unknown, headers = {}): Ask => ({ method: 'POST', body: resource, headers });
const bundle = (type: string, method: string, url: string, resource?: unknown): Ask =>
  post({
    resourceType: 'Bundle',
    type,
    entry: [{ ...(resource !== undefined && { resource }), request: { method, url } }],
  });
const changed = ({ patientId, kind, role }: Scene) => ({
  ...recordOf(patientId, kind),
  language: languageOf(role),
});
const patchOf = (role: Role) => [{ op: 'add', path: '/language', value: `${languageOf(role)}-x-patch` }];

/** Whether an answer about a record and one about nothing are the same, where the requester may do nothing with it. */
async function tellsNothing(
  { ask, may }: Scene,
  about: (name: string) => readonly [string, Ask?],
  existing: string,
) {
  const missing = existing.replace(/m\d\d/, 'm99');
  const [known, unknown] = await Promise.all([ask(...about(existing)), ask(...about(missing))]);
  const same = plainReply(known).replaceAll(existing, 'X') === plainReply(unknown).replaceAll(missing, 'X');
  return { all: [known, unknown], isDone: may.see || may.write || same };
}
const always = (): boolean => true;
const canaryUrl = ({ patientId, kind }: Scene) => `${CANARY_SYSTEM}|${canaryOf(patientId, kind.name)}`;

export const WRITES: readonly Write[] = [
  {
    name: 'create',
    isFor: isPatients,
    perform: (scene) => one(scene.ask(scene.kind.type, post(fresh(scene).resource))),
    isExpected: ({ add }) => add,
  },
  {
    name: 'create by update',
    isFor: isPatients,
    perform: (scene) => {
      const { id, resource } = fresh(scene);
      return one(scene.ask(`${scene.kind.type}/${id}`, put(resource)));
    },
    isExpected: ({ add }) => add,
  },
  {
    name: 'create in a transaction',
    isFor: isPatients,
    perform: (scene) =>
      one(scene.ask('', bundle('transaction', 'POST', scene.kind.type, fresh(scene).resource))),
    isExpected: ({ add }) => add,
  },
  {
    name: 'create in a batch',
    isFor: isPatients,
    perform: async (scene) => {
      const reply = await scene.ask('', bundle('batch', 'POST', scene.kind.type, fresh(scene).resource));
      return { all: [reply], isDone: /"status":"201"/.test(reply.body) };
    },
    isExpected: ({ add }) => add,
  },
  {
    name: 'conditional create on its value',
    isFor: hasIdentifier,
    perform: (scene) => {
      const { resource } = fresh(scene);
      return one(
        scene.ask(scene.kind.type, post(resource, { 'if-none-exist': `identifier=${canaryUrl(scene)}` })),
      );
    },
    // Who sees the record is answered with it; to everybody else it is not there.
    isExpected: ({ see, add }) => see || add,
  },
  {
    name: 'update',
    isFor: always,
    perform: (scene) => one(scene.ask(urlOf(scene.patientId, scene.kind), put(changed(scene)))),
    isExpected: ({ change }) => change,
  },
  {
    name: 'update in a transaction',
    isFor: isPatients,
    perform: (scene) => {
      const resource = { ...changed(scene), language: `${languageOf(scene.role)}-x-bundle` };
      return one(scene.ask('', bundle('transaction', 'PUT', urlOf(scene.patientId, scene.kind), resource)));
    },
    isExpected: ({ change }) => change,
  },
  {
    name: 'patch',
    isFor: always,
    perform: (scene) =>
      one(scene.ask(urlOf(scene.patientId, scene.kind), { method: 'PATCH', body: patchOf(scene.role) })),
    // A patch is answered with the whole, so it takes all of it.
    isExpected: ({ change, see, seeUncut }) => change && see && seeUncut,
  },
  {
    name: 'delete',
    isFor: isPatients,
    perform: async (scene) => {
      if (!scene.may.change || !scene.may.add)
        return one(scene.ask(urlOf(scene.patientId, scene.kind), { method: 'DELETE' }));
      const { id, resource } = fresh(scene);
      const created = await scene.ask(`${scene.kind.type}/${id}`, put(resource));
      const deleted = await scene.ask(`${scene.kind.type}/${id}`, { method: 'DELETE' });
      return { all: [created, deleted], isDone: isDone(deleted) };
    },
    isExpected: ({ change }) => change,
  },
  {
    name: 'existence by update of a version',
    isFor: always,
    perform: (scene) =>
      tellsNothing(
        scene,
        (url) => [url, put({ ...changed(scene), id: url.split('/')[1] }, { 'if-match': 'W/"1"' })],
        urlOf(scene.patientId, scene.kind),
      ),
    isExpected: always,
  },
  {
    name: 'existence by delete of a version',
    isFor: always,
    perform: (scene) =>
      scene.may.change
        ? Promise.resolve({ all: [], isDone: true })
        : tellsNothing(
            scene,
            (url) => [url, { method: 'DELETE', headers: { 'if-match': 'W/"1"' } }],
            urlOf(scene.patientId, scene.kind),
          ),
    isExpected: always,
  },
  {
    name: 'existence by patch',
    isFor: always,
    perform: (scene) =>
      tellsNothing(
        scene,
        (url) => [url, { method: 'PATCH', body: patchOf(scene.role) }],
        urlOf(scene.patientId, scene.kind),
      ),
    isExpected: always,
  },
  ...(['PUT', 'PATCH', 'DELETE'] as const).map(
    (method): Write => ({
      name: `existence by conditional ${method}`,
      isFor: hasIdentifier,
      perform: (scene) => {
        // Who sees the record would change it.
        if (scene.may.see) return Promise.resolve({ all: [], isDone: true });
        const { id: _id, ...resource } = fresh(scene).resource;
        const body = { PUT: resource, PATCH: patchOf(scene.role), DELETE: undefined }[method];
        const control = scene.may.add ? undefined : scene.kind.type;
        const ask = (value: string): readonly [string, Ask] => [
          `${scene.kind.type}?identifier=${encodeURIComponent(value)}`,
          { method, ...(body !== undefined && { body }) },
        ];
        // What is created has another id each time, so only that something is created can be compared.
        if (control === undefined)
          return one(scene.ask(...ask(canaryUrl(scene)))).then(({ all }) => ({ all, isDone: true }));
        return tellsNothing({ ...scene, may: { ...scene.may, write: false } }, ask, canaryUrl(scene));
      },
      isExpected: always,
    }),
  ),
  {
    name: 'existence by a reference that a transaction resolves',
    isFor: hasIdentifier,
    perform: (scene) => {
      const list = (value: string) => ({
        resourceType: 'List',
        status: 'current',
        mode: 'working',
        subject: { reference: `Patient/${scene.patientId}` },
        entry: [{ item: { reference: `${scene.kind.type}?identifier=${value}` } }],
      });
      return tellsNothing(
        { ...scene, may: { ...scene.may, write: false } },
        (value) => ['', bundle('transaction', 'POST', 'List', list(value))],
        canaryUrl(scene),
      );
    },
    isExpected: always,
  },
];
