import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, sha256, toHex, utf8 } from '../../shared/index.ts';
import { CHUNK_BYTES, chunksOf } from '../audit/file-seal.ts';
import { BOX_OVERHEAD_BYTES, openBox, type Random, sealBox } from '../keys/sealed-box.ts';

const PLAIN_BYTES = CHUNK_BYTES - BOX_OVERHEAD_BYTES;

/** What the manifest says of one file of a backup: a hash of every 64 KiB. */
export type SealedFile = { readonly name: string; readonly size: number; readonly chunks: readonly string[] };

/**
 * Writes a file as AES-256-GCM boxes of 64 KiB each; name, place and whether it is the last are bound to each box, so
 * that none can be left out, swapped or put elsewhere.
 */
export class SealedFileWriter {
  readonly #file: FileHandle;
  readonly #name: string;
  readonly #key: Uint8Array;
  readonly #random: Random;
  readonly #pending = new Uint8Array(PLAIN_BYTES);
  readonly #chunks: string[] = [];
  #filled = 0;
  #size = 0;

  constructor(file: FileHandle, name: string, key: Uint8Array, random: Random) {
    this.#file = file;
    this.#name = name;
    this.#key = key;
    this.#random = random;
  }

  /** A new file with what `fill` writes. */
  static async fill(
    folder: string,
    name: string,
    key: Uint8Array,
    random: Random,
    fill: (writer: SealedFileWriter) => Promise<void>,
  ): Promise<SealedFile> {
    const file = await open(join(folder, name), 'wx', 0o600);
    try {
      const writer = new SealedFileWriter(file, name, key, random);
      await fill(writer);
      return await writer.finish();
    } finally {
      await file.close();
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === PLAIN_BYTES) await this.#flush(false);
      const part = bytes.subarray(at, at + PLAIN_BYTES - this.#filled);
      this.#pending.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
    }
  }

  async finish(): Promise<SealedFile> {
    await this.#flush(true);
    await this.#file.sync();
    return { name: this.#name, size: this.#size, chunks: this.#chunks };
  }

  async #flush(last: boolean): Promise<void> {
    const associated = chunkBinding(this.#name, this.#chunks.length, last);
    const box = sealBox(this.#key, this.#pending.subarray(0, this.#filled), associated, this.#random);
    await this.#file.writeFile(box);
    this.#chunks.push(toHex(sha256(box)));
    this.#size += box.length;
    this.#filled = 0;
  }
}

/** Reads it back; throws AppError `damaged` naming file and place. */
export async function* readSealedFile(
  path: string,
  name: string,
  key: Uint8Array,
): AsyncIterable<Uint8Array> {
  let index = 0;
  let ended = false;
  for await (const chunk of chunksOf(path)) {
    const plain: Uint8Array | undefined = ended
      ? undefined
      : openBox(key, chunk, chunkBinding(name, index, false));
    const last: Uint8Array | undefined =
      plain === undefined && !ended ? openBox(key, chunk, chunkBinding(name, index, true)) : undefined;
    if (plain === undefined && last === undefined) throw damagedBackup(name, index);
    ended = last !== undefined;
    yield (plain ?? last) as Uint8Array;
    index += 1;
  }
  if (!ended) throw damagedBackup(name, index);
}

function damagedBackup(name: string, index: number): AppError {
  return new AppError(
    'damaged',
    `The backup is damaged: ${name} at byte ${index * CHUNK_BYTES}. Use another backup.`,
  );
}

function chunkBinding(name: string, index: number, last: boolean): Uint8Array {
  return utf8(`careledger/vault-backup/v1\0${name}\0${index}\0${last ? 'last' : 'more'}`);
}
