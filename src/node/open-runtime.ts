import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readAccessAnchor } from '../contracts/index.ts';
import { type Engine, openEmbeddedEngine } from '../engine/index.ts';
import { signMessage } from '../identity/index.ts';
import { chainIdOf, encodeGenesis, isConsortium, signBatchPromise } from '../ledger/index.ts';
import { AppError, toHex } from '../shared/index.ts';
import { openPassphraseKeys, openVault, type Vault, type VaultOptions } from '../vault/index.ts';
import { type AccessAnchorTimer, startAccessAnchor } from './anchoring/access-anchor.ts';
import { otherLog, refuseOtherLog } from './anchoring/lost-log-end.ts';
import { createRecordAnchor, type RecordAnchor } from './anchoring/record-anchor.ts';
import { type Attempts, createAttempts } from './auth/attempts.ts';
import { createRegistryView, type RegistryView } from './auth/registry-view.ts';
import { createSessionStore } from './auth/sessions.ts';
import type { NodeSession } from './auth/token-endpoint.ts';
import { bringUp, giveUp } from './bring-up.ts';
import {
  ANCHOR_DEADLINE_MS,
  DEFAULT_ANCHOR_EVERY_MS,
  DEFAULT_COSIGN_EVERY_MS,
  DEFAULT_MAX_FAILURES_PER_MINUTE,
  FRESHNESS_PATIENCE_MS,
  MAX_LEDGER_AGE_MS,
  type NodeConfig,
} from './config.ts';
import { createConsentDesk } from './consents/consent-submission.ts';
import { createConsentView } from './consents/consent-view.ts';
import { createEpochWatch } from './consents/epoch-watch.ts';
import { createGrantWatch } from './consents/grant-watch.ts';
import { readLedgerConsent } from './consents/ledger-consent.ts';
import { createLostPatients, type LostPatients } from './consents/lost-patients.ts';
import { type Cosigner, startCosigner } from './cosigning/cosigner.ts';
import { openFhir } from './fhir/open-fhir.ts';
import type { OpenedFolder } from './folder/init-folder.ts';
import { type Log, openLog } from './http/log.ts';
import { createMetrics, type Metrics } from './http/metrics.ts';
import { type RequestOrigin, requestOrigin } from './http/request-origin.ts';
import { type AccountSigner, createAccountSigner } from './ledger/account-signer.ts';
import { changesOf } from './ledger/commit-watch.ts';
import { type ConsensusProver, createConsensusProver } from './ledger/consensus-prover.ts';
import { createFreshness, type Freshness } from './ledger/freshness.ts';
import { createReceiptDesk, type ReceiptDesk } from './ledger/receipts.ts';
import { type Consortium, openConsortium } from './network/open-consortium.ts';
import { readKeptChain } from './network/state-sync.ts';
import { addNodeGauges } from './node-gauges.ts';
import type { NodeRuntime, PartsOfNode } from './runtime.ts';
import { createEnrolment } from './wallet/enrolment.ts';

/** Opens ledger and vault of a data folder and wires the node's parts together. Nothing listens yet. */
export async function openRuntime(opened: OpenedFolder, config: NodeConfig): Promise<NodeRuntime> {
  const nowMs = config.now ?? Date.now;
  const { genesis, keys } = opened;
  const originOf = requestOrigin(config.trustedProxies ?? []);
  const log = openLog({
    level: config.logLevel ?? 'info',
    nowMs,
    ...(config.logSink !== undefined && { sink: config.logSink }),
  });
  const consortium =
    opened.description.engine === 'cometbft'
      ? await openConsortium(opened, config.retainBlocks, (line) => log.write('info', 'consensus', { line }))
      : undefined;
  const engine = consortium ?? (await openEmbedded(opened, nowMs));
  const chainId = chainIdOf(genesis);
  const custodian = createAccountSigner({ engine, chainId, seed: keys.custodianSeed });
  let vault: Vault | undefined;
  let runtime: NodeRuntime | undefined;
  try {
    const onDamagedKey = (key: number): void => log.write('error', 'vault-key-damaged', { key });
    vault = await openNodeVault(opened, { ...config, onDamagedKey }, custodian);
    if (config.acceptLoss !== true) refuseOtherLog(engine, custodian.accountId, vault.accessLog);
    const parts = { opened, config, originOf, engine, consortium, vault, custodian, chainId, nowMs, log };
    runtime = wire(parts);
    await bringUp(runtime, config.acceptLoss === true);
    return runtime;
  } catch (error) {
    if (runtime !== undefined) await giveUp(runtime);
    await vault?.close().catch(() => undefined);
    await engine.close();
    throw error;
  }
}

function openEmbedded({ folder, genesis, keys }: OpenedFolder, now: () => number): Promise<Engine> {
  return openEmbeddedEngine({ folder: folder.ledger, genesis, operatorSeed: keys.operatorSeed, now });
}

