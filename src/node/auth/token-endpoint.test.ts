import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAssertion } from '../../client/index.ts';
import { accountIdOf, publicKeyOf } from '../../identity/index.ts';
import { toHex } from '../../shared/index.ts';
import { createAttempts } from './attempts.ts';
import type { RegisteredParty } from './registry-view.ts';
import { createSessionStore } from './sessions.ts';
import { grantToken, type NodeSession } from './token-endpoint.ts';

const NOW_MS = 1_800_000_000_000;
const AUDIENCE = 'https://node.example/auth/token';
const SEED = new Uint8Array(32).fill(7);
const ACCOUNT = accountIdOf(publicKeyOf(SEED));
const PATIENT: RegisteredParty = {
  accountId: toHex(ACCOUNT),
  kind: 'patient',
  publicKey: publicKeyOf(SEED),
  status: 'active',
  organisation: '00'.repeat(32),
  roles: [],
};

/** Asks for a token while something happens just before the session is opened. */
async function askWhile(happens: (world: { party: RegisteredParty; patientId?: string }) => void) {
  const world: { party: RegisteredParty; patientId?: string } = { party: PATIENT, patientId: 'ana' };
  const sessions = createSessionStore<NodeSession>(() => NOW_MS);
  const assertion = await createAssertion(SEED, { accountId: ACCOUNT, audience: AUDIENCE, nowMs: NOW_MS });
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
  const granted = await grantToken(form, 'somewhere', {
    audience: () => AUDIENCE,
    nowMs: () => NOW_MS,
    lookUp: () => world.party,
    patientOf: async () => world.patientId,
    async useOnce() {
      happens(world);
      return true;
    },
    sessions,
    attempts: createAttempts({ limit: 3, windowMs: 1000, nowMs: () => NOW_MS }),
  }).then(
    () => 'granted',
    (error: { code: string }) => error.code,
  );
  return { granted, open: sessions.size };
}

test('a session that is opened while its account changes does not stay', async () => {
  assert.deepEqual(await askWhile(() => undefined), { granted: 'granted', open: 1 });
  const refused = { granted: 'token-refused', open: 0 };
  assert.deepEqual(await askWhile((world) => delete world.patientId), refused);
  assert.deepEqual(
    await askWhile((world) => {
      world.party = { ...PATIENT, status: 'suspended' };
    }),
    refused,
  );
  assert.deepEqual(
    await askWhile((world) => {
      world.party = { ...PATIENT, publicKey: new Uint8Array(32) };
    }),
    refused,
  );
});
