import { join } from 'node:path';
import type { AbciAddress } from '../../engine/index.ts';
import { AppError } from '../../shared/index.ts';
import { readFileIfThere, writePrivateFile } from '../folder/files.ts';
import type { DataFolder } from '../folder/layout.ts';

const FORMAT = 'careledger-network-settings/v1';
/** Linux keeps 108 bytes for the name of a unix socket. */
const MAX_SOCKET_PATH_BYTES = 107;

/** How this organisation's consensus engine is reached on its own machine. */
export interface NetworkSettings {
  /** CometBFT's RPC, on this machine only. */
  rpcPort: number;
  /** Where it listens for the others. */
  listenHost: string;
  listenPort: number;
  /** The application's port where a unix socket will not do. */
  abciPort: number;
  /** Several nodes on one machine. */
  isLocal: boolean;
}

export function writeSettings(folder: DataFolder, settings: NetworkSettings): void {
  writePrivateFile(folder.networkSettings, `${JSON.stringify({ format: FORMAT, ...settings }, null, 1)}\n`);
}

export function readSettings(folder: DataFolder): NetworkSettings {
  const bytes = readFileIfThere(folder.networkSettings);
  try {
    const { format, ...settings } = JSON.parse(bytes?.toString('utf8') ?? '{}') as NetworkSettings & {
      format: string;
    };
    const ports = [settings.rpcPort, settings.listenPort, settings.abciPort];
    if (format === FORMAT && ports.every((port) => Number.isInteger(port) && port > 0 && port < 65_536))
      return settings;
  } catch {
    // Said below.
  }
  throw new AppError('damaged', `${folder.networkSettings} is missing or damaged. Restore it from a backup.`);
}

/** A unix socket in the folder, unless its name would be too long for the system. */
export function abciAddress(folder: DataFolder, { abciPort }: NetworkSettings): AbciAddress {
  const path = join(folder.root, 'abci.sock');
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES ? { path } : { host: '127.0.0.1', port: abciPort };
}
