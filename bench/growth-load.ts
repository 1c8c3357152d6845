import { type ChildProcess, fork } from 'node:child_process';

/** What a node of the growth benchmark is to hold. */
export type GrowthLoad = {
  readonly folder: string;
  readonly seed: number;
  readonly records: number;
  readonly patients: number;
  readonly consents: number;
  /** Whether the records are to be taken in first. */
  readonly isEmpty: boolean;
};

export type GrowthFacts = {
  readonly url: string;
  readonly authorization: string;
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly buffersBytes: number;
  readonly logSize: number;
  readonly inclusionHashes: number;
  readonly consistencyHashes: number;
  readonly stateHashes: number;
};

/** A node in a process of its own, so that its memory is its own. */
export type GrowthNode = {
  readonly load: GrowthLoad;
  readonly facts: () => Promise<GrowthFacts>;
  readonly first: GrowthFacts;
  readonly stop: () => Promise<void>;
};

export async function startGrowthNode(
  load: GrowthLoad,
  progress: (line: string) => void,
): Promise<GrowthNode> {
  const child = fork(new URL('./growth-node.ts', import.meta.url), [JSON.stringify(load)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  child.on('message', (message: { progress?: string }) => {
    if (message.progress !== undefined) progress(`   ${message.progress}`);
  });
  const first = await nextFacts(child);
  return {
    load,
    first,
    facts() {
      const facts = nextFacts(child);
      child.send('facts');
      return facts;
    },
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit');
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

function nextFacts(child: ChildProcess): Promise<GrowthFacts> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: { facts?: GrowthFacts }): void => {
      if (message.facts === undefined) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(message.facts);
    };
    const onExit = (code: number | null): void => reject(new Error(`The node ended with ${code}.`));
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}
