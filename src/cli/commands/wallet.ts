import { Command } from 'commander';
import { createWallet, enrolmentRequest } from '../../client/index.ts';
import { AppError, toHex } from '../../shared/index.ts';
import { connect, connectPatient, custodianOf, openSession, readWallet } from '../connect.ts';
import { makeFolderOf } from '../home.ts';
import { printable } from '../printable.ts';
import { readSecret } from '../secrets.ts';
import { type Terminal, table } from '../terminal.ts';
import { nodeOption, walletOption } from './options.ts';

const MIN_PASSPHRASE_CHARS = 8;

/** `wallet`: make one, bind it to a patient, look at it. */
export function walletCommand(terminal: Terminal): Command {
  const wallet = new Command('wallet').description("a patient's keys, in a file that only the patient reads");
  wallet
    .command('create')
    .description('make a wallet; CARELEDGER_WALLET_PASSPHRASE encrypts its seed')
    .addOption(walletOption())
    .action(async (options: { wallet: string }) => {
      const passphrase = newPassphrase(terminal);
      makeFolderOf(options.wallet);
      await createWallet(options.wallet, { passphrase });
      terminal.answer(
        { wallet: options.wallet },
        `Made the wallet ${options.wallet}. Keep a copy somewhere safe: nobody else has this key.`,
      );
    });
  wallet
    .command('enrol')
    .description('bind the wallet to a patient with the one-time code of the hospital')
    .addOption(walletOption())
    .addOption(nodeOption())
    .option('--code-file <file>', 'file that holds the code (else CARELEDGER_ENROL_CODE, or a prompt)')
    .action((options: { wallet: string; node: string; codeFile?: string }) => enrol(options, terminal));
  wallet
    .command('show')
    .description('where the wallet is enrolled, without its secret')
    .addOption(walletOption())
    .action(async (options: { wallet: string }) => {
      const { enrolments, consents } = await readWallet(options.wallet);
      const rows = enrolments.map(({ patientId, baseUrl, accountId }) => [
        `Patient/${patientId}`,
        baseUrl,
        accountId,
      ]);
      terminal.answer(
        { enrolments, consents: consents.length },
        rows.length === 0 ? 'Not enrolled anywhere yet.' : table(rows),
      );
    });
  wallet
    .command('sealed')
    .description('the records that only a wallet of yours opens; `read --as WALLET` does')
    .addOption(walletOption())
    .addOption(nodeOption())
    .action((options: { wallet: string; node: string }) => listSealed(options, terminal));
  return wallet;
}

async function listSealed(options: { wallet: string; node: string }, terminal: Terminal): Promise<void> {
  const { client, identity } = await connectPatient(options.node, await readWallet(options.wallet));
  const records = await client.sealedVersions(await openSession(client, identity, 'PATRQT'));
  const rows = records.map(({ resourceType, id, version, lastUpdated }) => [
    `${resourceType}/${id}/_history/${version}`,
    lastUpdated,
  ]);
  terminal.answer({ records }, rows.length === 0 ? 'No record is sealed to you.' : table(rows));
}

function newPassphrase(terminal: Terminal): string | undefined {
  const passphrase = process.env.CARELEDGER_WALLET_PASSPHRASE ?? '';
  if (passphrase === '') {
    terminal.warn(
      'Warning: CARELEDGER_WALLET_PASSPHRASE is not set. Whoever gets the file of this wallet can act as the patient.',
    );
    return undefined;
  }
  if (passphrase.length >= MIN_PASSPHRASE_CHARS) return passphrase;
  throw new AppError(
    'usage',
    `CARELEDGER_WALLET_PASSPHRASE must have at least ${MIN_PASSPHRASE_CHARS} characters.`,
  );
}

async function enrol(
  options: { wallet: string; node: string; codeFile?: string },
  terminal: Terminal,
): Promise<void> {
  const wallet = await readWallet(options.wallet);
  const client = connect(options.node);
  const code = await readSecret('One-time code', {
    file: options.codeFile,
    variable: 'CARELEDGER_ENROL_CODE',
  });
  const custodian = await custodianOf(client);
  const { chainId } = await client.genesis();
  const enrolled = await client.enrol(enrolmentRequest(wallet.seed, custodian, chainId, code));
  await wallet.saveEnrolment({
    baseUrl: client.baseUrl,
    chainId: toHex(chainId),
    custodian: toHex(custodian),
    ...enrolled,
  });
  terminal.answer(
    enrolled,
    printable(
      `Enrolled as Patient/${enrolled.patientId}. On the ledger you are the pseudonym ${enrolled.accountId}.`,
    ),
  );
}
