/**
 * Which codes make a record sensitive. Codes and meanings from SNOMED CT, LOINC, ICD-10-CM and RxNorm; a hospital adds its
 * own rows (`extendLabelTable`). Where a code may or may not be sensitive the row is here: a patient can widen by consent,
 * but a disclosure cannot be taken back.
 */
export interface ValueSetRow {
  readonly label: string;
  readonly system: string;
  /** Codes, separated by white space. For ICD a code covers its subdivisions, and `F20-F99` every category between. */
  readonly codes: string;
}

const SNOMED = 'http://snomed.info/sct';
const LOINC = 'http://loinc.org';
const RXNORM = 'http://www.nlm.nih.gov/research/umls/rxnorm';
const ICD10 = 'icd-10';
const ICD9 = 'icd-9';

const MENTAL_HEALTH: readonly ValueSetRow[] = [
  // Mental, behavioural and neurodevelopmental disorders; suicidal ideation, attempt and self-harm; their history.
  {
    label: 'mental-health',
    system: ICD10,
    codes: 'F20-F99 R45.851 R45.88 T14.91 X71-X83 Z91.5 Z81.8 Z86.51 Z86.59 Z13.3 O90.6 O99.34 Z62.81',
  },
  { label: 'mental-health', system: ICD9, codes: '293-299 300-302 306-319 V11 V62.84 E950-E959' },
  {
    label: 'mental-health',
    system: SNOMED,
    codes: `
      74732009 35489007 370143000 36923009 66344007 40379007 2618002 78667006 58703003 1938002 191736004 47505003 371631005
      21897009 197480006 48694002 109006 13746004 1196001 1499003 162004 58214004 68890003 69322001 56882008 78004001
      72366004 20010003 33449004 17226007 44376007 31297008 406506008 192127007 408856003 82313006 6471006 225444004
      23233009 161474000 161464003 161468000 161469008 161470009 75516001 76168009 1555005 23835007 405783006 24642003
      170687005 386522008 225337009`,
  },
  {
    label: 'mental-health',
    system: LOINC,
    codes: `
      44249-1 44250-9 44251-7 44252-5 44253-3 44254-1 44255-8 44258-2 44259-0 44260-8 44261-6 55757-9 55758-7 69737-5 70274-6
      71354-5 73831-0 11497-5 11510-5 11518-8 11527-9 18594-2 18738-5 18766-6 28627-8 28628-6 28635-1 34102-4 34788-0 34790-6
      34791-4 34792-2 34793-0 34865-6 34866-4 57157-0 57158-8 59259-2 68599-0 68601-4 68641-0 68642-8 68644-4 68645-1 68646-9
      68647-7 68648-5 68649-3 74187-6 10165-9`,
  },
  {
    // Antidepressants, antipsychotics, lithium, stimulants and anxiolytics, by ingredient; then products in common use.
    label: 'mental-health',
    system: RXNORM,
    codes: `
      4493 36437 32937 2556 321988 39786 72625 15996 10737 6448 51272 61381 35636 89013 2626 5093 115698 1040028 679314 704
      1827 6901 38400 1091392`,
  },
];

const SUBSTANCE_USE: readonly ValueSetRow[] = [
  // 42 CFR Part 2: substance use disorder, its treatment, counselling, toxic effects and what alcohol did to organs.
  {
    label: 'substance-use',
    system: ICD10,
    codes:
      'F10-F19 F55 T40 T51.0 K70 K29.2 K85.2 K86.0 I42.6 G62.1 G31.2 G72.1 E24.4 O99.31 O99.32 Z71.41 Z71.42 Z71.51 Z71.52 Z81.1-Z81.4 R78.0-R78.5 Y90 P96.1 P04.4 Q86.0',
  },
  { label: 'substance-use', system: ICD9, codes: '291 292 303-305 571.0-571.3 V65.42' },
  {
    label: 'substance-use',
    system: SNOMED,
    codes: `
      66214007 26416006 191816009 7200002 66590003 15167005 85561006 8635005 25702006 281004 2043009 75544000 5602001 31956009
      78267003 85005007 37344009 21647008 84758004 55680006 2403008 161466001 161467005 162591001 162592008 162593003 1686006
      56876005 61480009 60112009 266707007 408936000 408935001 313071005 24165007 20078004 23883005 21066009 60881009 14816004`,
  },
  {
    label: 'substance-use',
    system: LOINC,
    codes: `
      18823-5 34857-3 75626-2 72109-2 82667-7 3426-4 3397-7 3879-4 19261-7 3349-8 3774-7 10369-7 5640-8 5643-2`,
  },
  {
    // Methadone, buprenorphine, naltrexone, disulfiram, acamprosate, and buprenorphine with naloxone.
    label: 'substance-use',
    system: RXNORM,
    codes: '6813 1819 7243 3554 82819 351264 351265 351266 351267 1010600 1010604 864706 864718',
  },
];

