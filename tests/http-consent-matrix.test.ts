/**
 * Every interaction × requester × type × consent state over HTTP, against an oracle that shares no code with the decision. CI runs
 * two of the states; `MATRIX=all` runs all of them.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  KINDS,
  type Kind,
  mayAdd,
  mayChange,
  maySee,
  maySeePart,
  maySeeUncut,
  mayWrite,
  ROLES,
  type Role,
  STATES,
  type State,
} from './matrix/matrix-oracle.ts';
import {
  type AskAs,
  askAs,
  canariesIn,
  READS_OF_MANY,
  READS_OF_ONE,
  type Way,
  withoutLinks,
} from './matrix/matrix-reads.ts';
import { canaryOf, PART, recordOf } from './matrix/matrix-records.ts';
import { parameterProbes, plainReply, searchParametersIn, twinProbes } from './matrix/matrix-twin.ts';
import { createMatrixWorld, type MatrixWorld, patientIdOf, type Reply } from './matrix/matrix-world.ts';
import { WRITES } from './matrix/matrix-writes.ts';

/** Nobody may see anything by a consent; one other sees most, but parts of it, and not what the rest points to. */
const CI_STATES = ['none', 'the other hospital, but no conditions'];
const isWhole = process.env.MATRIX === 'all';
const states = isWhole ? STATES : STATES.filter(({ name }) => CI_STATES.includes(name));
/** Requesters whose twin has only what they may see. */
const twinRoles: readonly Role[] = isWhole ? ROLES.filter((role) => role !== 'self') : ['outsideClinician'];
const LEAST_CASES = isWhole ? 100_000 : 10_000;

let world: MatrixWorld;
let cases = 0;
before(async () => {
  world = await createMatrixWorld(states);
});
after(() => world.close());

const AT_ONCE = 100;
type Probe = ReturnType<typeof twinProbes>[number];

async function compareWithTwin(
  twin: MatrixWorld,
  role: Role,
  state: State,
  [path, ask]: Probe,
): Promise<void> {
  const [one, other] = await Promise.all([
    askAs(world, role, state)(path, ask),
    askAs(twin, role, state)(path, ask),
  ]);
  assert.equal(plainReply(one), plainReply(other), `${state.name} / ${role} / ${path}`);
  cases += 1;
}

/** There are thousands, so they are asked in the whole run alone, and there in few states. */
async function probesOfParameters(state: State): Promise<Probe[]> {
  if (!isWhole || !CI_STATES.includes(state.name)) return [];
  const { body } = await askAs(world, 'clinician', state)('metadata');
  return parameterProbes(patientIdOf(state), searchParametersIn(body)).map((path) => [path]);
}

const kindNamed = (name: string): Kind => KINDS.find((kind) => kind.name === name) as Kind;
const stateOf = (patientId: string): State => STATES[Number(patientId.slice(1))] as State;

/** No byte of a record, nor of a part, that this requester may not see; what it sent itself may come back to it. */
function refuseLeaks(role: Role, reply: Reply, name: string, sent = ''): void {
  for (const canary of canariesIn(reply)) {
    if (sent.includes(canary)) continue;
    const [, patientId = '', kind = ''] = /cnry-(m\d\d)-([a-z]+)-x/.exec(canary) ?? [];
    // Only the patient's own session is another for each patient.
    const isSelfOfOther = role === 'self' && !name.includes(`[${patientId}]`);
    const may = maySee(isSelfOfOther ? 'otherPatient' : role, kindNamed(kind), stateOf(patientId));
    assert.ok(may, `${name} leaks ${canary}`);
  }
  for (const [part, patientId = ''] of withoutLinks(reply.body).matchAll(PART)) {
    if (sent.includes(part)) continue;
    const isSelfOfOther = role === 'self' && !name.includes(`[${patientId}]`);
    const may = maySeePart(isSelfOfOther ? 'otherPatient' : role, kindNamed('ref'), stateOf(patientId));
    assert.ok(may, `${name} leaks ${part}`);
  }
}

const expected = (role: Role, kind: Kind, state: State, { through, byPart }: Way): boolean =>
  maySee(role, kind, state) &&
  (byPart !== true || maySeePart(role, kind, state)) &&
  (through === undefined || maySee(role, kindNamed(through), state));

