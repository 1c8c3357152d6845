import type { IncomingMessage } from 'node:http';
import { AppError, fromBase64, toHex } from '../../shared/index.ts';
import { bytesOfHex } from '../account-hex.ts';
import type { ConsentSubmission } from '../consents/consent-submission.ts';
import { authenticate } from '../fhir/fhir-door.ts';
import { bodyObject, json, type NodeApp, type NodeContext, reply, textField } from '../http/app.ts';
import type { NodeRuntime, PartsOfNode } from '../runtime.ts';
import { listAccesses, listBreakGlass, organisationNames } from '../wallet/accesses.ts';
import { sealedCopyReply, sealedListReply } from '../wallet/sealed-records.ts';

const MAX_ENROL_BYTES = 8 * 1024;
/** A consent with its transaction; the desk says how large the consent alone may be. */
const MAX_SUBMISSION_BYTES = 256 * 1024;
const MAX_TRANSACTION_CHARS = 128 * 1024;

type WalletParts = PartsOfNode<
  | 'attempts'
  | 'originOf'
  | 'metrics'
  | 'enrolment'
  | 'consentDesk'
  | 'registry'
  | 'sessions'
  | 'vault'
  | 'gate'
  | 'receipts'
  | 'baseUrl'
  | 'opened'
  | 'custodian'
>;

/** What a patient's wallet talks to. */
export function addWalletRoutes(app: NodeApp, runtime: WalletParts): void {
  // Each name is signed, and the signature checked: once, not for everybody who asks.
  let names: Record<string, string> | undefined;
  const sessionOf = (context: NodeContext) => authenticate(context.env.incoming as IncomingMessage, runtime);
  app.post('/wallet/enrol', async (context) => {
    const origin = runtime.originOf(context.env.incoming as IncomingMessage);
    const body = await bodyObject(context, MAX_ENROL_BYTES);
    const request = {
      code: textField(body, 'code', 64),
      publicKey: hexField(body, 'publicKey', 32),
      proof: hexField(body, 'proof', 64),
      sealingKey: hexField(body, 'sealingKey', 32),
    };
    try {
      return json(await runtime.attempts.counted(origin, () => runtime.enrolment.enrol(request)), 201);
    } catch (error) {
      runtime.metrics.count('careledger_enrolments_refused_total');
      throw error;
    }
  });

  app.get('/wallet/accesses', async (context) => {
    const session = sessionOf(context);
    if (session.kind !== 'patient' || session.patientId === undefined) {
      throw new AppError('forbidden', 'Only a patient reads the log of their own record.');
    }
    if (context.req.query('breakGlass') === 'true')
      return json(await listBreakGlass(runtime, session.patientId, context.req.query()));
    const page = await listAccesses(runtime, session.patientId, context.req.query());
    names ??= organisationNames(runtime);
    return json({ ...page, organisations: names });
  });

  app.get('/wallet/sealed', async (context) => reply(await sealedListReply(runtime, sessionOf(context))));
  app.get('/wallet/sealed/:type/:id', async (context) =>
    reply(await sealedCopyReply(runtime, sessionOf(context), context.req.param())),
  );
  app.get('/wallet/sealed/:type/:id/:version', async (context) =>
    reply(await sealedCopyReply(runtime, sessionOf(context), context.req.param())),
  );

  app.post('/wallet/consents', async (context) => {
    const submission = submissionOf(await bodyObject(context, MAX_SUBMISSION_BYTES));
    return json(toAnswer(await runtime.consentDesk.accept(submission)), 201);
  });
  app.post('/wallet/terms', async (context) => {
    await runtime.consentDesk.deposit(submissionOf(await bodyObject(context, MAX_SUBMISSION_BYTES)));
    return json({ stored: true }, 201);
  });
}

function submissionOf(body: Record<string, unknown>): ConsentSubmission {
  const transaction = base64Field(body, 'transaction');
  if (body.consent === undefined) return { transaction };
  return { transaction, consent: body.consent, salt: hexField(body, 'salt', 32) };
}

function toAnswer({
  committed,
  consentId,
  version,
}: Awaited<ReturnType<NodeRuntime['consentDesk']['accept']>>): unknown {
  const { height, index, leafIndex, transactionId } = committed;
  return { height, index, leafIndex, transactionId: toHex(transactionId), consentId, version };
}

function hexField(body: Record<string, unknown>, name: string, bytes: number): Uint8Array {
  return bytesOfHex(textField(body, name, 2 * bytes), name, bytes);
}

function base64Field(body: Record<string, unknown>, name: string): Uint8Array {
  const bytes = fromBase64(textField(body, name, MAX_TRANSACTION_CHARS));
  if (bytes !== undefined) return bytes;
  throw new AppError('invalid-request', `The field ${name} must be base64.`);
}
