// @ts-check
// State that several parts look at: one value, replaced and never changed in place, and those who want to know.

/**
 * @template T
 * @typedef {object} Store
 * @property {() => T} get
 * @property {(patch: Partial<T> | ((state: T) => Partial<T>)) => void} set Replaces what the patch names.
 * @property {<V>(select: (state: T) => V, react: (value: V, before: V | undefined) => void) => () => void} watch
 *   Calls `react` at once and whenever what `select` gives is another value. The answer ends the watching.
 */

/**
 * @template {object} T
 * @param {T} initial
 * @returns {Store<T>}
 */
export function createStore(initial) {
  let state = Object.freeze({ ...initial });
  /** @type {Set<() => void>} */
  const watchers = new Set();
  let isTelling = false;
  let isStale = false;

  // A watcher may set the state in turn. What it sets is told after the present round, so that nobody is told an old
  // value after a newer one.
  function tell() {
    if (isTelling) {
      isStale = true;
      return;
    }
    isTelling = true;
    try {
      do {
        isStale = false;
        for (const watcher of [...watchers]) if (watchers.has(watcher)) watcher();
      } while (isStale);
    } finally {
      isTelling = false;
    }
  }

  return {
    get: () => state,
    set(patch) {
      const change = typeof patch === 'function' ? patch(state) : patch;
      const keys = /** @type {(keyof T)[]} */ (Object.keys(change));
      if (keys.every((key) => Object.is(state[key], change[key]))) return;
      state = Object.freeze({ ...state, ...change });
      tell();
    },
    watch(select, react) {
      let value = select(state);
      const watcher = () => {
        const next = select(state);
        if (Object.is(next, value)) return;
        const before = value;
        value = next;
        react(next, before);
      };
      watchers.add(watcher);
      react(value, undefined);
      return () => watchers.delete(watcher);
    },
  };
}
