import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const STATE_FILE = join('data', 'priv_validator_state.json');
const REMOTE_SIGNER = /^priv_validator_laddr = "[^"]+"$/m;

/**
 * The arguments by which CometBFT looks through the blocks since the last vote that the key's state knows of, and refuses to start if
 * the key has voted in one of them (consensus/state.go, checkDoubleSigningRisk): then the state is that of an old copy, and the
 * key could vote twice. A node that was behind has not voted in them and starts.
 */
export function staleKeyCheck(home: string, ledgerHeight: number): readonly string[] {
  const votedAt = lastVoteHeight(home);
  if (votedAt === undefined || ledgerHeight <= votedAt) return [];
  return [`--consensus.double_sign_check_height=${ledgerHeight - votedAt}`];
}

export function staleKeyState(home: string): string {
  return (
    `CometBFT does not start: ${join(home, STATE_FILE)} is older than votes of this validator, so it was restored from a copy, or another node has the same key. ` +
    'Make sure that no other node has the key. Then put the newest copy of that file back, or write into it the height of a block that the others have decided since this node stopped.'
  );
}

/** Undefined where a signer elsewhere keeps the state, or where the file cannot be read; CometBFT says why then. */
function lastVoteHeight(home: string): number | undefined {
  try {
    if (REMOTE_SIGNER.test(readFileSync(join(home, 'config', 'config.toml'), 'utf8'))) return undefined;
    const height = Number(JSON.parse(readFileSync(join(home, STATE_FILE), 'utf8')).height);
    return Number.isSafeInteger(height) ? height : undefined;
  } catch {
    return undefined;
  }
}
