import {
  CONFIDENTIALITY_SYSTEM,
  LABEL_SYSTEM,
  SENSITIVITY_CODES,
  SENSITIVITY_LABELS,
} from '../../contracts/index.ts';
import { AppError } from '../../shared/index.ts';
import { isIcd, normaliseSystem, VALUE_SETS, type ValueSetRow } from './value-sets.ts';

interface IcdRange {
  readonly from: string;
  readonly to: string;
  readonly label: string;
}

/** Codes and the labels they give. Immutable; `extendLabelTable` gives a larger one. */
export interface LabelTable {
  readonly byCode: ReadonlyMap<string, ReadonlySet<string>>;
  /** By ICD system and first character of the code. */
  readonly icd: ReadonlyMap<string, readonly IcdRange[]>;
}

const MAX_ROWS = 10_000;
const ACT_CODE = normaliseSystem('http://terminology.hl7.org/CodeSystem/v3-ActCode');
const CONFIDENTIALITY = normaliseSystem(CONFIDENTIALITY_SYSTEM);

/** A table with further rows. Rows only ever add: nothing a hospital writes can make a record less sensitive. */
export function extendLabelTable(table: LabelTable, rows: readonly ValueSetRow[]): LabelTable {
  if (rows.length > MAX_ROWS)
    throw new AppError(
      'too-many',
      `A label table may have ${MAX_ROWS} rows; join codes of one label into one row.`,
    );
  const byCode = new Map(
    [...table.byCode].map(([key, labels]): [string, Set<string>] => [key, new Set(labels)]),
  );
  const icd = new Map([...table.icd].map(([key, ranges]): [string, IcdRange[]] => [key, [...ranges]]));
  for (const row of rows) addRow(byCode, icd, row);
  return { byCode, icd };
}

function addRow(byCode: Map<string, Set<string>>, icd: Map<string, IcdRange[]>, row: ValueSetRow): void {
  if (!SENSITIVITY_LABELS.includes(row.label)) {
    throw new AppError(
      'invalid-request',
      `A row of the label table must name one of the labels ${SENSITIVITY_LABELS.join(', ')}.`,
    );
  }
  const system = normaliseSystem(row.system);
  for (const code of row.codes.split(/\s+/).filter((word) => word !== '')) {
    if (isIcd(system)) addIcdRange(icd, system, code, row.label);
    else addTo(byCode, `${system}|${code}`, row.label);
  }
}

function addTo(byCode: Map<string, Set<string>>, key: string, label: string): void {
  const labels = byCode.get(key) ?? new Set<string>();
  byCode.set(key, labels.add(label));
}

const icdCode = (code: string): string => code.trim().toUpperCase().replaceAll('.', '');

function addIcdRange(icd: Map<string, IcdRange[]>, system: string, text: string, label: string): void {
  const [from = '', to = from] = text.split('-').map(icdCode);
  if (!/^[A-Z0-9]{2,8}$/.test(from) || !/^[A-Z0-9]{2,8}$/.test(to) || from > to || from[0] !== to[0]) {
    throw new AppError(
      'invalid-request',
      'An ICD row of the label table must be a code or a range such as F10-F19.',
    );
  }
  const key = `${system}|${from[0]}`;
  icd.set(key, [...(icd.get(key) ?? []), { from, to, label }]);
}

/** The labels a coding gives by itself. */
export function labelsOfCoding(
  table: LabelTable,
  coding: { readonly system: string; readonly code: string },
): readonly string[] {
  const system = normaliseSystem(coding.system);
  if (isIcd(system)) return icdLabels(table, system, icdCode(coding.code));
  const labels = table.byCode.get(`${system}|${coding.code.trim()}`);
  return labels === undefined ? [] : [...labels];
}

/** A code is in a range when it, cut to the length of a bound, is not outside that bound: F11.20 is in F10-F19. */
function icdLabels(table: LabelTable, system: string, code: string): readonly string[] {
  const ranges = table.icd.get(`${system}|${code[0] ?? ''}`) ?? [];
  const found = ranges.filter(
    ({ from, to }) => code.length >= from.length && code >= from && code.slice(0, to.length) <= to,
  );
  return [...new Set(found.map(({ label }) => label))];
}

/**
 * The other codes of v3 ActCode under InformationSensitivityPolicy. Each asks for heightened confidentiality, so none may count as
 * nothing; what no label of its own stands for is `restricted`.
 */
const OTHER_SENSITIVITIES: ReadonlyMap<string, string> = new Map([
  ...words('COGN DVD EMOTDIS').map((code): [string, string] => [code, 'mental-health']),
  ...words('SCA SICKLE').map((code): [string, string] => [code, 'genetic']),
  ...words(
    'MST SDV SPI TBOO VIO DEMO DOB GENDER LIVARG MARST RACE REL B EMPL LOCIS SSP ADOL CEL DIA DRGIS EMP PDS PHY PRS',
  ).map((code): [string, string] => [code, 'restricted']),
]);

function words(text: string): string[] {
  return text.split(' ');
}

interface SecurityCoding {
  readonly system: string;
  readonly code: string;
}

/** Labels a security label (`meta.security`) states outright; R and V that nothing else explains become `restricted`. */
export function labelsOfSecurity({ system, code }: SecurityCoding): readonly string[] {
  if (system === LABEL_SYSTEM) return SENSITIVITY_LABELS.includes(code) ? [code] : ['restricted'];
  const name = normaliseSystem(system);
  if (name === CONFIDENTIALITY) return labelsOfLevel(code);
  if (name !== ACT_CODE) return [];
  const other = OTHER_SENSITIVITIES.get(code.trim());
  return SENSITIVITY_CODES.get(code.trim())?.labels ?? (other === undefined ? [] : [other]);
}

/** The same of a mark whose system was left out: whichever of the two it is from, it was meant. */
export function labelsOfBareMark(code: string): readonly string[] {
  return [...labelsOfLevel(code), ...labelsOfSecurity({ system: ACT_CODE, code })];
}

/** Labels of a code of v3 Confidentiality. */
export function labelsOfLevel(code: unknown): readonly string[] {
  return typeof code === 'string' && /^\s*[RV]\s*$/.test(code) ? ['restricted'] : [];
}

/** Whether a coding states a sensitivity that is `restricted` in itself. */
export function isOtherSensitivity({ system, code }: SecurityCoding): boolean {
  return OTHER_SENSITIVITIES.get(code.trim()) === 'restricted' && normaliseSystem(system) === ACT_CODE;
}

/** The table this system comes with. */
export const DEFAULT_LABEL_TABLE: LabelTable = extendLabelTable(
  { byCode: new Map(), icd: new Map() },
  VALUE_SETS,
);
