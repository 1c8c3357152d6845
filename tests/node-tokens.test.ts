import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { importJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { createAssertion, enrolmentRequest } from '../src/client/index.ts';
import { publicKeyOf } from '../src/identity/index.ts';
import { importBundle } from '../src/node/admin/import.ts';
import { createKey } from '../src/node/index.ts';
import { fromHex } from '../src/shared/index.ts';
import { postAssertion, sessionToken, startTestNode, type TestNode } from './node-fixture.ts';
import { bundleOf } from './support/reference-node.ts';

let node: TestNode;
before(async () => {
  node = await startTestNode();
});
after(() => node.close());

interface Wish {
  claims?: JWTPayload;
  seed?: Uint8Array;
  lifetimeS?: number;
  issuedS?: number;
}

/** An assertion of the demo clinician, right but for what `wish` changes. */
async function assertion({ claims = {}, seed, lifetimeS = 60, issuedS = 0 }: Wish = {}): Promise<string> {
  const key = node.demoKey('clinician');
  const signer = seed ?? key.seed;
  const nowS = Math.floor(Date.now() / 1000) + issuedS;
  const base = {
    iss: key.accountId,
    sub: key.accountId,
    aud: `${node.url}/auth/token`,
    iat: nowS,
    exp: nowS + lifetimeS,
    jti: crypto.randomUUID(),
  };
  const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: encode(publicKeyOf(signer)), d: encode(signer) };
  return new SignJWT({ ...base, ...claims })
    .setProtectedHeader({ alg: 'EdDSA' })
    .sign(await importJWK(jwk, 'EdDSA'));
}

const iua = (ihe_iua: Record<string, unknown>): Wish => ({ claims: { extensions: { ihe_iua } } });

async function refused(jwt: string, status: number): Promise<string> {
  const answer = await postAssertion(node.url, jwt);
  const body = (await answer.json()) as { error?: string; error_description?: string; access_token?: string };
  assert.equal(answer.status, status, body.error_description);
  assert.equal(body.access_token, undefined);
  if (status === 401) assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer /);
  return body.error_description ?? '';
}

test('a right assertion opens a session, whose token is opaque', async () => {
  const answer = await postAssertion(node.url, await assertion());
  const body = (await answer.json()) as { access_token: string; token_type: string; expires_in: number };
  assert.equal(answer.status, 200);
  assert.match(body.access_token, /^[A-Za-z0-9_-]{43}$/);
  assert.deepEqual([body.token_type, body.expires_in], ['Bearer', 300]);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
});

test('an assertion is used once, also when two come at the same time', async () => {
  const jwt = await assertion();
  const answers = await Promise.all([postAssertion(node.url, jwt), postAssertion(node.url, jwt)]);
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 401]);
  assert.match(await refused(jwt, 401), /used before/);
});

test('what is expired, early, too long, for somebody else or signed otherwise is refused', async () => {
  const stranger = createKey('stranger');
  await refused(await assertion({ issuedS: -120, lifetimeS: 60 }), 401);
  await refused(await assertion({ issuedS: 600 }), 401);
  await refused(await assertion({ lifetimeS: 301 }), 401);
  await refused(await assertion({ claims: { aud: `${node.url}/auth/token/` } }), 401);
  await refused(
    await assertion({ claims: { aud: [`${node.url}/auth/token`, 'https://other.example'] } }),
    401,
  );
  await refused(await assertion({ claims: { sub: stranger.accountId } }), 401);
  await refused(await assertion({ claims: { iss: stranger.accountId, sub: stranger.accountId } }), 401);
  await refused(await assertion({ seed: stranger.seed }), 401);
  await refused(await assertion({ claims: { jti: undefined } as unknown as JWTPayload }), 401);
  await refused(await assertion({ claims: { jti: 'x'.repeat(200) } }), 401);
  await refused(await assertion({ claims: { exp: undefined } as unknown as JWTPayload }), 401);
});

test('no algorithm but EdDSA, and no unsigned token', async () => {
  const { accountId, publicKey } = node.demoKey('clinician');
  const nowS = Math.floor(Date.now() / 1000);
  const claims = {
    iss: accountId,
    sub: accountId,
    aud: `${node.url}/auth/token`,
    iat: nowS,
    exp: nowS + 60,
    jti: crypto.randomUUID(),
  };
  await refused(new UnsecuredJWT(claims).encode(), 401);
  // The classic confusion: the public key as an HMAC secret.
  await refused(
    await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(fromHex(publicKey) as Uint8Array),
    401,
  );
  for (const jwt of ['', 'a.b.c', 'x'.repeat(20_000), `${await assertion()}x`]) {
    const answer = await postAssertion(node.url, jwt);
    assert.ok([400, 401, 413].includes(answer.status), `${answer.status}`);
  }
});

test('claims are believed only as far as the registry bears them out', async () => {
  await refused(await assertion(iua({ subject_organization_id: node.demoKey('institute').accountId })), 403);
  await refused(await assertion(iua({ subject_role: 'pharmacist' })), 403);
  await refused(await assertion(iua({ subject_role: ['physician', 'pharmacist'] })), 403);
  await refused(await assertion(iua({ purpose_of_use: 'PATRQT' })), 403);
  await refused(await assertion(iua({ purpose_of_use: 'NOSUCH' })), 403);
  await refused(
    await assertion(iua({ purpose_of_use: { system: 'http://other.example', code: 'TREAT' } })),
    403,
  );
  await refused(await assertion({ claims: { extensions: 'x' } }), 403);
  const right = {
    subject_role: { system: 'urn:careledger:role', code: 'physician' },
    purpose_of_use: [{ code: 'TREAT' }],
  };
  assert.equal((await postAssertion(node.url, await assertion(iua(right)))).status, 200);
});

