import { toHex } from '../../shared/index.ts';
import { json, type NodeApp, reply } from '../http/app.ts';
import { type NodeDescription, WELCOME_CSP, welcomePage } from '../http/welcome-page.ts';
import type { PartsOfNode } from '../runtime.ts';

export const VERSION = '0.1.0';

type DescribedParts = PartsOfNode<
  'engine' | 'consortium' | 'opened' | 'chainId' | 'custodian' | 'cosigner' | 'baseUrl' | 'state'
>;

/** What anybody may ask: what this is, whether it lives, whether it is ready, how it is doing. */
export function addPublicRoutes(app: NodeApp, runtime: DescribedParts & PartsOfNode<'metrics'>): void {
  app.get('/', (context) => {
    const description = describe(runtime);
    if (!(context.req.header('accept') ?? '').includes('text/html')) return json(description);
    const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': WELCOME_CSP };
    return reply({ status: 200, headers, body: welcomePage(description) });
  });
  app.get('/healthz', () => json({ status: 'ok' }));
  app.get('/readyz', () => json({ status: runtime.state }, runtime.state === 'ready' ? 200 : 503));
  app.get('/metrics', () =>
    reply({
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4' },
      body: runtime.metrics.render(),
    }),
  );
}

/** The node as `GET /` tells it, to a browser and to a program alike. */
export function describe(
  runtime: DescribedParts,
): NodeDescription & { custodian: string; tokenEndpoint: string } {
  const head = runtime.engine.head();
  return {
    name: 'CareLedger node',
    organisation: runtime.opened.description.organisationName,
    version: VERSION,
    chainId: toHex(runtime.chainId),
    custodian: runtime.custodian.accountHex,
    ready: runtime.state === 'ready',
    height: head.height,
    logSize: head.logSize,
    headTime: new Date(head.timeMs).toISOString(),
    engine:
      runtime.consortium === undefined
        ? 'embedded, run by one operator'
        : `a consortium of ${runtime.opened.genesis.organisationKeys.length} organisations, CometBFT`,
    witnesses: runtime.cosigner.status(),
    baseUrl: runtime.baseUrl,
    tokenEndpoint: `${runtime.baseUrl}/auth/token`,
    links: LINKS,
  };
}

const LINKS = [
  { href: '/fhir/R4/metadata', title: 'FHIR capabilities', about: 'what the FHIR R4 interface can do' },
  {
    href: '/ledger/checkpoint',
    title: 'Signed checkpoint',
    about: 'the head of the ledger, for witnesses and clients to pin',
  },
  { href: '/ledger/genesis', title: 'Genesis', about: 'the bytes that the chain id is a hash of' },
  { href: '/readyz', title: 'Readiness', about: 'ledger verified, vault open, writes possible' },
  { href: '/metrics', title: 'Metrics', about: 'for Prometheus' },
];
