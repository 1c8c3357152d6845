import type { CapabilityStatement, CapabilityStatementRestResource } from '@medplum/fhirtypes';
import type { CompiledParameter } from './definitions/search-parameters.ts';
import type { FhirDefinitions } from './fhir-deps.ts';
import { TYPE_INTERACTIONS } from './repository/interactions.ts';
import { modifiersOf } from './search/filter-expression.ts';

const VERSION = '0.1.0';
const SYSTEM_INTERACTIONS = ['transaction', 'batch', 'search-system'] as const;
const SEARCHING =
  'Searches may be chained (subject:Patient.name, at most four links) and reversed (_has), of one type or of several named by _type. They take _include and _revinclude with :iterate, _sort, _count, _total, _summary and _elements. The documentation of each parameter names its modifiers. There are no operations.';

/** The CapabilityStatement, made from the same tables that answer requests. */
export function capabilityStatement(
  definitions: FhirDefinitions,
  baseUrl: string,
  startedAt: string,
): CapabilityStatement {
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: startedAt,
    kind: 'instance',
    software: { name: 'CareLedger', version: VERSION },
    implementation: {
      description: 'A FHIR server that enforces the patient’s consent on every path',
      url: baseUrl,
    },
    fhirVersion: '4.0.1',
    format: ['application/fhir+json', 'json'],
    patchFormat: ['application/json-patch+json'],
    rest: [
      {
        mode: 'server',
        documentation: SEARCHING,
        security: {
          cors: false,
          description:
            'POST /auth/token with a signed assertion (RFC 7523, EdDSA) gives a bearer token for five minutes.',
        },
        interaction: SYSTEM_INTERACTIONS.map((code) => ({ code })),
        resource: resourcesOf(definitions),
      },
    ],
  };
}

const described = new WeakMap<FhirDefinitions, CapabilityStatementRestResource[]>();

/** Thousands of parameters, the same for every request. */
function resourcesOf(definitions: FhirDefinitions): CapabilityStatementRestResource[] {
  const known = described.get(definitions);
  if (known !== undefined) return known;
  const types = [...definitions.resourceTypes].sort();
  const referring = referringTo(definitions, types);
  const resources = types.map((type) => resourceOf(definitions, type, referring.get(type) ?? []));
  described.set(definitions, resources);
  return resources;
}

function resourceOf(
  { parameters }: FhirDefinitions,
  type: string,
  referring: string[],
): CapabilityStatementRestResource {
  const own = parameters.all(type);
  return {
    type: type as 'Patient',
    versioning: 'versioned-update',
    readHistory: true,
    updateCreate: true,
    conditionalCreate: true,
    conditionalRead: 'not-match',
    conditionalUpdate: true,
    conditionalDelete: 'single',
    interaction: TYPE_INTERACTIONS.map((code) => ({ code: code as 'read' })),
    searchInclude: own.filter(isReference).map(({ code }) => `${type}:${code}`),
    searchRevInclude: referring,
    searchParam: [
      { name: '_id', type: 'token', documentation: 'No modifier.' },
      { name: '_lastUpdated', type: 'date', documentation: 'No modifier.' },
      ...own.filter((one) => one.type !== 'special').map(parameterOf),
    ],
  };
}

function parameterOf({ code, type }: CompiledParameter) {
  const modifiers = [...modifiersOf(type), ...(type === 'reference' ? ['[type]'] : [])];
  return { name: code, type: type as 'token', documentation: `:${modifiers.join(' :')}` };
}

/** By type: what may refer to it. */
function referringTo(definitions: FhirDefinitions, types: readonly string[]): Map<string, string[]> {
  const referring = new Map<string, string[]>();
  for (const source of types)
    for (const { code, targets } of definitions.parameters.all(source).filter(isReference))
      for (const target of targets.length > 0 ? targets : types)
        referring.set(target, [...(referring.get(target) ?? []), `${source}:${code}`]);
  return referring;
}

function isReference({ type }: CompiledParameter): boolean {
  return type === 'reference';
}
