const PLAIN = /^([A-Z][A-Za-z]*)\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[A-Za-z0-9.-]+)?$/;
const TYPE = /^[A-Z][A-Za-z]*$/;
const ID = /^[A-Za-z0-9.-]{1,64}$/;

/** A resource of another server, by its address there (R4 references, "regular expression"). */
const ELSEWHERE =
  /^https?:\/\/[^?#]+\/([A-Z][A-Za-z]*)\/[A-Za-z0-9.-]{1,64}(?:\/_history\/[A-Za-z0-9.-]{1,64})?$/;

/** A resource of this server. */
export type LocalTarget = { readonly type: string; readonly id: string };

/**
 * Which resource of this server a reference is to, whichever way it is written (R4 references, "Literal References"); undefined
 * where it is to something else. Whoever asks what a record names, or whose it is, asks here: two readings would let one escape
 * the other.
 */
export function localTarget(reference: string, ownBase: string): LocalTarget | undefined {
  const relative = reference.startsWith(`${ownBase}/`) ? reference.slice(ownBase.length + 1) : reference;
  const [, type, id] = PLAIN.exec(relative) ?? oddlyWritten(relative, ownBase) ?? [];
  return type === undefined || id === undefined ? undefined : { type, id };
}

/** `Type/id` where the reference is to a resource of this server; else as it is. */
export function localReference(reference: string, ownBase: string): string {
  const target = localTarget(reference, ownBase);
  return target === undefined ? reference : `${target.type}/${target.id}`;
}

/** By index: /\/_history\/.*$/ takes the square of the length where a line break keeps it from matching. */
export function withoutVersion(reference: string): string {
  const at = reference.indexOf('/_history/');
  return at < 0 ? reference : reference.slice(0, at);
}

/** The type of what a reference is to, here or on another server, as far as its address tells. */
export function typeOfReference(reference: string, ownBase: string): string | undefined {
  return localTarget(reference, ownBase)?.type ?? ELSEWHERE.exec(reference)?.[1];
}

/** What no careful sender writes, but a reader would still follow: a host in capitals, slashes too many, a part behind `#`. */
function oddlyWritten(reference: string, ownBase: string): [string, string, string] | undefined {
  const base = `${ownBase}/`;
  const relative = reference.trim().replace(/^\/+(?=[A-Z][A-Za-z]*\/)/, '');
  if (/^(?:#|urn:)/i.test(relative) || !URL.canParse(relative, base)) return undefined;
  const [url, own] = [new URL(relative, base), new URL(base)];
  const [segments, ownSegments] = [segmentsOf(url), segmentsOf(own)];
  if (url.host !== own.host || ownSegments.some((segment, at) => segment !== segments[at])) return undefined;
  const [type = '', id = ''] = segments.slice(ownSegments.length);
  return TYPE.test(type) && ID.test(id) ? [reference, type, id] : undefined;
}

function segmentsOf({ pathname }: URL): string[] {
  return pathname
    .replace(/%[2-7][0-9a-f]/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
    .split('/')
    .filter((segment) => segment !== '');
}
