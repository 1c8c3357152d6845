import { readFileSync } from 'node:fs';
import { concealReceipt, consentOpening, discloseConsent, verifyReceipt } from '../../client/index.ts';
import { AppError } from '../../shared/index.ts';
import { readWallet } from '../connect.ts';
import { writeNew } from '../private-output.ts';
import type { Terminal } from '../terminal.ts';

/** Puts the terms into a receipt. The wallet does not know which consent it is of; only the right terms open its commitment. */
export async function openReceipt(
  file: string,
  options: { wallet: string; out: string },
  terminal: Terminal,
): Promise<void> {
  const { consents } = await readWallet(options.wallet);
  const receipt = readText(file);
  for (const consent of consents) {
    const opened = discloseConsent(receipt, consentOpening(consent));
    const verdict = verifyReceipt(opened);
    if (!verdict.ok) continue;
    writeNew(options.out, opened);
    return terminal.answer(
      { out: options.out, consentId: consent.consentId },
      `Opened: who gets ${options.out} can read what was consented to.`,
    );
  }
  throw new AppError(
    'not-found',
    'This is not a receipt of a consent that this wallet signed, as it is there now.',
  );
}

/** Takes the terms out of a receipt again. */
export function closeReceipt(file: string, { out }: { out: string }, terminal: Terminal): void {
  writeNew(out, concealReceipt(readText(file)));
  terminal.answer({ out }, `Closed: ${out} shows a commitment and no terms.`);
}

/** Says where the receipt of a change was saved. */
export function receiptNote(file: string | undefined): string {
  return file === undefined ? '' : ` The receipt is in ${file}.`;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AppError('file-failed', `${file} cannot be read.`, { cause });
  }
}
