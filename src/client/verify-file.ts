import { readFile, stat } from 'node:fs/promises';
import { AppError, fromUtf8 } from '../shared/index.ts';
import { isForkEvidence, verifyForkEvidence } from './light/fork-evidence.ts';
import { type FileTrust, MAX_RECEIPT_CHARACTERS, type ProofVerdict, verifyText } from './receipts/index.ts';

/** UTF-8 may take up to three bytes for a character of the limit. */
const MAX_FILE_BYTES = 3 * MAX_RECEIPT_CHARACTERS;

/** Verifies a proof file, offline. Throws only when the file cannot be read; what is in it gives a verdict. */
export async function verifyFile(path: string, trust: FileTrust = {}): Promise<ProofVerdict> {
  const bytes = await readBounded(path);
  const text = fromUtf8(bytes);
  return verifyText(text ?? '\ufffd', trust);
}

/** Verifies a file that proves a fork of a consortium's chain; undefined for any other file. */
export async function verifyForkFile(
  path: string,
  trust: FileTrust = {},
): Promise<ReturnType<typeof verifyForkEvidence> | undefined> {
  const text = fromUtf8(await readBounded(path));
  return text !== undefined && isForkEvidence(text) ? verifyForkEvidence(text, trust) : undefined;
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES)
      throw new AppError('body-too-large', `The file ${path} is larger than any proof file.`);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new AppError(
      isMissing ? 'not-found' : 'file-failed',
      `The file ${path} ${isMissing ? 'does not exist' : 'cannot be read'}.`,
      { cause },
    );
  }
}
