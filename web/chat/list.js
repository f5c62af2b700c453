// @ts-check
/**
 * The list of conversations and what happens to it. Pure.
 *
 * @module
 */

/** @typedef {import('./types.js').Conversation} Conversation */
/** @typedef {import('./types.js').Message} Message */
/** @typedef {import('./messages.js').Change} Change */
/** @typedef {readonly Conversation[]} List */

/** The newest activity first. @param {List} list @returns {Conversation[]} */
export const sorted = (list) => [...list].sort((a, b) =>
  (b.lastActivityAt ?? '').localeCompare(a.lastActivityAt ?? '') || a.id.localeCompare(b.id));

/** In place of the one with its id, or new. @param {List} list @param {Conversation} conversation @returns {Conversation[]} */
export function withConversation(list, conversation) {
  const old = list.find((one) => one.id === conversation.id);
  // What has happened since the server looked counts more than what it saw.
  if (old?.lastMessage && (conversation.lastActivityAt ?? '') < old.lastMessage.createdAt) {
    const { lastMessage, lastMessageId, lastActivityAt, unread } = old;
    return sorted([...list.filter((one) => one.id !== conversation.id), { ...conversation, lastMessage, lastMessageId, lastActivityAt, unread, other: conversation.other ?? old.other }]);
  }
  const line = conversation.lastMessage ?? (old?.lastMessageId === conversation.lastMessageId ? old?.lastMessage ?? null : null);
  const whole = { ...conversation, lastMessage: line, other: conversation.other ?? old?.other ?? null };
  return sorted([...list.filter((one) => one.id !== conversation.id), whole]);
}

/** @param {List} list @param {string} id @returns {Conversation[]} */
export const without = (list, id) => list.filter((one) => one.id !== id);

/** @param {List} list @param {string} id @param {Partial<Conversation>} change @returns {Conversation[]} */
export const patched = (list, id, change) => list.map((one) => (one.id === id ? { ...one, ...change } : one));

/** @param {List} list @param {string} id @param {Change} what @param {string|null} self @returns {List} */
export function listChanged(list, id, what, self) {
  const old = list.find((one) => one.id === id);
  if (!old) return list;
  switch (what.change) {
    case 'created': {
      const { message } = what;
      // Read back from the history meanwhile: the same message again.
      if (old.lastMessage !== null && old.lastMessage.sequence >= message.sequence) return list;
      const unread = message.authorId === self ? 0 : old.unread + 1;
      return sorted(patched(list, id, { lastMessage: message, lastMessageId: message.id, lastActivityAt: message.createdAt, unread }));
    }
    case 'updated':
      return old.lastMessage?.id === what.message.id ? patched(list, id, { lastMessage: what.message }) : list;
    case 'deleted':
      return old.lastMessage?.id === what.messageId
        ? patched(list, id, { lastMessage: { ...old.lastMessage, text: null, isSealed: false, box: null, isDeleted: true } }) : list;
    case 'joined': return patched(list, id, { memberCount: old.memberCount + 1 });
    case 'left': return patched(list, id, { memberCount: Math.max(0, old.memberCount - 1) });
    case 'renamed':
      return patched(list, id, { title: what.title ?? old.title, description: what.description, isArchived: what.isArchived, isSealed: what.isSealed });
    default: return list;
  }
}
