// @ts-check
// Who is there: one's own lease, renewed while the page is open, and what is known of the others.

/** @typedef {import('../api/answers.js').Presence} Presence */

/** The server lets a lease run for 15 minutes at most; ours outlives two renewals that failed. */
const lease = 600;
const renewal = 240_000;
/** Presence of the people in sight is asked for so often, where the line does not tell it by itself. */
const refresh = 60_000;
/** Requests at a time: a list of 50 must not stand before what somebody clicks. */
const asksAtOnce = 4;
/** More are not asked for one by one; a search brings who is wanted into sight. */
const askedMax = 100;

/** @param {import('../plexichat-api.js').PlexiAPI} api */
export function createPresence(api) {
  /** @type {Map<string, Presence>} */
  const known = new Map();
  /** Those that the line tells of by itself. @type {Set<string>} */
  const followed = new Set();
  /** @type {Set<() => void>} */
  const watchers = new Set();
  /** @type {ReturnType<typeof setInterval> | null} */
  let timer = null;
  let isVisible = true;

  const tell = () => {
    for (const watcher of watchers) watcher();
  };
  const renew = () => void api.setPresence(isVisible ? 'online' : 'away', lease);

  /** @param {Presence} presence */
  function learn(presence) {
    const before = known.get(presence.userId);
    if (before?.status === presence.status && before.lastSeen === presence.lastSeen) return;
    known.set(presence.userId, presence);
    tell();
  }

  /** @param {readonly string[]} ids @param {() => boolean} isWanted */
  async function ask(ids, isWanted) {
    const left = ids.filter((id) => !followed.has(id)).slice(0, askedMax);
    await Promise.all(Array.from({ length: asksAtOnce }, async () => {
      for (let id = left.shift(); id !== undefined && isWanted(); id = left.shift()) {
        const answer = await api.presence(id);
        if (answer.ok) learn(answer.value);
        // Too many questions: the rest waits for the next round.
        else if (answer.problem.code === 'rate_limited') left.length = 0;
      }
    }));
  }

  return {
    known,
    /** What the line tells, and goes on telling while it is open. @param {Presence} presence */
    follow(presence) {
      followed.add(presence.userId);
      learn(presence);
    },
    /** The line is closed. */
    unfollow: () => followed.clear(),
    /** @param {boolean} visible */
    start(visible) {
      isVisible = visible;
      if (timer !== null) return;
      renew();
      timer = setInterval(renew, renewal);
    },
    /** A page that nobody looks at is away. @param {boolean} visible */
    setVisible(visible) {
      if (visible === isVisible) return;
      isVisible = visible;
      if (timer !== null) renew();
    },
    stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      known.clear();
      followed.clear();
    },
    /**
     * Keeps the presence of `ids()` fresh and calls `react` when any of it changes.
     * @param {() => readonly string[]} ids
     * @param {() => void} react
     * @returns {{ look: () => void, close: () => void }}
     */
    watch(ids, react) {
      let isOpen = true;
      const look = () => {
        if (isVisible) void ask(ids(), () => isOpen);
      };
      watchers.add(react);
      const again = setInterval(look, refresh);
      return {
        look,
        close() {
          isOpen = false;
          watchers.delete(react);
          clearInterval(again);
        },
      };
    },
  };
}
