/** What the campaign asks of an application's process, over the channel between them. Bytes are in hexadecimal. */
export type Question =
  | { readonly ask: 'head' }
  | { readonly ask: 'submit'; readonly transaction: string }
  | { readonly ask: 'blocks'; readonly fromHeight: number }
  | { readonly ask: 'accounts'; readonly ids: readonly string[] }
  | { readonly ask: 'diverge' };

export type HeadAnswer = {
  readonly height: number;
  readonly appHash: string;
  /** The last block of the consensus engine that the ledger has taken over. */
  readonly consensusHeight: number;
};
export type PlaceAnswer = {
  readonly height: number;
  readonly index: number;
  readonly code: number;
  readonly leafIndex: number;
};
export type BlockAnswer = {
  readonly height: number;
  readonly firstLeaf: number;
  /** Over the block's bytes, its results and its head. */
  readonly digest: string;
  readonly transactions: readonly { readonly id: string; readonly code: number }[];
};
/** The next sequence number of each account; -1 where there is none. */
export type AccountsAnswer = readonly number[];

export type Asked = { readonly number: number; readonly question: Question };
export type Answered = { readonly number: number; readonly answer?: unknown; readonly error?: string };

export type ApplicationSettings = {
  readonly folder: string;
  readonly genesis: string;
  readonly nodeSeed: string;
  readonly rpcUrl: string;
};
