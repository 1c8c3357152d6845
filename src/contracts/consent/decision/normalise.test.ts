import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../../shared/index.ts';
import {
  type ConsentTerms,
  decodeConsentTerms,
  END_OF_TIME_MS,
  encodeConsentTerms,
  normaliseConsent,
  termsCommitment,
} from './index.ts';

const ACCOUNT = 'ab'.repeat(32);
const URN = `urn:careledger:account:${ACCOUNT}`;
const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';
const PARTICIPATION = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType';

const concept = (system: string, code: string) => ({ coding: [{ system, code }] });
const actor = (reference: unknown, role = concept(PARTICIPATION, 'PRCP')) => ({ role, reference });

const base = (over: object = {}) => ({
  resourceType: 'Consent',
  status: 'active',
  scope: concept('http://terminology.hl7.org/CodeSystem/consentscope', 'patient-privacy'),
  category: [concept('http://loinc.org', '59284-0')],
  patient: { reference: 'Patient/p1' },
  policyRule: concept(ACT_CODE, 'OPTIN'),
  ...over,
});

const withProvision = (provision: object, over: object = {}) => base({ provision, ...over });

function termsOf(resource: unknown, resolveActor?: (reference: string) => string | undefined): ConsentTerms {
  const result = normaliseConsent(resource, resolveActor === undefined ? {} : { resolveActor });
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

function refusal(resource: unknown, options = {}): string[] {
  const result = normaliseConsent(resource, options);
  assert.ok(!result.ok, 'should be refused');
  return result.error.map(({ path, code }) => `${path} ${code}`);
}

test('a full consent becomes integers and sorted codes', () => {
  const { validFromMs, validUntilMs, root } = termsOf(
    withProvision({
      period: { start: '2026-01-01', end: '2026-12-31' },
      actor: [
        actor({ reference: URN }),
        actor(
          { identifier: { system: 'urn:ietf:rfc:3986', value: URN } },
          concept('urn:careledger:role', 'nurse'),
        ),
      ],
      action: [
        concept('http://terminology.hl7.org/CodeSystem/consentaction', 'collect'),
        concept('http://terminology.hl7.org/CodeSystem/consentaction', 'access'),
      ],
      purpose: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'TREAT' }],
      class: [
        { system: 'http://hl7.org/fhir/resource-types', code: 'Observation' },
        { system: 'http://loinc.org', code: '34133-9' },
      ],
      code: [concept('http://snomed.info/sct', '86406008')],
      securityLabel: [
        { system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' },
        { system: ACT_CODE, code: 'PSY' },
      ],
      dataPeriod: { start: '1964' },
      data: [{ meaning: 'related', reference: { reference: 'Encounter/1' } }],
      provision: [{ securityLabel: [{ system: ACT_CODE, code: 'ETHUD' }] }],
    }),
  );
  assert.equal(validFromMs, Date.UTC(2026, 0, 1));
  assert.equal(validUntilMs, Date.UTC(2027, 0, 1));
  assert.deepEqual(root.actors, [
    { account: ACCOUNT, role: '' },
    { account: ACCOUNT, role: 'nurse' },
  ]);
  assert.deepEqual(root.actions, ['access', 'collect']);
  assert.deepEqual([root.resourceTypes, root.documentCodes], [['Observation'], ['http://loinc.org|34133-9']]);
  assert.deepEqual([root.confidentiality, root.labels], [5, ['mental-health']]);
  assert.equal(root.dataFromMs, Date.UTC(1964, 0, 1));
  assert.deepEqual(root.data, [{ meaning: 'related', reference: 'Encounter/1' }]);
  assert.deepEqual([root.provisions[0]?.effect, root.provisions[0]?.labels], ['deny', ['substance-use']]);
});

test('the root decision comes from the policy rule or the root provision, and they must agree', () => {
  assert.equal(termsOf(base()).root.effect, 'permit');
  assert.equal(termsOf(base({ policyRule: concept(ACT_CODE, 'OPTOUT') })).root.effect, 'deny');
  assert.equal(termsOf(withProvision({ type: 'deny' }, { policyRule: undefined })).root.effect, 'deny');
  assert.equal(termsOf(withProvision({ type: 'permit' })).root.effect, 'permit');
  assert.deepEqual(refusal(withProvision({ type: 'deny' })), ['Consent.provision.type contradiction']);
  assert.deepEqual(refusal(base({ policyRule: undefined })), ['Consent.policyRule missing']);
  const both = {
    coding: [
      { system: ACT_CODE, code: 'OPTIN' },
      { system: ACT_CODE, code: 'OPTOUT' },
    ],
  };
  assert.deepEqual(refusal(base({ policyRule: both })), ['Consent.policyRule contradiction']);
  assert.deepEqual(refusal(base({ policyRule: { text: 'opt in' } })), [
    'Consent.policyRule missing',
    'Consent.policyRule unknown-code',
  ]);
});

