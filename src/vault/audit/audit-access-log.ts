import { existsSync } from 'node:fs';
import { equalBytes } from '../../shared/index.ts';
import { scanFrames, tornPath } from '../access-log/log-file.ts';
import { type OpenAccessLog, openFrame } from '../access-log/open-access-log.ts';
import { createPause } from '../pause.ts';
import type { VaultContext } from '../vault-context.ts';
import { faultOf } from './fault.ts';
import type { AuditFinding, AuditProgress } from './finding.ts';

const TORN = {
  kind: 'access-log',
  severity: 'note',
  what: 'A start cut these bytes off the access log: a write that a crash left unfinished, of which nobody was told.',
} as const;

export async function* auditAccessLog(
  context: VaultContext,
  log: OpenAccessLog,
  onProgress: (progress: AuditProgress) => void,
): AsyncIterable<AuditFinding> {
  const faults: AuditFinding[] = [];
  const end = log.end;
  const pause = createPause();
  const scan = await scanFrames(log.file, async (frame, offset) => {
    // An erasure between two looks for its key would pass for a key that was taken away.
    const what = await context.erasures(() => faultOf(() => openFrame(context, frame.bytes)));
    await pause();
    if (what !== undefined)
      faults.push({ kind: 'access-log', where: `${log.path} byte ${offset} (entry ${frame.index})`, what });
    if (frame.index % 1000 === 999) onProgress({ stage: 'access log', done: frame.index + 1 });
  });
  yield* faults;
  if (scan.damage !== undefined && (scan.end < end || log.damage !== undefined)) {
    const what = scan.damage.torn
      ? 'The log ends in bytes that are no whole entry.'
      : 'An entry is damaged or missing here.';
    yield {
      kind: 'access-log',
      where: `${log.path} byte ${scan.damage.offset} (entry ${scan.damage.index})`,
      what,
    };
  }
  if (existsSync(tornPath(log.path))) yield { ...TORN, where: tornPath(log.path) };
  const what = await anchorFault(log);
  if (what !== undefined) yield { kind: 'access-log', where: log.path, what };
}

async function anchorFault(log: OpenAccessLog): Promise<string | undefined> {
  // One that does not open is named among the rows of the vault's tables.
  const anchor = await log.anchored().catch(() => undefined);
  if (anchor === undefined) return undefined;
  // It may have grown meanwhile, and its anchor with it.
  const { size } = log;
  if (anchor.size > size) return `${anchor.size} entries are anchored, but the log has ${size}.`;
  const isSame = equalBytes(log.root(anchor.size), anchor.root);
  return isSame ? undefined : `The first ${anchor.size} entries are not those that were anchored.`;
}
