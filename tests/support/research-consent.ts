import { consentResource } from '../../src/cli/consent-resource.ts';

/** Everything of a patient that is not sensitive, to somebody, for an hour. */
export function consentTo(grantee: string, patientId: string, purpose = 'HRESCH'): Record<string, unknown> {
  const nowMs = Date.now();
  return consentResource({
    patientId,
    to: [grantee],
    purposes: [purpose],
    actions: [],
    types: [],
    codes: [],
    withhold: [],
    includeSensitive: false,
    fromMs: nowMs - 60_000,
    untilMs: nowMs + 3_600_000,
    nowMs,
  });
}
