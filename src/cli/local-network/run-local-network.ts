import { closeOnSignal } from '../signals.ts';
import { type Terminal, table } from '../terminal.ts';
import { type MemberProcess, startMember } from './member-process.ts';
import { type LocalNetworkOptions, prepareMembers } from './members.ts';

const LOOK_EVERY_MS = 1000;
const ANSWER_LIMIT_MS = 900;

interface Door {
  organisation: string;
  url: string;
  data: string;
}

/** Runs four organisations until somebody stops them; one that fails does not stop the others. */
export async function runLocalNetwork(options: LocalNetworkOptions, terminal: Terminal): Promise<void> {
  const members = await prepareMembers(options, terminal);
  const processes = members.map((member) => startMember(member, process.argv[1] as string));
  let isStopping = false;
  const stopAll = (): void => {
    isStopping = true;
    for (const { stop } of processes) stop();
  };
  closeOnSignal(() => {
    terminal.warn('Stopping the four nodes…');
    stopAll();
  });
  terminal.progress('Starting four nodes; they are ready when blocks flow…');
  let doors: Door[];
  try {
    doors = await Promise.all(processes.map(doorOf));
  } catch (error) {
    stopAll();
    await Promise.all(processes.map(({ ended }) => ended));
    throw error;
  }
  terminal.answer({ organisations: doors }, doorsText(doors, options.withSamples));
  await watch(processes, doors, terminal, () => isStopping);
  terminal.endProgress();
}

async function doorOf({ member, ready }: MemberProcess): Promise<Door> {
  return { organisation: member.organisation, url: await ready, data: member.data };
}

/** Keeps a line of the four heights up to date, and tells of each node that ends. */
async function watch(
  processes: readonly MemberProcess[],
  doors: readonly Door[],
  terminal: Terminal,
  isStopping: () => boolean,
): Promise<void> {
  let up = processes.length;
  for (const { member, ended, log } of processes)
    void ended.then((how) => {
      up -= 1;
      if (isStopping()) return;
      terminal.warn(`${member.organisation} has ended (${how}); ${log} has the rest. ${up} of 4 go on.`);
    });
  const timer = setInterval(() => {
    if (process.stderr.isTTY && !isStopping()) void statusLine(doors).then((line) => terminal.progress(line));
  }, LOOK_EVERY_MS);
  await Promise.all(processes.map(({ ended }) => ended));
  clearInterval(timer);
}

async function statusLine(doors: readonly Door[]): Promise<string> {
  const heights = await Promise.all(doors.map(({ url }) => heightAt(url)));
  const texts = doors.map(({ organisation }, at) => `${organisation.split(' ')[0]} ${heights[at] ?? 'down'}`);
  return `height: ${texts.join(', ')}. Ctrl-C stops all.`;
}

async function heightAt(url: string): Promise<number | undefined> {
  try {
    const headers = { accept: 'application/json' };
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    return ((await answer.json()) as { height?: number }).height;
  } catch {
    return undefined;
  }
}

function doorsText(doors: readonly Door[], withSamples: boolean): string {
  const rows = doors.map(({ organisation, url, data }) => [`  ${organisation}`, url, data]);
  const [here, there, third] = doors as [Door, Door, Door, Door];
  const clinician = `${there.data}/demo/clinician.key.json`;
  const first = [
    'Four organisations run one ledger. None of them, and no one of them that fails or lies, can rewrite or stop it.',
    '',
    table(rows),
  ];
  if (!withSamples) return [...first, '', 'Stop them with Ctrl-C.'].join('\n');
  const name = (door: Door): string => door.organisation.split(' ')[0] as string;
  return [
    ...first,
    '',
    `Ana is a patient of ${name(here)}; a clinician of ${name(there)} wants to read. Try next, in another terminal:`,
    '',
    `  careledger read Observation/ana-hba1c --node ${here.url} --as ${clinician}     (denied)`,
    `  careledger keys enrol-code Patient/ana --data ${here.data} --out ana.code`,
    '  careledger wallet create',
    `  careledger wallet enrol --code-file ana.code --node ${here.url}`,
    `  careledger consent grant --to ${clinician} --type Observation --node ${here.url} --via ${there.url} --receipt grant.json`,
    `  careledger read Observation/ana-hba1c --node ${here.url} --as ${clinician}     (permitted)`,
    '  careledger verify grant.json',
    `  careledger consent revoke --all --via ${third.url}     (through a third organisation: nobody can hold it back)`,
    '',
    'Stop them with Ctrl-C.',
  ].join('\n');
}
