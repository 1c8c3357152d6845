import { RESULT_CODES, type ResultCode, stoppableByOne } from '../../ledger/index.ts';
import { toHex } from '../../shared/index.ts';
import { MAX_VALIDATORS, type Validator } from './validators.ts';

/** With four the fault of one is tolerated. A network that has come so far does not go back. */
const SAFE_VALIDATORS = 4;

/** The validators after a change: those of a key it names are replaced, and those it gives no power are gone. */
export function changedValidators(
  before: readonly Validator[],
  changes: readonly Validator[],
): readonly Validator[] {
  const after = new Map(before.map((one) => [toHex(one.consensusKey), one]));
  for (const change of changes) after.set(toHex(change.consensusKey), change);
  return [...after.values()].filter(({ power }) => power > 0);
}

/** Whether the network stays as safe with other validators as it is. */
export function checkValidators(before: readonly Validator[], after: readonly Validator[]): ResultCode {
  if (after.length > MAX_VALIDATORS) return RESULT_CODES['too-many-validators'];
  const goesBelow = (count: (validators: readonly Validator[]) => number): boolean =>
    count(after) < (count(before) >= SAFE_VALIDATORS ? SAFE_VALIDATORS : 1);
  if (goesBelow(({ length }) => length) || goesBelow(organisationsOf))
    return RESULT_CODES['too-few-validators'];
  const weights = after.map(({ organisation, power }) => ({ organisation: toHex(organisation), power }));
  return stoppableByOne(weights) ? RESULT_CODES['third-of-power'] : RESULT_CODES.ok;
}

function organisationsOf(validators: readonly Validator[]): number {
  return new Set(validators.map(({ organisation }) => toHex(organisation))).size;
}
