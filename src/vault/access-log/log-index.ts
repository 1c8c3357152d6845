import { MerkleLog, toHex } from '../../shared/index.ts';
import type { AccessFrame } from './frame.ts';

const FIRST_CAPACITY = 1024;

/** What is in memory of the log: the tree, where each frame begins, and which are a patient's. */
export class LogIndex {
  readonly tree = new MerkleLog();
  #offsets = new Float64Array(FIRST_CAPACITY);
  readonly #bySubject = new Map<string, number[]>();

  add(frame: Pick<AccessFrame, 'leaf' | 'subject'>, offset: number): number {
    const index = this.tree.append(frame.leaf);
    if (index >= this.#offsets.length) {
      const grown = new Float64Array(this.#offsets.length * 2);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    this.#offsets[index] = offset;
    const subject = toHex(frame.subject);
    const own = this.#bySubject.get(subject);
    if (own === undefined) this.#bySubject.set(subject, [index]);
    else own.push(index);
    return index;
  }

  offset(index: number): number {
    return this.#offsets[index] as number;
  }

  /** Ascending. */
  ofSubject(subject: Uint8Array): readonly number[] {
    return this.#bySubject.get(toHex(subject)) ?? [];
  }
}
