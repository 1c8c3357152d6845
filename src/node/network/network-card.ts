import { parsePublicKey, signMessage, verifySignature } from '../../identity/index.ts';
import { AppError, canonicalJson, fromHex, toHex, utf8 } from '../../shared/index.ts';

const FORMAT = 'careledger-network-card/v1';
const DOMAIN = 'careledger/network-card/v1\0';
const MAX_CARD_CHARACTERS = 8192;
const ORGANISATION = /^[ -~]{1,50}$/;
const ADDRESS = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\]):\d{1,5}$/;
const NODE_ID = /^[0-9a-f]{40}$/;

/** What an organisation tells the others before there is a network: public keys and an address, signed by its own key. */
export interface NetworkCard {
  organisation: string;
  /** Where the others' consensus engines reach this one: `host:port`. */
  address: string;
  /** Signs the organisation's transactions. */
  custodianKey: Uint8Array;
  /** Signs what this node says of its own copy of the ledger. */
  nodeKey: Uint8Array;
  /** Signs votes on blocks. */
  consensusKey: Uint8Array;
  /** Names the consensus engine to its peers. */
  nodeId: string;
}

/** The file that is sent to the others. No secret is in it. */
export function encodeCard(card: NetworkCard, custodianSeed: Uint8Array): string {
  const signature = toHex(signMessage(custodianSeed, messageOf(card)));
  return `${JSON.stringify({ ...plain(card), signature }, null, 1)}\n`;
}

/** Reads a card that somebody sent; refuses one that its organisation did not sign as it stands. */
export function decodeCard(text: string): NetworkCard & { signature: Uint8Array } {
  const fields = fieldsOf(text);
  const card = {
    organisation: matching(fields.organisation, ORGANISATION, 'organisation'),
    address: addressOf(fields.address),
    custodianKey: keyOf(fields.custodianKey, 'custodianKey'),
    nodeKey: keyOf(fields.nodeKey, 'nodeKey'),
    consensusKey: keyOf(fields.consensusKey, 'consensusKey'),
    nodeId: matching(fields.nodeId, NODE_ID, 'nodeId'),
  };
  const signature = fromHex(String(fields.signature)) ?? new Uint8Array(0);
  if (fields.format !== FORMAT) throw badCard('it has another format');
  if (!verifySignature(card.custodianKey, messageOf(card), signature))
    throw badCard('its signature does not fit: it was changed on the way');
  return { ...card, signature };
}

/** The fields of a card as they stand in a file. */
export function plain(card: NetworkCard): Record<string, string> {
  const { organisation, address, nodeId } = card;
  return {
    format: FORMAT,
    organisation,
    address,
    custodianKey: toHex(card.custodianKey),
    nodeKey: toHex(card.nodeKey),
    consensusKey: toHex(card.consensusKey),
    nodeId,
  };
}

function messageOf(card: NetworkCard): Uint8Array {
  return utf8(DOMAIN + canonicalJson(plain(card)));
}

function fieldsOf(text: string): Record<string, unknown> {
  if (text.length > MAX_CARD_CHARACTERS) throw badCard('it is too long');
  try {
    const fields: unknown = JSON.parse(text);
    if (typeof fields === 'object' && fields !== null) return fields as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw badCard('it is not JSON');
}

function matching(value: unknown, pattern: RegExp, name: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw badCard(`its ${name} is not well formed`);
}

/** CometBFT does not start with a peer at a port that cannot be, so one card would keep all founders from beginning. */
function addressOf(value: unknown): string {
  const address = matching(value, ADDRESS, 'address');
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  if (port >= 1 && port <= 65_535) return address;
  throw badCard('the port of its address is none');
}

function keyOf(value: unknown, name: string): Uint8Array {
  const bytes = typeof value === 'string' ? fromHex(value) : undefined;
  const key = bytes === undefined ? undefined : parsePublicKey(bytes);
  if (key?.ok === true) return key.value;
  throw badCard(`its ${name} is not an Ed25519 key`);
}

function badCard(why: string): AppError {
  return new AppError(
    'invalid-request',
    `This is not the card of an organisation: ${why}. Ask its owner for \`network-card.json\` again.`,
  );
}
