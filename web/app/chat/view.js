// @ts-check
// From the SDK's state to what is shown of a conversation: rows, lines, words. Pure, and the place to begin reading.

import { dayAndTime, nameList } from '../format.js';
import { hasText, text } from '../text.js';

/** @typedef {import('../../chat/types.js').Message} Message */
/** @typedef {import('../../chat/types.js').Conversation} Conversation */
/** @typedef {{ self: string | null, nameOf: (id: string) => string, now: Date, zone?: string }} Eyes */
/** @typedef {{ emoji: string, count: number, isOwn: boolean, names: string }} ReactionLine */
/** @typedef {{ key: string, kind: 'day', words: string } | MessageRow} Row */

/**
 * @typedef {object} MessageRow
 * @property {string} key
 * @property {'message'} kind
 * @property {Message} message
 * @property {string} author
 * @property {boolean} isOwn
 * @property {boolean} isContinued the one before it is by the same person and a moment older
 * @property {string} time
 * @property {string} whole the time with its day, for who asks
 * @property {string} note in place of text: sealed and not open, deleted
 * @property {{ author: string, words: string } | null} quote
 * @property {ReactionLine[]} reactions
 * @property {string} readBy
 */

/** Messages of one person within so long stand under one name. */
const together = 5 * 60_000;
/** Letters of a quoted message, or of a last line. */
const shortened = 120;

/** @param {readonly Message[]} messages oldest first @param {Readonly<Record<string, string>>} reads @param {Eyes} eyes @returns {Row[]} */
export function rowsOf(messages, reads, eyes) {
  /** @type {Row[]} */
  const rows = [];
  const known = new Map(messages.map((message) => [message.id, message]));
  const readers = readersOf(messages, reads, eyes);
  let day = '';
  /** @type {Message | null} */
  let before = null;
  for (const message of messages) {
    const on = dayOf(message.createdAt, eyes);
    if (on !== day) rows.push({ key: `day ${on}`, kind: 'day', words: on });
    const isContinued = before !== null && on === day && before.authorId === message.authorId && message.replyTo === null
      && Date.parse(message.createdAt) - Date.parse(before.createdAt) < together;
    rows.push(messageRow(message, isContinued, known, readers.get(message.id) ?? '', eyes));
    [day, before] = [on, message];
  }
  return rows;
}

/** @param {Message} message @param {boolean} isContinued @param {ReadonlyMap<string, Message>} known @param {string} readBy @param {Eyes} eyes @returns {MessageRow} */
export function messageRow(message, isContinued, known, readBy, eyes) {
  const quoted = message.replyTo === null ? undefined : known.get(message.replyTo);
  return {
    // A draft keeps its place when it becomes a message: focus and what is read aloud stay where they are.
    key: message.clientId === null ? message.id : `${message.authorId} ${message.clientId}`,
    kind: 'message', message, isContinued, isOwn: message.authorId === eyes.self, author: eyes.nameOf(message.authorId),
    time: timeOf(message.createdAt, eyes), whole: dayAndTime(message.createdAt, eyes.now, eyes.zone), note: noteOf(message),
    quote: message.replyTo === null ? null
      : quoted === undefined ? { author: '', words: text('chat.quote.older') } : { author: eyes.nameOf(quoted.authorId), words: short(wordsOf(quoted)) },
    reactions: reactionsOf(message, eyes), readBy,
  };
}

/** @param {Message} message */
const noteOf = (message) => (message.isDeleted ? text('chat.deleted') : message.text !== null ? ''
  : message.unreadable !== null && hasText(`chat.unreadable.${message.unreadable}`) ? text(`chat.unreadable.${message.unreadable}`)
    : message.isSealed ? text('chat.sealed') : text('chat.unknown'));

/** @param {Message} message */
const wordsOf = (message) => message.text ?? noteOf(message);

/** @param {string} words */
const short = (words) => ([...words].length > shortened ? `${[...words].slice(0, shortened).join('')}…` : words);

/** @param {Message} message @param {Eyes} eyes @returns {ReactionLine[]} */
function reactionsOf(message, eyes) {
  /** @type {Map<string, string[]>} */
  const people = new Map();
  for (const { emoji, userId } of message.reactions) people.set(emoji, [...(people.get(emoji) ?? []), userId]);
  return [...people].map(([emoji, ids]) => ({
    emoji, count: ids.length, isOwn: eyes.self !== null && ids.includes(eyes.self), names: nameList(ids.map(eyes.nameOf)),
  }));
}

/** Who has read up to where, told at one's own newest message that they have read. @param {readonly Message[]} messages @param {Readonly<Record<string, string>>} reads @param {Eyes} eyes */
function readersOf(messages, reads, eyes) {
  /** @type {Map<string, string[]>} */
  const people = new Map();
  for (const [userId, messageId] of Object.entries(reads)) {
    const end = messages.findIndex((message) => message.id === messageId);
    const own = messages.slice(0, end + 1).filter((message) => message.authorId === eyes.self && !message.isDeleted).at(-1);
    if (userId !== eyes.self && own) people.set(own.id, [...(people.get(own.id) ?? []), userId]);
  }
  return new Map([...people].map(([id, ids]) => [id, text('chat.readBy', { names: nameList(ids.map(eyes.nameOf)) })]));
}

/** @param {readonly string[]} ids @param {(id: string) => string} nameOf */
export function typingText(ids, nameOf) {
  return ids.length === 0 ? '' : text(ids.length === 1 ? 'chat.typing.one' : 'chat.typing.more', { names: nameList(ids.map(nameOf)) });
}

/** One line of the list. @param {Conversation} conversation @param {Eyes} eyes */
export function lineOf(conversation, eyes) {
  const { lastMessage: last, unread, isMuted } = conversation;
  const words = last === null ? text(conversation.lastMessageId === null ? 'chats.empty' : 'chats.more') : short(wordsOf(last).replace(/\s+/g, ' '));
  const author = last === null || conversation.type === 'direct' && last.authorId !== eyes.self ? ''
    : last.authorId === eyes.self ? text('chats.you') : eyes.nameOf(last.authorId);
  return {
    id: conversation.id, title: conversation.title === '' ? text('chats.untitled') : conversation.title,
    line: author === '' ? words : text('chats.line', { author, words }),
    when: last === null ? '' : dayAndTime(last.createdAt, eyes.now, eyes.zone), unread, isMuted,
    isDirect: conversation.type === 'direct',
  };
}

/** "Today", "Yesterday", "Mon 3 March". @param {string} time @param {Eyes} eyes */
function dayOf(time, eyes) { return dayAndTime(time, eyes.now, eyes.zone).replace(/, \d\d:\d\d$/, ''); }

/** @param {string} time @param {Eyes} eyes */
function timeOf(time, eyes) { return /\d\d:\d\d$/.exec(dayAndTime(time, eyes.now, eyes.zone))?.[0] ?? ''; }
