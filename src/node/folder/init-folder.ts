import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { publicKeyOf } from '../../identity/index.ts';
import { decodeGenesis, encodeGenesis, type Genesis } from '../../ledger/index.ts';
import { AppError } from '../../shared/index.ts';
import { makePrivateFolder, readFileIfThere, writePrivateFile } from './files.ts';
import { type DataFolder, dataFolder } from './layout.ts';
import { choosePassphrase, findPassphrase, type Passphrase } from './passphrase.ts';
import { readSigningKeys, type SigningKeys, writeSigningKeys } from './signing-keys.ts';

const FORMAT = 'careledger-node/v1';
const NETWORK_NAME = /^[ -~]{1,50}$/;

/** What a data folder says about itself; holds no secret and nothing about a person. */
export interface FolderDescription {
  organisationName: string;
  networkName: string;
  createdMs: number;
  /** `sqlite`, or `postgres` when every start must name the database. */
  vault: 'sqlite' | 'postgres';
  /** Whether sample patients and demo keys belong in it. */
  withSamples: boolean;
  /** Who orders transactions: this node alone, or a consortium's consensus. */
  engine: 'embedded' | 'cometbft';
}

/** An opened data folder: everything a node needs before it opens ledger and vault. */
export interface OpenedFolder {
  folder: DataFolder;
  description: FolderDescription;
  genesis: Genesis;
  keys: SigningKeys;
  passphrase: Passphrase;
  /** Made by this call: ledger and vault may be created in it. */
  isNew: boolean;
}

export interface InitOptions {
  path: string;
  organisationName: string;
  vault: 'sqlite' | 'postgres';
  withSamples: boolean;
  passphrase: string | undefined;
  nowMs: number;
}

/** Whether a path holds a data folder that was completely initialised: the description is written last. */
export function isInitialised(path: string): boolean {
  return existsSync(dataFolder(path).description);
}

/** Whether a path holds the data folder of an organisation that joined a network. */
export function isMember(path: string): boolean {
  return isInitialised(path) && readDescription(dataFolder(path)).engine === 'cometbft';
}

/** Creates keys, genesis and description in a new or empty folder. */
export function initFolder(options: InitOptions): OpenedFolder {
  const networkName = toNetworkName(options.organisationName);
  const prepared = prepareFolder(options.path, options.passphrase);
  const genesis = {
    networkName,
    timeMs: options.nowMs,
    operatorKey: publicKeyOf(prepared.keys.operatorSeed),
    organisationKeys: [publicKeyOf(prepared.keys.custodianSeed)],
    validators: [],
  };
  return completeFolder(prepared, genesis, { ...options, engine: 'embedded' });
}

/** A folder with keys and nothing else yet. */
export type PreparedFolder = Pick<OpenedFolder, 'folder' | 'keys' | 'passphrase'>;

/** Makes the folders and keys of a node. */
export function prepareFolder(path: string, passphraseGiven: string | undefined): PreparedFolder {
  const folder = dataFolder(path);
  refuseOccupied(folder, path);
  for (const part of [folder.root, folder.ledger, folder.vault, folder.keys]) makePrivateFolder(part);
  const passphrase = choosePassphrase(folder, passphraseGiven);
  const keys = {
    operatorSeed: new Uint8Array(randomBytes(32)),
    custodianSeed: new Uint8Array(randomBytes(32)),
  };
  writeSigningKeys(folder.signingKeys, keys, passphrase.text);
  return { folder, keys, passphrase };
}

/** Opens a folder that has keys and waits for what its ledger begins with. */
export function reopenPrepared(path: string, passphraseGiven: string | undefined): PreparedFolder {
  const folder = dataFolder(path);
  if (existsSync(folder.description))
    throw new AppError('folder-not-empty', `${path} belongs to a ledger already. Start it.`);
  const passphrase = findPassphrase(folder, passphraseGiven);
  return { folder, keys: readSigningKeys(folder.signingKeys, passphrase.text), passphrase };
}

