import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { PURPOSES } from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import { homeFolder } from '../home.ts';

/** Options that several commands share, each with its default and the variable that can set it. */
export const dataOption = (): Option =>
  new Option('-d, --data <folder>', "the node's data folder").env('CARELEDGER_DATA').default('./data');

export const nodeOption = (): Option =>
  new Option('-n, --node <url>', 'address of the node')
    .env('CARELEDGER_NODE')
    .default('http://127.0.0.1:8490');

export const vaultOption = (description: string): Option =>
  new Option('--vault <url>', description).env('CARELEDGER_VAULT');

export const walletOption = (): Option =>
  new Option('-w, --wallet <file>', "the patient's wallet")
    .env('CARELEDGER_WALLET')
    .default(join(homeFolder(), 'wallet.json'), '~/.careledger/wallet.json');

export const asOption = (): Option =>
  new Option('--as <keyfile>', 'key file (or wallet) of who asks')
    .env('CARELEDGER_KEY')
    .makeOptionMandatory();

export const purposeOption = (): Option =>
  new Option('--purpose <code>', 'purpose of use, a code of HL7 v3 ActReason')
    .argParser(oneOf(PURPOSES))
    .default(undefined, 'TREAT; PATRQT for a wallet');

/** Collects an option that can be given several times. */
export function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

/** Takes one of the values, and names them all where it is given another. */
export function oneOf(values: readonly string[]): (value: string) => string {
  return (value) => {
    if (values.includes(value)) return value;
    throw new InvalidArgumentError(`It is one of ${values.join(', ')}.`);
  };
}

/** The same for an option that can be given several times. */
export function collectOneOf(values: readonly string[]): (value: string, previous: string[]) => string[] {
  const checked = oneOf(values);
  return (value, previous) => collect(checked(value), previous);
}

/** An option that can be given several times, each time with one of the choices. */
export function repeatedChoice(flags: string, description: string, choices: readonly string[]): Option {
  // `choices` brings a parser of its own, which one that collects takes the place of; it stays for the help.
  return new Option(flags, description).choices(choices).argParser(collectOneOf(choices)).default([]);
}

/** How many, or which one. */
export function wholeNumberOf(option: string, text: string): number {
  if (/^\d{1,12}$/.test(text) && Number(text) > 0) return Number(text);
  throw new AppError('usage', `${option} is a whole number, from 1 on.`);
}

/** The number of a port; 0 lets the system choose. */
export function portOf(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new AppError('usage', 'A port is a number from 0 to 65535.');
}
