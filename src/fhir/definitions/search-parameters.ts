import type { Resource, SearchParameter } from '@medplum/fhirtypes';
import { readDefinitionBundle } from './definition-files.ts';
import { compileExpression, type Extractor } from './search-expression.ts';

export type SearchParameterType = SearchParameter['type'];

/** One search parameter on one resource type, ready to read values. */
export type CompiledParameter = {
  readonly code: string;
  readonly type: SearchParameterType;
  /** Types a reference may point to; empty for any. */
  readonly targets: readonly string[];
  /** `ownBase` is this server's address, which references may begin with. */
  valuesOf(resource: Resource, ownBase: string): unknown[];
  /** For a composite: its parts, whose values are read from each value of `valuesOf`. */
  readonly components: readonly {
    readonly code: string;
    readonly type: SearchParameterType;
    valuesOf(value: unknown, ownBase: string): unknown[];
  }[];
};

export type SearchParameters = {
  find(resourceType: string, code: string): CompiledParameter | undefined;
  all(resourceType: string): readonly CompiledParameter[];
};

type TypeParameters = {
  readonly byCode: ReadonlyMap<string, CompiledParameter>;
  readonly all: readonly CompiledParameter[];
};

/** Parameters of every resource; they are on the abstract types in the definitions. */
const COMMON_BASES = ['Resource', 'DomainResource'];
/** Answered without an expression, or not at all. */
const HANDLED_ELSEWHERE = new Set([
  '_id',
  '_lastUpdated',
  '_text',
  '_content',
  '_query',
  '_list',
  '_has',
  '_type',
]);

let loaded: SearchParameters | undefined;

/** Reads and compiles the official R4 search parameters once; a type's parameters are compiled when first used. */
export function loadSearchParameters(): SearchParameters {
  loaded ??= index(readAll());
  return loaded;
}

function readAll(): SearchParameter[] {
  const resources = (readDefinitionBundle('search-parameters.json').entry ?? []).map(
    (entry) => entry.resource,
  );
  return resources.filter(
    (one): one is SearchParameter => one?.resourceType === 'SearchParameter' && one.expression !== undefined,
  );
}

function index(definitions: readonly SearchParameter[]): SearchParameters {
  const byUrl = new Map(definitions.map((one) => [one.url, one]));
  const compiled = new Map<string, TypeParameters>();
  const ofType = (resourceType: string): TypeParameters => {
    const known = compiled.get(resourceType);
    if (known !== undefined) return known;
    const found = new Map<string, CompiledParameter>();
    for (const one of definitions) {
      if (HANDLED_ELSEWHERE.has(one.code) || !appliesTo(one, resourceType)) continue;
      found.set(one.code, compile(one, resourceType, byUrl));
    }
    const parameters = { byCode: found, all: [...found.values()] };
    compiled.set(resourceType, parameters);
    return parameters;
  };
  return {
    find: (resourceType, code) => ofType(resourceType).byCode.get(code),
    all: (resourceType) => ofType(resourceType).all,
  };
}

/** R4 names the two parts of this one the wrong way round: its `code` is a code, its `target` a reference. */
const PARTS_SWAPPED = 'http://hl7.org/fhir/SearchParameter/DocumentReference-relationship';

function componentsOf({ url, component = [] }: SearchParameter): NonNullable<SearchParameter['component']> {
  if (url !== PARTS_SWAPPED) return component;
  const definitions = component.map(({ definition }) => definition).reverse();
  return component.map((part, place) => ({ ...part, definition: definitions[place] as string }));
}

function appliesTo(parameter: SearchParameter, resourceType: string): boolean {
  return (parameter.base ?? []).some((base) => base === resourceType || COMMON_BASES.includes(base));
}

function compile(
  parameter: SearchParameter,
  resourceType: string,
  byUrl: ReadonlyMap<string | undefined, SearchParameter>,
): CompiledParameter {
  const extract: Extractor = compileExpression(parameter.expression as string, resourceType);
  const components = componentsOf(parameter).map(({ definition, expression }) => {
    const target = byUrl.get(definition);
    const read = compileExpression(expression, resourceType);
    return {
      code: target?.code ?? 'component',
      type: target?.type ?? ('token' as const),
      valuesOf: read,
    };
  });
  return {
    code: parameter.code,
    type: parameter.type,
    targets: parameter.target ?? [],
    valuesOf: extract,
    components,
  };
}
