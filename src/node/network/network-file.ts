import { type PublicKey, parsePublicKey } from '../../identity/index.ts';
import { chainIdOf, type Genesis } from '../../ledger/index.ts';
import { AppError, compareBytes, sha256, toHex, utf8 } from '../../shared/index.ts';
import { decodeCard, type NetworkCard, plain } from './network-card.ts';

const FORMAT = 'careledger-network/v1';
const NAME = /^[ -~]{1,50}$/;
const MAX_MEMBERS = 100;
/** Every founder weighs the same; room to give somebody less later. */
const EQUAL_POWER = 10;
const MAX_FILE_CHARACTERS = 1024 * 1024;
/** Byzantine fault tolerance begins at four: with f faulty of 3f + 1. */
export const SAFE_VALIDATORS = 4;

/** How a network begins: the founders' cards in one order, a name and a time. Whoever has the same cards makes the same file. */
export interface NetworkFile {
  networkName: string;
  timeMs: number;
  cards: readonly (NetworkCard & { signature: Uint8Array })[];
}

/** Puts cards together. The order in which they came does not matter. */
export function assembleNetwork(
  networkName: string,
  timeMs: number,
  cards: readonly (NetworkCard & { signature: Uint8Array })[],
): NetworkFile {
  if (!NAME.test(networkName))
    throw new AppError('usage', 'The name of a network has 1 to 50 ASCII characters.');
  if (!Number.isSafeInteger(timeMs) || timeMs < 0)
    throw new AppError('usage', 'The time of a network is in milliseconds since 1970.');
  if (cards.length === 0 || cards.length > MAX_MEMBERS)
    throw new AppError('usage', `A network begins with 1 to ${MAX_MEMBERS} organisations.`);
  const sorted = [...cards].sort((left, right) => compareBytes(left.custodianKey, right.custodianKey));
  for (const name of ['custodianKey', 'nodeKey', 'consensusKey', 'nodeId'] as const)
    refuseDoubles(sorted, name);
  return { networkName, timeMs, cards: sorted };
}

export function encodeNetwork({ networkName, timeMs, cards }: NetworkFile): string {
  const written = cards.map((card) => ({ ...plain(card), signature: toHex(card.signature) }));
  return `${JSON.stringify({ format: FORMAT, networkName, timeMs, cards: written }, null, 1)}\n`;
}

/** Reads a network file; every card in it has to be signed by its own organisation. */
export function decodeNetwork(text: string): NetworkFile {
  if (text.length > MAX_FILE_CHARACTERS) throw badFile();
  try {
    const { format, networkName, timeMs, cards } = JSON.parse(text) as Record<string, unknown>;
    if (format === FORMAT && typeof networkName === 'string' && Array.isArray(cards)) {
      const read = cards.map((card) => decodeCard(JSON.stringify(card)));
      return assembleNetwork(networkName, timeMs as number, read);
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
  }
  throw badFile();
}

/** The genesis that a network file stands for. */
export function genesisOfNetwork({ networkName, timeMs, cards }: NetworkFile): Genesis {
  return {
    networkName,
    timeMs,
    operatorKey: keyOfNobody(),
    organisationKeys: cards.map(({ custodianKey }) => custodianKey),
    validators: cards.map(({ consensusKey }, organisation) => ({
      consensusKey: consensusKey as PublicKey,
      organisation,
      power: EQUAL_POWER,
    })),
  };
}

/** A point that a hash chose, so that nobody has its private key: a consortium has no operator whose signature would do. */
function keyOfNobody(): PublicKey {
  for (let counter = 0; ; counter += 1) {
    const key = parsePublicKey(sha256(utf8(`careledger/no-operator/v1\0${counter}`)));
    if (key.ok) return key.value;
  }
}

/** What the founders read to each other before they start: equal only for the same file. */
export function networkFingerprint(file: NetworkFile): string {
  return toHex(chainIdOf(genesisOfNetwork(file)));
}

function refuseDoubles(
  cards: readonly NetworkCard[],
  name: 'custodianKey' | 'nodeKey' | 'consensusKey' | 'nodeId',
): void {
  const shown = (card: NetworkCard): string => plain(card)[name] as string;
  for (const [at, card] of cards.entries()) {
    const other = cards.slice(at + 1).find((one) => shown(one) === shown(card));
    if (other === undefined) continue;
    throw new AppError(
      'usage',
      `${card.organisation} and ${other.organisation} have the same ${name}. Each organisation makes its own with \`careledger network init\`.`,
    );
  }
}

function badFile(): AppError {
  return new AppError(
    'invalid-request',
    'This is not a network file. Make one with `careledger network genesis CARD…`.',
  );
}