const HIV: readonly ValueSetRow[] = [
  { label: 'hiv', system: ICD10, codes: 'B20-B24 Z21 B97.35 R75 Z20.6 Z11.4 Z71.7 O98.7 Z83.0 F02.4' },
  { label: 'hiv', system: ICD9, codes: '042-044 079.53 795.71 V08 V01.79' },
  {
    label: 'hiv',
    system: SNOMED,
    codes: `
      86406008 62479008 165816005 91947003 111880001 48794007 79019005 405631006 235009000 420524008 31676001 171121004 313077009
      27494001 15175004 25578009 273263000 254387007 712869008`,
  },
  {
    label: 'hiv',
    system: LOINC,
    codes: `
      7917-8 7918-6 5221-7 5222-5 5223-3 10351-5 10682-3 14092-1 20447-9 21008-8 24012-7 25835-0 25836-8 29541-0 29893-5 30245-5
      30361-0 31201-7 33866-5 38961-9 42768-2 43010-8 47245-6 48345-3 56888-1 68961-2 69668-2 74264-3 75622-1`,
  },
  {
    label: 'hiv',
    system: RXNORM,
    codes:
      '11413 68244 190521 195085 53654 85762 343047 460132 719872 1433868 276237 1102270 1999667 195088 134527 59763 3364 620216 475969',
  },
];

const REPRODUCTIVE: readonly ValueSetRow[] = [
  // Abortion, contraception, fertility, sterilisation; sexually transmitted infection; sexual function and gender identity.
  {
    label: 'reproductive',
    system: ICD10,
    codes:
      'O03-O04 O07-O08 Z33.2 Z30-Z32 Z64.0 Z97.5 Z98.51 Z98.52 N46 N97 A50-A64 Z11.3 Z20.2 Z72.5 Z70 F52 F64-F66 N52',
  },
  { label: 'reproductive', system: ICD9, codes: '090-099 302 606 628 634-639 V25 V26 V72.4' },
  {
    label: 'reproductive',
    system: SNOMED,
    codes: `
      714812005 386394001 10383002 5880005 70317007 17369002 57797005 67313008 1592005 195005 127009 172001 6716006 85329008
      65200003 169553002 301807007 755621000000101 287664005 22523008 169551000 161772002 161774001 20359006 252160004 167253007
      109184000 8098009 15628003 76272004 105629000 33839006 1107004 310861008 269828009 165829005 8619003 15296000`,
  },
  {
    label: 'reproductive',
    system: LOINC,
    codes: '52027-0 52029-6 2106-3 2118-8 21198-7 43304-5 43305-2 24111-7 21613-5 20507-0 5292-8 22587-0',
  },
  {
    // Misoprostol, hormonal contraceptives by ingredient, then packs and devices.
    label: 'reproductive',
    system: RXNORM,
    codes: `
      42331 6373 4124 14584 7514 6691 1005921 389221 807283 1856546 1605257 1367439 748962 978950 749762 749785 749882 751905
      757594 831533 748856 748879`,
  },
];

