import type { Bundle, BundleEntry } from '@medplum/fhirtypes';
import { AppError, parseJson } from '../../shared/index.ts';
import { LocatedError } from './outcome.ts';

const MAX_BUNDLE_ENTRIES = 5000;
const METHODS: ReadonlySet<unknown> = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
const WITH_RESOURCE: ReadonlySet<unknown> = new Set(['POST', 'PUT', 'PATCH']);
const CONDITIONS = ['ifMatch', 'ifNoneMatch', 'ifNoneExist', 'ifModifiedSince'] as const;

export type RequestBundle = Bundle & {
  readonly type: 'batch' | 'transaction';
  readonly entry: BundleEntry[];
};

/** The bundle that a request sends to be carried out, every entry of which names an interaction with a record. */
export function parseBundle(body: Uint8Array | undefined): RequestBundle {
  const bundle = parseJson(body ?? new Uint8Array(0)) as Partial<Bundle> | null;
  const type = bundle?.type;
  if (bundle?.resourceType !== 'Bundle' || !(type === 'batch' || type === 'transaction'))
    throw new AppError('invalid-request', 'POST a Bundle of type batch or transaction here.');
  const entry: unknown[] = Array.isArray(bundle.entry) ? bundle.entry : [];
  if (entry.length > MAX_BUNDLE_ENTRIES)
    throw new AppError(
      'too-many',
      `A bundle has at most ${MAX_BUNDLE_ENTRIES} entries here. Send it in parts.`,
    );
  return { ...bundle, resourceType: 'Bundle', type, entry: entry.map(checkedEntry) };
}

function checkedEntry(given: unknown, place: number): BundleEntry {
  const fault = faultOf(given);
  if (fault === undefined) return given as BundleEntry;
  throw new LocatedError('invalid-request', fault, `Bundle.entry[${place}]`);
}

function faultOf(given: unknown): string | undefined {
  const entry = membersOf(given);
  const request = membersOf(entry.request);
  if (!METHODS.has(request.method)) return 'The entry has no request with a method.';
  if (!isRecordAddress(request.url)) return 'The url of the entry’s request names no type of resource.';
  if (entry.fullUrl !== undefined && typeof entry.fullUrl !== 'string') return 'The fullUrl is not a text.';
  if (CONDITIONS.some((name) => request[name] !== undefined && typeof request[name] !== 'string'))
    return 'A condition of the entry’s request is not a text.';
  const { resourceType } = membersOf(entry.resource);
  if (WITH_RESOURCE.has(request.method) && typeof resourceType !== 'string')
    return 'The entry has no resource.';
  return undefined;
}

/** A bundle inside a bundle, or an operation, is none. */
function isRecordAddress(url: unknown): boolean {
  return typeof url === 'string' && /^\/?[A-Z][A-Za-z]*(?:[/?]|$)/.test(url);
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
