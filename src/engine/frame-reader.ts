import { decodeFrame, FRAME_HEADER_BYTES, type Frame, frameLength } from './frame.ts';
import type { StoredFile } from './storage.ts';

const READ_AHEAD_BYTES = 1024 * 1024;

/** Sequential reading with read-ahead, so that many small frames cost few system calls. */
export class FrameReader {
  readonly #file: StoredFile;
  readonly #limit: number;
  #buffer: Uint8Array = new Uint8Array(0);
  #bufferOffset = 0;

  /** Bytes at and after `limit` are treated as not there. */
  constructor(file: StoredFile, limit: number) {
    this.#file = file;
    this.#limit = limit;
  }

  /** The frame at `offset`; throws FrameError when what stands there is not that frame. */
  async frameAt(offset: number, height: number, previousHash: Uint8Array): Promise<Frame> {
    const length = frameLength(await this.bytesAt(offset, FRAME_HEADER_BYTES));
    return decodeFrame(await this.bytesAt(offset, length), offset, height, previousHash);
  }

  /** Up to `length` bytes; fewer only before the limit or the end of the file. */
  async bytesAt(offset: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.#limit - offset));
    const start = offset - this.#bufferOffset;
    if (start >= 0 && start + wanted <= this.#buffer.length)
      return this.#buffer.subarray(start, start + wanted);
    const ahead = Math.min(Math.max(wanted, READ_AHEAD_BYTES), this.#limit - offset);
    this.#buffer = ahead > 0 ? await this.#file.read(offset, ahead) : new Uint8Array(0);
    this.#bufferOffset = offset;
    return this.#buffer.subarray(0, Math.min(wanted, this.#buffer.length));
  }
}
