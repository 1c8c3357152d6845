/** Our application in a process of its own: `node bench/consortium/application.ts <folder> <rpc url> <cards as JSON> <place>`. Says "ready". */
import { openCometBftEngine } from '../../src/engine/cometbft/cometbft-engine.ts';
import { nodeSeedOf, sampleConsortium } from '../../src/engine/cometbft/testing/local-network.ts';

const [folder = '', rpcUrl = '', cards = '[]', place = '0'] = process.argv.slice(2);
const { genesis } = sampleConsortium(JSON.parse(cards));
const log = (line: string): void => void process.stderr.write(`${line}\n`);
await openCometBftEngine({ folder, genesis, nodeSeed: nodeSeedOf(Number(place)), rpcUrl, log });
process.stdout.write('ready\n');
