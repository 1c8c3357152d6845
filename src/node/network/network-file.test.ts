import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicKeyOf } from '../../identity/index.ts';
import { AppError, sha256, toHex, utf8 } from '../../shared/index.ts';
import { decodeCard, encodeCard, type NetworkCard } from './network-card.ts';
import { assembleNetwork, decodeNetwork, encodeNetwork, networkFingerprint } from './network-file.ts';

const seedOf = (text: string): Uint8Array => sha256(utf8(text));

function cardText(name: string, changes: Partial<NetworkCard> = {}): string {
  const card: NetworkCard = {
    organisation: `Hospital ${name}`,
    address: `${name}.example:26656`,
    custodianKey: publicKeyOf(seedOf(`${name} custodian`)),
    nodeKey: publicKeyOf(seedOf(`${name} node`)),
    consensusKey: publicKeyOf(seedOf(`${name} consensus`)),
    nodeId: toHex(seedOf(`${name} peer`)).slice(0, 40),
    ...changes,
  };
  return encodeCard(card, seedOf(`${name} custodian`));
}

const cards = ['a', 'b', 'c', 'd'].map((name) => decodeCard(cardText(name)));

test('whoever has the same cards makes the same network, in whatever order they came', () => {
  const file = assembleNetwork('Region North', 1_700_000_000_000, cards);
  const other = assembleNetwork('Region North', 1_700_000_000_000, [...cards].reverse());
  assert.equal(encodeNetwork(other), encodeNetwork(file));
  assert.equal(networkFingerprint(decodeNetwork(encodeNetwork(file))), networkFingerprint(file));
  assert.notEqual(networkFingerprint(assembleNetwork('Region North', 1, cards)), networkFingerprint(file));
});

test('a card that was changed on the way is refused, whatever was changed', () => {
  const text = cardText('a');
  const fields = JSON.parse(text) as Record<string, string>;
  for (const [name, value] of Object.entries(fields)) {
    const changed = { ...fields, [name]: value.replace(/[0-9a-f]/, (digit) => (digit === '1' ? '2' : '1')) };
    assert.throws(() => decodeCard(JSON.stringify(changed)), AppError, name);
  }
  for (const text of ['', 'null', '[]', '{}', '{"format":1}', 'x'.repeat(10_000)])
    assert.throws(() => decodeCard(text), AppError);
  for (const port of [0, 65_536, 70_000])
    assert.throws(() => decodeCard(cardText('a', { address: `a.example:${port}` })), /port/);
});

test('one key does not stand for two organisations, nor is a network file believed that nobody signed', () => {
  const { consensusKey, nodeId } = cards[0] as NetworkCard;
  for (const [name, same] of Object.entries({ consensusKey, nodeId })) {
    const double = decodeCard(cardText('e', { [name]: same }));
    assert.throws(() => assembleNetwork('Region', 1, [...cards, double]), new RegExp(`the same ${name}`));
  }
  const file = encodeNetwork(assembleNetwork('Region', 1, cards));
  assert.throws(() => decodeNetwork(file.replace('Hospital b', 'Hospital x')), AppError);
  assert.throws(() => decodeNetwork('{}'), AppError);
  assert.throws(() => assembleNetwork('', 1, cards), AppError);
});
