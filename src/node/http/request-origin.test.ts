import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOrigin } from './request-origin.ts';

function origin(trusted: string[], remoteAddress: string | undefined, forwarded?: string): string {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return requestOrigin(trusted)({ headers, socket: { remoteAddress } as never });
}

test('without a proxy that is named, the header counts for nothing', () => {
  assert.equal(origin([], '192.0.2.1', '203.0.113.9'), '192.0.2.1');
  assert.equal(origin(['10.0.0.1'], '192.0.2.1', '203.0.113.9'), '192.0.2.1');
  assert.equal(origin([], '::ffff:192.0.2.1'), '192.0.2.1');
});

test('behind named proxies it is the address that the first of them saw, whatever the caller wrote before it', () => {
  const trusted = ['10.0.0.0/8', '2001:db8:1::1'];
  const of = (remote: string, forwarded?: string): string => origin(trusted, remote, forwarded);
  assert.equal(of('10.0.0.1', '203.0.113.9'), '203.0.113.9');
  assert.equal(of('::ffff:10.0.0.1', '1.1.1.1, 10.9.9.9,203.0.113.9 , 10.2.0.1'), '203.0.113.9');
  assert.equal(of('2001:db8:1::1', '203.0.113.9:4711'), '203.0.113.9');
  assert.equal(of('10.0.0.1'), '10.0.0.1');
  for (const garbage of ['unknown', '', '203.0.113.9, _hidden', '999.1.1.1', ' , '])
    assert.equal(of('10.0.0.1', garbage), '10.0.0.1', garbage);
  const forged = Array.from({ length: 1000 }, (_, at) => `10.1.${at >> 8}.${at & 255}`);
  assert.match(of('10.0.0.1', forged.join(',')), /^10\.1\./);
});

test('a host has all addresses of its IPv6 network', () => {
  const of = (remote: string): string => origin([], remote);
  assert.equal(of('2001:db8:0:12:a::1'), '2001:db8:0:12::/64');
  assert.equal(of('2001:DB8::12:ffff:0:0:7'), '2001:db8:0:12::/64');
  assert.equal(of('2001:db8::1'), '2001:db8:0:0::/64');
  assert.equal(of('::1'), '0:0:0:0::/64');
  assert.equal(of('fe80::1%eth0'), 'fe80:0:0:0::/64');
  assert.equal(origin(['10.0.0.1'], '10.0.0.1', '[2001:db8:0:12::9]:80'), '2001:db8:0:12::/64');
});

test('what is no address or network, or everybody, is refused as a proxy', () => {
  for (const bad of [
    '',
    'proxy.local',
    '10.0.0.1/33',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/8/8',
    '10.0.0.0/x',
    '/8',
  ])
    assert.throws(() => requestOrigin([bad]), { code: 'usage' }, bad);
});
