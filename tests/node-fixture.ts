import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAssertion } from '../src/client/index.ts';
import { DEMO_KEYS, type NodeConfig, type RunningNode, readKeyFile, startNode } from '../src/node/index.ts';
import { fromHex } from '../src/shared/index.ts';

export const PASSPHRASE = 'a passphrase for tests';

/** A node on a folder of its own, with the sample patients, and all that it logged. */
export interface TestNode {
  node: RunningNode;
  url: string;
  data: string;
  logged: () => string;
  demoKey: (name: keyof typeof DEMO_KEYS) => ReturnType<typeof readKeyFile>;
  /** A session token of a demo party. */
  token: (name: keyof typeof DEMO_KEYS, purpose?: string) => Promise<string>;
  fhir: (path: string, token: string, init?: RequestInit) => Promise<Response>;
  close: () => Promise<void>;
}

export async function startTestNode(config: Partial<NodeConfig> = {}): Promise<TestNode> {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-node-'));
  const data = join(folder, 'data');
  const lines: string[] = [];
  const node = await startNode({
    dataPath: data,
    port: 0,
    passphrase: PASSPHRASE,
    anchorEveryMs: 200,
    maxFailuresPerMinute: 1000,
    logLevel: 'debug',
    logSink: (text) => void lines.push(text),
    ...config,
  });
  const demoKey: TestNode['demoKey'] = (name) => readKeyFile(join(data, 'demo', DEMO_KEYS[name]));
  return {
    node,
    url: node.url,
    data,
    logged() {
      node.runtime.log.flush();
      return lines.join('');
    },
    demoKey,
    token: (name, purpose) => sessionToken(node.url, demoKey(name), purpose),
    fhir: (path, token, init = {}) =>
      fetch(`${node.url}/fhir/R4/${path}`, {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${token}` },
      }),
    async close() {
      await node.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Proves possession of a key at the token endpoint. */
export async function sessionToken(
  url: string,
  key: { accountId: string; seed: Uint8Array },
  purpose?: string,
): Promise<string> {
  const accountId = fromHex(key.accountId) as Uint8Array;
  const claims = { accountId, audience: `${url}/auth/token`, nowMs: Date.now() };
  const answer = await postAssertion(
    url,
    await createAssertion(key.seed, { ...claims, ...(purpose !== undefined && { purpose }) }),
  );
  const body = (await answer.json()) as { access_token?: string; error_description?: string };
  if (body.access_token === undefined) throw new Error(body.error_description);
  return body.access_token;
}

/** `forwardedFor`: the header of a proxy. */
export function postAssertion(url: string, assertion: string, forwardedFor?: string): Promise<Response> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  return fetch(`${url}/auth/token`, { method: 'POST', body: form, headers });
}
