import { AppError } from '../shared/index.ts';
import { finishForLedger } from './anchoring/finish-for-ledger.ts';
import { withinPatience } from './concurrency/within-patience.ts';
import type { NodeRuntime } from './runtime.ts';

/** Brings what is kept beside the ledger up to it before anything is served, and refuses to serve where something is missing. */
export async function bringUp(runtime: NodeRuntime, acceptLoss: boolean): Promise<void> {
  tellOfTornEntry(runtime);
  await runtime.granted.bringUp();
  await runtime.epochs.bringUp();
  await findLostPatients(runtime, acceptLoss);
  if (acceptLoss) await agreeOnAccessLog(runtime);
  await finishForLedger(runtime);
}

/** Ends what would go on by itself over a vault and a ledger that are closed next. Nothing more is written by it. */
export function giveUp(runtime: NodeRuntime): Promise<void> {
  const { accessAnchor, recordAnchor, epochs, lostPatients, cosigner } = runtime;
  const ended = [
    accessAnchor.pause(),
    recordAnchor.stop(),
    epochs.stop(),
    lostPatients.stop(),
    cosigner.stop(),
  ];
  return withinPatience(
    runtime,
    Promise.allSettled(ended).then(() => undefined),
  );
}

/** Nobody was told of it; somebody should look all the same. */
function tellOfTornEntry({ vault, log }: NodeRuntime): void {
  const { size, tornBytes } = vault.accessLog;
  if (tornBytes > 0) log.write('warn', 'access-log-torn-write', { entry: size, bytes: tornBytes });
}

async function findLostPatients({ lostPatients }: NodeRuntime, acceptLoss: boolean): Promise<void> {
  await lostPatients.find();
  if (lostPatients.size === 0 || acceptLoss) return;
  throw new AppError(
    'damaged',
    'The vault has lost which patient a consent on the ledger is of. Nothing was served. Run the audit, and restore the last backup to a new folder. ' +
      'If this is the last backup, start with --accept-loss: patients without a wallet here are then closed to everybody until those who are lost have enrolled again.',
  );
}

/** Before anything is served where one operator decides; a consortium may have no majority yet, and answers nothing until it has. */
async function agreeOnAccessLog(runtime: NodeRuntime): Promise<void> {
  const agreed = runtime.accessAnchor.anchorNow();
  if (runtime.consortium === undefined) await agreed;
  else agreed.catch(() => runtime.log.write('error', 'access-anchor-failed'));
}
