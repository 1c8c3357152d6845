import type { Bundle, BundleEntry, Resource } from '@medplum/fhirtypes';
import { sha256, toHex, utf8 } from '../../shared/index.ts';

const URN = /^urn:uuid:([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

const URN_LENGTH = 45;

/**
 * A transaction in which every entry that is created under a `urn:uuid` is put at that uuid instead, and one under another
 * address at an id that follows from that, so that sending the bundle again changes nothing (docs/adr/0002). Entries with
 * If-None-Exist keep their meaning.
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

/** The uuid that an entry is created under, where the sender chose one. */
export function assignedId({ fullUrl, request, resource }: BundleEntry): string | undefined {
  if (resource === undefined || request?.method !== 'POST' || request.ifNoneExist !== undefined)
    return undefined;
  return URN.exec(fullUrl ?? '')?.[1];
}

/** A uuid of version 8 (RFC 9562) that only this address gives. */
function idOfAddress({ fullUrl, request, resource }: BundleEntry): string | undefined {
  if (resource === undefined || request?.method !== 'POST' || request.ifNoneExist !== undefined)
    return undefined;
  if (request.url?.replace(/^\/+/, '') !== resource.resourceType) return undefined;
  if (!/^https?:\/\//.test(fullUrl ?? '')) return undefined;
  const hex = toHex(sha256(utf8(`careledger/import-id/v1\0${fullUrl}`)));
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(12, 15)}`, `a${hex.slice(15, 18)}`];
  return [...parts, hex.slice(18, 30)].join('-');
}

function putEntry(entry: BundleEntry, targets: ReadonlyMap<string, string>): BundleEntry {
  const resource = entry.resource === undefined ? undefined : (rewrite(entry.resource, targets) as Resource);
  const id = assignedId(entry) ?? idOfAddress(entry);
  if (id === undefined || resource === undefined)
    return { ...entry, ...(resource !== undefined && { resource }) };
  return {
    ...entry,
    resource: { ...resource, id } as Resource,
    request: { method: 'PUT', url: `${resource.resourceType}/${id}` },
  };
}

function rewrite(value: unknown, targets: ReadonlyMap<string, string>): unknown {
  return rewriteReferences(value, () => undefined, targets);
}

const NO_URNS: ReadonlyMap<string, string> = new Map();

/**
 * Every reference made what `targetOf` says, where it says anything, and every text that is a `urn:uuid` of `urns` what that
 * stands for. The value itself where nothing changes; else a copy, of what changes alone.
 */
export function rewriteReferences(
  value: unknown,
  targetOf: (reference: string) => string | undefined,
  urns: ReadonlyMap<string, string> = NO_URNS,
): unknown {
  if (typeof value === 'string') return isUrn(value) ? (urns.get(value) ?? value) : value;
  if (typeof value !== 'object' || value === null) return value;
  let copy: Record<string, unknown> | undefined;
  for (const name in value) {
    const item = (value as Record<string, unknown>)[name];
    const target = name === 'reference' && typeof item === 'string' ? targetOf(item) : undefined;
    const rewritten = target ?? rewriteReferences(item, targetOf, urns);
    if (rewritten === item) continue;
    copy ??= (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
    copy[name] = rewritten;
  }
  return copy ?? value;
}

/** Cheaper than to look every text up. */
function isUrn(text: string): boolean {
  return text.length === URN_LENGTH && text.startsWith('urn:uuid:');
}
