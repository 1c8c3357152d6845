import { chmodSync, existsSync, rmSync } from 'node:fs';
import type { AppError } from '../shared/index.ts';
import { createAdminApp } from './admin/admin-routes.ts';
import { withinPatience } from './concurrency/within-patience.ts';
import { DEFAULT_HOST, DEFAULT_ORGANISATION, DEFAULT_PORT, type NodeConfig } from './config.ts';
import { seedSamples } from './demo/seed-samples.ts';
import { FHIR_PREFIX } from './fhir/fhir-door.ts';
import { refuseChangedFolder, removeFolderSeal, sealFolder } from './folder/folder-seal.ts';
import {
  initFolder,
  isInitialised,
  type OpenedFolder,
  openFolder,
  refuseUnnamedVault,
} from './folder/init-folder.ts';
import { dataFolder } from './folder/layout.ts';
import { appListener, createApp, type NodeApp } from './http/app.ts';
import { type HttpServer, openHttpServer, type RequestHandler, refuseTakenPort } from './http/http-server.ts';
import { openRuntime } from './open-runtime.ts';
import { addAuthRoutes } from './routes/auth-routes.ts';
import { addLedgerRoutes } from './routes/ledger-routes.ts';
import { addPublicRoutes } from './routes/public-routes.ts';
import { addRecordRoutes } from './routes/record-routes.ts';
import { addWalletRoutes } from './routes/wallet-routes.ts';
import type { NodeRuntime } from './runtime.ts';

/** A node that serves. */
export interface RunningNode {
  url: string;
  runtime: NodeRuntime;
  /** Resolves when the node has ended, whoever asked for it; rejects with the reason when it could not go on. */
  closed: Promise<void>;
  /** Stops accepting, finishes what has begun, anchors the access log, seals the files. */
  close(): Promise<void>;
}

/** Starts a node; a folder that is new is made first. */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  if (isInitialised(config.dataPath)) await refuseChangedFolder(dataFolder(config.dataPath));
  else await refuseTakenPort(addressOf(config));
  const opened = openOrInit(config);
  const runtime = await openSealed(opened, config);
  const servers: HttpServer[] = [];
  try {
    await seedSamples(runtime, config);
    const stopped = Promise.withResolvers<void>();
    stopped.promise.catch(() => undefined);
    let halted: AppError | undefined;
    const end = (): void => (halted === undefined ? stopped.resolve() : stopped.reject(halted));
    const stop = once(() => shutDown(runtime, servers).then(end, stopped.reject));
    servers.push(await listenForAdmin(runtime, () => void stop()));
    servers.push(await listenForAll(runtime, config));
    runtime.state = 'ready';
    void runtime.cosigner.round();
    runtime.log.write('info', 'ready', { height: runtime.engine.head().height });
    // Ends before it answers from a ledger that the others have left behind.
    void runtime.halted.then((reason) => {
      halted = reason;
      runtime.log.write('error', 'halted', { code: reason.code, reason: reason.message });
      return stop();
    });
    return {
      url: runtime.baseUrl,
      runtime,
      closed: stopped.promise,
      close: () => stop().then(() => stopped.promise),
    };
  } catch (error) {
    await shutDown(runtime, servers).catch(() => undefined);
    throw error;
  }
}

/** The seal is taken away before anything is written, and put back where nothing could be opened. */
async function openSealed(opened: OpenedFolder, config: NodeConfig): Promise<NodeRuntime> {
  const wasSealed = removeFolderSeal(opened.folder);
  try {
    return await openRuntime(opened, config);
  } catch (error) {
    if (wasSealed) await sealFolder(opened);
    throw error;
  }
}

function openOrInit(config: NodeConfig): OpenedFolder {
  if (isInitialised(config.dataPath)) {
    const opened = openFolder(config.dataPath, config.passphrase);
    refuseUnnamedVault(opened.description, config.vaultUrl);
    return opened;
  }
  return initFolder({
    path: config.dataPath,
    organisationName: config.organisationName ?? DEFAULT_ORGANISATION,
    vault: config.vaultUrl?.startsWith('postgres') === true ? 'postgres' : 'sqlite',
    withSamples: config.withSamples ?? true,
    passphrase: config.passphrase,
    nowMs: (config.now ?? Date.now)(),
  });
}

async function listenForAdmin(runtime: NodeRuntime, stop: () => void): Promise<HttpServer> {
  const socketPath = runtime.opened.folder.adminSocket;
  // The ledger's lock is ours, so a socket that is there was left by a node that was killed.
  rmSync(socketPath, { force: true });
  const handler = appListener(createAdminApp(runtime, stop));
  const server = await openHttpServer({
    listen: { socketPath },
    handler,
    log: runtime.log,
    metrics: runtime.metrics,
  });
  if (existsSync(socketPath)) chmodSync(socketPath, 0o600);
  return server;
}

async function listenForAll(runtime: NodeRuntime, config: NodeConfig): Promise<HttpServer> {
  const listen = addressOf(config);
  const app: NodeApp = createApp();
  addPublicRoutes(app, runtime);
  addAuthRoutes(app, runtime);
  addLedgerRoutes(app, runtime);
  addWalletRoutes(app, runtime);
  addRecordRoutes(app, runtime);
  const other = appListener(app);
  const handler: RequestHandler = (incoming, outgoing, context) => {
    const isFhir = incoming.url?.startsWith(FHIR_PREFIX) === true;
    return isFhir ? runtime.fhir.handle(incoming, outgoing, context) : other(incoming, outgoing, context);
  };
  const server = await openHttpServer({ listen, handler, log: runtime.log, metrics: runtime.metrics });
  const shown = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  runtime.baseUrl = (config.baseUrl ?? `http://${shown}:${server.port}`).replace(/\/+$/, '');
  return server;
}

function addressOf({ host = DEFAULT_HOST, port = DEFAULT_PORT }: NodeConfig): { host: string; port: number } {
  return { host, port };
}

async function shutDown(runtime: NodeRuntime, servers: HttpServer[]): Promise<void> {
  runtime.state = 'closing';
  const [admin, ...others] = servers;
  await Promise.all(others.map((server) => server.close()));
  await runtime.cosigner.stop();
  await withinPatience(runtime, runtime.recordAnchor.stop());
  const stopped = runtime.accessAnchor.stop();
  await withinPatience(runtime, stopped).catch(() => runtime.log.write('error', 'access-anchor-failed'));
  await runtime.epochs.settle();
  await runtime.lostPatients.stop();
  await runtime.granted.settle();
  await runtime.vault.close();
  await runtime.engine.close();
  await sealFolder(runtime.opened);
  // The admin socket goes last: that it is gone tells that everything is sealed.
  await admin?.close();
  runtime.log.write('info', 'stopped');
  runtime.log.flush();
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work();
    return running;
  };
}
