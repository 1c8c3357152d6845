const IMPATIENT_AFTER_MS = 1500;

/** One Ctrl-C often comes twice, from the terminal and from npm; only a later one means that somebody will not wait. */
export function closeOnSignal(close: () => void): void {
  let firstMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now();
    if (firstMs === undefined) close();
    else if (nowMs - firstMs > IMPATIENT_AFTER_MS) {
      process.removeListener(signal, onSignal);
      process.kill(process.pid, signal);
    }
    firstMs ??= nowMs;
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGHUP', onSignal);
  process.on('SIGINT', onSignal);
}