test('status, scope and patient are checked', () => {
  for (const status of ['draft', 'proposed', 'rejected', 'inactive', 'entered-in-error', undefined]) {
    assert.deepEqual(refusal(base({ status })), ['Consent.status not-active']);
  }
  const research = concept('http://terminology.hl7.org/CodeSystem/consentscope', 'research');
  assert.deepEqual(refusal(base({ scope: research })), ['Consent.scope wrong-scope']);
  assert.deepEqual(refusal(base(), { patientReference: 'Patient/p2' }), ['Consent.patient patient-mismatch']);
  assert.ok(normaliseConsent(base(), { patientReference: 'Patient/p1' }).ok);
});

test('what matters and is not understood is a located error', () => {
  const refused: [object, string][] = [
    [{ modifierExtension: [{ url: 'x' }] }, 'Consent.modifierExtension unsupported'],
    [{ implicitRules: 'x' }, 'Consent.implicitRules unsupported'],
    [{ _status: {} }, 'Consent._status unsupported'],
    [{ provision: { modifierExtension: [] } }, 'Consent.provision.modifierExtension unsupported'],
    [{ provision: { provision: [{ _type: {} }] } }, 'Consent.provision.provision[0]._type unsupported'],
    [{ provision: { actor: [] } }, 'Consent.provision.actor malformed'],
    [
      { provision: { actor: [actor({ reference: 'Practitioner/1' })] } },
      'Consent.provision.actor[0].reference unresolved-reference',
    ],
    [
      { provision: { actor: [{ reference: { reference: URN } }] } },
      'Consent.provision.actor[0].role missing',
    ],
    [
      { provision: { actor: [actor({ reference: URN }, concept(PARTICIPATION, 'WIT'))] } },
      'Consent.provision.actor[0].role unknown-code',
    ],
    [{ provision: { action: [concept('urn:x', 'access')] } }, 'Consent.provision.action[0] unknown-code'],
    [
      {
        provision: {
          purpose: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'NOPE' }],
        },
      },
      'Consent.provision.purpose[0] unknown-code',
    ],
    [
      { provision: { class: [{ system: 'urn:ietf:bcp:13', code: 'application/hl7-cda+xml' }] } },
      'Consent.provision.class[0] unknown-code',
    ],
    [{ provision: { code: [{ text: 'diabetes' }] } }, 'Consent.provision.code[0] missing'],
    [
      { provision: { securityLabel: [{ system: ACT_CODE, code: 'ETHUD' }] } },
      'Consent.provision.securityLabel[0] unknown-code',
    ],
    [{ provision: { period: { start: '2026-02-30' } } }, 'Consent.provision.period period'],
    [{ provision: { dataPeriod: { start: '2026', end: '2025' } } }, 'Consent.provision.dataPeriod period'],
    [
      { provision: { data: [{ meaning: 'about', reference: { reference: 'Encounter/1' } }] } },
      'Consent.provision.data[0].meaning unknown-code',
    ],
    [
      {
        provision: {
          data: [{ meaning: 'instance', reference: { reference: 'http://elsewhere/Encounter/1' } }],
        },
      },
      'Consent.provision.data[0].reference unresolved-reference',
    ],
    [{ provision: { provision: [{ type: 'maybe' }] } }, 'Consent.provision.provision[0].type unknown-code'],
  ];
  for (const [over, expected] of refused) assert.deepEqual(refusal(base(over)), [expected]);
});

test('nesting and size are limited', () => {
  let deep: object = {};
  for (let depth = 0; depth < 9; depth += 1) deep = { provision: [deep] };
  assert.ok(refusal(withProvision(deep)).some((line) => line.endsWith('limit')));
  const wide = { provision: Array.from({ length: 257 }, () => ({})) };
  assert.deepEqual(refusal(withProvision(wide)), ['Consent.provision.provision limit']);
  const bushy = {
    provision: Array.from({ length: 20 }, (_, n) => ({
      provision: Array.from({ length: 20 }, () => ({ period: { start: `${2000 + n}` } })),
    })),
  };
  assert.ok(refusal(withProvision(bushy)).some((line) => line.endsWith('limit')));
});

test('references resolve by identifier or by the resolver', () => {
  const resolve = (reference: string) => (reference === 'Practitioner/1' ? ACCOUNT : undefined);
  const [first] = termsOf(withProvision({ actor: [actor({ reference: 'Practitioner/1' })] }), resolve).root
    .actors;
  assert.equal(first?.account, ACCOUNT);
  const other = { system: 'urn:careledger:account', value: 'cd'.repeat(32) };
  assert.deepEqual(refusal(withProvision({ actor: [actor({ reference: URN, identifier: other })] })), [
    'Consent.provision.actor[0].reference contradiction',
  ]);
  const author = termsOf(
    withProvision({ actor: [actor({ reference: 'Practitioner/1' }, concept(PARTICIPATION, 'AUT'))] }),
    resolve,
  ).root;
  assert.deepEqual([author.actors, author.authors], [[], ['Practitioner/1', URN]]);
});

