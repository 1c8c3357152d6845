import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { AppError } from '../../shared/index.ts';
import { homeFolder } from '../home.ts';

/** Options that several commands share, each with its default and the variable that can set it. */
export const dataOption = (): Option =>
  new Option('-d, --data <folder>', "the node's data folder").env('CARELEDGER_DATA').default('./data');

export const nodeOption = (): Option =>
  new Option('-n, --node <url>', 'address of the node')
    .env('CARELEDGER_NODE')
    .default('http://127.0.0.1:8490');

export const walletOption = (): Option =>
  new Option('-w, --wallet <file>', "the patient's wallet")
    .env('CARELEDGER_WALLET')
    .default(join(homeFolder(), 'wallet.json'), '~/.careledger/wallet.json');

export const asOption = (): Option =>
  new Option('--as <keyfile>', 'key file (or wallet) of who asks')
    .env('CARELEDGER_KEY')
    .makeOptionMandatory();

export const purposeOption = (): Option =>
  new Option('--purpose <code>', 'purpose of use, a code of HL7 v3 ActReason').default(
    undefined,
    'TREAT; PATRQT for a wallet',
  );

/** Collects an option that can be given several times. */
export function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

/** An option that can be given several times, each time with one of the choices. */
export function repeatedChoice(flags: string, description: string, choices: readonly string[]): Option {
  // `choices` brings a parser of its own, which one that collects takes the place of; it stays for the help.
  return new Option(flags, description)
    .choices(choices)
    .argParser((value: string, previous: string[]) => {
      if (choices.includes(value)) return collect(value, previous);
      throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`);
    })
    .default([]);
}

/** The number of a port; 0 lets the system choose. */
export function portOf(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new AppError('usage', 'A port is a number from 0 to 65535.');
}
