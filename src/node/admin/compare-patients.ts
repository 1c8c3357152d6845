import { createPause, type Vault } from '../../vault/index.ts';
import type { Discrepancy } from './compare-with-ledger.ts';
import type { LedgerFacts } from './ledger-facts.ts';

type Patients = Pick<Vault, 'pseudonyms' | 'grantedConsents' | 'consents'>;

/** What the ledger has of patients has to be in the vault: whose each pseudonym is, and what was granted under it. */
export async function* patientDiscrepancies(
  facts: LedgerFacts,
  vault: Patients,
): AsyncGenerator<Discrepancy> {
  const pause = createPause();
  const granting = new Set([...facts.consents.values()].map(({ account }) => account));
  for (const [account, height] of facts.pseudonyms) {
    await pause();
    const state = await vault.pseudonyms.stateOf(account);
    // Nobody grants before the enrolment has ended.
    if (state !== 'lost' && !(state === 'announced' && granting.has(account))) continue;
    const what = `The pseudonym ${account} was enrolled on the ledger at height ${height}, and the vault has lost whose it is.`;
    yield { severity: 'damage', where: 'bindings', what };
  }
  yield* missingGrants(facts, vault);
  yield* missingTerms(facts, vault);
}

async function* missingGrants(
  { consents }: LedgerFacts,
  { grantedConsents }: Patients,
): AsyncGenerator<Discrepancy> {
  const where = 'granted consents';
  const known = await grantedConsents.height();
  const pause = createPause();
  let later = 0;
  for (const [id, { account, height }] of consents) {
    await pause();
    if (height > known) later += 1;
    else if (!(await grantedConsents.of(account)).includes(id)) {
      const what = `The consent ${id}, granted on the ledger at height ${height}, is missing; the next start adds it.`;
      yield { severity: 'damage', where, what };
    }
  }
  if (later === 0) return;
  const what = `They are noted up to height ${known}, and the ledger has ${later} more; the next start adds them.`;
  yield { severity: 'note', where, what };
}

/** Terms need not be here: a patient may grant through another node and not bring them. */
async function* missingTerms({ consents }: LedgerFacts, vault: Patients): AsyncGenerator<Discrepancy> {
  const pause = createPause();
  for (const [id, { account, version, isActive }] of consents) {
    await pause();
    if (!isActive || (await vault.consents.get(id, version)) !== undefined) continue;
    if ((await vault.pseudonyms.stateOf(account)) !== 'bound') continue;
    const what = `Version ${version} of the consent ${id} is active on the ledger, and its terms are not here: they were never brought, or taken away. It denies until they are brought.`;
    yield { severity: 'note', where: 'consents', what };
  }
}
