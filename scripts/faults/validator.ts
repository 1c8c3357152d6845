import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withSettings } from '../../src/engine/cometbft/cometbft-home.ts';
import { proxyAppOf } from '../../src/engine/index.ts';
import { ApplicationProcess } from './application-process.ts';
import type { ApplicationSettings, HeadAnswer, PlaceAnswer, Question } from './application-protocol.ts';
import { ConsensusProcess } from './consensus-process.ts';
import { blockHashes, type ConsensusStatus, statusOf } from './consensus-rpc.ts';
import type { Link } from './link.ts';

const ANSWER_MS = 8_000;
const QUICK_ANSWER_MS = 2_000;
const KEY_STATE = 'priv_validator_state.json';
const NO_KEY_STATE = '{"height":"0","round":0,"step":0}\n';
const LAST_LINES = 3;
const LAST_CHARACTERS = 600;

export type ValidatorParts = {
  readonly place: number;
  readonly binary: string;
  readonly folder: string;
  readonly home: string;
  readonly application: ApplicationSettings;
  /** Every link at one end of which this validator is. */
  readonly links: readonly Link[];
};

/** One organisation: its application and its CometBFT, each in a process of its own, and what can befall them. */
export class Validator {
  readonly place: number;
  readonly parts: ValidatorParts;
  #application: ApplicationProcess | undefined;
  #consensus: ConsensusProcess | undefined;

  constructor(parts: ValidatorParts) {
    this.place = parts.place;
    this.parts = parts;
  }

  get rpcUrl(): string {
    return this.parts.application.rpcUrl;
  }

  get consensusLog(): string {
    return join(this.parts.folder, 'cometbft.log');
  }

  get applicationLog(): string {
    return join(this.parts.folder, 'application.log');
  }

  get isConsensusRunning(): boolean {
    return this.#consensus?.isRunning === true;
  }

  /** Starts what does not run. CometBFT ends by itself when its application does, and has to begin anew with it. */
  async start(): Promise<void> {
    const { application, binary, home } = this.parts;
    if (this.#application?.isRunning !== true) {
      await this.#consensus?.kill();
      this.#application = new ApplicationProcess(application, this.applicationLog);
      await this.#application.ready;
    }
    if (!this.isConsensusRunning) this.#consensus = new ConsensusProcess(binary, home, this.consensusLog);
  }

  async killApplication(): Promise<void> {
    await this.#application?.kill();
  }

  async killConsensus(): Promise<void> {
    await this.#consensus?.kill();
  }

  async killBoth(): Promise<void> {
    await Promise.all([this.killApplication(), this.killConsensus()]);
  }

  signalApplication(signal: NodeJS.Signals): void {
    this.#application?.signal(signal);
  }

  signalConsensus(signal: NodeJS.Signals): void {
    this.#consensus?.signal(signal);
  }

  ask<Answer>(question: Question, timeoutMs: number = ANSWER_MS): Promise<Answer> {
    if (this.#application === undefined) return Promise.reject(new Error('closed: it was not started'));
    return this.#application.ask<Answer>(question, timeoutMs);
  }

  submit(transaction: string): Promise<PlaceAnswer> {
    return this.ask({ ask: 'submit', transaction });
  }

  head(): Promise<HeadAnswer> {
    return this.ask({ ask: 'head' }, QUICK_ANSWER_MS);
  }

  status(): Promise<ConsensusStatus> {
    return statusOf(this.rpcUrl);
  }

  hashes(fromHeight: number, toHeight: number): Promise<Map<number, string>> {
    return blockHashes(this.rpcUrl, fromHeight, toHeight);
  }

  /** How long the log of its CometBFT is now. */
  consensusLogSize(): number {
    return statSync(this.consensusLog).size;
  }

  /** Whether its CometBFT has said something in its log since that was so long. */
  hasSaid(words: RegExp, since: number): boolean {
    return words.test(readFileSync(this.consensusLog).subarray(since).toString());
  }

  applicationHasSaid(words: RegExp): boolean {
    return words.test(readFileSync(this.applicationLog, 'utf8'));
  }

  /** The end of what its CometBFT has logged. */
  lastWords(): string {
    const lines = readFileSync(this.consensusLog, 'utf8').trim().split('\n');
    return lines.slice(-LAST_LINES).join(' / ').slice(-LAST_CHARACTERS);
  }

  /** The disk is lost; what is on paper, the keys and the settings, is there. The processes have ended. */
  wipe(): void {
    rmSync(this.parts.application.folder, { recursive: true, force: true });
    this.wipeConsensus();
  }

  wipeConsensus(): void {
    rmSync(join(this.parts.home, 'data'), { recursive: true, force: true });
    mkdirSync(join(this.parts.home, 'data'), { recursive: true });
    writeFileSync(join(this.parts.home, 'data', KEY_STATE), NO_KEY_STATE);
  }

  keepKeyState(): void {
    copyFileSync(this.#keyState(), join(this.parts.folder, KEY_STATE));
  }

  /** The key state is that of a copy from before, and no log of votes says otherwise; the processes have ended. */
  restoreKeyState(): void {
    copyFileSync(join(this.parts.folder, KEY_STATE), this.#keyState());
    rmSync(join(this.parts.home, 'data', 'cs.wal'), { recursive: true, force: true });
  }

  configure(settings: Readonly<Record<string, string>>): void {
    const path = join(this.parts.home, 'config', 'config.toml');
    writeFileSync(path, withSettings(readFileSync(path, 'utf8'), settings));
  }

  /** A machine set up from a backup of this one: the same keys, nothing else, and the key state of before. It has not started. */
  twin(rpcPort: number, p2pPort: number): Validator {
    const folder = join(this.parts.folder, 'twin');
    const home = join(folder, 'cometbft');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(home, 'data'), { recursive: true });
    cpSync(join(this.parts.home, 'config'), join(home, 'config'), { recursive: true });
    rmSync(join(home, 'config', 'node_key.json'));
    copyFileSync(join(this.parts.folder, KEY_STATE), join(home, 'data', KEY_STATE));
    const ledger = join(folder, 'ledger');
    const rpcUrl = `http://127.0.0.1:${rpcPort}`;
    const application = { ...this.parts.application, folder: ledger, rpcUrl };
    const twin = new Validator({ ...this.parts, folder, home, application });
    twin.configure({
      proxy_app: JSON.stringify(proxyAppOf({ path: join(ledger, 'abci.sock') })),
      'rpc.laddr': JSON.stringify(`tcp://127.0.0.1:${rpcPort}`),
      'p2p.laddr': JSON.stringify(`tcp://127.0.0.1:${p2pPort}`),
    });
    return twin;
  }

  #keyState(): string {
    return join(this.parts.home, 'data', KEY_STATE);
  }
}
