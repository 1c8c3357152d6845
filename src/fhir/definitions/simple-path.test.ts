import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { evalFhirPathTyped, toTypedValue } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import { tokensOfParameter, tokensOfValue } from '../search/value-tokens.ts';
import { readDefinitionBundle } from './definition-files.ts';
import { compileExpression } from './search-expression.ts';
import { loadSearchParameters } from './search-parameters.ts';
import { parsePath } from './simple-path.ts';
import { loadDefinitions } from './structure-definitions.ts';

const BASE = 'http://test/fhir/R4';
const EVERY = 7;
const MAX_CHARACTERS = 50_000;
const examples = readExamples();
loadDefinitions();

test('almost every R4 search expression is a simple path', () => {
  const branches = expressions().flatMap((expression) => expression.split('|').map((one) => one.trim()));
  const others = new Set(branches.filter((branch) => parsePath(branch) === undefined));
  assert.deepEqual(
    [...others].sort(),
    ['Bundle.entry[0].resource', 'Patient.deceased.exists() and Patient.deceased != false'].sort(),
  );
});

test('a cast or a condition reads what FHIRPath reads', () => {
  const conditional = expressions().filter((one) => /ofType|where\(\w+='/.test(one) && !one.includes('|'));
  let compared = 0;
  for (const example of examples) {
    for (const expression of conditional.filter((one) => one.includes(`${example.resourceType}.`))) {
      const evaluated = evalFhirPathTyped(expression, [toTypedValue(example)]).map(({ value }) => value);
      assert.deepEqual(
        compileExpression(expression, example.resourceType)(example, BASE),
        evaluated,
        expression,
      );
      compared += evaluated.length;
    }
  }
  assert.ok(compared > 50, `only ${compared} values were compared`);
});

test('the parts of a composite are found by the parameters that they are by themselves', () => {
  const parameters = loadSearchParameters();
  let found = 0;
  for (const example of examples) {
    for (const composite of parameters.all(example.resourceType).filter(({ type }) => type === 'composite')) {
      for (const part of composite.components) {
        const alone = parameters.find(example.resourceType, part.code);
        assert.ok(alone !== undefined, `${example.resourceType} has no parameter ${part.code}`);
        const indexed = new Set(
          tokensOfParameter(alone, example, BASE).map(({ kind, value }) => kind + value),
        );
        const values = composite.valuesOf(example, BASE).flatMap((element) => part.valuesOf(element, BASE));
        for (const { kind, value } of values.flatMap((one) =>
          tokensOfValue(part.code, part.type, one, BASE),
        )) {
          assert.ok(indexed.has(kind + value), `${composite.code}: ${kind} ${value} is not indexed`);
          found += 1;
        }
      }
    }
  }
  assert.ok(found > 500, `only ${found} tokens were compared`);
});

function expressions(): string[] {
  return (readDefinitionBundle('search-parameters.json').entry ?? []).flatMap(({ resource }) =>
    resource?.resourceType === 'SearchParameter' && resource.expression !== undefined
      ? [resource.expression]
      : [],
  );
}

function readExamples(): Resource[] {
  const folder = dirname(fileURLToPath(import.meta.resolve('hl7.fhir.r4.examples/package.json')));
  const names = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'package.json');
  return names
    .filter((_name, at) => at % EVERY === 0)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .filter((text) => text.length < MAX_CHARACTERS && text.includes('"resourceType"'))
    .map((text) => JSON.parse(text) as Resource)
    .filter((resource) => typeof resource.resourceType === 'string');
}
