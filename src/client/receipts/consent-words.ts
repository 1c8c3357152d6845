import {
  type ConsentTerms,
  END_OF_TIME_MS,
  type ProvisionTerms,
  START_OF_DATA_MS,
} from '../../contracts/index.ts';
import { timeText } from './words.ts';

/** What a reader who does not know the codes of HL7 understands; other codes are told as they are. */
const PURPOSES: Readonly<Record<string, string>> = {
  TREAT: 'treatment',
  ETREAT: 'emergency treatment',
  BTG: 'emergency access (break the glass)',
  COC: 'coordination of care',
  HRESCH: 'healthcare research',
  CLINTRL: 'a clinical trial',
  HPAYMT: 'payment',
  HOPERAT: "the hospital's own operations",
  PATRQT: "the patient's own request",
  PUBHLTH: 'public health',
  HMARKT: 'marketing',
};
const ACTIONS: Readonly<Record<string, string>> = {
  access: 'reading',
  use: 'use',
  disclose: 'passing on',
  collect: 'adding records',
  correct: 'changing records',
};
const CONFIDENTIALITY: Readonly<Record<number, string>> = {
  4: 'normal',
  5: 'restricted',
  6: 'very restricted',
};
const DATA_MEANINGS: Readonly<Record<string, string>> = {
  instance: 'the record',
  related: 'what is related to',
  dependents: 'what depends on',
  authoredby: 'what was written by',
};

/** Consent terms in plain words: one sentence for the rule, and one for each exception, numbered as decisions name them. */
export function termsInWords(terms: ConsentTerms): string[] {
  const { root, validFromMs, validUntilMs } = terms;
  const validity = `from ${timeText(validFromMs)}${untilText(validUntilMs)}`;
  return [`The consent ${verb(root)} ${scopeOf(root)}, ${validity}.`, ...exceptions(root, 'root')];
}

function exceptions({ provisions }: ProvisionTerms, path: string): string[] {
  return provisions.flatMap((provision, index) => {
    const own = `${path}.${index}`;
    return [
      `Exception (${own}): it ${verb(provision)} ${scopeOf(provision)}.`,
      ...exceptions(provision, own),
    ];
  });
}

const verb = ({ effect }: ProvisionTerms): string => (effect === 'permit' ? 'permits' : 'forbids');

function scopeOf(provision: ProvisionTerms): string {
  const parts = [actionsOf(provision), recordsOf(provision), actorsOf(provision), purposesOf(provision)];
  return [...parts, periodOf(provision)].filter((part) => part !== '').join(' ');
}

function actionsOf({ actions, effect }: ProvisionTerms): string {
  if (actions.length > 0) return listOf(actions.map((code) => ACTIONS[code] ?? code));
  // To write, a permission has to name it (docs/consent.md).
  return effect === 'permit' ? 'everything but adding and changing records,' : 'everything';
}

function recordsOf(provision: ProvisionTerms): string {
  const { resourceTypes, documentCodes, codes, labels, confidentiality, authors, data } = provision;
  const { dataFromMs, dataUntilMs } = provision;
  const criteria = [
    resourceTypes.length === 0 ? '' : `of the types ${listOf(resourceTypes)}`,
    documentCodes.length === 0 ? '' : `documents with the code ${listOf(documentCodes)}`,
    codes.length === 0 ? '' : `with the code ${listOf(codes)}`,
    labels.length === 0 ? '' : `marked as ${listOf(labels)}`,
    confidentiality === 0 ? '' : `of ${CONFIDENTIALITY[confidentiality]} confidentiality or lower`,
    authors.length === 0 ? '' : `written by ${listOf(authors)}`,
    data.length === 0
      ? ''
      : `namely ${listOf(data.map(({ meaning, reference }) => `${DATA_MEANINGS[meaning] ?? meaning} ${reference}`))}`,
    dataFromMs === START_OF_DATA_MS ? '' : `dated ${timeText(dataFromMs)} or later`,
    dataUntilMs === END_OF_TIME_MS ? '' : `dated before ${timeText(dataUntilMs)}`,
  ].filter((part) => part !== '');
  return criteria.length === 0 ? 'on all records' : `on records ${criteria.join(', ')},`;
}

function actorsOf({ actors }: ProvisionTerms): string {
  if (actors.length === 0) return 'by anybody';
  return `by ${listOf(actors.map(({ account, role }) => (role === '' ? `account ${account}` : `account ${account} in the role ${role}`)))}`;
}

function purposesOf({ purposes }: ProvisionTerms): string {
  if (purposes.length === 0) return 'for any purpose';
  const names = purposes.map((code) => (PURPOSES[code] === undefined ? code : `${PURPOSES[code]} (${code})`));
  return `for ${listOf(names)} or what is narrower`;
}

function periodOf({ periodFromMs, periodUntilMs }: ProvisionTerms): string {
  const from = periodFromMs === 0 ? '' : `from ${timeText(periodFromMs)}`;
  return `${from}${periodUntilMs === END_OF_TIME_MS ? '' : untilText(periodUntilMs)}`.trim();
}

function untilText(timeMs: number): string {
  return timeMs === END_OF_TIME_MS ? ', without an end' : ` until before ${timeText(timeMs)}`;
}

function listOf(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} or ${items.at(-1)}`;
}
