import type { ProofVerdict } from '../client/index.ts';
import { printable } from './printable.ts';

/** A verdict as a person reads it: what is proven, and what is not. */
export function verdictText(verdict: ProofVerdict): string {
  return findingsText(headingOf(verdict), verdict);
}

/** What is proven and what is not, under a heading. */
export function findingsText(
  heading: string,
  { statements, notProven }: Pick<ProofVerdict, 'statements' | 'notProven'>,
): string {
  const proven = statements.map((line) => `  + ${printable(line)}`);
  const open = notProven.map((line) => `  - ${printable(line)}`);
  return [
    heading,
    ...(proven.length > 0 ? ['', 'Proven:', ...proven] : []),
    ...(open.length > 0 ? ['', 'Not proven:', ...open] : []),
  ].join('\n');
}

function headingOf(verdict: ProofVerdict): string {
  if (!verdict.ok) return 'THE PROOF DOES NOT HOLD.';
  if (verdict.promise === 'broken') return 'The proof holds: THE CUSTODIAN BROKE ITS PROMISE TO LOG.';
  return 'The proof holds.';
}

/** The same for `--json`. */
export function verdictJson(verdict: ProofVerdict): Record<string, unknown> {
  const { ok, code, statements, notProven } = verdict;
  const promise = verdict.ok && verdict.promise !== undefined ? { promise: verdict.promise } : {};
  return { ok, code, statements, notProven, witnesses: verdict.ok ? verdict.witnesses : [], ...promise };
}
