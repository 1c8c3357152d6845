import {
  actionName,
  CONTRACT,
  decodeSinglePart,
  readGrantConsent,
  readReplaceConsent,
  readRevokeConsent,
} from '../../contracts/index.ts';
import {
  type Block,
  decodeTransaction,
  RESULT_CODES,
  type Transaction,
  type TransactionResult,
} from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import type { ConsentChanges } from '../consents/consent-view.ts';
import { contractOf } from './effective-transactions.ts';

/** What a block changed that the node keeps a view of. */
export interface BlockChanges {
  registry: boolean;
  consents: ConsentChanges | undefined;
  /** Consents whose terms stopped counting: revoked, or replaced by others. */
  ended: readonly Uint8Array[];
}

/** Reads from a committed block which views are out of date. Transactions of other contracts are not even decoded. */
export function changesOf(block: Block, results: readonly TransactionResult[]): BlockChanges {
  const patientAccounts = new Set<string>();
  const consentIds = new Set<string>();
  const ended: Uint8Array[] = [];
  let registry = false;
  for (const [index, bytes] of block.transactions.entries()) {
    if (results[index]?.code !== RESULT_CODES.ok) continue;
    const contract = contractOf(bytes);
    // A vote can admit an organisation, and remove one.
    if (contract === CONTRACT.registry || contract === CONTRACT.governance) registry = true;
    if (contract === CONTRACT.consent) addConsent(bytes, patientAccounts, consentIds, ended);
  }
  const touched = patientAccounts.size + consentIds.size > 0;
  return { registry, consents: touched ? { patientAccounts, consentIds } : undefined, ended };
}

function addConsent(
  bytes: Uint8Array,
  patientAccounts: Set<string>,
  consentIds: Set<string>,
  ended: Uint8Array[],
): void {
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok) return;
  patientAccounts.add(toHex(decoded.value.header.signer));
  const target = consentTarget(decoded.value);
  const { contract, action } = decoded.value.header;
  // Whether other terms permit less is not asked: new keys too many harm nobody.
  if (target !== undefined && actionName(contract, action) !== 'grant-consent') ended.push(target.consentId);
  if (target?.consentId !== undefined) consentIds.add(toHex(target.consentId));
  if (target?.patient !== undefined) patientAccounts.add(toHex(target.patient));
}

/** The consent that a transaction is about, and the patient where it names one. */
export function consentTarget({
  header,
  parts,
}: Transaction): { consentId: Uint8Array; patient?: Uint8Array } | undefined {
  const name = actionName(header.contract, header.action);
  if (name === 'grant-consent') return payloadOf(decodeSinglePart(parts, readGrantConsent));
  if (name === 'replace-consent') return payloadOf(decodeSinglePart(parts, readReplaceConsent));
  if (name === 'revoke-consent') return payloadOf(decodeSinglePart(parts, readRevokeConsent));
  return undefined;
}

/** What a decoder found; undefined where it found nothing that it could read. */
export function payloadOf<T>(result: { ok: true; value: T } | { ok: false }): T | undefined {
  return result.ok ? result.value : undefined;
}
