import { existsSync } from 'node:fs';
import { configureHome, consensusGenesis, createHome, findCometBft, proxyAppOf } from '../../engine/index.ts';
import { publicKeyOf } from '../../identity/index.ts';
import { AppError, equalBytes, fromBase64 } from '../../shared/index.ts';
import { makePrivateFolder, readFileIfThere, writePrivateFile } from '../folder/files.ts';
import {
  completeFolder,
  type OpenedFolder,
  type PreparedFolder,
  prepareFolder,
  reopenPrepared,
} from '../folder/init-folder.ts';
import type { DataFolder } from '../folder/layout.ts';
import { decodeCard, encodeCard, type NetworkCard } from './network-card.ts';
import { decodeNetwork, encodeNetwork, genesisOfNetwork, type NetworkFile } from './network-file.ts';
import { abciAddress, type NetworkSettings, readSettings, writeSettings } from './network-settings.ts';
import { proveStateSyncStart, type StateSyncStart, stateSyncSettings, writeKeptChain } from './state-sync.ts';

export interface MemberOptions {
  path: string;
  organisation: string;
  /** Where the others reach this organisation's consensus engine: `host:port`. */
  address: string;
  settings: NetworkSettings;
  passphrase: string | undefined;
  log: (line: string) => void;
}

/** Makes this organisation's keys, which never leave the folder, and its card, which goes to the others. */
export async function initMember(options: MemberOptions): Promise<{ folder: DataFolder; card: NetworkCard }> {
  const binary = await findCometBft({ log: options.log });
  const prepared = prepareFolder(options.path, options.passphrase);
  const { folder, keys } = prepared;
  makePrivateFolder(folder.consensus);
  const validator = await createHome(binary, folder.consensus, options.organisation);
  const card: NetworkCard = {
    organisation: options.organisation,
    address: options.address,
    custodianKey: publicKeyOf(keys.custodianSeed),
    nodeKey: publicKeyOf(keys.operatorSeed),
    consensusKey: fromBase64(validator.publicKey) ?? new Uint8Array(0),
    nodeId: validator.nodeId,
  };
  const text = encodeCard(card, keys.custodianSeed);
  decodeCard(text);
  writeSettings(folder, options.settings);
  writePrivateFile(folder.networkCard, text);
  return { folder, card };
}

export interface JoinOptions {
  path: string;
  network: string;
  /** Not one of the founders: admitted by vote after the network had begun. */
  isLater?: boolean;
  /** Nodes of members, where the ledger is taken over from a snapshot and not block by block. */
  stateSyncFrom?: readonly string[];
  withSamples: boolean;
  vault: 'sqlite' | 'postgres';
  passphrase: string | undefined;
  nowMs: number;
}

/** The folder, and with state sync where its ledger begins. */
export type JoinedFolder = OpenedFolder & { readonly start: StateSyncStart | undefined };

/** Settles that this folder belongs to the network of the file, in which a founder's own card has to stand unchanged. */
export async function joinNetwork(options: JoinOptions): Promise<JoinedFolder> {
  const prepared = reopenPrepared(options.path, options.passphrase);
  const { folder } = prepared;
  const file = decodeNetwork(options.network);
  const own = ownCard(folder);
  if (options.isLater === true) refuseFounder(file, own);
  else refuseForeign(file, own);
  const genesis = genesisOfNetwork(file);
  const { stateSyncFrom, nowMs } = options;
  const start = stateSyncFrom && (await proveStateSyncStart(genesis, stateSyncFrom, nowMs));
  writePrivateFile(folder.network, encodeNetwork(file));
  if (start !== undefined) writeKeptChain(folder, genesis, start);
  configure(prepared, file, own, start === undefined ? {} : stateSyncSettings(start));
  const opened = completeFolder(prepared, genesis, {
    organisationName: own.organisation,
    nowMs,
    vault: options.vault,
    withSamples: options.withSamples,
    engine: 'cometbft',
  });
  return { ...opened, start };
}

function ownCard(folder: DataFolder): NetworkCard {
  const bytes = readFileIfThere(folder.networkCard);
  if (bytes !== undefined) return decodeCard(bytes.toString('utf8'));
  throw new AppError(
    'folder-not-initialised',
    `${folder.root} has no card. Run \`careledger network init\` first, or name its folder with --data.`,
  );
}

function refuseForeign(file: NetworkFile, own: NetworkCard): void {
  const listed = file.cards.find((card) => equalBytes(card.custodianKey, own.custodianKey));
  const isSame =
    listed !== undefined && equalBytes(listed.consensusKey, own.consensusKey) && listed.nodeId === own.nodeId;
  if (isSame) return;
  throw new AppError(
    'invalid-request',
    listed === undefined
      ? 'This organisation is not in the network file. Send your network-card.json to whoever made it; or say --later if the members admitted it afterwards.'
      : 'The network file has other keys for this organisation than its folder has. Send your card again, and let the file be made anew.',
  );
}

function refuseFounder(file: NetworkFile, own: NetworkCard): void {
  if (!file.cards.some((card) => equalBytes(card.custodianKey, own.custodianKey))) return;
  throw new AppError('invalid-request', 'This organisation founded the network: join without --later.');
}

function configure(
  { folder }: PreparedFolder,
  file: NetworkFile,
  own: NetworkCard,
  extra: Readonly<Record<string, string>>,
): void {
  if (!existsSync(folder.consensus))
    throw new AppError(
      'damaged',
      `${folder.consensus} is missing: the keys of the consensus engine were in it.`,
    );
  const settings = readSettings(folder);
  const peers = file.cards
    .filter((card) => card.nodeId !== own.nodeId)
    .map(({ nodeId, address }) => `${nodeId}@${address}`);
  configureHome(folder.consensus, consensusGenesis(genesisOfNetwork(file)), {
    name: own.organisation,
    proxyApp: proxyAppOf(abciAddress(folder, settings)),
    rpcPort: settings.rpcPort,
    p2pHost: settings.listenHost,
    p2pPort: settings.listenPort,
    peers,
    isLocal: settings.isLocal,
    extra,
  });
}
