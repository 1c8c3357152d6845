/** Our application in a process of its own: `node bench/consortium/application.ts <order as JSON>`. Says "ready" on its output. */
import { openCometBftEngine } from '../../src/engine/cometbft/cometbft-engine.ts';
import type { ValidatorCard } from '../../src/engine/cometbft/cometbft-home.ts';
import { nodeSeedOf, sampleConsortium } from '../../src/engine/cometbft/testing/local-network.ts';

export type ApplicationOrder = {
  readonly folder: string;
  readonly rpcUrl: string;
  readonly cards: readonly ValidatorCard[];
  readonly place: number;
};

const { folder, rpcUrl, cards, place } = JSON.parse(process.argv[2] ?? '') as ApplicationOrder;
const { genesis } = sampleConsortium(cards);
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const engine = await openCometBftEngine({ folder, genesis, nodeSeed: nodeSeedOf(place), rpcUrl, log });
process.on('SIGTERM', () => void engine.close().then(() => process.exit(0)));
process.stdout.write('ready\n');
