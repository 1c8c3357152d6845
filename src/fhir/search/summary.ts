import type { Resource, StructureDefinition } from '@medplum/fhirtypes';
import type { SearchQuery } from './search-query.ts';

const ALWAYS = ['resourceType', 'id', 'meta'];
const SUBSETTED = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' };

/** The resource as `_summary` and `_elements` ask for it, marked as incomplete where it is. */
export function subsetOf(
  resource: Resource,
  query: Pick<SearchQuery, 'summary' | 'elements'>,
  structures: ReadonlyMap<string, StructureDefinition>,
): Resource {
  const kept = keptElements(resource, query, structures);
  if (kept === undefined) return resource;
  const entries = Object.entries(resource).filter(([name]) => kept(name.replace(/^_/, '')));
  const meta = { ...resource.meta, tag: [...(resource.meta?.tag ?? []), SUBSETTED] };
  return { ...Object.fromEntries(entries), meta } as Resource;
}

function keptElements(
  resource: Resource,
  query: Pick<SearchQuery, 'summary' | 'elements'>,
  structures: ReadonlyMap<string, StructureDefinition>,
): ((name: string) => boolean) | undefined {
  const structure = structures.get(resource.resourceType);
  const elements = structure?.snapshot?.element ?? [];
  const matching = (test: (element: (typeof elements)[number]) => boolean) =>
    elements
      .filter((element) => element.path?.split('.').length === 2 && test(element))
      .map((element) => element.path?.split('.')[1]?.replace('[x]', '') ?? '');
  const among = (names: readonly string[]) => (name: string) =>
    names.some((one) => name === one || isChoiceOf(name, one));
  const mandatory = matching((element) => (element.min ?? 0) > 0);
  if (query.elements.length > 0) return among([...ALWAYS, ...mandatory, ...query.elements]);
  if (query.summary === 'true')
    return among([...ALWAYS, ...mandatory, ...matching((element) => element.isSummary === true)]);
  if (query.summary === 'text') return among([...ALWAYS, ...mandatory, 'text']);
  if (query.summary === 'data') return (name) => name !== 'text';
  return undefined;
}

function isChoiceOf(name: string, base: string): boolean {
  return name.startsWith(base) && /^[A-Z]/.test(name.slice(base.length));
}
