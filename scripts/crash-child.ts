/** A loaded node for the crash campaign: submits without pause and writes a line for each acknowledgement, until it is killed. */
import { writeSync } from 'node:fs';
import { openEmbeddedEngine } from '../src/engine/index.ts';
import {
  consentGrant,
  enrolment,
  type SampleChain,
  type SampleSigner,
  sampleChain,
  sampleSigner,
} from '../src/engine/sample-chain.ts';
import { readAccount } from '../src/ledger/index.ts';
import { toHex } from '../src/shared/index.ts';

const PATIENTS = 24;

const folder = process.argv[2] as string;
const chain = sampleChain();
const engine = await openEmbeddedEngine({
  folder,
  genesis: chain.genesis,
  operatorSeed: chain.operatorSeed,
  now: Date.now,
});
const patients = Array.from({ length: PATIENTS }, (_, at) => sampleSigner(1, `patient ${at}`));
catchUp(chain.custodian);
for (const patient of patients) await enrolOnce(chain, patient);
writeSync(1, 'ready\n');
await Promise.all(patients.map((patient) => submitForEver(patient)));

/** After a kill the next sequence number is what the ledger says, not what was last sent. */
function catchUp(signer: SampleSigner): boolean {
  const account = readAccount(engine.state, signer.accountId);
  signer.nextSequence = account?.nextSequence ?? 0;
  return account !== undefined;
}

async function enrolOnce(sample: SampleChain, patient: SampleSigner): Promise<void> {
  if (catchUp(patient)) return;
  await submit(enrolment(sample, patient));
}

/** Two in flight a patient, so that a kill finds blocks being made, written and waiting. */
async function submitForEver(patient: SampleSigner): Promise<void> {
  for (;;) {
    await Promise.all([submit(consentGrant(chain, patient)), submit(consentGrant(chain, patient))]);
  }
}

/** Written with one system call, so that what the parent reads was acknowledged before the kill. */
async function submit(bytes: Uint8Array): Promise<void> {
  const { height, index, transactionId, code, leafIndex } = await engine.submit(bytes);
  writeSync(1, `ack ${toHex(transactionId)} ${height} ${index} ${code} ${leafIndex}\n`);
}
