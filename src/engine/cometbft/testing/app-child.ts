import { sampleChain } from '../../sample-chain.ts';
import { openCometBftEngine } from '../cometbft-engine.ts';

/** An application in a process of its own, to be killed: `node app-child.ts <folder> [rpc url]`. Says "ready" on its output. */
const [folder = '', rpcUrl = 'http://127.0.0.1:1'] = process.argv.slice(2);
const chain = sampleChain();
const { genesis, operatorSeed: nodeSeed } = chain;
const log = (line: string): void => void process.stderr.write(`${line}\n`);
await openCometBftEngine({ folder, genesis, nodeSeed, rpcUrl, log, verifyWorkers: 0 });
process.stdout.write('ready\n');
