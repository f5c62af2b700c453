// @ts-check
// Who is on this server: names by id, looked up once, and lists for the screens.

/** @typedef {import('../api/answers.js').User} User */
/** @typedef {import('../api/answers.js').Presence} Presence */
/** @typedef {import('../api/answers.js').CallLog} CallLog */

import { dayAndTime, clock } from './format.js';
import { hasText, text } from './text.js';

/** Who can be reached stands first. */
const presenceOrder = ['online', 'in-call', 'busy', 'away', 'offline'];

/**
 * @param {readonly User[]} users
 * @param {ReadonlyMap<string, Presence>} presences
 * @param {string | null} self left out: nobody calls oneself
 * @returns {User[]}
 */
export function sortPeople(users, presences, self) {
  const rank = (/** @type {User} */ user) => {
    const place = presenceOrder.indexOf(presences.get(user.id)?.status ?? 'offline');
    return place < 0 ? presenceOrder.length : place;
  };
  const collator = new Intl.Collator('en', { sensitivity: 'base', numeric: true });
  return users
    .filter((user) => user.id !== self)
    .sort((a, b) => rank(a) - rank(b) || collator.compare(a.displayName, b.displayName));
}

/** @param {Presence | undefined} presence @param {Date} now @returns {string} */
export function presenceText(presence, now) {
  const key = `presence.${presence?.status ?? 'offline'}`;
  const word = hasText(key) ? text(key) : text('presence.offline');
  if (presence?.status !== 'offline' || presence.lastSeen === null) return word;
  const when = dayAndTime(presence.lastSeen, now);
  return when === '' ? word : `${word}, ${text('presence.seen', { when })}`;
}

/**
 * A line of the history as it is shown.
 * @param {CallLog} log
 * @param {string | null} self
 * @param {(id: string) => string} nameOf
 * @param {Date} now
 */
export function historyLine(log, self, nameOf, now) {
  const isOut = log.callerId === self;
  const other = isOut ? log.calleeId : log.callerId;
  const isMissed = log.status === 'missed';
  const way = isMissed
    ? text(isOut ? 'history.unanswered' : 'history.missed')
    : log.status === 'declined' ? text('history.declined')
      : log.status === 'failed' ? text('history.failed') : text(isOut ? 'history.out' : 'history.in');
  const quality = `history.quality.${log.measured?.quality ?? ''}`;
  return {
    id: log.id, other, name: other === null ? text('history.somebody') : nameOf(other), kind: log.type, way,
    icon: isMissed && !isOut ? 'call-missed' : isOut ? 'call-out' : 'call-in',
    isMissed: isMissed && !isOut,
    when: log.startedAt === null ? '' : dayAndTime(log.startedAt, now),
    duration: log.duration === null ? null : { shown: clock(log.duration), seconds: log.duration },
    quality: hasText(quality) ? text(quality) : null,
  };
}

/**
 * Names by id. A name that is not known yet is asked for, once, and `onChange` is called when it has come.
 * @param {{ user: (id: string) => Promise<{ ok: true, value: User } | { ok: false }> }} api
 * @param {() => void} onChange
 */
export function createDirectory(api, onChange) {
  /** @type {Map<string, User>} */
  const known = new Map();
  /** @type {Set<string>} */
  const asked = new Set();

  /** @param {string} id */
  async function ask(id) {
    if (asked.has(id)) return;
    asked.add(id);
    const answer = await api.user(id);
    if (!answer.ok) {
      // Asked again when the name is next wanted, but not at once and not for ever in a loop of drawing.
      setTimeout(() => asked.delete(id), 30_000);
      return;
    }
    known.set(id, answer.value);
    onChange();
  }

  return {
    /** @param {string} id */
    nameOf(id) {
      const user = known.get(id);
      if (user !== undefined) return user.displayName;
      void ask(id);
      return text('history.somebody');
    },
    /** @param {string} id */
    find: (id) => known.get(id) ?? null,
    /** @param {readonly User[]} users */
    learn(users) {
      for (const user of users) known.set(user.id, user);
    },
    /** Another person has logged in. */
    clear() {
      known.clear();
      asked.clear();
    },
  };
}
