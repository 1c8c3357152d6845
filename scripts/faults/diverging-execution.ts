import { ConsensusChain, type Executed } from '../../src/engine/cometbft/consensus-chain.ts';

/** From now on this process executes blocks wrongly: one bit of one state write is turned over. Only the campaign has this. */
export function diverge(): void {
  const { execute } = ConsensusChain.prototype;
  ConsensusChain.prototype.execute = function (this: ConsensusChain, timeMs, transactions): Executed {
    const executed = execute.call(this, timeMs, transactions);
    const { stateWrites } = executed.output;
    const target = stateWrites.findIndex(([, value]) => value !== undefined);
    const wrong = stateWrites.map(([key, value], at): (typeof stateWrites)[number] =>
      at === target && value !== undefined ? [key, flipped(value)] : [key, value],
    );
    return { ...executed, output: { ...executed.output, stateWrites: wrong } };
  };
}

function flipped(value: Uint8Array): Uint8Array {
  return value.map((byte, at) => (at === value.length - 1 ? byte ^ 1 : byte));
}
