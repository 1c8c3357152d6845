import { AppError, parseJson } from '../../shared/index.ts';
import { DEFAULT_LABEL_TABLE, extendLabelTable, type LabelTable } from './label-table.ts';
import type { ValueSetRow } from './value-sets.ts';

const MAX_FILE_BYTES = 4 * 1024 * 1024;

/**
 * The table with a hospital's own rows: JSON, a list of `{label, system, codes}`, codes separated by white space. Every row has to
 * be understood; one that was skipped would leave records open that the hospital means to protect.
 */
export function labelTableWith(file: Uint8Array): LabelTable {
  if (file.length > MAX_FILE_BYTES)
    throw new AppError('body-too-large', 'A file of sensitivity labels has at most 4 MiB.');
  const rows = parseJson(file);
  if (!Array.isArray(rows)) throw badFile('it is not a list');
  return extendLabelTable(DEFAULT_LABEL_TABLE, rows.map(rowOf));
}

function rowOf(row: unknown, place: number): ValueSetRow {
  const { label, system, codes, ...others } = (row ?? {}) as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw badFile(`row ${place + 1} has "${unknown}", which means nothing here`);
  if (!isText(label) || !isText(system) || !isText(codes))
    throw badFile(`row ${place + 1} needs label, system and codes as text`);
  return { label, system, codes };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

function badFile(why: string): AppError {
  return new AppError(
    'invalid-request',
    `The file of sensitivity labels cannot be used: ${why}. Write [{"label": "hiv", "system": "http://loinc.org", "codes": "12345-6 12346-4"}].`,
  );
}