function freshnessOf(consortium: Consortium, accessAnchor: AccessAnchorTimer): Freshness {
  return createFreshness({
    elapsedMs: () => performance.now(),
    maxAgeMs: MAX_LEDGER_AGE_MS,
    waitMs: FRESHNESS_PATIENCE_MS,
    confirm: () => accessAnchor.confirm(),
    async lag() {
      const { height, peers, isCatchingUp } = await consortium.consensusStatus();
      const behind = height - consortium.consensusHeight();
      return `${peers} peers, ${behind} blocks to take over, ${isCatchingUp ? 'still fetching others' : 'no more known'}`;
    },
  });
}

/** Opens the vault alone, for a node and for an audit of a stopped one. */
export async function openNodeVault(
  opened: OpenedFolder,
  config: Pick<NodeConfig, 'vaultUrl' | 'now'> &
    Pick<VaultOptions, 'tolerateDamage' | 'mustExist' | 'onDamagedKey'>,
  custodian: Pick<AccountSigner, 'accountId' | 'publicKey'>,
): Promise<Vault> {
  const { folder, passphrase, keys: seeds } = opened;
  const now = config.now ?? Date.now;
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
  const sign = (message: Uint8Array): Uint8Array => signMessage(seeds.custodianSeed, message);
  const keys = await openPassphraseKeys({
    path: folder.vaultKeys,
    passphrase: passphrase.text,
    random,
    create: opened.isNew,
  });
  return openVault({
    url: config.vaultUrl ?? `sqlite:${join(folder.vault, 'vault.db')}`,
    folder: folder.vault,
    keys,
    signer: { publicKey: custodian.publicKey, sign },
    now,
    random,
    tolerateDamage: config.tolerateDamage === true,
    mustExist: config.mustExist === true,
    ...(config.onDamagedKey && { onDamagedKey: config.onDamagedKey }),
    signBatch: (batch) =>
      signBatchPromise(batch, {
        custodian: custodian.accountId,
        anchorDeadlineMs: now() + ANCHOR_DEADLINE_MS,
        sign,
      }),
  });
}

/** Whether what opened a session still stands: the party is active, and the key is still its key. */
function isStillGood(session: NodeSession, registry: RegistryView): boolean {
  const party = registry.lookUp(session.accountId);
  return party?.status === 'active' && toHex(party.publicKey) === session.publicKey;
}

interface Opened {
  opened: OpenedFolder;
  config: NodeConfig;
  originOf: RequestOrigin;
  engine: Engine;
  vault: Vault;
  custodian: AccountSigner;
  chainId: Uint8Array;
  nowMs: () => number;
  consortium: Consortium | undefined;
  log: Log;
}

function wire(parts: Opened): NodeRuntime {
  const { opened, config, engine, consortium, vault, custodian, chainId, nowMs, log } = parts;
  const genesisBytes = encodeGenesis(opened.genesis);
  const registry = createRegistryView(engine.state);
  const sessions = createSessionStore<NodeSession>(nowMs);
  const { accessAnchor, halted } = accessAnchorOf(parts);
  const freshness = consortium && freshnessOf(consortium, accessAnchor);
  const { epochs, granted, lostPatients, consents, consentDesk } = consentPartsOf(parts);
  watchCommits(engine, { epochs, granted, lostPatients, consents, registry, sessions });
  const recordAnchor = recordAnchorOf(parts);
  const metrics = createMetrics();
  const cosigner = cosignerOf(parts, metrics);
  const prover = proverOf(parts);
  const runtime: NodeRuntime = {
    opened,
    chainId,
    genesisBytes,
    engine,
    consortium,
    prover,
    freshness,
    vault,
    custodian,
    registry,
    sessions,
    attempts: attemptsOf(parts),
    originOf: parts.originOf,
    consents,
    consentDesk,
    epochs,
    granted,
    lostPatients,
    halted,
    enrolment: createEnrolment({
      ...parts,
      onBound(patientId, accountId) {
        consents.forget(patientId);
        lostPatients.changed();
        // The wallet that another took the place of reads no more.
        sessions.end((session) => session.patientId === patientId && session.accountId !== accountId);
      },
    }),
    recordAnchor,
    accessAnchor,
    receipts: receiptDeskOf(parts, cosigner, prover),
    cosigner,
    ...openFhir({
      engine,
      vault,
      consents,
      registry,
      sessions,
      custodian,
      recordAnchor,
      config,
      nowMs,
      freshness,
      baseUrl: () => runtime.baseUrl,
      onBreakGlass() {
        metrics.count('careledger_break_glass_total');
        log.write('warn', 'break-glass');
      },
    }),
    log,
    metrics,
    nowMs,
    baseUrl: config.baseUrl ?? '',
    state: 'starting',
  };
  addNodeGauges(runtime);
  return runtime;
}

