import type { Consortium } from './consortium.ts';
import type { LinkMode } from './link.ts';
import type { Load } from './load.ts';
import { unusedPorts } from './ports.ts';
import type { FaultKind, Step } from './schedule.ts';
import type { Validator } from './validator.ts';
import { comesToHold, sleep } from './waiting.ts';

const NOTICE_MS = 30_000;
/** CometBFT's words for a block that does not fit what this node computed. */
const DISAGREEMENT = /CONSENSUS FAILURE|wrong Block\.Header\.AppHash|does not match AppHash after replay/;
const HALF_SYNCED = /stores were left in an inconsistent state/;
const STATE_SYNC_MS = 90_000;
const TWIN_MS = 60_000;
/** Our words for a proof of two votes that stands in a block. */
const TWICE = /voted twice at block/;
/** The shortest that CometBFT allows. */
const DISCOVERY_MS = 5_000;
/** Spreads the second kill over the time that a start takes. */
const RESTART_SHARE = 6;

export type Scene = { readonly consortium: Consortium; readonly load: Load };
/** Something that a fault showed and that must not be; the rest of the schedule goes on. */
type Shortcoming = string | undefined;
type Fault = {
  readonly begin: (scene: Scene, step: Step) => Promise<Shortcoming>;
  readonly end: (scene: Scene, step: Step) => Promise<Shortcoming>;
};

type Action = (validator: Validator, step: Step) => unknown;

/** A fault that does one thing to each victim, and one to mend it. */
function each(begin: Action, end: Action): Fault {
  const toAll =
    (action: Action) =>
    async ({ consortium }: Scene, step: Step): Promise<Shortcoming> => {
      await Promise.all(step.victims.map((place) => action(consortium.validators[place] as Validator, step)));
      return undefined;
    };
  return { begin: toAll(begin), end: toAll(end) };
}

const start: Action = (validator) => validator.start();
const pause: Action = (validator) => {
  validator.signalApplication('SIGSTOP');
  validator.signalConsensus('SIGSTOP');
};
const resume: Action = (validator) => {
  validator.signalApplication('SIGCONT');
  validator.signalConsensus('SIGCONT');
  return validator.start();
};

/** Killed, and in the harder form once more while it starts again. */
function killed(kill: (validator: Validator) => Promise<void>): Fault {
  return each(kill, async (validator, { isHard, delayMs }) => {
    if (isHard) {
      const starting = validator.start().catch(() => undefined);
      await sleep(delayMs * RESTART_SHARE);
      await kill(validator);
      await starting;
    }
    await validator.start();
  });
}

/** What each fault does, and how it is mended. */
export const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  'kill-application': killed((one) => one.killApplication()),
  'kill-consensus': killed((one) => one.killConsensus()),
  'kill-both': killed((one) => one.killBoth()),
  'pause-application': each((one) => one.signalApplication('SIGSTOP'), resume),
  'pause-consensus': each((one) => one.signalConsensus('SIGSTOP'), resume),
  'pause-both': each(pause, resume),
  disconnect: each(setLinks('cut'), setLinks('open')),
  isolate: each(setLinks('stalled'), setLinks('open')),
  'slow-links': each((one, { delayMs }) => {
    for (const link of one.parts.links) link.set('open', delayMs);
  }, setLinks('open')),
  'partition-halves': {
    begin: async (scene, step) => separate(scene, step, step.isHard ? 'cut' : 'stalled'),
    end: async (scene, step) => separate(scene, step, 'open'),
  },
  'two-away': each((one, step) => (step.isHard ? one.killBoth() : pause(one, step)), resume),
  wipe: { begin: loseDisk, end: rejoinByStateSync },
  diverge: { begin: letDiverge, end: rejoinFromTheBeginning },
  'stale-key': { begin: loseKeyState, end: each(start, start).end },
};

function setLinks(mode: LinkMode): Action {
  return (validator) => {
    for (const link of validator.parts.links) link.set(mode);
  };
}

function separate({ consortium }: Scene, { victims }: Step, mode: LinkMode): Shortcoming {
  for (const { from, to, link } of consortium.links)
    if (victims.includes(from) !== victims.includes(to)) link.set(mode);
  return undefined;
}

function victimOf({ consortium }: Scene, { victims }: Step): Validator {
  return consortium.validators[victims[0] ?? 0] as Validator;
}

async function loseDisk(scene: Scene, step: Step): Promise<Shortcoming> {
  const victim = victimOf(scene, step);
  await victim.killBoth();
  victim.wipe();
  return undefined;
}

