import type { BundleEntry, OperationOutcome, Resource } from '@medplum/fhirtypes';
import { AppError, parseJson } from '../../shared/index.ts';
import type { FhirDefinitions } from '../fhir-deps.ts';
import type { CareRepository } from './care-repository.ts';
import { answerInteraction, type InteractionAnswer, splitUrl } from './interactions.ts';
import { effectOf } from './write-effect.ts';
import { namesVersion } from './write-preconditions.ts';

/** Answers one entry as if it were a request of its own; what refuses it throws. */
export type RunEntry = (repository: CareRepository, entry: BundleEntry) => Promise<BundleEntry>;

/** R4 http, "update": nothing changed, so there is no new version; whoever counts wants to know. */
const UNCHANGED: OperationOutcome = {
  resourceType: 'OperationOutcome',
  issue: [
    {
      severity: 'information',
      code: 'informational',
      details: { text: 'The resource was already as sent. It has no new version.' },
    },
  ],
};

export function entryRunner(definitions: FhirDefinitions): RunEntry {
  return async (repository, { request, resource }) => {
    const { method = '', url = '', ifMatch, ifNoneMatch, ifNoneExist } = request ?? ({} as never);
    const { path, query } = splitUrl(url);
    const body = method === 'PATCH' ? (patchOf(resource) ?? resource) : resource;
    const asked = { method, path, query, body, ifNoneExist };
    if (method !== 'GET')
      return responseEntry(
        await answerInteraction(repository, definitions, { ...asked, ifMatch, ifNoneMatch }),
      );
    return unlessNamed(await answerInteraction(repository, definitions, asked), ifNoneMatch);
  };
}

/** A JSON Patch travels in a bundle as a Binary (R4 http, "patch"). */
function patchOf(resource: Resource | undefined): unknown {
  if (resource?.resourceType !== 'Binary' || resource.contentType !== 'application/json-patch+json')
    return undefined;
  const data: unknown = resource.data ?? '';
  if (typeof data !== 'string')
    throw new AppError('invalid-request', 'The data of a patch is the base64 text of a JSON Patch.');
  return parseJson(Buffer.from(data, 'base64'));
}

/** R4 http, "conditional read". */
function unlessNamed(answer: InteractionAnswer, ifNoneMatch: string | undefined): BundleEntry {
  const versionId = answer.resource?.meta?.versionId;
  const entry = responseEntry(answer);
  if (versionId === undefined || ifNoneMatch === undefined || !namesVersion(ifNoneMatch, versionId))
    return entry;
  return { response: { ...entry.response, status: '304' } };
}

function responseEntry({ status, resource }: InteractionAnswer): BundleEntry {
  const versionId = resource?.meta?.versionId;
  return {
    ...(resource !== undefined && { resource }),
    response: {
      status: String(status),
      ...(effectOf(resource) === 'unchanged' && { outcome: UNCHANGED }),
      ...(resource?.id !== undefined && {
        location: `${resource.resourceType}/${resource.id}${versionId === undefined ? '' : `/_history/${versionId}`}`,
      }),
      ...(versionId !== undefined && { etag: `W/"${versionId}"` }),
      ...(resource?.meta?.lastUpdated !== undefined && { lastModified: resource.meta.lastUpdated }),
    },
  };
}
