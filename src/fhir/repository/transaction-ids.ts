import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes';

const URN = /^urn:uuid:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/**
 * A transaction in which every entry that is created under a `urn:uuid` is put at that uuid instead, so that sending the bundle
 * again changes nothing (docs/adr/0002). Entries with If-None-Exist keep their meaning.
 */
export function toIdempotentBundle(bundle: Bundle): Bundle {
  const targets = new Map<string, string>();
  for (const entry of bundle.entry ?? []) {
    const id = assignedId(entry);
    if (id !== undefined) targets.set(entry.fullUrl as string, `${entry.resource?.resourceType}/${id}`);
  }
  return {
    ...bundle,
    type: 'transaction',
    entry: (bundle.entry ?? []).map((entry) => putEntry(entry, targets)),
  };
}

function assignedId({ fullUrl, request, resource }: BundleEntry): string | undefined {
  if (resource === undefined || request?.method !== 'POST' || request.ifNoneExist !== undefined)
    return undefined;
  return URN.exec(fullUrl ?? '')?.[1];
}

function putEntry(entry: BundleEntry, targets: ReadonlyMap<string, string>): BundleEntry {
  const resource = entry.resource === undefined ? undefined : (rewrite(entry.resource, targets) as Resource);
  const id = assignedId(entry);
  if (id === undefined || resource === undefined)
    return { ...entry, ...(resource !== undefined && { resource }) };
  return {
    ...entry,
    resource: { ...resource, id } as Resource,
    request: { method: 'PUT', url: `${resource.resourceType}/${id}` },
  };
}

function rewrite(value: unknown, targets: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return targets.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => rewrite(item, targets));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, rewrite(item, targets)]));
}
