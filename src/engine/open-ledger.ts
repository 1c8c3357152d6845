import { encodeGenesis, requireKnownVersion } from '../ledger/index.ts';
import { BlockLog } from './block-log.ts';
import { encodeRecord } from './block-record.ts';
import type { ChainRules } from './chain-rules.ts';
import type { OpenedValues } from './index-snapshot.ts';
import { LedgerState } from './ledger-state.ts';
import { IndexMismatchError, replayFrame } from './replay.ts';
import { memoryValues } from './state-values.ts';
import type { Storage } from './storage.ts';

/** Opens the values; `fresh` asks for empty ones, after an index was found not to match the log. */
export type OpenValues = (fresh: boolean) => OpenedValues;

export type OpenedLedger = { readonly log: BlockLog; readonly state: LedgerState };

/** Reads and checks the whole log and brings the state up to it; an index that does not match is built anew. */
export async function openLedger(
  storage: Storage,
  rules: ChainRules,
  openValues: OpenValues,
): Promise<OpenedLedger> {
  try {
    return await openWith(storage, rules, openValues(false));
  } catch (cause) {
    if (!(cause instanceof IndexMismatchError)) throw cause;
    return openWith(storage, rules, openValues(true));
  }
}

async function openWith(
  storage: Storage,
  rules: ChainRules,
  { values, snapshot }: OpenedValues,
): Promise<OpenedLedger> {
  const state = new LedgerState(values);
  let log: BlockLog | undefined;
  try {
    log = await BlockLog.open(storage, genesisPayload(rules), (frame) =>
      replayFrame(state, rules, frame, snapshot),
    );
    if (snapshot !== undefined && snapshot.mark.height > state.height)
      throw new IndexMismatchError('the index is ahead of the log');
    // An index lets blocks be skipped, so that rules which are not known would be missed only later.
    requireKnownVersion(state.values, state.height, rules.contracts.newestVersion);
    return { log, state };
  } catch (cause) {
    await log?.close();
    await values.close();
    throw cause;
  }
}

/** The payload of the first frame: the genesis and the signed head that it gives. */
function genesisPayload(rules: ChainRules): Uint8Array {
  const state = new LedgerState(memoryValues());
  const { genesis } = rules;
  const { seal } = state.stage({ timeMs: genesis.timeMs, leaves: [], writes: rules.genesisState(genesis) });
  return encodeRecord({
    kind: 'genesis',
    body: encodeGenesis(genesis),
    codes: [],
    seal: { ...seal, checkpoint: rules.signHead(0, seal) },
  });
}