/** Settles what the ledger begins with. The description is written last: with it the folder is a data folder. */
export function completeFolder(
  prepared: PreparedFolder,
  genesis: Genesis,
  options: Omit<InitOptions, 'path' | 'passphrase'> & { engine: FolderDescription['engine'] },
): OpenedFolder {
  const { organisationName, nowMs: createdMs, vault, withSamples, engine } = options;
  const { networkName } = genesis;
  const description = { organisationName, networkName, createdMs, vault, withSamples, engine };
  writePrivateFile(prepared.folder.genesis, encodeGenesis(genesis));
  writePrivateFile(
    prepared.folder.description,
    `${JSON.stringify({ format: FORMAT, ...description }, null, 1)}\n`,
  );
  return { ...prepared, description, genesis, isNew: true };
}

/** Opens a folder that `initFolder` made. */
export function openFolder(path: string, passphraseFromEnvironment: string | undefined): OpenedFolder {
  const folder = dataFolder(path);
  const description = readDescription(folder);
  const passphrase = findPassphrase(folder, passphraseFromEnvironment);
  const keys = readSigningKeys(folder.signingKeys, passphrase.text);
  return {
    folder,
    description,
    genesis: readGenesis(folder),
    keys,
    passphrase,
    isNew: hasNoVault(folder),
  };
}

/** Whether no node has made a vault here yet. */
export function hasNoVault(folder: DataFolder): boolean {
  return !existsSync(folder.vaultKeys) && readdirSync(folder.vault).length === 0;
}

/** Where the vault is in PostgreSQL, nothing in the folder says in which database. */
export function refuseUnnamedVault(description: FolderDescription, vaultUrl: string | undefined): void {
  if (description.vault !== 'postgres' || vaultUrl !== undefined) return;
  throw new AppError(
    'usage',
    'The vault of this data folder is in PostgreSQL: name it with --vault postgres://….',
  );
}

/** What a data folder says about itself, without opening its keys. */
export function readDescription(folder: DataFolder): FolderDescription {
  const bytes = readFileIfThere(folder.description);
  if (bytes === undefined) {
    throw new AppError(
      'folder-not-initialised',
      `${folder.root} is not a data folder. Run \`careledger start\` or \`careledger init\` first, or name one with --data.`,
    );
  }
  try {
    const { format, ...description } = JSON.parse(bytes.toString('utf8')) as FolderDescription & {
      format: string;
    };
    if (format === FORMAT) return description;
  } catch {
    // Falls through to the same answer.
  }
  throw new AppError('damaged', `${folder.description} is damaged. Restore it from a backup.`);
}

function readGenesis(folder: DataFolder): Genesis {
  const bytes = readFileIfThere(folder.genesis);
  const genesis = bytes === undefined ? undefined : decodeGenesis(bytes);
  if (genesis?.ok === true) return genesis.value;
  throw new AppError('damaged', `${folder.genesis} is missing or damaged. Restore it from a backup.`);
}

/** A folder that holds anything but the remains of an interrupted first start is not ours to fill. */
function refuseOccupied(folder: DataFolder, path: string): void {
  if (!existsSync(folder.root)) return;
  if (existsSync(folder.description))
    throw new AppError(
      'folder-not-empty',
      `${path} is a data folder already. Start it, or choose another with --data.`,
    );
  for (const part of [folder.ledger, folder.vault]) {
    if (!existsSync(part) || readdirSync(part).length === 0) continue;
    throw new AppError(
      'damaged',
      `${path} holds records but not its node.json. Nothing was changed; restore the file from a backup.`,
    );
  }
  const foreign = readdirSync(folder.root).filter(
    (name) =>
      !['ledger', 'vault', 'keys', 'demo', 'genesis.bin', 'genesis.bin.new', 'node.json.new'].includes(name),
  );
  if (foreign.length > 0)
    throw new AppError('folder-not-empty', `${path} is not empty. Choose a new folder with --data.`);
}

function toNetworkName(organisationName: string): string {
  const name = organisationName
    .normalize('NFKD')
    .replace(/[^ -~]/g, '')
    .slice(0, 50)
    .trim();
  if (NETWORK_NAME.test(name)) return name;
  throw new AppError('usage', 'The name of the organisation needs at least one ASCII letter.');
}
