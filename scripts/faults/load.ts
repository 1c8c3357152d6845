import type { Random } from '../../src/engine/power-loss-storage.ts';
import {
  consentGrant,
  enrolment,
  type SampleChain,
  type SampleSigner,
  sampleSigner,
} from '../../src/engine/sample-chain.ts';
import { decodeTransaction, transactionId } from '../../src/ledger/index.ts';
import { toHex } from '../../src/shared/index.ts';
import type { PlaceAnswer } from './application-protocol.ts';
import type { Validator } from './validator.ts';
import { sleep } from './waiting.ts';

const PATIENTS = 8;
const PAUSE_MS = 60;
const RETRY_MS = 150;
/** So often a transaction is given to two nodes at once, as an impatient client does. */
const TWICE = 0.15;
const REPLAYED = 'sequence-replayed';

type Acknowledgement = PlaceAnswer & { readonly by: number };
type Outstanding = { readonly id: string; readonly bytes: string };

/**
 * Clients that submit signed transactions to nodes at random and repeat the same bytes until some node acknowledges them.
 * Each has one under way at a time; its next number is used once the one before is acknowledged.
 */
export class Load {
  readonly acknowledged = new Map<string, Acknowledgement>();
  /** What a node said that cannot be true together with what was said before or after. */
  readonly contradictions: string[] = [];
  readonly signers: readonly SampleSigner[];
  readonly #chain: SampleChain;
  readonly #validators: readonly Validator[];
  readonly #random: Random;
  readonly #marker: SampleSigner;
  readonly #distrusted = new Set<number>();
  readonly #saidReplayed = new Map<string, number>();
  readonly #outstanding = new Set<Outstanding>();
  #loops: Promise<void>[] = [];
  #isStopping = false;
  #isOver = false;

  constructor(chain: SampleChain, validators: readonly Validator[], random: Random) {
    this.#chain = chain;
    this.#validators = validators;
    this.#random = random;
    const patients = Array.from({ length: PATIENTS }, (_, at) => sampleSigner(1, `patient ${at}`));
    this.#marker = sampleSigner(1, 'marker');
    this.signers = [chain.custodian, ...patients, this.#marker];
  }

  /** Enrols the patients, then loads the nodes until told to stop. */
  async start(): Promise<void> {
    const [, ...enrolled] = this.signers;
    for (const patient of enrolled) await this.#deliver(enrolment(this.#chain, patient));
    this.#loops = enrolled.slice(0, PATIENTS).map((patient) => this.#submitForEver(patient));
  }

  /** How long until a transaction that is new now is acknowledged by any node that is asked. All are asked. */
  async timeToMoveMs(): Promise<number> {
    const before = performance.now();
    await this.#deliver(consentGrant(this.#chain, this.#marker), this.#trusted());
    return performance.now() - before;
  }

  /** From now on nothing is sent to this node, and nothing it says is believed. */
  distrust(place: number): void {
    this.#distrusted.add(place);
  }

  trust(place: number): void {
    this.#distrusted.delete(place);
  }

  /** Stops making new transactions; resolves when everything under way is acknowledged. */
  async settle(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#loops);
  }

  /** Stops repeating; how many transactions nobody has acknowledged. */
  giveUp(): number {
    this.#isOver = true;
    this.#isStopping = true;
    return this.#outstanding.size;
  }

  async #submitForEver(patient: SampleSigner): Promise<void> {
    while (!this.#isStopping) {
      await this.#deliver(consentGrant(this.#chain, patient));
      await sleep(PAUSE_MS);
    }
  }

  /** Every node that is asked gets the bytes again and again until one of them acknowledges. */
  async #deliver(transaction: Uint8Array, to?: readonly Validator[]): Promise<void> {
    const one = { id: idOf(transaction), bytes: toHex(transaction) };
    this.#outstanding.add(one);
    if (to === undefined) {
      const senders = this.#random() < TWICE ? [1, 2] : [1];
      await Promise.race(senders.map(() => this.#repeat(one, () => this.#anyTrusted())));
    } else await Promise.race(to.map((validator) => this.#repeat(one, () => validator)));
    this.#outstanding.delete(one);
  }

  async #repeat(one: Outstanding, next: () => Validator): Promise<void> {
    while (!this.#isOver && !this.acknowledged.has(one.id)) {
      const validator = next();
      await validator.submit(one.bytes).then(
        (place) => this.#noteAcknowledgement(one, { ...place, by: validator.place }),
        (error) => this.#noteRefusal(one, validator.place, error),
      );
      if (!this.acknowledged.has(one.id)) await sleep(RETRY_MS);
    }
  }

  #noteAcknowledgement({ id }: Outstanding, place: Acknowledgement): void {
    if (this.#distrusted.has(place.by)) return;
    const first = this.acknowledged.get(id);
    if (first === undefined) this.acknowledged.set(id, place);
    else if (placeText(first) !== placeText(place))
      this.contradictions.push(
        `transaction ${id} was acknowledged at ${placeText(first)} by node ${first.by} and at ${placeText(place)} by node ${place.by}`,
      );
    const saidBy = this.#saidReplayed.get(id);
    this.#saidReplayed.delete(id);
    if (saidBy !== undefined)
      this.contradictions.push(
        `transaction ${id} was refused as ${REPLAYED} by node ${saidBy} and acknowledged by node ${place.by}`,
      );
  }

  /** A node that is behind may not know the signer yet; but whoever says that the number is used says that this is not recorded. */
  #noteRefusal({ id }: Outstanding, by: number, error: unknown): void {
    const isReplayed = error instanceof Error && error.message.includes(REPLAYED);
    if (isReplayed && !this.#distrusted.has(by)) this.#saidReplayed.set(id, by);
  }

  #trusted(): Validator[] {
    return this.#validators.filter(({ place }) => !this.#distrusted.has(place));
  }

  #anyTrusted(): Validator {
    const trusted = this.#trusted();
    return trusted[Math.floor(this.#random() * trusted.length)] as Validator;
  }
}

export function placeText({ height, index, code, leafIndex }: PlaceAnswer): string {
  return `block ${height}, place ${index}, leaf ${leafIndex}, result ${code}`;
}

function idOf(bytes: Uint8Array): string {
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok) throw decoded.error;
  return toHex(transactionId(decoded.value.header));
}
