// @ts-check
// A phone that is only looked at goes to sleep, and takes the call with it.

/** @returns {() => void} lets it sleep again */
export function keepAwake() {
  /** @type {WakeLockSentinel | null} */
  let lock = null;
  let isWanted = true;
  async function take() {
    if (!isWanted || document.hidden) return;
    try {
      lock = await navigator.wakeLock.request('screen');
      if (!isWanted) void lock.release();
    } catch {
      // A browser without it, or one that saves its battery: as it was before.
    }
  }
  // The browser gives the lock up whenever the page is hidden.
  document.addEventListener('visibilitychange', take);
  void take();
  return () => {
    isWanted = false;
    document.removeEventListener('visibilitychange', take);
    void lock?.release();
  };
}
