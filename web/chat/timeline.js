// @ts-check
/**
 * The messages of one conversation and what happens to them. Pure: each function gives another timeline, or the same one
 * when nothing has changed. Everything may come twice and still gives the same.
 *
 * @module
 */

/** @typedef {import('./types.js').Message} Message */
/** @typedef {import('./types.js').Timeline} Timeline */
/** @typedef {import('./types.js').CallProblem} CallProblem */
/** @typedef {import('./messages.js').Change} Change */

/** @type {Timeline} */
export const emptyTimeline = Object.freeze({ messages: Object.freeze([]), hasMore: false, phase: 'loading', problem: null });

/** @param {Message} a @param {Message} b */
const inOrder = (a, b) => (a.sequence === b.sequence ? 0 : a.sequence - b.sequence);

/** @param {readonly Message[]} messages */
const stored = (messages) => messages.filter((message) => message.pending === null);
/** @param {readonly Message[]} messages */
const waiting = (messages) => messages.filter((message) => message.pending !== null);

/** The newest page, in place of all that was there but what is not stored yet. @param {Timeline} timeline @param {readonly Message[]} page newest first @param {boolean} hasMore @returns {Timeline} */
export function withNewest(timeline, page, hasMore) {
  const known = new Set(page.map((message) => message.clientId));
  const open = waiting(timeline.messages).filter((message) => !known.has(message.clientId));
  return { messages: [...[...page].sort(inOrder), ...open], hasMore, phase: 'ready', problem: null };
}

/** @param {Timeline} timeline @param {readonly Message[]} page newest first @param {boolean} hasMore @returns {Timeline} */
export function withOlder(timeline, page, hasMore) {
  const known = new Set(timeline.messages.map((message) => message.id));
  const older = page.filter((message) => !known.has(message.id));
  return { ...timeline, messages: [...[...older, ...stored(timeline.messages)].sort(inOrder), ...waiting(timeline.messages)], hasMore, phase: 'ready', problem: null };
}

/** @param {Timeline} timeline @param {Change} what @returns {Timeline} */
export function changed(timeline, what) {
  switch (what.change) {
    case 'created': return withStored(timeline, what.message);
    case 'updated': return edited(timeline, what.message);
    case 'deleted':
      return replaced(timeline, what.messageId, (old) => ({ ...old, text: null, isSealed: false, box: null, files: [], isDeleted: true, reactions: [] }));
    case 'reacted': case 'unreacted': {
      const { userId, emoji } = what;
      return replaced(timeline, what.messageId, (old) => {
        const others = old.reactions.filter((one) => one.userId !== userId || one.emoji !== emoji);
        if (what.change === 'unreacted') return others.length === old.reactions.length ? old : { ...old, reactions: others };
        return others.length < old.reactions.length ? old : { ...old, reactions: [...old.reactions, { userId, emoji }] };
      });
    }
    default: return timeline;
  }
}

/** A message that the server has: it takes the place of its own draft. @param {Timeline} timeline @param {Message} message @returns {Timeline} */
export function withStored(timeline, message) {
  if (timeline.messages.some((old) => old.id === message.id)) return timeline;
  const isOurs = (/** @type {Message} */ old) =>
    old.pending !== null && old.clientId !== null && old.clientId === message.clientId && old.authorId === message.authorId;
  const root = message.threadId === null ? timeline
    : replaced(timeline, message.threadId, (old) => ({ ...old, replyCount: old.replyCount + 1 }));
  const others = root.messages.filter((old) => !isOurs(old));
  return { ...root, messages: [...[...stored(others), message].sort(inOrder), ...waiting(others)] };
}

/** @param {Timeline} timeline @param {Message} message @returns {Timeline} */
function edited(timeline, message) {
  // Reactions and answers have events of their own; a late edit must not bring back what these have changed since.
  return replaced(timeline, message.id, (old) => (old.isDeleted || old.version >= message.version ? old
    : { ...message, reactions: old.reactions, replyCount: old.replyCount }));
}

/** A sealed message is open, or cannot be opened. @param {Timeline} timeline @param {Pick<Message, 'id' | 'version'>} message @param {import('./sealing.js').Opened} opened @returns {Timeline} */
export const withOpened = (timeline, { id, version }, opened) =>
  replaced(timeline, id, (old) => (old.version === version && old.box !== null ? { ...old, ...opened } : old));

/** @param {Timeline} timeline @param {Message} draft @returns {Timeline} */
export const withDraft = (timeline, draft) => ({ ...timeline, messages: [...timeline.messages, draft] });

/** @param {Timeline} timeline @param {string} clientId @param {'sending'|'failed'} pending @param {CallProblem|null} problem @returns {Timeline} */
export const withPending = (timeline, clientId, pending, problem) =>
  replaced(timeline, draftID(clientId), (old) => ({ ...old, pending, problem }));

/** @param {Timeline} timeline @param {string} clientId @returns {Timeline} */
export const withoutDraft = (timeline, clientId) =>
  ({ ...timeline, messages: timeline.messages.filter((message) => message.id !== draftID(clientId)) });

/** @param {string} clientId */
export const draftID = (clientId) => `local:${clientId}`;

/** @param {Timeline} timeline @param {string} id @param {(old: Message) => Message} change @returns {Timeline} */
function replaced(timeline, id, change) {
  const index = timeline.messages.findIndex((message) => message.id === id);
  if (index < 0) return timeline;
  const [old, next] = [timeline.messages[index], change(timeline.messages[index])];
  if (next === old) return timeline;
  return { ...timeline, messages: timeline.messages.map((message, at) => (at === index ? next : message)) };
}
