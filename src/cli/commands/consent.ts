import { Command, Option } from 'commander';
import { PURPOSES } from '../../contracts/index.ts';
import { readWallet } from '../connect.ts';
import { LABELS } from '../consent-resource.ts';
import { type Terminal, table } from '../terminal.ts';
import { appoint, dismiss } from './consent-delegates.ts';
import { closeReceipt, openReceipt } from './consent-receipts.ts';
import { type RevokeOptions, revoke } from './consent-revoke.ts';
import { dateText, grant, replace, type TermsOptions } from './consent-terms.ts';
import { collect, collectOneOf, nodeOption, repeatedChoice, walletOption } from './options.ts';

const DEFAULT_DAYS = '365';

const viaOption = (): Option =>
  new Option('--via <url>', 'submit through this other node of the consortium').env('CARELEDGER_VIA');

/** `consent`: grant, replace, revoke, list; delegates; and open a receipt's terms to somebody. */
export function consentCommand(terminal: Terminal): Command {
  const consent = new Command('consent').description('who may read my record');
  addTermsOptions(
    consent
      .command('grant')
      .description('let somebody read; signed by the wallet and recorded on the ledger'),
  ).action((options: TermsOptions) => grant(options, terminal));
  addTermsOptions(
    consent
      .command('replace')
      .description('put other terms in place of those of a consent; the old ones end at once, all of them')
      .argument('<consentId>', 'as `consent list` shows it'),
  ).action((consentId: string, options: TermsOptions) => replace(consentId, options, terminal));
  consent
    .command('revoke')
    .description('take a consent back')
    .argument('[consentId]', 'as `consent list` shows it')
    .addOption(walletOption())
    .addOption(nodeOption())
    .addOption(viaOption())
    .option('--all', "every active consent of one's own that this wallet signed")
    .option('--receipt <file>', 'save the receipt (of the last one)')
    .action((consentId: string | undefined, options: RevokeOptions) => revoke(consentId, options, terminal));
  addDelegateCommands(consent, terminal);
  addReceiptCommands(consent, terminal);
  consent
    .command('list')
    .description('the consents this wallet signed, and the delegates it named')
    .addOption(walletOption())
    .action((options: { wallet: string }) => list(options, terminal));
  return consent;
}

/** Who may do what, and where it is sent: of `grant` and `replace`. */
function addTermsOptions(command: Command): Command {
  return command
    .addOption(walletOption())
    .addOption(nodeOption())
    .addOption(viaOption())
    .option('--for <patient>', 'as a delegate of this patient, named as `consent delegate` told them')
    .option('--to <account>', 'who: an account id or a key file (several: repeat)', collect, [])
    .option(
      '--purpose <code>',
      'for what, a code of HL7 v3 ActReason (repeat); for everything unless you say',
      collectOneOf(PURPOSES),
      [],
    )
    .option(
      '--action <code>',
      'access, use, disclose, collect, correct (repeat); all but the last two unless you say',
      collect,
      [],
    )
    .option('--type <type>', 'only these resource types (repeat)', collect, [])
    .option('--code <system|code>', 'only these codes (repeat)', collect, [])
    .addOption(repeatedChoice('--withhold <label>', 'never these sensitive records (repeat)', LABELS))
    .option('--include-sensitive', 'sensitive records too, but those withheld and sealed ones')
    .option('--days <number>', 'for how long', DEFAULT_DAYS)
    .option('--file <consent.json>', 'a FHIR R4 Consent, instead of the options from --to to --days')
    .option('--receipt <file>', 'save the receipt')
    .option('--open', 'with the terms in the receipt, for everybody who gets it to read');
}

function addDelegateCommands(consent: Command, terminal: Terminal): void {
  consent
    .command('delegate')
    .description('let another patient of the hospital (a parent, a carer) read and consent for me')
    .requiredOption('--to <account>', 'their account, as their `wallet show` tells it')
    .addOption(walletOption())
    .addOption(nodeOption())
    .action((options: Parameters<typeof appoint>[0]) => appoint(options, terminal));
  consent
    .command('dismiss')
    .description('end what a delegate may; what they consented to for me stands until it is revoked')
    .argument('<account>', 'their account, as `consent list` shows it')
    .addOption(walletOption())
    .addOption(nodeOption())
    .addOption(viaOption())
    .action((account: string, options: Parameters<typeof dismiss>[1]) => dismiss(account, options, terminal));
}

function addReceiptCommands(consent: Command, terminal: Terminal): void {
  consent
    .command('open')
    .description("put the terms into a receipt of this wallet's consent: who gets it can read and check them")
    .argument('<receipt>', 'the receipt')
    .addOption(walletOption())
    .requiredOption('--out <file>', 'where to save the opened receipt')
    .action((receipt: string, options: { wallet: string; out: string }) =>
      openReceipt(receipt, options, terminal),
    );
  consent
    .command('close')
    .description('take the terms out of a receipt again, to show it to anybody')
    .argument('<receipt>', 'the receipt')
    .requiredOption('--out <file>', 'where to save the closed receipt')
    .action((receipt: string, options: { out: string }) => closeReceipt(receipt, options, terminal));
}

async function list(options: { wallet: string }, terminal: Terminal): Promise<void> {
  const { consents, delegates } = await readWallet(options.wallet);
  const rows = [
    ...consents.map(({ consentId, status, validUntilMs, onBehalfOf }) => [
      consentId.slice(0, 16),
      status,
      `until ${dateText(validUntilMs)}${onBehalfOf === undefined ? '' : `, for ${onBehalfOf}`}`,
    ]),
    ...delegates.map(({ accountId, status }) => [accountId.slice(0, 16), status, 'delegate']),
  ];
  terminal.answer({ consents, delegates }, rows.length === 0 ? 'No consents yet.' : table(rows));
}
