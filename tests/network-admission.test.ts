/**
 * An organisation that comes later: it asks, is admitted by vote, takes the ledger over from the others, and then decides blocks
 * with them. Needs CometBFT, or Go to build it; skipped where neither is.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { freePorts, until } from '../src/engine/cometbft/testing/local-network.ts';
import { cliMembers } from './support/cli-members.ts';
import { skipWithoutCometBft as skip } from './support/cometbft-here.ts';
import { runHere } from './support/run-cli.ts';

const LIMIT_MS = 280_000;
const members = cliMembers('cl-later-');
const { at, cardFile, cardOf, json, prepare, start } = members;
after(() => members.remove());

describe('an organisation that comes later', { skip, timeout: LIMIT_MS }, () => {
  test('asks, is admitted, takes over the ledger, and decides blocks with the others', async () => {
    const ports = await freePorts(4);
    await prepare('Founder', ports.slice(0, 2));
    await prepare('Newcomer', ports.slice(2));
    const time = ['--name', 'Valley', '--time', '2026-01-01T00:00:00Z', '--out', at('network.json')];
    await json('network', 'genesis', cardFile('Founder'), ...time);
    await json('network', 'join', at('network.json'), '--data', at('Founder'));
    const founder = await start('Founder');

    const request = at('request.json');
    await json('govern', 'apply', request, '--data', at('Newcomer'), '--node', founder, '--role', 'hospital');
    const admitted = await json('govern', 'propose', 'admit', request, '--data', at('Founder'));
    assert.equal(admitted.status, 'executed');
    const foreign = await runHere(
      ['network', 'join', at('network.json'), '--data', at('Newcomer')],
      members.env,
    );
    assert.match(foreign.stderr, /--later/);
    await json('network', 'join', at('network.json'), '--data', at('Newcomer'), '--later');
    await start('Newcomer');
    const listed = (name: string) => json('govern', 'list', '--data', at(name));
    await until('the newcomer to know that it is a member', async () => {
      const { members, organisation } = await listed('Newcomer');
      return (members as string[]).includes(organisation as string);
    });

    const { organisation } = await listed('Newcomer');
    const validator = `${String(organisation)},${cardOf('Newcomer').consensusKey},6`;
    const proposed = await json('govern', 'propose', 'validators', validator, '--data', at('Newcomer'));
    assert.equal(proposed.status, 'open', 'both have to agree');
    const id = proposed.proposalId as string;
    const known = async (): Promise<boolean> =>
      ((await listed('Founder')).proposals as { proposalId: string }[]).some((one) => one.proposalId === id);
    await until('the founder to see the proposal', known);
    const carried = await json('govern', 'vote', id, '--yes', '--data', at('Founder'));
    assert.equal(carried.status, 'executed');
    const rpc = `http://127.0.0.1:${ports[3]}`;
    await until('two validators', async () => {
      const answer = (await (await fetch(`${rpc}/validators`)).json()) as { result: { total: string } };
      return answer.result.total === '2';
    });
    // The founder's 10 of 16 are no two thirds, so that a block now needs both.
    await json('govern', 'propose', 'version', '2', '--at', '5000', '--data', at('Founder'));
  });
});
