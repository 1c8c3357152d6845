import { readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A statement of a module that names another one; in source that a formatter wrote each begins a line and ends with a semicolon. */
const IMPORT = /^(import|export)\s+(?:([^;'"]*?)\s+from\s+)?['"]([^'"\n]+)['"]\s*;/gm;
const EXPORTED_LIST = /^export\s*\{([^}]*)\}\s*;/gm;
const EXPORTED = /^export\s+(async\s+function\*?|function\*?|class|const|let)\s+([A-Za-z_$][\w$]*)/gm;

type Module = { readonly path: string; readonly body: string; readonly needs: readonly string[] };

export type Bundle = {
  readonly code: string;
  /** The files that are in it, in the order in which they run. */
  readonly modules: readonly string[];
};

/**
 * Puts a module and all that it imports into one script that defines a global of the given name. Each module is a function that runs
 * once, after those that it imports; a circle of imports is refused, and so is a module of Node.
 */
export function bundle(entry: string, globalName: string): Bundle {
  const modules = inOrder(entry);
  const numbers = new Map(modules.map(({ path }, index) => [path, index]));
  const parts = modules.map(({ body }, index) => {
    const linked = body.replaceAll(/__module\("([^"]+)"\)/g, (_, path: string) => `m[${numbers.get(path)}]`);
    return `// ${index}\n(function (exports) {\n${linked}\n})(m[${index}] = {});`;
  });
  const last = modules.length - 1;
  const code = `"use strict";\nvar ${globalName} = (function () {\nconst m = [];\n${parts.join('\n')}\nreturn m[${last}];\n})();\n`;
  return { code, modules: modules.map(({ path }) => path) };
}

function inOrder(entry: string): readonly Module[] {
  const done = new Map<string, Module>();
  const open = new Set<string>();
  const visit = (path: string): void => {
    if (done.has(path)) return;
    if (open.has(path)) throw new Error(`${path} is imported in a circle.`);
    open.add(path);
    const module = readModule(path);
    for (const needed of module.needs) visit(needed);
    done.set(path, module);
  };
  visit(entry);
  return [...done.values()];
}

function readModule(path: string): Module {
  const text = readFileSync(path, 'utf8');
  // Types leave blanks where they stood.
  const source = path.endsWith('.ts')
    ? stripTypeScriptTypes(text)
        .replaceAll(/[ \t]+$/gm, '')
        .replaceAll(/\n{3,}/g, '\n\n')
    : text;
  const needs: string[] = [];
  const exported = new Map<string, string>();
  let body = source.replaceAll(
    IMPORT,
    (_, keyword: string, clause: string | undefined, specifier: string) => {
      const names = (clause ?? '').replaceAll(/\/\*[\s\S]*?\*\//g, '');
      // What was only types is nothing now; a module that is imported for its effect has no clause at all.
      if (clause !== undefined && /^\{[\s,]*\}$/.test(names)) return '';
      const target = resolveModule(specifier, path);
      needs.push(target);
      const from = `__module("${target}")`;
      return keyword === 'import' ? importStatement(names, from) : exportFrom(names, from);
    },
  );
  body = body.replaceAll(EXPORTED_LIST, (_, names: string) => {
    for (const [local, name] of pairs(names)) exported.set(name, local);
    return '';
  });
  body = body.replaceAll(EXPORTED, (_, kind: string, name: string) => {
    exported.set(name, name);
    return `${kind} ${name}`;
  });
  if (/^(?:import|export)\b/m.test(body))
    throw new Error(`${path} has an import or export of a form that is not known here.`);
  const getters = [...exported].map(([name, local]) => `${name}: { enumerable: true, get: () => ${local} }`);
  return { path, needs, body: `Object.defineProperties(exports, { ${getters.join(', ')} });\n${body}` };
}

function importStatement(clause: string, from: string): string {
  const namespace = /^\*\s+as\s+([\w$]+)$/.exec(clause)?.[1];
  if (namespace !== undefined) return `const ${namespace} = ${from};`;
  const list = /^\{([\s\S]*)\}$/.exec(clause)?.[1];
  if (list === undefined) throw new Error(`An import of the form "${clause}" is not known here.`);
  return `const { ${pairs(list)
    .map(([name, local]) => `${name}: ${local}`)
    .join(', ')} } = ${from};`;
}

function exportFrom(clause: string, from: string): string {
  if (clause === '*') return `Object.defineProperties(exports, Object.getOwnPropertyDescriptors(${from}));`;
  const list = /^\{([\s\S]*)\}$/.exec(clause)?.[1];
  if (list === undefined) throw new Error(`An export of the form "${clause}" is not known here.`);
  const getters = pairs(list).map(([name, as]) => `${as}: { enumerable: true, get: () => ${from}.${name} }`);
  return `Object.defineProperties(exports, { ${getters.join(', ')} });`;
}

/** `a, b as c` as pairs of names; blanks are where types were. */
function pairs(list: string): readonly (readonly [string, string])[] {
  return list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map((item) => {
      const [name = '', alias = name] = item.split(/\s+as\s+/);
      return [name, alias] as const;
    });
}

function resolveModule(specifier: string, from: string): string {
  if (specifier.startsWith('node:')) throw new Error(`${from} imports ${specifier}, which no browser has.`);
  if (specifier.startsWith('.')) return join(dirname(from), specifier);
  const found = createRequire(pathToFileURL(from)).resolve(specifier);
  return found.startsWith('file:') ? fileURLToPath(found) : found;
}
