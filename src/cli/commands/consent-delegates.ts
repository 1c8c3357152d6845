import { type NodeClient, signDelegation, type Wallet } from '../../client/index.ts';
import { decodeParty } from '../../contracts/index.ts';
import { AppError, equalBytes, fromHex, toHex } from '../../shared/index.ts';
import { accountOf } from '../account-argument.ts';
import { connectPatient, readWallet } from '../connect.ts';
import type { Terminal } from '../terminal.ts';
import { doorFor, whenItCounts } from './chosen-consent.ts';
import { representedName } from './represented.ts';

interface DelegationOptions {
  wallet: string;
  node: string;
}

/** Lets another patient of the same hospital read the record and change the consents. */
export async function appoint(
  options: DelegationOptions & { to: string },
  terminal: Terminal,
): Promise<void> {
  const wallet = await readWallet(options.wallet);
  const { client, identity, enrolment, custodian } = await connectPatient(options.node, wallet);
  const delegate = fromHex(accountOf(options.to)) as Uint8Array;
  if (equalBytes(delegate, identity.accountId))
    throw new AppError('usage', 'This is your own account: name that of somebody else.');
  await requirePatientOf(custodian, delegate, client);
  const kept = { accountId: toHex(delegate), custodian: toHex(custodian) };
  // Whoever heard no answer asks again, and is told the same.
  if (!(await isAppointed(identity.accountId, delegate, client))) {
    await wallet.saveDelegate({ ...kept, status: 'submitted' });
    const place = await client.signingPlace(identity.accountId);
    await client.submit(signDelegation('appoint-delegate', delegate, place, identity).transaction);
  }
  await wallet.saveDelegate({ ...kept, status: 'active' });
  const name = representedName(enrolment.patientId, identity.accountId);
  terminal.answer(
    { delegate: kept.accountId, for: name },
    `Named. Until you dismiss them they read your record and change your consents. Give them what they say with --for: ${name}`,
  );
}

/** Ends it. */
export async function dismiss(
  text: string,
  options: DelegationOptions & { via?: string },
  terminal: Terminal,
): Promise<void> {
  const wallet = await readWallet(options.wallet);
  const { accountId, custodian } = delegateNamed(wallet, text);
  const { client, identity } = await doorFor(custodian, wallet, options);
  const delegate = fromHex(accountId) as Uint8Array;
  if (!(await isAppointed(identity.accountId, delegate, client))) {
    await wallet.forgetDelegate(accountId);
    throw new AppError('not-found', 'The ledger has no such delegate of yours.');
  }
  const place = await client.signingPlace(identity.accountId);
  await client.submit(signDelegation('dismiss-delegate', delegate, place, identity).transaction);
  await wallet.forgetDelegate(accountId);
  terminal.answer(
    { dismissed: accountId },
    `Dismissed: ${whenItCounts(options.via, 'the delegation')}. The consents they signed for you stand until you revoke them.`,
  );
}

/** The first characters do for one that this wallet knows. */
function delegateNamed({ delegates }: Wallet, text: string): { accountId: string; custodian?: string } {
  const [known, another] = delegates.filter(({ accountId }) => accountId.startsWith(text));
  return known !== undefined && another === undefined ? known : { accountId: accountOf(text) };
}

async function isAppointed(patient: Uint8Array, delegate: Uint8Array, client: NodeClient): Promise<boolean> {
  return (await client.stateValue({ table: 'delegate', ids: [patient, delegate] })) !== undefined;
}

/** The ledger takes any patient; with a pseudonym at another hospital nobody could read here. */
async function requirePatientOf(
  custodian: Uint8Array,
  account: Uint8Array,
  client: NodeClient,
): Promise<void> {
  const value = await client.stateValue({ table: 'party', ids: [account] });
  const party = value && decodeParty(value);
  if (party?.kind === 'patient' && equalBytes(party.organisation, custodian)) return;
  throw new AppError(
    'not-found',
    'No patient of this hospital has that account. A delegate needs a wallet that is enrolled here: `careledger wallet show` tells its account.',
  );
}
