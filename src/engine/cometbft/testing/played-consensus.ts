import assert from 'node:assert/strict';
import type { Response } from 'cosmjs-types/tendermint/abci/types';
import { toHex, utf8 } from '../../../shared/index.ts';
import { SAMPLE_TIME_MS, type SampleChain } from '../../sample-chain.ts';
import { appStateOf, consensusChainName } from '../consensus-genesis.ts';
import { type AbciClient, timestampOf } from './abci-client.ts';

/** Plays the consensus engine towards an application: one block after another, at times that follow from the heights. */
export class PlayedConsensus {
  readonly client: AbciClient;
  readonly chain: SampleChain;
  height = 0;

  constructor(client: AbciClient, chain: SampleChain) {
    this.client = client;
    this.chain = chain;
  }

  initChain(change: { chainId?: string; timeMs?: number; appState?: unknown } = {}): Promise<Response> {
    const { genesis } = this.chain;
    return this.client.ask({
      initChain: {
        chainId: change.chainId ?? consensusChainName(genesis),
        time: timestampOf(change.timeMs ?? genesis.timeMs),
        appStateBytes: utf8(JSON.stringify(change.appState ?? appStateOf(genesis))),
        initialHeight: 1n,
      },
    });
  }

  async prepare(txs: Uint8Array[], maxTxBytes = 20_000_000, timeMs?: number): Promise<Uint8Array[]> {
    const next = this.#next(txs);
    const time = timeMs === undefined ? next.time : timestampOf(timeMs);
    const answer = await this.client.ask({
      prepareProposal: { ...next, time, maxTxBytes: BigInt(maxTxBytes) },
    });
    return answer.prepareProposal?.txs ?? [];
  }

  async process(txs: Uint8Array[], timeMs?: number): Promise<number | undefined> {
    const next = this.#next(txs);
    const time = timeMs === undefined ? next.time : timestampOf(timeMs);
    return (await this.client.ask({ processProposal: { ...next, time } })).processProposal?.status;
  }

  async finalize(txs: Uint8Array[], timeMs?: number): Promise<{ codes: number[]; appHash: string }> {
    const next = this.#next(txs);
    const time = timeMs === undefined ? next.time : timestampOf(timeMs);
    const { finalizeBlock, exception } = await this.client.ask({ finalizeBlock: { ...next, time } });
    assert(finalizeBlock !== undefined, exception?.error);
    return { codes: finalizeBlock.txResults.map(({ code }) => code), appHash: toHex(finalizeBlock.appHash) };
  }

  async commit(): Promise<void> {
    const answer = await this.client.ask({ commit: {} });
    assert(answer.commit !== undefined, answer.exception?.error);
    this.height += 1;
  }

  async block(txs: Uint8Array[], timeMs?: number): Promise<{ codes: number[]; appHash: string }> {
    const finalized = await this.finalize(txs, timeMs);
    await this.commit();
    return finalized;
  }

  async checkTx(tx: Uint8Array): Promise<number | undefined> {
    return (await this.client.ask({ checkTx: { tx } })).checkTx?.code;
  }

  async info(): Promise<{ height: number; appHash: string }> {
    const { info } = await this.client.ask({ info: {} });
    return {
      height: Number(info?.lastBlockHeight),
      appHash: toHex(info?.lastBlockAppHash ?? new Uint8Array()),
    };
  }

  #next(txs: Uint8Array[]): { txs: Uint8Array[]; height: bigint; time: { seconds: bigint; nanos: number } } {
    const height = this.height + 1;
    return { txs, height: BigInt(height), time: timestampOf(SAMPLE_TIME_MS + height * 1000) };
  }
}
