import type { PlantedBug } from './planted-bug.ts';

const CONTRACTS = ['src/contracts/contracts.test.ts'];
const GATE = ['src/fhir/gate/gate.test.ts'];
const DECISION = ['src/contracts/consent/decision/decide.test.ts'];
const FHIR = ['tests/fhir-interactions.test.ts'];
const LEAKS = ['tests/fhir-leaks.test.ts'];
const MATRIX = ['tests/http-consent-matrix.test.ts'];

/** What one organisation promises by itself. */
export const HOSPITAL_BUGS: readonly PlantedBug[] = [
  {
    name: 'no-fsync',
    promise: 'an acknowledged transaction is durable',
    file: 'src/engine/block-log.ts',
    find: 'await this.#log.sync();',
    replace: '',
    tests: ['src/engine/block-log.test.ts'],
    inSlice: true,
  },
  {
    name: 'include-unchecked',
    promise: 'an include passes the gate like a read',
    file: 'src/fhir/search/include.ts',
    find: 'return visible.map((one) => ({ visible: one }));',
    replace: `void visible;
  return records.map((record) => ({
    visible: {
      record,
      promises: [],
      hasHiddenParts: false,
      open: async () => JSON.parse(new TextDecoder().decode(await record.open())),
    },
  }));`,
    tests: FHIR,
    inSlice: true,
  },
  {
    name: 'audit-after-reply',
    promise: 'the answer waits until the access is in the log',
    file: 'src/fhir/gate/log-decision.ts',
    find: 'const receipt = await append(deps, entry);',
    replace: 'void append(deps, entry); const receipt = {} as AccessReceipt;',
    tests: GATE,
    inSlice: true,
  },
  {
    name: 'denials-not-logged',
    promise: 'denials are in the access log too',
    file: 'src/fhir/gate/log-decision.ts',
    find: 'const receipt = await append(deps, entry);',
    replace: "const receipt = entry.effect === 'deny' ? ({} as AccessReceipt) : await append(deps, entry);",
    tests: GATE,
    inSlice: false,
  },
  {
    name: 'sequence-unchecked',
    promise: 'a transaction is executed once',
    file: 'src/ledger/block/admit.ts',
    find: "if (header.sequence < account.nextSequence) return refused('sequence-replayed');",
    replace: '',
    tests: CONTRACTS,
    inSlice: true,
  },
  {
    name: 'unsalted-commitment',
    promise: 'nothing on the ledger can be guessed',
    file: 'src/shared/record-commitment.ts',
    find: 'return sha256Concat(DOMAIN, salt, bindingOf(key, subject), sha256(plaintext));',
    replace: 'void salt; return sha256Concat(DOMAIN, bindingOf(key, subject), sha256(plaintext));',
    tests: ['src/vault/records/commitment.test.ts'],
    inSlice: true,
  },
  {
    name: 'expiry-off-by-one',
    promise: 'a consent ends exactly when it says',
    file: 'src/contracts/consent/decision/evaluate.ts',
    find: 'blockTimeMs >= terms.validUntilMs',
    replace: 'blockTimeMs > terms.validUntilMs',
    tests: DECISION,
    inSlice: true,
  },
  {
    name: 'anyone-changes-consent',
    promise: 'only the patient, or a recorded delegate, changes a consent',
    file: 'src/contracts/consent/consent-state.ts',
    find: 'return equalBytes(patient, signer) || isDelegate(state, patient, signer);',
    replace: 'void patient; void signer; return state !== undefined;',
    tests: CONTRACTS,
    inSlice: true,
  },
  {
    name: 'stale-consent-view',
    promise: 'no read that starts after an acknowledged revocation succeeds under it',
    file: 'src/node/consents/consent-view.ts',
    find: 'if (patientId !== undefined) forget(patientId);',
    replace: '',
    tests: ['tests/node-revocation.test.ts'],
    inSlice: false,
  },
  {
    name: 'signature-unchecked',
    promise: 'only the holder of a key signs for its account',
    file: 'src/ledger/block/admit.ts',
    find: 'if (!rules.verify(account.publicKey, signingBytes(header), transaction.signature))',
    replace: 'if (transaction.signature.length === 0)',
    tests: CONTRACTS,
    inSlice: true,
  },
  {
    name: 'inclusion-unchecked',
    promise: 'a receipt for what is not in the log is refused',
    file: 'src/client/receipts/verify-recorded.ts',
    find: 'verifyInclusion(leafHash(recorded.leaf), recorded.index, logSize, recorded.path, logRoot),',
    replace:
      'verifyInclusion(leafHash(recorded.leaf), recorded.index, logSize, recorded.path, logRoot) || true,',
    tests: ['tests/proof-receipts.test.ts'],
    inSlice: false,
  },
  {
    name: 'fork-cosigned',
    promise: 'a witness never signs a log that does not extend what it has seen',
    file: 'src/node/witness/add-checkpoint.ts',
    find: 'if (verifyConsistency(oldSize, head.size, proof, latest.root, head.root)) return undefined;',
    replace:
      'return verifyConsistency(oldSize, head.size, proof, latest.root, head.root) ? undefined : undefined;',
    tests: ['tests/proof-witness.test.ts'],
    inSlice: true,
  },
  {
    name: 'assertion-reused',
    promise: 'a signed assertion opens one session only',
    file: 'src/node/routes/auth-routes.ts',
    find: 'runtime.vault.usedIdentifiers.useOnce(id, expiresAtMs, runtime.nowMs())',
    replace: 'Promise.resolve(id !== String(expiresAtMs))',
    tests: ['tests/node-tokens.test.ts'],
    inSlice: false,
  },
  {
    name: 'bundle-not-atomic',
    promise: 'a transaction that fails leaves nothing behind',
    file: 'src/fhir/repository/record-store.ts',
    find: '      writes.push(write);',
    replace: '      writes.push(write); await deps.vault.put(write);',
    tests: FHIR,
    inSlice: false,
  },
  {
    name: 'url-in-the-log',
    promise: 'no log line has personal data in it',
    file: 'src/node/http/http-server.ts',
    find: 'route: context.template,',
    replace: 'route: outgoing.req.url ?? context.template,',
    tests: ['tests/erasure.test.ts'],
    inSlice: false,
  },
  {
    name: 'count-before-gate',
    promise: 'a count counts what the requester may see',
    file: 'src/fhir/search/find-matches.ts',
    find: "for await (const visible of gate.visibleAmong(context.scope.session, pages, 'search', PAGE)) {",
    replace: `for await (const found of pages) {
      const visible = found.map(
        (record): VisibleRecord<string> => ({
          record,
          promises: [],
          hasHiddenParts: false,
          open: async () => {
            const { records } = await gate.visible(context.scope.session, [record], 'search');
            return records[0]?.open();
          },
        }),
      );`,
    tests: MATRIX,
    inSlice: false,
  },
  {
    name: 'has-unchecked',
    promise: 'a reverse chain goes only through what the requester may see',
    file: 'src/fhir/search/find-matches.ts',
    find: 'const resources = await inTurn(matches, (match) => openMatch(context, match));',
    replace: `void matches;
  const sought = context.definitions.parameters.find(source, rest[0] as string);
  const where = sought === undefined ? { any: [] } : filterExpression(sought, rest[1], filter.value, context.deps.baseUrl()).where;
  const found = await context.reader.find({ types: [source], where, limit: PAGE });
  const resources = await Promise.all(
    found.map(async (record) => JSON.parse(new TextDecoder().decode(await record.open())) as Resource),
  );`,
    tests: MATRIX,
    inSlice: false,
  },
  {
    name: 'hidden-part-matched',
    promise: 'no search finds a record by a part of it that the requester may not see',
    file: 'src/fhir/search/find-matches.ts',
    find: 'if (!plan.needsContent && !visible.hasHiddenParts) return { visible };',
    replace: 'if (!plan.needsContent) return { visible };',
    tests: LEAKS,
    inSlice: true,
  },
  {
    name: 'promise-of-hidden-part',
    promise: 'no promise tells of what a search met and did not show',
    file: 'src/fhir/search/find-matches.ts',
    find: 'matches.push(...(await confirmed(context, visible, plan)));',
    replace:
      'matches.push(...(await confirmed(context, visible, plan))); context.scope.promises.push(...promisesOf(visible));',
    tests: LEAKS,
    inSlice: false,
  },
  {
    name: 'patch-of-a-view',
    promise: 'who sees a record in part learns nothing of the rest by patching it',
    file: 'src/fhir/repository/care-repository.ts',
    find: 'if (seen.isRedacted || current.isRedacted) throw partlySeenError();',
    replace: 'void seen;',
    tests: LEAKS,
    inSlice: false,
  },
  {
    name: 'emergency-out-of-sight',
    promise: 'an emergency access is told to the patient however many accesses came after',
    file: 'src/node/wallet/accesses.ts',
    find: 'return { accesses: await Promise.all(found.map((entry) => toAnswer(node, entry))), next };',
    replace:
      'return { accesses: await Promise.all(found.map((entry) => toAnswer(node, entry))), next: null };',
    tests: ['tests/cli-access-proofs.test.ts'],
    inSlice: true,
  },
];
