import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeSeedOf, sampleConsortium } from '../../src/engine/cometbft/testing/local-network.ts';
import {
  configureHome,
  consensusGenesis,
  createHome,
  proxyAppOf,
  type ValidatorCard,
} from '../../src/engine/index.ts';
import type { SampleChain } from '../../src/engine/sample-chain.ts';
import { encodeGenesis } from '../../src/ledger/index.ts';
import { toHex } from '../../src/shared/index.ts';
import { Link } from './link.ts';
import { unusedPorts } from './ports.ts';
import { VALIDATORS } from './schedule.ts';
import { Validator, type ValidatorParts } from './validator.ts';

/** Four validators on this machine whose every connection to each other goes through a link that can fail. */
export type Consortium = {
  readonly chain: SampleChain;
  readonly validators: readonly Validator[];
  /** The link over which one place dials another. */
  readonly links: readonly DirectedLink[];
  close(): Promise<void>;
};
export type DirectedLink = { readonly from: number; readonly to: number; readonly link: Link };

type Place = {
  readonly rpcPort: number;
  readonly p2pPort: number;
  readonly folder: string;
  readonly home: string;
};

export async function startConsortium(binary: string, folder: string): Promise<Consortium> {
  const ports = await unusedPorts(VALIDATORS * (VALIDATORS + 1));
  const places = Array.from({ length: VALIDATORS }, (_, place) => newPlace(join(folder, `${place}`), ports));
  const links = await openLinks(places, ports);
  const cards = await Promise.all(places.map(({ home }, at) => createHome(binary, home, `org${at}`)));
  const chain = sampleConsortium(cards);
  const genesisFile = consensusGenesis(chain.genesis);
  const validators = places.map(
    (place, at) => new Validator(configured(binary, place, at, chain, genesisFile, cards, links)),
  );
  const close = async (): Promise<void> => {
    await Promise.all(validators.map((one) => one.killBoth()));
    for (const { link } of links) link.close();
  };
  try {
    await Promise.all(validators.map((one) => one.start()));
  } catch (cause) {
    await close();
    throw cause;
  }
  return { chain, validators, links, close };
}

function newPlace(folder: string, ports: number[]): Place {
  const home = join(folder, 'cometbft');
  mkdirSync(home, { recursive: true });
  return { folder, home, rpcPort: ports.pop() as number, p2pPort: ports.pop() as number };
}

/** One for each direction, because each of two nodes dials the other. */
function openLinks(places: readonly Place[], ports: number[]): Promise<DirectedLink[]> {
  const pairs = places.flatMap((_, from) => places.map((_place, to) => ({ from, to })));
  return Promise.all(
    pairs
      .filter(({ from, to }) => from !== to)
      .map(async ({ from, to }) => {
        const link = await Link.open(ports.pop() as number, (places[to] as Place).p2pPort);
        return { from, to, link };
      }),
  );
}

function configured(
  binary: string,
  { folder, home, rpcPort, p2pPort }: Place,
  place: number,
  { genesis }: SampleChain,
  genesisFile: string,
  cards: readonly ValidatorCard[],
  links: readonly DirectedLink[],
): ValidatorParts {
  const ledger = join(folder, 'ledger');
  configureHome(home, genesisFile, {
    name: `org${place}`,
    proxyApp: proxyAppOf({ path: join(ledger, 'abci.sock') }),
    rpcPort,
    p2pHost: '127.0.0.1',
    p2pPort,
    peers: links
      .filter(({ from }) => from === place)
      .map(({ to, link }) => `${cards[to]?.nodeId}@127.0.0.1:${link.port}`),
    isLocal: true,
    extra: { log_level: '"statesync:info,*:error"' },
  });
  const own = links.filter(({ from, to }) => from === place || to === place);
  return {
    place,
    binary,
    folder,
    home,
    application: {
      folder: ledger,
      genesis: toHex(encodeGenesis(genesis)),
      nodeSeed: toHex(nodeSeedOf(place)),
      rpcUrl: `http://127.0.0.1:${rpcPort}`,
    },
    links: own.map(({ link }) => link),
  };
}
