import type { CapabilityStatement } from '@medplum/fhirtypes';
import type { FhirDefinitions } from './fhir-deps.ts';
import { TYPE_INTERACTIONS } from './repository/interactions.ts';

const SYSTEM_INTERACTIONS = ['transaction', 'batch', 'search-system'] as const;

/** The CapabilityStatement, made from the same tables that answer requests. */
export function capabilityStatement(
  definitions: FhirDefinitions,
  baseUrl: string,
  startedAt: string,
): CapabilityStatement {
  const { parameters } = definitions;
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: startedAt,
    kind: 'instance',
    software: { name: 'CareLedger' },
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
        security: {
          cors: false,
          description:
            'POST /auth/token with a signed assertion (RFC 7523, EdDSA) gives a bearer token for five minutes.',
        },
        interaction: SYSTEM_INTERACTIONS.map((code) => ({ code })),
        resource: [...definitions.resourceTypes].sort().map((type) => ({
          type: type as 'Patient',
          versioning: 'versioned-update' as const,
          readHistory: true,
          updateCreate: true,
          conditionalCreate: true,
          conditionalUpdate: true,
          conditionalDelete: 'single' as const,
          interaction: TYPE_INTERACTIONS.map((code) => ({ code: code as 'read' })),
          searchInclude: parameters
            .all(type)
            .filter((one) => one.type === 'reference')
            .map((one) => `${type}:${one.code}`),
          searchParam: [
            { name: '_id', type: 'token' as const },
            { name: '_lastUpdated', type: 'date' as const },
            ...parameters
              .all(type)
              .filter((one) => one.type !== 'special')
              .map((one) => ({ name: one.code, type: one.type as 'token' })),
          ],
        })),
      },
    ],
  };
}
