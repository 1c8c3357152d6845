/** The route a FHIR path belongs to, without any of its ids: all of a URL that a log or a metric may hold. */
export function fhirTemplate(path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '');
  return `/fhir/R4${segments.map((segment, at) => `/${templateSegment(segment, at, segments)}`).join('')}`;
}

const FIXED = new Set(['metadata', '_history', '_search']);
const OPERATIONS = new Set(['$everything', '$validate', '$export', '$meta']);
const MAX_SEGMENTS = 6;

function templateSegment(segment: string, at: number, segments: string[]): string {
  if (at >= MAX_SEGMENTS) return '…';
  if (FIXED.has(segment) || OPERATIONS.has(segment)) return segment;
  if (at === 0) return ':type';
  if (at === 3 && segments[2] === '_history') return ':version';
  return at === 1 ? ':id' : ':more';
}