test('the end of a period is inclusive to its precision, in UTC', () => {
  const until = (end: string) => termsOf(withProvision({ period: { end } })).validUntilMs;
  assert.equal(until('2026'), Date.UTC(2027, 0, 1));
  assert.equal(until('2024-02'), Date.UTC(2024, 2, 1));
  assert.equal(until('2024-02-29'), Date.UTC(2024, 2, 1));
  assert.equal(until('2026-06-23T17:02:33+10:00'), Date.UTC(2026, 5, 23, 7, 2, 34));
  assert.equal(until('2026-06-23T17:02:33.250Z'), Date.UTC(2026, 5, 23, 17, 2, 33, 251));
  assert.equal(termsOf(base()).validUntilMs, END_OF_TIME_MS);
  for (const end of ['2026-13', '2026-02-29', '2026-1-1', '2026-01-01T25:00:00Z', '2026-01-01T10:00:00', 7]) {
    assert.deepEqual(refusal(withProvision({ period: { end } })), ['Consent.provision.period period']);
  }
});

test('the order in which a consent is written does not change its commitment', () => {
  const codes = [concept('http://snomed.info/sct', '1'), concept('http://snomed.info/sct', '2')];
  const nested = [{ code: [codes[0]] }, { code: [codes[1]] }, { code: [codes[1]] }];
  const salt = new Uint8Array(32).fill(7);
  const left = termsCommitment(salt, termsOf(withProvision({ code: codes, provision: nested })));
  const right = termsCommitment(
    salt,
    termsOf(withProvision({ provision: [...nested].reverse(), code: [...codes].reverse() })),
  );
  assert.deepEqual(left, right);
  assert.notDeepEqual(
    left,
    termsCommitment(new Uint8Array(32), termsOf(withProvision({ code: codes, provision: nested }))),
  );
});

test('the encoding is one byte string a value: every flipped byte is another value or refused', () => {
  const terms = termsOf(
    withProvision({
      actor: [actor({ reference: URN })],
      code: [concept('urn:x', 'a b')],
      provision: [{}, { dataPeriod: { end: '1999' } }],
    }),
  );
  const bytes = encodeConsentTerms(terms);
  const back = decodeConsentTerms(bytes);
  assert.ok(back.ok);
  assert.deepEqual(back.value, terms);
  for (let index = 0; index < bytes.length; index += 1) {
    for (const mask of [1, 0x20, 0x80]) {
      const flipped = bytes.slice();
      flipped[index] = (flipped[index] as number) ^ mask;
      const decoded = decodeConsentTerms(flipped);
      if (decoded.ok) assert.equal(toHex(encodeConsentTerms(decoded.value)), toHex(flipped));
    }
  }
  assert.ok(!decodeConsentTerms(bytes.slice(0, -1)).ok);
  assert.ok(!decodeConsentTerms(new Uint8Array([...bytes, 0])).ok);
  assert.ok(!decodeConsentTerms(new Uint8Array(70_000)).ok);
});

test('law: any JSON gives terms or errors, and terms survive their encoding', () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  const arb = fc.oneof(
    json,
    fc
      .record({ provision: json, policyRule: fc.constant(concept(ACT_CODE, 'OPTIN')) })
      .map((over) => base(over)),
  );
  fc.assert(
    fc.property(arb, (value) => {
      const result = normaliseConsent(value);
      if (result.ok) assert.ok(decodeConsentTerms(encodeConsentTerms(result.value)).ok);
      else assert.ok(result.error.length > 0);
    }),
    { numRuns: 2000, seed: 20_261_121 },
  );
});

test('the official R4 examples normalise, or are refused for a stated reason', () => {
  const folder = dirname(createRequire(import.meta.url).resolve('hl7.fhir.r4.examples/package.json'));
  const refused: Record<string, string[]> = {};
  for (const file of readdirSync(folder).filter((name) => /^Consent-.*\.json$/.test(name))) {
    const result = normaliseConsent(JSON.parse(readFileSync(join(folder, file), 'utf8')), {
      resolveActor: () => ACCOUNT,
    });
    if (!result.ok) refused[file] = result.error.map(({ path, code }) => `${path} ${code}`);
  }
  assert.deepEqual(refused, {
    'Consent-consent-example-notOrg.json': ['Consent.provision.type contradiction'],
    'Consent-consent-example-pkb.json': [
      'Consent.provision.provision[1].securityLabel[0] unknown-code',
      'Consent.provision.provision[4].securityLabel[0] unknown-code',
      'Consent.provision.provision[8].securityLabel[0] unknown-code',
    ],
    'Consent-consent-example-signature.json': ['Consent.provision.provision[0].class[0] unknown-code'],
  });
});

test('the vectors of docs/consent.md hold byte for byte', () => {
  type Vector = { name: string; consent: unknown; salt: string; terms: string; commitment: string };
  const path = new URL('../../../../vectors/consent/terms.json', import.meta.url);
  for (const { name, consent, salt, terms, commitment } of JSON.parse(
    readFileSync(path, 'utf8'),
  ) as Vector[]) {
    const normalised = termsOf(consent);
    assert.equal(toHex(encodeConsentTerms(normalised)), terms, name);
    assert.equal(toHex(termsCommitment(fromHex(salt) ?? assert.fail(), normalised)), commitment, name);
  }
});
