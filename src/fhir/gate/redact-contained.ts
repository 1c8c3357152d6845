import { isObject, type Json, type JsonObject } from '../labels/resource-walk.ts';

/**
 * The ids (`#1`) of contained resources that a view leaves out: those that carry what is withheld, and those that name one that is
 * left out, since a name of nothing would tell.
 */
export function idsOfRemoved(
  { contained }: JsonObject,
  isWithheld: (item: Json) => boolean,
): ReadonlySet<string> {
  const items = containedIn(contained);
  const namedBy = new Map<string, JsonObject[]>();
  for (const item of items) {
    for (const id of idsIn(item)) {
      const naming = namedBy.get(id);
      if (naming === undefined) namedBy.set(id, [item]);
      else naming.push(item);
    }
  }
  const removed = new Set(items.filter(isWithheld));
  for (const item of removed) for (const one of namedBy.get(`#${item.id}`) ?? []) removed.add(one);
  return new Set([...removed].flatMap(({ id }) => (typeof id === 'string' ? `#${id}` : [])));
}

/** Whether it names one of them: by a reference, a canonical (`questionnaire: "#q1"`) or a url. */
export function refersTo(value: Json, ids: ReadonlySet<string>): boolean {
  if (ids.size === 0) return false;
  for (const id of idsIn(value)) if (ids.has(id)) return true;
  return false;
}

/** What only a removed item named goes with it. R4 dom-3: a contained resource is named by another element, or names the whole (`#`). */
export function withoutUnnamedContained(view: JsonObject): JsonObject {
  const { contained, ...rest } = view;
  const items = containedIn(contained);
  const byId = new Map(items.map((item) => [`#${item.id}`, item]));
  const named = new Set<JsonObject>(items.filter((item) => idsIn(item).has('#')));
  const open: Json[] = [rest, ...named];
  for (const place of open) {
    for (const id of idsIn(place)) {
      const item = byId.get(id);
      if (item === undefined || named.has(item)) continue;
      named.add(item);
      open.push(item);
    }
  }
  return named.size === 0 ? rest : { ...view, contained: items.filter((item) => named.has(item)) };
}

function containedIn(contained: Json | undefined): readonly JsonObject[] {
  return Array.isArray(contained) ? contained.filter(isObject) : [];
}

/** Every text at or below `value` that can be the name of a contained resource. */
function idsIn(value: Json): ReadonlySet<string> {
  const ids = new Set<string>();
  const collect = (one: Json | undefined): void => {
    if (typeof one === 'string' && one.startsWith('#')) ids.add(one);
    else if (typeof one === 'object' && one !== null) Object.values(one).forEach(collect);
  };
  collect(value);
  return ids;
}