const GENETIC: readonly ValueSetRow[] = [
  // Carriers, susceptibility, counselling and screening; the single-gene diseases that say something of relatives.
  {
    label: 'genetic',
    system: ICD10,
    codes: 'Z14 Z15 Z13.7 Z31.5 Z31.43 Z31.44 Z31.430 Z31.438 Z84.81 G10 E84 D57 G71.0 Q90-Q99 E75 D81',
  },
  { label: 'genetic', system: ICD9, codes: 'V26.31-V26.39 V83 V84 333.4 277.0 282.6 758' },
  {
    label: 'genetic',
    system: SNOMED,
    codes: `
      405824009 405825005 58756001 190905008 412734009 412738007 41040004 127040003 417357006 16402000 76670001 160336000
      160309002 20868001 708068002 1310004`,
  },
  {
    label: 'genetic',
    system: LOINC,
    codes: `
      51965-2 51967-8 51968-6 51969-4 53037-8 55232-3 55233-1 59041-4 69548-6 48018-6 48004-6 48005-3 48002-0 81247-9 21636-6
      54447-8 55201-8 75034-9 68650-1 68651-9 68652-7 68653-5 68655-0 68656-8 68657-6 68658-4 68659-2 68660-0 68661-8 68662-6`,
  },
];

/** The table this system comes with. */
export const VALUE_SETS: readonly ValueSetRow[] = [
  ...MENTAL_HEALTH,
  ...SUBSTANCE_USE,
  ...HIV,
  ...REPRODUCTIVE,
  ...GENETIC,
];

/** Resource types that are sensitive whatever they hold. */
export const LABELS_OF_TYPE: ReadonlyMap<string, string> = new Map([['MolecularSequence', 'genetic']]);

const V3_ACT_CODE = 'http://terminology.hl7.org/codesystem/v3-actcode';
const V3_CONFIDENTIALITY = 'http://terminology.hl7.org/codesystem/v3-confidentiality';

const SYSTEM_ALIASES: ReadonlyMap<string, string> = new Map([
  ['urn:oid:2.16.840.1.113883.6.96', SNOMED],
  ['urn:oid:2.16.840.1.113883.6.1', LOINC],
  ['urn:oid:2.16.840.1.113883.6.88', RXNORM],
  ['urn:oid:2.16.840.1.113883.6.90', ICD10],
  ['urn:oid:2.16.840.1.113883.6.3', ICD10],
  ['urn:oid:2.16.840.1.113883.6.4', ICD10],
  ['urn:oid:2.16.840.1.113883.6.103', ICD9],
  ['urn:oid:2.16.840.1.113883.5.4', V3_ACT_CODE],
  ['urn:oid:2.16.840.1.113883.5.25', V3_CONFIDENTIALITY],
]);

const MAX_CACHED_SYSTEMS = 1000;
const normalised = new Map<string, string>();

/** One name for the many that a code system goes by: OIDs, national editions, http and https. */
export function normaliseSystem(system: string): string {
  const known = normalised.get(system);
  if (known !== undefined) return known;
  if (normalised.size >= MAX_CACHED_SYSTEMS) normalised.clear();
  const name = nameOfSystem(system);
  normalised.set(system, name);
  return name;
}

/** By index: /\/+$/ takes the square of the length where slashes are many and not last. */
function withoutLastSlashes(text: string): string {
  let until = text.length;
  while (text[until - 1] === '/') until -= 1;
  return text.slice(0, until);
}

function nameOfSystem(system: string): string {
  const name = withoutLastSlashes(
    system
      .trim()
      .toLowerCase()
      .replace(/^https:/, 'http:'),
  );
  const known = SYSTEM_ALIASES.get(name);
  if (known !== undefined) return known;
  if (/icd-?10/.test(name)) return ICD10;
  if (/icd-?9/.test(name)) return ICD9;
  // http://hl7.org/fhir/v3/ActCode and the like, of earlier releases of FHIR.
  if (/\/v3[-/]actcode$/.test(name)) return V3_ACT_CODE;
  if (/\/v3[-/]confidentiality$/.test(name)) return V3_CONFIDENTIALITY;
  return name.startsWith(`${SNOMED}/`) ? SNOMED : name;
}

/** Whether codes of the system are compared by category and subdivision. */
export const isIcd = (system: string): boolean => system === ICD10 || system === ICD9;
