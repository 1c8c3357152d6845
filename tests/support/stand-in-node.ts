/** The ledger routes of a node over a chain in memory, which a test may bend into a lying one. */
import {
  accountKeyReceipt,
  type Fetch,
  headReceipt,
  type StateSubject,
  stateKeyOf,
  stateReceipt,
  transactionReceipt,
} from '../../src/client/index.ts';
import { decodeTransaction, readAccount, transactionId } from '../../src/ledger/index.ts';
import { fromHex, leafHash, toBase64, toHex } from '../../src/shared/index.ts';
import type { ProofChain } from './proof-chain.ts';

export type StandIn = { readonly fetch: Fetch; bend: ((path: string) => BodyInit | undefined) | undefined };
type BodyInit = NonNullable<ConstructorParameters<typeof Response>[0]>;

export function standInNode(chain: () => ProofChain): StandIn {
  const node: StandIn = {
    bend: undefined,
    async fetch(url, init) {
      const { pathname, searchParams } = new URL(url);
      const bent = node.bend?.(pathname);
      if (bent !== undefined) return new Response(bent);
      return answer(chain(), pathname, searchParams, init.body as Uint8Array | undefined);
    },
  };
  return node;
}

function answer(
  chain: ProofChain,
  path: string,
  query: URLSearchParams,
  body: Uint8Array | undefined,
): Response {
  const [, , what = '', ...rest] = path.split('/');
  if (what === 'genesis') return new Response(chain.genesis as BodyInit);
  if (what === 'checkpoint') return new Response(chain.checkpoint());
  if (what === 'head') return new Response(headReceipt(chain.head()));
  if (what === 'accounts') return accountAnswer(chain, bytesOf(rest[0]));
  if (what === 'proofs' && rest[0] === 'consistency') {
    const [from, to] = ['from', 'to'].map((name) => Number(query.get(name))) as [number, number];
    return Response.json({ proof: chain.chain.log.consistencyProof(from, to).map(toBase64) });
  }
  if (what === 'proofs' && rest[0] === 'access') {
    const [index, size] = [Number(rest[1]), Number(query.get('size'))] as [number, number];
    const entry = chain.accessEntries[index];
    if (entry === undefined) return Response.json({ title: 'not-found', detail: 'None.' }, { status: 404 });
    const path = chain.accessLog.inclusionProof(index, size).map(toBase64);
    return Response.json({ leafHash: toBase64(leafHash(entry)), path });
  }
  if (what === 'proofs' && rest[0] === 'key') {
    const id = bytesOf(rest[1]);
    const who = { seed: new Uint8Array(), publicKey: new Uint8Array(), id };
    const key = chain.heldKeyOf(who, fromHex(query.get('key') ?? ''));
    if (key !== undefined) return new Response(accountKeyReceipt(chain.head(), id, key));
    return Response.json({ title: 'not-found', detail: 'Too many keys.' }, { status: 404 });
  }
  if (what === 'proofs') {
    const subject = { table: rest[1], ids: rest.slice(2).map(bytesOf) } as StateSubject;
    const { value, proof } = chain.prove(stateKeyOf(subject));
    return new Response(stateReceipt(chain.head(), subject, value, proof));
  }
  if (what === 'receipts') return receiptAnswer(chain, rest[0] ?? '');
  if (what === 'transactions' && body !== undefined)
    return Response.json({ leafIndex: chain.submit(body) }, { status: 201 });
  return Response.json({ title: 'not-found', detail: 'There is nothing here.' }, { status: 404 });
}

function accountAnswer(chain: ProofChain, accountId: Uint8Array): Response {
  const account = readAccount(chain.chain.state, accountId);
  if (account === undefined)
    return Response.json({ title: 'not-found', detail: 'There is no such account.' }, { status: 404 });
  const { publicKey, nextSequence } = account;
  return Response.json({
    accountId: toHex(accountId),
    publicKey: toHex(publicKey),
    nextSequence,
    height: chain.chain.height,
    kind: 'patient',
    status: 'active',
  });
}

function receiptAnswer(chain: ProofChain, id: string): Response {
  for (let index = 0; index < chain.chain.log.size; index += 1) {
    const transaction = decodeTransaction(chain.transactionAt(index));
    if (!transaction.ok || toHex(transactionId(transaction.value.header)) !== id) continue;
    const account = readAccount(chain.chain.state, transaction.value.header.signer);
    if (account === undefined) break;
    const signer = {
      seed: new Uint8Array(),
      publicKey: account.publicKey,
      id: transaction.value.header.signer,
    };
    return new Response(transactionReceipt(chain.head(), chain.recorded(index, signer)));
  }
  return Response.json({ title: 'not-found', detail: 'There is no such transaction.' }, { status: 404 });
}

function bytesOf(text: string | undefined): Uint8Array {
  return fromHex(text ?? '') ?? new Uint8Array();
}