/** Both of every pair, a requester's after one another so that the server is never asked by all at once. */
async function forEachPair(work: (role: Role, state: State) => Promise<void>): Promise<void> {
  for (const state of states) for (const role of ROLES) await work(role, state);
}

test('every read × requester × type × consent state shows what the oracle says, and no byte beside', async () => {
  await forEachPair(async (role, state) => {
    const id = patientIdOf(state);
    const ask = askAs(world, role, state);
    const one = READS_OF_ONE.flatMap((read) =>
      KINDS.map((kind) => ({ read, kind, request: read.request(id, kind) })),
    );
    const ofOne = one.map(async ({ read, kind, request }) => {
      if (request === undefined) return;
      const name = `[${id}] ${state.name} / ${role} / ${read.name} / ${kind.name}`;
      const reply = await ask(...request);
      refuseLeaks(role, reply, name);
      assert.equal(
        read.isSeen(reply, id, kind),
        expected(role, kind, state, read),
        `${name}: ${reply.status} ${reply.body.slice(0, 300)}`,
      );
      cases += 1;
    });
    const ofMany = READS_OF_MANY.map(async (read) => {
      const reply = await ask(...read.request(id));
      refuseLeaks(role, reply, `[${id}] ${state.name} / ${role} / ${read.name}`);
      for (const kind of read.kinds) {
        const name = `[${id}] ${state.name} / ${role} / ${read.name} / ${kind.name}`;
        assert.equal(
          read.isSeen(reply, id, kind),
          expected(role, kind, state, read),
          `${name}: ${reply.status} ${reply.body.slice(0, 300)}`,
        );
        cases += 1;
      }
    });
    await Promise.all([...ofOne, ...ofMany]);
  });
});

for (const role of twinRoles) {
  test(`a node without what ${role} may not see answers with the same bytes`, async () => {
    const twin = await createMatrixWorld(
      states,
      (state, kind) => maySee(role, kind, state),
      (state, kind) => maySeePart(role, kind, state),
    );
    try {
      for (const state of states) {
        const probes = [...twinProbes(patientIdOf(state)), ...(await probesOfParameters(state))];
        for (let first = 0; first < probes.length; first += AT_ONCE) {
          const some = probes.slice(first, first + AT_ONCE);
          await Promise.all(some.map((probe) => compareWithTwin(twin, role, state, probe)));
        }
      }
    } finally {
      await twin.close();
    }
  });
}

test('every write × requester × type × consent state does what the oracle says, and tells nothing', async () => {
  await forEachPair(async (role, state) => {
    const id = patientIdOf(state);
    const send = askAs(world, role, state);
    for (const write of WRITES) {
      await Promise.all(
        KINDS.filter((kind) => write.isFor(kind)).map(async (kind) => {
          const name = `[${id}] ${state.name} / ${role} / ${write.name} / ${kind.name}`;
          const may = {
            see: maySee(role, kind, state),
            add: mayAdd(role, kind, state),
            write: mayWrite(role, kind, state),
            change: mayChange(role, kind, state),
            seeUncut: maySeeUncut(role, kind, state),
          };
          const ask: AskAs = async (path, what) => {
            const reply = await send(path, what);
            refuseLeaks(role, reply, name, decodeURIComponent(path) + JSON.stringify(what));
            return reply;
          };
          const replies = await write.perform({ ask, patientId: id, kind, role, may });
          assert.equal(
            replies.isDone,
            write.isExpected(may),
            `${name}: ${replies.all.map(({ status, body }) => `${status} ${body.slice(0, 200)}`)}`,
          );
          cases += 1;
        }),
      );
    }
  });
  for (const state of states) await assertUnharmed(state);
});

/** What was not to be deleted is there, with what was in it, for the patient to see. */
async function assertUnharmed(state: State): Promise<void> {
  const id = patientIdOf(state);
  for (const kind of KINDS) {
    const { resourceType, id: recordId } = recordOf(id, kind);
    const reply = await askAs(world, 'self', state)(`${resourceType}/${recordId}`);
    assert.ok(reply.body.includes(canaryOf(id, kind.name)), `${resourceType}/${recordId}: ${reply.body}`);
  }
}

test('the matrix is as large as it says', () => {
  assert.ok(cases >= LEAST_CASES, `${cases} cases`);
  console.log(
    `${cases} cases over ${states.length} of ${STATES.length} consent states: ${states.map(({ name }) => name).join('; ')}`,
  );
});
