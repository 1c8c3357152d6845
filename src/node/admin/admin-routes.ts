import { AppError } from '../../shared/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import { bodyObject, createApp, json, type NodeApp, textField } from '../http/app.ts';
import { describe } from '../routes/public-routes.ts';
import type { NodeRuntime, PartsOfNode } from '../runtime.ts';
import { auditNode } from './audit.ts';
import { backupNode } from './backup.ts';
import { eraseAndRecord, parseReference } from './erasure.ts';
import { addGovernanceRoutes } from './governance.ts';
import { importBundle } from './import.ts';
import { jsonLines } from './ndjson.ts';
import { type PartyRegistration, registerParty, setSuspended } from './parties.ts';

const MAX_REQUEST_BYTES = 64 * 1024;
const MAX_BUNDLE_BYTES = 256 * 1024 * 1024;

/** What only the owner of the data folder may do: the app behind its socket. `stop` ends the node. */
export function createAdminApp(runtime: NodeRuntime, stop: () => void): NodeApp {
  const app = createApp();
  app.get('/admin/status', () => json(describe(runtime)));
  app.post('/admin/stop', () => {
    setImmediate(stop);
    return json({ stopping: true });
  });
  addPartyRoutes(app, runtime);
  addGovernanceRoutes(app, runtime);
  addRecordRoutes(app, runtime);
  app.post('/admin/audit', () => jsonLines((tell) => auditNode(runtime, tell)));
  app.post('/admin/backup', async (context) => {
    const folder = textField(await bodyObject(context, MAX_REQUEST_BYTES), 'folder', 4096);
    return jsonLines((tell) => backupNode(runtime, folder, tell));
  });
  return app;
}

function addPartyRoutes(
  app: NodeApp,
  { enrolment, custodian }: PartsOfNode<'enrolment' | 'custodian'>,
): void {
  app.post('/admin/enrol-code', async (context) => {
    const { resourceType, id } = parseReference(
      textField(await bodyObject(context, MAX_REQUEST_BYTES), 'patient', 128),
    );
    if (resourceType !== 'Patient')
      throw new AppError('invalid-request', 'A code is issued for a Patient, for example Patient/ana.');
    return json(await enrolment.issueCode(id), 201);
  });
  app.post('/admin/parties', async (context) => {
    const accountId = await registerParty(
      custodian,
      registrationOf(await bodyObject(context, MAX_REQUEST_BYTES)),
    );
    return json({ accountId }, 201);
  });
  app.post('/admin/suspend', async (context) => {
    await setSuspended(
      custodian,
      textField(await bodyObject(context, MAX_REQUEST_BYTES), 'accountId', 64),
      true,
    );
    return json({ suspended: true });
  });
  app.post('/admin/reinstate', async (context) => {
    await setSuspended(
      custodian,
      textField(await bodyObject(context, MAX_REQUEST_BYTES), 'accountId', 64),
      false,
    );
    return json({ suspended: false });
  });
}

function addRecordRoutes(app: NodeApp, runtime: NodeRuntime): void {
  app.post('/admin/import', async (context) => {
    const bundle = await bodyObject(context, MAX_BUNDLE_BYTES);
    return json(await importBundle(runtime, bundle));
  });
  app.post('/admin/erase', async (context) => {
    const reference = textField(await bodyObject(context, MAX_REQUEST_BYTES), 'reference', 128);
    return json(await eraseAndRecord(reference, runtime));
  });
  app.post('/admin/anchor', async () => {
    await runtime.accessAnchor.anchorNow();
    return json({ anchored: true });
  });
}

function registrationOf(body: Record<string, unknown>): PartyRegistration {
  const kind = textField(body, 'kind', 16);
  if (kind !== 'organisation' && kind !== 'practitioner' && kind !== 'device') {
    throw new AppError(
      'invalid-request',
      'A party is an organisation, a practitioner or a device. Patients enrol their wallets.',
    );
  }
  const roles = body.roles;
  if (!Array.isArray(roles) || roles.length > 16 || !roles.every((role) => typeof role === 'string')) {
    throw new AppError('invalid-request', 'The field roles must be a list of at most 16 role names.');
  }
  const publicKey = bytesOfHex(textField(body, 'publicKey', 64), 'public key');
  const possessionProof = bytesOfHex(textField(body, 'possessionProof', 128), 'possession proof', 64);
  return { kind, publicKey, possessionProof, roles: roles as string[] };
}
