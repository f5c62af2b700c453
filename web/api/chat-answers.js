// @ts-check
/**
 * design's rows of chat, turned into values: pure. What is missing or of another type is null, never a trap later.
 *
 * @module
 */

import { isObject } from '../call/problems.js';
import { unwrap } from './answers.js';

/** @typedef {import('../chat/types.js').Message} Message */
/** @typedef {import('../chat/types.js').Conversation} Conversation */
/** @typedef {import('../chat/types.js').Reaction} Reaction */
/** @typedef {{userId: string, username: string, displayName: string, role: string}} Member */
/** @typedef {{message: Message, terms: readonly string[]}} Hit */
/** @template T @typedef {{items: T[], total: number, hasMore: boolean}} Page */

/** @param {unknown} value @returns {string|null} */
const text = (value) => (typeof value === 'string' ? value : null);
/** @param {unknown} value @returns {number|null} */
const count = (value) => (Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null);
/** @param {unknown} value @returns {string[]} */
const texts = (value) => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []);

/** @param {unknown} value @returns {Message|null} */
export function readChatMessage(value) {
  if (!isObject(value)) return null;
  const [id, conversationId, authorId, sequence] = [text(value.id), text(value.channel_id), text(value.user_id), count(value.sequence)];
  if (!id || !conversationId || !authorId || sequence === null) return null;
  const isDeleted = value.is_deleted === true;
  return {
    id, conversationId, sequence, authorId, type: text(value.type) ?? 'text',
    text: isDeleted ? null : text(value.content), isSealed: !isDeleted && value.encrypted === true,
    box: !isDeleted && isObject(value.sealed) ? value.sealed : null, unreadable: null,
    replyTo: text(value.reply_to), threadId: text(value.thread_id),
    replyCount: count(value.reply_count) ?? 0, reactions: readReactions(value.reactions), files: isDeleted ? [] : readFiles(value.attachments),
    version: count(value.version) ?? 1, clientId: text(value.client_id), isEdited: value.is_edited === true, isDeleted,
    createdAt: text(value.created_at) ?? '', pending: null, problem: null,
  };
}

/** @param {unknown} value @returns {import('../chat/types.js').AttachedFile[]} */
function readFiles(value) {
  if (!Array.isArray(value)) return [];
  return value.filter((one) => text(one?.filename) !== null).map((one) => ({
    id: text(one.file_id)?.match(/^file_([0-9a-f-]{36})$/)?.[1] ?? '', name: one.filename, type: text(one.content_type) ?? '', size: count(one.size) ?? 0,
  }));
}

/** @param {unknown} value @returns {Reaction[]} */
function readReactions(value) {
  if (!Array.isArray(value)) return [];
  return value.filter((one) => text(one?.user_id) && text(one?.emoji)).map((one) => ({ userId: one.user_id, emoji: one.emoji }));
}

/** A channel, or a direct conversation in the form of `/v1/channels`. @param {unknown} value @returns {Conversation|null} */
export function readConversation(value) {
  if (!isObject(value) || !text(value.id) || !text(value.type)) return null;
  return {
    id: value.id, type: value.type, visibility: text(value.visibility) ?? 'private', title: text(value.name) ?? '',
    description: text(value.description), memberCount: count(value.member_count) ?? 0, role: text(value.role),
    permissions: texts(value.permissions), isArchived: value.is_archived === true, isMuted: value.is_muted === true,
    isSealed: value.is_encrypted === true, unread: count(value.unread_count) ?? 0, lastMessageId: text(value.last_message_id),
    lastMessage: readChatMessage(value.last_message),
    lastActivityAt: text(value.last_activity_at) ?? text(value.created_at), other: null,
  };
}

/** What both may in a direct conversation (docs/chat/model.md); its row does not say so. */
const DIRECT = Object.freeze(['view', 'send_messages', 'attach_files', 'add_reactions', 'use_threads', 'pin_messages', 'join_voice']);

/** @param {unknown} value @returns {Conversation|null} */
export function readDirect(value) {
  if (!isObject(value) || !text(value.id) || !isObject(value.user) || !text(value.user.id)) return null;
  const { user } = value;
  const displayName = text(user.display_name) || text(user.username) || '';
  const lastMessage = readChatMessage(value.last_message);
  return {
    id: value.id, type: 'direct', visibility: 'private', title: displayName, description: null, memberCount: 2,
    role: 'member', permissions: DIRECT, isArchived: false, isMuted: value.is_muted === true,
    isSealed: value.is_encrypted === true, unread: count(value.unread_count) ?? 0, lastMessageId: lastMessage?.id ?? null, lastMessage,
    lastActivityAt: text(value.last_activity_at) ?? text(value.created_at),
    other: { id: user.id, username: text(user.username) ?? '', displayName },
  };
}

/** @param {unknown} value @returns {Member|null} */
export function readMember(value) {
  if (!isObject(value) || !text(value.user_id)) return null;
  const username = text(value.username) ?? '';
  return { userId: value.user_id, username, displayName: text(value.display_name) || username, role: text(value.role) ?? 'member' };
}

/** @param {unknown} value @returns {Hit|null} */
export function readHit(value) {
  const message = isObject(value) ? readChatMessage(value.message) : null;
  return message && { message, terms: texts(/** @type {any} */ (value).matched_terms) };
}

/** @param {unknown} body @returns {{root: Message, items: Message[], hasMore: boolean}|null} */
export function readThread(body) {
  const value = unwrap(body);
  const root = readChatMessage(value.root);
  if (!root || !Array.isArray(value.replies)) return null;
  return { root, items: value.replies.map(readChatMessage).filter((one) => one !== null), hasMore: hasNext(body) };
}

/** @param {unknown} body @returns {{code: string, expiresAt: string|null, maxUses: number|null}|null} */
export function readInvitation(body) {
  const { invitation } = unwrap(body);
  if (!isObject(invitation) || !text(invitation.invite_code)) return null;
  return { code: invitation.invite_code, expiresAt: text(invitation.expires_at), maxUses: count(invitation.max_uses) };
}

/**
 * Pages have what can be read of them: one bad entry hides no other.
 * @template T @param {(value: unknown) => T|null} reader @returns {(body: unknown) => Page<T>|null}
 */
export const pageOf = (reader) => (body) => {
  if (!isObject(body) || !Array.isArray(body.data)) return null;
  const items = /** @type {T[]} */ (body.data.map(reader).filter((/** @type {any} */ one) => one !== null));
  return { items, total: count(body.pagination?.total) ?? items.length, hasMore: hasNext(body) };
};

/** @param {any} body */
const hasNext = (body) => body?.pagination?.has_next === true;
