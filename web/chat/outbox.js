// @ts-check
/**
 * What was written and is not stored yet: one message of a conversation at a time, so that they arrive in the order in
 * which they were written; said again when an answer stays away. A message keeps its `clientId` in all tries, under
 * which the server stores it once. Knows no socket and no clock: time is an argument.
 *
 * @module
 */

/** @typedef {{conversationId: string, text: string, clientId: string, replyTo: string|null, threadId: string|null, files?: readonly import('./types.js').AttachedFile[]}} Draft */
/** @typedef {{draft: Draft, sentAt: number|null, tries: number, notBefore: number}} Entry */

/** The answer of a server that is well takes a second at most, also over a bad network. */
export const ANSWER_TIMEOUT = 10_000;
/** Tries on open sockets, before somebody is told; those that a lost socket cut off do not count. */
export const TRIES_MAX = 4;
/** Messages that wait in a conversation. Somebody who writes more without a network reads what is wrong. */
export const OUTBOX_MAX = 100;

export class Outbox {
  /** @type {Map<string, Entry[]>} */ #queues = new Map();

  /** @param {Draft} draft @returns {boolean} false when too many wait already */
  add(draft) {
    const queue = this.#queues.get(draft.conversationId) ?? [];
    if (queue.length >= OUTBOX_MAX) return false;
    queue.push({ draft, sentAt: null, tries: 0, notBefore: 0 });
    this.#queues.set(draft.conversationId, queue);
    return true;
  }

  /**
   * What is to be sent now: the first of each conversation, if it is not under way. It is under way from then on.
   * @param {number} now @returns {{send: Draft[], failed: Draft[]}} `failed`: no answer after all tries
   */
  due(now) {
    /** @type {{send: Draft[], failed: Draft[]}} */
    const due = { send: [], failed: [] };
    for (const queue of this.#queues.values()) {
      const [first] = queue;
      if (!first || first.notBefore > now) continue;
      if (first.sentAt !== null && now - first.sentAt < ANSWER_TIMEOUT) continue;
      if (first.tries >= TRIES_MAX) {
        due.failed.push(first.draft);
        continue;
      }
      [first.sentAt, first.tries] = [now, first.tries + 1];
      due.send.push(first.draft);
    }
    return due;
  }

  /** When `due` is to be looked at next; null while nothing waits. @param {number} now @returns {number|null} milliseconds from now */
  next(now) {
    const times = [...this.#queues.values()].filter((queue) => queue.length > 0)
      .map(([first]) => Math.max(first.notBefore, first.sentAt === null ? 0 : first.sentAt + ANSWER_TIMEOUT));
    return times.length === 0 ? null : Math.max(0, Math.min(...times) - now);
  }

  /** Stored, or given up. @param {string} clientId @returns {Draft|null} */
  take(clientId) {
    for (const [id, queue] of this.#queues) {
      const index = queue.findIndex(({ draft }) => draft.clientId === clientId);
      if (index < 0) continue;
      const [taken] = queue.splice(index, 1);
      if (queue.length === 0) this.#queues.delete(id);
      return taken.draft;
    }
    return null;
  }

  /** The server wants it later. @param {string} clientId @param {number} at */
  later(clientId, at) {
    const entry = this.#find(clientId);
    if (entry) [entry.sentAt, entry.notBefore] = [null, at];
  }

  /** The socket is lost: what was under way on it goes again on the next. */
  cut() {
    for (const queue of this.#queues.values()) {
      for (const entry of queue) if (entry.sentAt !== null) [entry.sentAt, entry.tries] = [null, 0];
    }
  }

  /** @param {string} clientId */
  #find(clientId) { return [...this.#queues.values()].flat().find(({ draft }) => draft.clientId === clientId); }
}