/** With what ends the node: another log on the ledger than the one here, or whatever its consensus cannot go on with. */
function accessAnchorOf(parts: Opened): PartsOfNode<'accessAnchor' | 'halted'> {
  const { engine, consortium, config, custodian } = parts;
  const lostLogEnd = Promise.withResolvers<AppError>();
  const accessAnchor = startAccessAnchor({
    ...parts,
    accessLog: parts.vault.accessLog,
    everyMs: config.anchorEveryMs ?? DEFAULT_ANCHOR_EVERY_MS,
    acceptLoss: config.acceptLoss === true,
    onOtherLog: () => lostLogEnd.resolve(otherLog(readAccessAnchor(engine.state, custodian.accountId))),
  });
  const halted =
    consortium === undefined ? lostLogEnd.promise : Promise.race([lostLogEnd.promise, consortium.halted]);
  return { accessAnchor, halted };
}

function recordAnchorOf({ engine, vault, custodian, log }: Opened): RecordAnchor {
  const onFailure = (cause: unknown): void =>
    log.write('error', 'record-anchor-failed', {
      code: cause instanceof AppError ? cause.code : 'internal',
    });
  return createRecordAnchor({ engine, vault, bindings: vault.bindings, custodian, onFailure });
}

function consentPartsOf({
  engine,
  vault,
  custodian,
  log,
}: Opened): PartsOfNode<'epochs' | 'granted' | 'lostPatients' | 'consents' | 'consentDesk'> {
  const epochs = createEpochWatch({
    engine,
    vault,
    onFailure: () => log.write('error', 'epoch-rotation-failed'),
  });
  const granted = createGrantWatch({
    engine,
    noted: vault.grantedConsents,
    custodian: custodian.accountId,
    onFailure: () => log.write('error', 'granted-consents-not-written'),
    onLoss: () => log.write('error', 'granted-consents-lost'),
    onGrant: (account) => lostPatients.granted(account),
  });
  const lostPatients: LostPatients = createLostPatients({
    state: engine.state,
    vault,
    granted,
    onChange: (pseudonyms) => log.write(pseudonyms > 0 ? 'error' : 'warn', 'lost-patients', { pseudonyms }),
    onFailure: () => log.write('error', 'lost-patients-not-looked-up'),
  });
  const consents = createConsentView({
    ...vault,
    granted,
    lost: lostPatients,
    ledgerConsent: (consentId) => readLedgerConsent(engine.state, consentId),
  });
  const onStored = (patientId: string): void => consents.forget(patientId);
  return {
    epochs,
    granted,
    lostPatients,
    consents,
    consentDesk: createConsentDesk({ engine, vault, epochs, onStored }),
  };
}

/** What has to happen before a block is acknowledged: nobody reads by what it ended. */
function watchCommits(
  engine: Engine,
  parts: PartsOfNode<'epochs' | 'granted' | 'lostPatients' | 'consents' | 'registry' | 'sessions'>,
): void {
  const { epochs, granted, lostPatients, consents, registry, sessions } = parts;
  engine.onCommit((block, results) => {
    const changes = changesOf(block, results);
    epochs.committed(block.height, changes.ended);
    granted.committed(block, results);
    if (changes.consents !== undefined) {
      consents.changed(changes.consents);
      lostPatients.changed();
    }
    if (!changes.registry) return;
    registry.changed();
    sessions.end((session) => !isStillGood(session, registry));
  });
}

function cosignerOf({ engine, config, nowMs, log }: Opened, metrics: Metrics): Cosigner {
  return startCosigner({
    engine,
    witnesses: config.witnesses ?? [],
    everyMs: config.cosignEveryMs ?? DEFAULT_COSIGN_EVERY_MS,
    nowMs,
    log,
    onOutcome: (outcome) => metrics.count(`careledger_witness_${outcome}_total`),
  });
}

function receiptDeskOf(
  { engine, vault, opened, custodian }: Opened,
  cosigner: Cosigner,
  prover: ConsensusProver | undefined,
): ReceiptDesk {
  return createReceiptDesk({
    engine,
    accessLog: vault.accessLog,
    genesis: opened.genesis,
    custodian: custodian.accountId,
    cosigner,
    prove: prover && ((note) => prover.proofOf(note)),
  });
}

function attemptsOf({ config, nowMs }: Opened): Attempts {
  const limit = config.maxFailuresPerMinute ?? DEFAULT_MAX_FAILURES_PER_MINUTE;
  return createAttempts({ limit, windowMs: 60_000, nowMs });
}

function proverOf({ opened, consortium }: Opened): ConsensusProver | undefined {
  const { genesis, folder } = opened;
  if (consortium === undefined || !isConsortium(genesis)) return undefined;
  return createConsensusProver(genesis, consortium.rpcUrl, readKeptChain(folder, genesis));
}
