import { join, relative } from 'node:path';
import { DEMO_KEYS } from '../node/index.ts';

/** What a person reads when a node has started: where everything is and what to try next. */
export function startedText(facts: {
  url: string;
  data: string;
  custodian: string;
  isFirst: boolean;
  withSamples: boolean;
  demo: string;
}): string {
  const lines = [
    `CareLedger is ready at ${facts.url}`,
    '',
    `  data     ${facts.data}`,
    `  FHIR     ${facts.url}/fhir/R4`,
    `  account  ${facts.custodian}`,
  ];
  if (!facts.isFirst) return [...lines, '', 'Stop it with Ctrl-C or: careledger stop'].join('\n');
  if (!facts.withSamples)
    return [...lines, '', 'Next: careledger import FILE…, careledger keys register --help'].join('\n');
  const demo = (name: keyof typeof DEMO_KEYS): string =>
    relative(process.cwd(), join(facts.demo, DEMO_KEYS[name]));
  return [
    ...lines,
    `  demo     ${facts.demo}: keys of a clinician here, of a researcher and an insurer elsewhere`,
    '',
    'Four made-up patients are loaded: ana, bram, chi and deniz. Try next, in another terminal:',
    '',
    `  careledger read Patient/ana --as ${demo('clinician')}`,
    `  careledger read Observation/ana-hba1c --as ${demo('researcher')} --purpose HRESCH     (denied)`,
    '  careledger wallet create && careledger keys enrol-code Patient/ana --out ana.code',
    '  careledger wallet enrol --code-file ana.code',
    `  careledger consent grant --to ${demo('researcher')} --purpose HRESCH --type Observation`,
    '  careledger log',
    '',
    'README.md has the whole tour. Stop the node with Ctrl-C or: careledger stop',
  ].join('\n');
}
