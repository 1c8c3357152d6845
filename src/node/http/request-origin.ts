import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv4 } from 'node:net';
import { AppError } from '../../shared/index.ts';

const MAX_HOPS = 16;
/** A host on IPv6 has all the addresses of its network. */
const GROUPS_OF_A_NETWORK = 4;
const GROUPS = 8;

/** Where a request comes from, for counting what is refused: the address of whoever connected, an IPv6 one as its /64. */
export type RequestOrigin = (incoming: Pick<IncomingMessage, 'headers' | 'socket'>) => string;

/**
 * `X-Forwarded-For` is believed as far as proxies wrote it that are named here, by address or network (`10.0.0.0/8`): read from
 * its end, the first address that is not one of them is the caller. What a caller wrote into it stands before that.
 */
export function requestOrigin(trustedProxies: readonly string[]): RequestOrigin {
  const trusted = listOf(trustedProxies);
  const isProxy = (address: string): boolean => trusted.check(address, familyOf(address));
  return ({ headers, socket }) => {
    let address = addressIn(socket.remoteAddress ?? '') ?? '::';
    for (const hop of hopsOf(headers).reverse()) {
      const before = addressIn(hop);
      if (before === undefined || !isProxy(address)) break;
      address = before;
    }
    return networkOf(address);
  };
}

function hopsOf(headers: IncomingMessage['headers']): string[] {
  const value = headers['x-forwarded-for'] ?? '';
  return (typeof value === 'string' ? value : value.join(',')).split(',').slice(-MAX_HOPS);
}

function listOf(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = '', prefix, more] = proxy.split('/');
    const longest = isIPv4(address) ? 32 : 128;
    const length = prefix === undefined ? longest : Number(prefix);
    // A length of 0 would let everybody say any address.
    const isRight = isIP(address) !== 0 && /^\d+$/.test(prefix ?? '1') && length >= 1 && length <= longest;
    if (!isRight || more !== undefined)
      throw new AppError(
        'usage',
        'A trusted proxy is named by its address, or a network such as 10.0.0.0/8.',
      );
    list.addSubnet(address, length, familyOf(address));
  }
  return list;
}

/** The address in `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7` or `[2001:db8::7]:4711`. */
function addressIn(text: string): string | undefined {
  const hop = text.trim();
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
  const address = /^::ffff:([\d.]+)$/i.exec(bare)?.[1] ?? bare;
  return isIP(address) === 0 ? undefined : address;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

function networkOf(address: string): string {
  if (isIPv4(address)) return address;
  const [left = [], right = []] = address.split('::').map((side) => (side === '' ? [] : side.split(':')));
  const missing = Math.max(0, GROUPS - left.length - right.length);
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right].slice(0, GROUPS_OF_A_NETWORK);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
