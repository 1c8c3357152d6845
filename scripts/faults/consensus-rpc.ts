const TIMEOUT_MS = 3_000;
/** As many headers as CometBFT gives at once. */
const PAGE = 20;

export type ConsensusStatus = {
  readonly height: number;
  readonly earliestHeight: number;
  readonly isCatchingUp: boolean;
};

/** Asks a node's CometBFT; rejects when it does not answer. */
async function rpc<Result>(url: string, path: string): Promise<Result> {
  const response = await fetch(`${url}/${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const { result, error } = (await response.json()) as { result?: Result; error?: { data?: string } };
  if (result === undefined) throw new Error(`CometBFT answers ${path}: ${error?.data ?? response.status}`);
  return result;
}

export async function statusOf(url: string): Promise<ConsensusStatus> {
  type Status = {
    sync_info: { latest_block_height: string; earliest_block_height: string; catching_up: boolean };
  };
  const { sync_info: info } = await rpc<Status>(url, 'status');
  return {
    height: Number(info.latest_block_height),
    earliestHeight: Number(info.earliest_block_height),
    isCatchingUp: info.catching_up,
  };
}

/** The hashes of the consensus engine's blocks, which cover their transactions and the appHash and results of the one before. */
export async function blockHashes(
  url: string,
  fromHeight: number,
  toHeight: number,
): Promise<Map<number, string>> {
  type Chain = { block_metas: { header: { height: string }; block_id: { hash: string } }[] };
  const hashes = new Map<number, string>();
  for (let first = fromHeight; first <= toHeight; first += PAGE) {
    const last = Math.min(first + PAGE - 1, toHeight);
    const { block_metas: metas } = await rpc<Chain>(url, `blockchain?minHeight=${first}&maxHeight=${last}`);
    for (const { header, block_id: id } of metas) hashes.set(Number(header.height), id.hash);
  }
  return hashes;
}