/**
 * CometBFT's store of blocks then does not begin at the beginning; if it does, it has run them and not taken a snapshot. In the
 * harder form it is killed about the time at which it takes the snapshot over.
 */
async function rejoinByStateSync(scene: Scene, step: Step): Promise<Shortcoming> {
  const victim = victimOf(scene, step);
  const others = scene.consortium.validators.filter((one) => one !== victim);
  const since = victim.consensusLogSize();
  const [source] = others as [Validator, ...Validator[]];
  const { height } = await source.status();
  const trusted = (await source.hashes(height, height)).get(height) ?? '';
  victim.configure({
    'statesync.enable': 'true',
    'statesync.rpc_servers': JSON.stringify(others.map(({ rpcUrl }) => rpcUrl).join(',')),
    'statesync.trust_height': String(height),
    'statesync.trust_hash': JSON.stringify(trusted),
    'statesync.trust_period': '"168h0m0s"',
    'statesync.discovery_time': `"${DISCOVERY_MS}ms"`,
  });
  await victim.start();
  if (step.isHard) {
    await sleep(DISCOVERY_MS + step.delayMs * RESTART_SHARE);
    await victim.killBoth();
    await victim.start();
  }
  const isSynced = await comesToHold(async () => {
    await startAgain(victim, since);
    const { earliestHeight, isCatchingUp } = await victim.status();
    return earliestHeight > 1 && !isCatchingUp;
  }, STATE_SYNC_MS);
  victim.configure({ 'statesync.enable': 'false' });
  if (isSynced) return undefined;
  await rejoinFromTheBeginning(scene, step);
  return `node ${victim.place} did not rejoin by state sync within ${STATE_SYNC_MS / 1000} s: ${victim.lastWords()}`;
}

/**
 * Killed after it has written the state that it took over and before its first block, CometBFT does not start again
 * (blocksync/reactor.go, NewReactorWithAddr); then its data is removed and the ledger, which is further, stays.
 */
async function startAgain(victim: Validator, since: number): Promise<void> {
  if (victim.isConsensusRunning) return;
  if (victim.hasSaid(HALF_SYNCED, since)) victim.wipeConsensus();
  await victim.start();
}

async function letDiverge(scene: Scene, step: Step): Promise<Shortcoming> {
  const victim = victimOf(scene, step);
  scene.load.distrust(victim.place);
  // Where its application was killed in the midst of a block before, the words are in the log already.
  const since = victim.consensusLogSize();
  await victim.ask({ ask: 'diverge' });
  const isNoticed = await comesToHold(
    () => !victim.isConsensusRunning || victim.hasSaid(DISAGREEMENT, since),
    NOTICE_MS,
  );
  if (!isNoticed) return `node ${victim.place} executes wrongly and does not notice in ${NOTICE_MS / 1000} s`;
  return (await goesOn(victim)) ? `node ${victim.place} executes wrongly and goes on` : undefined;
}

async function goesOn(victim: Validator): Promise<boolean> {
  const before = await victim.head();
  await sleep(2_000);
  const after = await victim.head();
  return after.consensusHeight !== before.consensusHeight;
}

/** What it has is worth nothing, so it runs every block of the others again. */
async function rejoinFromTheBeginning(scene: Scene, step: Step): Promise<Shortcoming> {
  const victim = victimOf(scene, step);
  await victim.killBoth();
  victim.wipe();
  await victim.start();
  scene.load.trust(victim.place);
  return undefined;
}

/** In the harder form the machine from the backup runs beside the one that was thought lost, and both vote with one key. */
async function loseKeyState(scene: Scene, step: Step): Promise<Shortcoming> {
  const victim = victimOf(scene, step);
  victim.keepKeyState();
  await sleep(step.holdMs);
  if (step.isHard) return voteTwice(scene, victim);
  await victim.killBoth();
  victim.restoreKeyState();
  return undefined;
}

/** The two differ as soon as it is their turn to propose a block; every other node has to name the key. */
async function voteTwice({ consortium }: Scene, victim: Validator): Promise<Shortcoming> {
  const others = consortium.validators.filter((one) => one !== victim);
  const [rpcPort, p2pPort] = (await unusedPorts(2)) as [number, number];
  const twin = victim.twin(rpcPort, p2pPort);
  try {
    await twin.start();
    const isNamed = await comesToHold(() => others.every((one) => one.applicationHasSaid(TWICE)), TWIN_MS);
    if (isNamed) return undefined;
    return `node ${victim.place} and its twin have one key, and nobody says that it voted twice: ${twin.lastWords()}`;
  } finally {
    await twin.killBoth();
  }
}
