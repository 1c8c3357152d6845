import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  assembleNetwork,
  decodeCard,
  encodeNetwork,
  initMember,
  isInitialised,
  joinNetwork,
} from '../../node/index.ts';
import { AppError } from '../../shared/index.ts';
import type { Terminal } from '../terminal.ts';

/** Four, the fewest of which one may fail. */
const ORGANISATIONS = ['Northside Hospital', 'Riverside Clinic', 'Hillcrest Care', 'Lakeview Laboratory'];
const PORTS_APART = 10;

/** An organisation of a network on one machine. */
export interface Member {
  organisation: string;
  /** Its data folder. */
  data: string;
  /** Where its node listens; 0 lets the system choose. */
  port: number;
}

export interface LocalNetworkOptions {
  folder: string;
  /** Of the first node; 0 lets the system choose all of them. */
  port: number;
  withSamples: boolean;
}

/** The four organisations; the first time makes their keys and goes with them through the ceremony that real hosts go through. */
export async function prepareMembers(options: LocalNetworkOptions, terminal: Terminal): Promise<Member[]> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const members = ORGANISATIONS.map((organisation, place) => ({
    organisation,
    data: join(options.folder, (organisation.split(' ')[0] as string).toLowerCase()),
    port: options.port === 0 ? 0 : options.port + place * PORTS_APART,
  }));
  const ready = members.filter(({ data }) => isInitialised(data));
  if (ready.length === 0) await foundNetwork(members, options, terminal);
  else if (ready.length < members.length)
    throw new AppError(
      'damaged',
      `${options.folder} holds a part of a network only. Take it away, or name another with --folder.`,
    );
  return members;
}

async function foundNetwork(
  members: readonly Member[],
  { folder, withSamples }: LocalNetworkOptions,
  terminal: Terminal,
): Promise<void> {
  terminal.progress('Making the keys of four organisations…');
  const cards: string[] = [];
  for (const { organisation, data, port } of members) {
    if (existsSync(data))
      throw new AppError('folder-not-empty', `${data} is there and holds no member. Take it away first.`);
    const [listenPort, rpcPort, abciPort] = await consensusPorts(port);
    const { folder: member } = await initMember({
      path: data,
      organisation,
      address: `127.0.0.1:${listenPort}`,
      settings: { listenHost: '127.0.0.1', listenPort, rpcPort, abciPort, isLocal: true },
      passphrase: process.env.CARELEDGER_PASSPHRASE,
      log: (line) => terminal.progress(line),
    });
    cards.push(member.networkCard);
  }
  await joinAll(members, cards, folder, withSamples);
}

async function joinAll(
  members: readonly Member[],
  cards: readonly string[],
  folder: string,
  withSamples: boolean,
): Promise<void> {
  const nowMs = Date.now();
  const network = encodeNetwork(
    assembleNetwork(
      'CareLedger on one machine',
      nowMs,
      cards.map((path) => decodeCard(readFileSync(path, 'utf8'))),
    ),
  );
  for (const { data } of members)
    await joinNetwork({
      path: data,
      network,
      withSamples,
      vault: 'sqlite',
      passphrase: process.env.CARELEDGER_PASSPHRASE,
      nowMs,
    });
  writeFileSync(join(folder, 'network.json'), network);
}

/** Beside the node's port, or wherever there is room. */
async function consensusPorts(port: number): Promise<[number, number, number]> {
  if (port !== 0) return [port + 1, port + 2, port + 3];
  const servers = [createServer(), createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as { port: number }).port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as [number, number, number];
}
