import { AppError } from '../../shared/index.ts';
import {
  formatReceipt,
  parseReceipt,
  type Receipt,
  type ReceiptBody,
  type RecordOpening,
} from './receipt-format.ts';

type ConsentOpening = NonNullable<ReceiptBody<'consent'>['opening']>;

/** The same receipt with the consent's terms opened. Whoever gets it reads the terms; without it they see a commitment. */
export function discloseConsent(receipt: string, opening: ConsentOpening): string {
  const opened = parsed(receipt);
  if (opened.kind !== 'consent')
    throw new AppError('invalid-request', 'This is not the receipt of a consent.');
  return formatReceipt({ ...opened, body: { ...opened.body, opening } });
}

/** The same receipt with the record's content, for whoever is to know what was committed to. */
export function discloseRecord(receipt: string, opening: RecordOpening): string {
  const opened = parsed(receipt);
  if (opened.kind !== 'record-version')
    throw new AppError('invalid-request', 'This is not the receipt of a record version.');
  return formatReceipt({ ...opened, body: { ...opened.body, opening } });
}

/** The same receipt without what was opened, to be shown to anybody. */
export function concealReceipt(receipt: string): string {
  const opened = parsed(receipt);
  if (opened.kind === 'consent') return formatReceipt({ ...opened, body: { ...opened.body, opening: null } });
  if (opened.kind === 'record-version')
    return formatReceipt({ ...opened, body: { ...opened.body, opening: null } });
  return receipt;
}

function parsed(receipt: string): Receipt {
  const opened = parseReceipt(receipt);
  if (opened.ok) return opened.value;
  throw new AppError('proof-refused', `The file is not a receipt that can be opened (${opened.error}).`);
}
