// @ts-check
/**
 * What is said on `/v1/ws/connect`, both ways (docs/protocol/chat-sockets.md): text to checked messages, wishes to
 * objects. Pure.
 *
 * @module
 */

import { readChatMessage } from '../api/chat-answers.js';
import { readProblem } from '../api/answers.js';
import { isObject } from '../call/problems.js';

/** @typedef {import('./types.js').Message} Message */
/** @typedef {import('./types.js').Place} Place */
/** @typedef {import('./types.js').CallProblem} CallProblem */
/** @typedef {string|number|null} Ref */

/**
 * What happened in a conversation and stands in its log.
 * @typedef {{change: 'created'|'updated', message: Message}
 *   | {change: 'deleted', messageId: string}
 *   | {change: 'reacted'|'unreacted', messageId: string, userId: string, emoji: string}
 *   | {change: 'joined'|'left', userId: string}
 *   | {change: 'renamed', title: string|null, description: string|null, isArchived: boolean, isSealed: boolean}
 *   | {change: 'ended'}
 *   | {change: 'other'}} Change
 */

/**
 * @typedef {{kind: 'connected'|'pong'|'unknown'}
 *   | {kind: 'ok', ref: Ref}
 *   | {kind: 'error', ref: Ref, problem: CallProblem}
 *   | {kind: 'subscribed', conversationId: string, place: Place, isRecovered: boolean}
 *   | {kind: 'sent', ref: Ref, clientId: string|null, message: Message}
 *   | {kind: 'change', conversationId: string, place: Place|null, what: Change}
 *   | {kind: 'typing', conversationId: string, userId: string, isTyping: boolean}
 *   | {kind: 'receipt', conversationId: string, userId: string, messageId: string, isRead: boolean}
 *   | {kind: 'added'|'removed', conversationId: string}
 *   | {kind: 'devices', userId: string}} ChatEvent
 */

/** A message that is longer is none of this server's: it takes and sends 512 KiB at most. */
const TEXT_MAX = 1 << 20;

/** @param {unknown} value @returns {string|null} */
const text = (value) => (typeof value === 'string' && value !== '' ? value : null);

/** @param {unknown} data @returns {ChatEvent|null} null for what is no message */
export function readEvent(data) {
  if (typeof data !== 'string' || data.length > TEXT_MAX) return null;
  let value;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (!isObject(value) || typeof value.type !== 'string') return null;
  return readControl(value) ?? readChange(value) ?? { kind: 'unknown' };
}

/** @param {Record<string, any>} value @returns {ChatEvent|null} */
function readControl(value) {
  const data = isObject(value.data) ? value.data : {};
  const ref = typeof value.ref === 'string' || typeof value.ref === 'number' ? value.ref : null;
  const conversationId = text(data.channel_id);
  switch (value.type) {
    case 'connected': case 'pong': return { kind: value.type };
    case 'ok': return { kind: 'ok', ref };
    case 'error': return { kind: 'error', ref, problem: readProblem(400, { error: data }) };
    case 'subscribed': {
      const place = readPlace(value);
      return conversationId && place ? { kind: 'subscribed', conversationId, place, isRecovered: data.recovered === true } : null;
    }
    case 'message_sent': {
      const message = readChatMessage(data.message);
      return message && { kind: 'sent', ref, clientId: text(data.client_id), message };
    }
    case 'typing':
      return conversationId && text(data.user_id) && { kind: 'typing', conversationId, userId: data.user_id, isTyping: data.is_typing === true };
    case 'receipt':
      return conversationId && text(data.user_id) && text(data.message_id)
        && { kind: 'receipt', conversationId, userId: data.user_id, messageId: data.message_id, isRead: data.status === 'read' };
    case 'channel.added': return conversationId && { kind: 'added', conversationId };
    case 'channel.removed': return conversationId && { kind: 'removed', conversationId };
    case 'devices.changed': return text(data.user_id) && { kind: 'devices', userId: data.user_id };
    default: return null;
  }
}

/** @param {Record<string, any>} value @returns {ChatEvent|null} */
function readChange(value) {
  const data = isObject(value.data) ? value.data : {};
  const conversationId = text(data.channel_id);
  const place = readPlace(value);
  if (!conversationId) return null;
  // What is in the log and not understood still has a place there: the next one would look like a gap without it.
  const what = changeOf(value.type, data) ?? (place && { change: /** @type {const} */ ('other') });
  return what && { kind: 'change', conversationId, place, what };
}

/** @param {string} type @param {Record<string, any>} data @returns {Change|null} */
function changeOf(type, data) {
  const [messageId, userId] = [text(data.message_id), text(data.user_id)];
  switch (type) {
    case 'message.created': case 'message.updated': {
      const message = readChatMessage(data);
      return message && { change: type === 'message.created' ? 'created' : 'updated', message };
    }
    case 'message.deleted': return messageId ? { change: 'deleted', messageId } : null;
    case 'reaction.added': case 'reaction.removed': {
      const emoji = text(data.emoji);
      return messageId && userId && emoji ? { change: type === 'reaction.added' ? 'reacted' : 'unreacted', messageId, userId, emoji } : null;
    }
    case 'member.joined': return userId ? { change: 'joined', userId } : null;
    case 'member.left': return userId ? { change: 'left', userId } : null;
    case 'channel.updated':
      return { change: 'renamed', title: text(data.name), description: text(data.description), isArchived: data.is_archived === true, isSealed: data.is_encrypted === true };
    case 'channel.deleted': return { change: 'ended' };
    default: return null;
  }
}

/** @param {Record<string, any>} value @returns {Place|null} */
function readPlace({ epoch, offset }) {
  return Number.isSafeInteger(epoch) && Number.isSafeInteger(offset) && offset >= 0 ? { epoch, offset } : null;
}

// Wishes

/** @param {number} id */
export const ping = (id) => ({ type: 'ping', id });
/** @param {readonly {id: string, place: Place}[]} places @param {string} ref */
export const resume = (places, ref) => ({ type: 'subscribe', channels: places.map(({ id, place }) => ({ id, ...place })), id: ref });
/** @param {string} ref */
export const followAll = (ref) => ({ type: 'subscribe', channels: ['*'], id: ref });
/** @param {{conversationId: string, clientId: string, replyTo: string|null}} message @param {{content: string}|{sealed: object}} body @param {string} ref */
export const send = ({ conversationId, clientId, replyTo }, body, ref) =>
  ({ type: 'send_message', channel_id: conversationId, ...body, client_id: clientId, ...(replyTo ? { reply_to: replyTo } : {}), id: ref });
/** @param {string} id @param {boolean} isTyping */
export const typing = (id, isTyping) => ({ type: isTyping ? 'typing_start' : 'typing_stop', channel_id: id });
/** @param {string} id @param {string} messageId */
export const read = (id, messageId) => ({ type: 'message_read', channel_id: id, message_id: messageId });
