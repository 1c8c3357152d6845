import { AppError, assert, CanonicalReader, CanonicalWriter } from '../shared/index.ts';
import { type StateReader, type StateWriter, stateKey } from './state/state-key.ts';

/** The ledger's own table, as that of accounts. */
const LEDGER = 0;
const VERSION_KEY = stateKey(LEDGER, 'version', new Uint8Array());
/** Every chain begins with these rules. */
export const FIRST_VERSION = 1;

/** From this height on the contracts run by the rules of this version. */
export type VersionStart = { readonly version: number; readonly height: number };

/** All versions that were or will be active, by ascending height. The first one is version 1 from height 0 on. */
export function versionSchedule(state: StateReader): readonly VersionStart[] {
  const first = { version: FIRST_VERSION, height: 0 };
  const value = state.get(VERSION_KEY);
  return value === undefined ? [first] : [first, ...decodeSchedule(value)];
}

/** The version of the rules by which a block of this height is executed. */
export function versionAt(state: StateReader, height: number): number {
  return versionSchedule(state).findLast((start) => start.height <= height)?.version ?? FIRST_VERSION;
}

/** Lets a version begin at a height to come; what was to begin after `now` is replaced by it. */
export function scheduleVersion(state: StateWriter, now: number, start: VersionStart): void {
  assert(start.height > now, 'a version begins at a height to come');
  const begun = versionSchedule(state).filter(
    ({ version, height }) => version > FIRST_VERSION && height <= now,
  );
  state.set(VERSION_KEY, encodeSchedule([...begun, start]));
}

/** Halts where the rules of a block are not known: to run it by older ones would fork. */
export function requireKnownVersion(state: StateReader, height: number, newestVersion: number): number {
  const version = versionAt(state, height);
  if (version <= newestVersion) return version;
  throw new AppError(
    'upgrade-needed',
    `From block ${height} on this ledger runs by contract version ${version}, and this software knows versions up to ${newestVersion}. ` +
      'Nothing is lost: stop the node, install a version that knows it, and start again.',
  );
}

function encodeSchedule(starts: readonly VersionStart[]): Uint8Array {
  const writer = new CanonicalWriter().u16(starts.length);
  for (const { version, height } of starts) writer.u32(version).u64(height);
  return writer.finish();
}

function decodeSchedule(bytes: Uint8Array): VersionStart[] {
  const reader = new CanonicalReader(bytes);
  const starts = Array.from({ length: reader.u16() }, () => ({
    version: reader.u32(),
    height: reader.u64(),
  }));
  reader.end();
  return starts;
}
