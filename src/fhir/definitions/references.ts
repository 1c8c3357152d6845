const PLAIN = /^([A-Z][A-Za-z]*)\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[A-Za-z0-9.-]+)?$/;
const TYPE = /^[A-Z][A-Za-z]*$/;
const ID = /^[A-Za-z0-9.-]{1,64}$/;

/**
 * `Type/id` where the reference is to a resource of this server, whichever way it is written (R4 references, "Literal References");
 * else as it is. Whoever asks what a record names, or whose it is, asks here: two readings would let one escape the other.
 */
export function localReference(reference: string, ownBase: string): string {
  const relative = reference.startsWith(`${ownBase}/`) ? reference.slice(ownBase.length + 1) : reference;
  const [, type, id] = PLAIN.exec(relative) ?? oddlyWritten(relative, ownBase) ?? [];
  return type === undefined ? reference : `${type}/${id}`;
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