test('a token request that is not one says so as RFC 6749 does', async () => {
  const post = (body: string, type = 'application/x-www-form-urlencoded') =>
    fetch(`${node.url}/auth/token`, { method: 'POST', body, headers: { 'content-type': type } });
  const wrongGrant = await post('grant_type=password&username=a&password=b');
  assert.deepEqual(
    [wrongGrant.status, ((await wrongGrant.json()) as { error: string }).error],
    [400, 'unsupported_grant_type'],
  );
  const empty = await post('grant_type=client_credentials');
  assert.deepEqual(
    [empty.status, ((await empty.json()) as { error: string }).error],
    [400, 'invalid_request'],
  );
  assert.equal((await post('{}', 'application/json')).status, 415);
  assert.equal((await post('a'.repeat(40_000))).status, 413);
});

test('suspension ends the sessions that are open, and reinstatement does not bring them back', async () => {
  const { custodian } = node.node.runtime;
  const key = node.demoKey('researcher');
  const token = await sessionToken(node.url, key, 'HRESCH');
  assert.notEqual((await node.fhir('Patient/ana', token)).status, 401);
  const { setSuspended } = await import('../src/node/admin/parties.ts');
  await setSuspended(custodian, key.accountId, true);
  assert.equal((await node.fhir('Patient/ana', token)).status, 401);
  await assert.rejects(sessionToken(node.url, key, 'HRESCH'));
  await setSuspended(custodian, key.accountId, false);
  assert.equal((await node.fhir('Patient/ana', token)).status, 401);
  await sessionToken(node.url, key, 'HRESCH');
});

test('suspending an organisation ends what its people may do', async () => {
  const { setSuspended } = await import('../src/node/admin/parties.ts');
  const token = await node.token('researcher', 'HRESCH');
  await setSuspended(node.node.runtime.custodian, node.demoKey('institute').accountId, true);
  assert.equal((await node.fhir('Patient/ana', token)).status, 401);
  await assert.rejects(node.token('researcher', 'HRESCH'));
  await setSuspended(node.node.runtime.custodian, node.demoKey('institute').accountId, false);
});

test('a rotated key opens no more sessions', async () => {
  const { createNextKey } = await import('../src/node/index.ts');
  const { encodeRotateKey, provePossession } = await import('../src/contracts/index.ts');
  const { createAccountSigner } = await import('../src/node/ledger/account-signer.ts');
  const key = node.demoKey('insurer');
  const next = createNextKey(key);
  const { engine, chainId } = node.node.runtime;
  const newKey = fromHex(next.publicKey) as Uint8Array;
  const possessionProof = provePossession(chainId, fromHex(key.accountId) as Uint8Array, newKey, next.seed);
  await createAccountSigner({ engine, chainId, seed: key.seed }).submit('rotate-key', [
    encodeRotateKey({ newKey, possessionProof }),
  ]);
  await assert.rejects(sessionToken(node.url, key, 'HPAYMT'));
  await sessionToken(node.url, next, 'HPAYMT');
});

test('too many refusals from one address are asked to wait, and keep nobody there from what is valid', async () => {
  const limited = await startTestNode({
    withSamples: false,
    maxFailuresPerMinute: 3,
    trustedProxies: ['127.0.0.1'],
  });
  try {
    const seed = createKey('x').seed;
    const accountId = fromHex(createKey('y').accountId) as Uint8Array;
    const jwt = await createAssertion(seed, {
      accountId,
      audience: `${limited.url}/auth/token`,
      nowMs: Date.now(),
    });
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 5; attempt++)
      statuses.push((await postAssertion(limited.url, jwt)).status);
    assert.deepEqual(statuses, [401, 401, 401, 429, 429]);
    const { custodian, opened } = limited.node.runtime;
    const key = { accountId: custodian.accountHex, seed: opened.keys.custodianSeed };
    await sessionToken(limited.url, key, 'HOPERAT');
    assert.deepEqual(await enrolPatientAndGuess(limited), [201, 429]);
    // The address that the proxy saw has its own count, whatever the caller says to have come through.
    assert.equal((await postAssertion(limited.url, jwt, '203.0.113.9')).status, 401);
    assert.equal((await postAssertion(limited.url, jwt, '203.0.113.9, 127.0.0.1')).status, 401);
    assert.equal((await postAssertion(limited.url, jwt, '198.51.100.1, 203.0.113.9')).status, 401);
    assert.equal((await postAssertion(limited.url, jwt, '198.51.100.2, 203.0.113.9')).status, 429);
  } finally {
    await limited.close();
  }
});

/** What the code of a patient gets, and one that was made up. */
async function enrolPatientAndGuess({ node, url }: TestNode): Promise<number[]> {
  const { enrolment, custodian, chainId } = node.runtime;
  await importBundle(node.runtime, bundleOf([{ resourceType: 'Patient', id: 'eve' }]));
  const { code } = await enrolment.issueCode('eve');
  const statuses: number[] = [];
  for (const tried of [code, 'AAAA-AAAA-AAAA-AAAA']) {
    const request = enrolmentRequest(new Uint8Array(32).fill(4), custodian.accountId, chainId, tried);
    const body = JSON.stringify(request);
    statuses.push((await fetch(`${url}/wallet/enrol`, { method: 'POST', body })).status);
  }
  return statuses;
}
