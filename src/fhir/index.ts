export type { FhirDeps } from './fhir-deps.ts';
export * from './gate/index.ts';
export { createFhirHandler, type FhirHandler, loadFhirDefinitions } from './http/fhir-handler.ts';
export type { FhirHttpReply, FhirHttpRequest } from './http/message.ts';
export { outcomeOf, outcomeOfError } from './http/outcome.ts';
export { promisesThatFit } from './http/reply.ts';
export * from './labels/index.ts';
export { readVersionUnderLabelsOfNow } from './repository/labels-of-now.ts';
export { toIdempotentBundle } from './repository/transaction-ids.ts';
