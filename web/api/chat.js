// @ts-check
/**
 * Chat over REST, in design's words (docs/protocol/chat.md); invitations are rooms' rows. As `PlexiAPI`, through which
 * everything goes: nothing throws, nothing rejects.
 *
 * @module
 */

import { problem } from '../call/problems.js';
import { readCall, unwrap } from './answers.js';
import { pageOf, readChatMessage, readConversation, readDirect, readHit, readInvitation, readMember, readThread } from './chat-answers.js';

/** @typedef {import('../chat/types.js').Message} Message */
/** @typedef {import('../chat/types.js').Conversation} Conversation */
/** @typedef {import('./chat-answers.js').Member} Member */
/** @typedef {import('./chat-answers.js').Hit} Hit */
/** What a message says. @typedef {({content: string}|{sealed: object}) & {file_ids?: string[], type?: string}} Body */
/** @typedef {Pick<import('../plexichat-api.js').PlexiAPI, 'request'>} Requests */
/** @template T @typedef {import('../plexichat-api.js').Result<T>} Result */
/** @template T @typedef {import('./chat-answers.js').Page<T>} Page */

/** Rows on a page; the server gives a hundred at most. */
const PAGE = 50;
/** Pages of a list that are read at once: as many conversations as a socket may follow. */
const LIST_PAGES = 10;
/** As many members as there may be devices that one message is sealed for, and a page that shows that there are more. */
const SEALED_PAGES = 21;

export class ChatAPI {
  /** @type {Requests} */ #api;

  /** @param {Requests} api */
  constructor(api) { this.#api = api; }

  // Conversations

  /** Those that the caller is in, but direct ones. @returns {Promise<Result<Conversation[]>>} */
  channels() { return this.#all('/v1/channels?joined=true', readConversation); }

  /** @returns {Promise<Result<Conversation[]>>} */
  directs() { return this.#all('/v1/dm/conversations', readDirect); }

  /** Also those that the caller could come into. @param {string} [search] @returns {Promise<Result<Page<Conversation>>>} */
  findChannels(search = '') {
    const query = new URLSearchParams({ per_page: String(PAGE) });
    if (search.trim()) query.set('search', search.trim());
    return this.#get(`/v1/channels?${query}`, pageOf(readConversation));
  }

  /** @param {string} id @returns {Promise<Result<Conversation>>} */
  conversation(id) { return this.#get(`/v1/channels/${part(id)}`, one(readConversation)); }

  /** @param {{name: string, description?: string, visibility: 'private'|'public'|'invite_only', isSealed?: boolean}} channel @returns {Promise<Result<Conversation>>} */
  async createChannel({ name, description, visibility, isSealed = false }) {
    const body = { name, visibility, is_encrypted: isSealed, ...(description ? { description } : {}) };
    return read(await this.#api.request('POST', '/v1/channels', { body, once: true }), one(readConversation));
  }

  /** The one with this person, begun where there is none. @param {string} userId @returns {Promise<Result<Conversation>>} */
  async direct(userId) {
    return read(await this.#api.request('POST', '/v1/dm/conversations', { body: { user_id: userId }, once: true }), one(readDirect));
  }

  /** @param {string} id @returns {Promise<Result<Conversation>>} */
  async join(id) { return read(await this.#api.request('POST', `/v1/channels/${part(id)}/join`, { once: true }), one(readConversation)); }

  /** @param {string} id @param {string} userId oneself, to leave @returns {Promise<Result<null>>} */
  async removeMember(id, userId) { return nothing(await this.#api.request('DELETE', `/v1/channels/${part(id)}/members/${part(userId)}`)); }

  /** @param {string} id @param {number} [page] @returns {Promise<Result<Page<Member>>>} */
  members(id, page = 1) { return this.#get(`/v1/channels/${part(id)}/members?page=${page}&per_page=${PAGE}`, pageOf(readMember)); }

  /** Everybody's id, for as many members as one can seal for. @param {string} id @returns {Promise<Result<string[]>>} */
  async memberIds(id) {
    const answer = await this.#all(`/v1/channels/${part(id)}/members`, readMember, SEALED_PAGES);
    return answer.ok ? { ok: true, value: answer.value.map(({ userId }) => userId) } : answer;
  }

  /** Whether what is written from now on is sealed. @param {string} id @param {boolean} isSealed @returns {Promise<Result<Conversation>>} */
  async setSealed(id, isSealed) {
    return read(await this.#api.request('PUT', `/v1/channels/${part(id)}`, { body: { is_encrypted: isSealed } }), one(readConversation));
  }

  // Invitations

  /** @param {string} id @param {{maxUses: number, hours: number}} bounds @returns {Promise<Result<{code: string, expiresAt: string|null, maxUses: number|null}>>} */
  async invite(id, { maxUses, hours }) {
    const body = { max_uses: maxUses, expires_in_hours: hours };
    return read(await this.#api.request('POST', `/chatrooms/${part(id)}/invite`, { body }), readInvitation);
  }

  /** @param {string} code of a link @returns {Promise<Result<{id: string}>>} the conversation that one is in now */
  async accept(code) {
    return read(await this.#api.request('POST', `/chatrooms/join/${part(code)}`, { once: true }), (body) => {
      const id = unwrap(body).chatroom?.id;
      return typeof id === 'string' ? { id } : null;
    });
  }

  // Messages

  /** Newest first. @param {string} id @param {{before?: string, size?: number}} [from] @returns {Promise<Result<Page<Message>>>} */
  messages(id, { before, size = PAGE } = {}) {
    const query = new URLSearchParams({ per_page: String(size), ...(before ? { before } : {}) });
    return this.#get(`/v1/channels/${part(id)}/messages?${query}`, pageOf(readChatMessage));
  }

  /** What sockets have no word for: with files. @param {string} id @param {Body} words @param {{clientId: string, replyTo: string|null}} more @returns {Promise<Result<Message>>} */
  async say(id, words, { clientId, replyTo }) {
    const body = { ...words, client_id: clientId, ...(replyTo ? { reply_to: replyTo } : {}) };
    return read(await this.#api.request('POST', `/v1/channels/${part(id)}/messages`, { body, once: true }), one(readChatMessage));
  }

  /** @param {Pick<Message, 'id' | 'version'>} message that is edited; another's edit in between is `edited_since` @param {Body} words @returns {Promise<Result<Message>>} */
  async edit({ id, version }, words) {
    return read(await this.#api.request('PUT', `/v1/messages/${part(id)}`, { body: { ...words, version } }), one(readChatMessage));
  }

  /** @param {string} id @returns {Promise<Result<null>>} */
  async remove(id) { return nothing(await this.#api.request('DELETE', `/v1/messages/${part(id)}`)); }

  /** @param {string} id @param {string} emoji @returns {Promise<Result<null>>} */
  async react(id, emoji) { return nothing(await this.#api.request('POST', `/v1/messages/${part(id)}/reactions`, { body: { emoji } })); }

  /** @param {string} id @param {string} emoji @returns {Promise<Result<null>>} */
  async unreact(id, emoji) { return nothing(await this.#api.request('DELETE', `/v1/messages/${part(id)}/reactions/${part(emoji)}`)); }

  /** Oldest first. @param {string} id @param {number} [page] @returns {Promise<Result<{root: Message, items: Message[], hasMore: boolean}>>} */
  thread(id, page = 1) { return this.#get(`/v1/messages/${part(id)}/thread?page=${page}&per_page=${PAGE}`, readThread); }

  /** Answers in the thread of `id`, or begins it. @param {string} id @param {Body} words @param {string} clientId @returns {Promise<Result<Message>>} */
  async answer(id, words, clientId) {
    const body = { ...words, client_id: clientId };
    return read(await this.#api.request('POST', `/v1/messages/${part(id)}/thread`, { body, once: true }), one(readChatMessage));
  }

  /** @param {string} query @param {{conversationId?: string, page?: number}} [where] @returns {Promise<Result<Page<Hit>>>} */
  async search(query, { conversationId, page = 1 } = {}) {
    const body = { query, page, ...(conversationId ? { channel_id: conversationId } : {}) };
    return read(await this.#api.request('POST', '/v1/search', { body }), pageOf(readHit));
  }

  // Voice

  /** The conversation's standing call. @param {string} id @returns {Promise<Result<import('./answers.js').CallRecord>>} */
  async joinVoice(id) { return read(await this.#api.request('POST', `/v1/channels/${part(id)}/voice/join`), one(readCall)); }

  /** @template T @param {string} path @param {(body: any) => T|null} reader @returns {Promise<Result<T>>} */
  async #get(path, reader) { return read(await this.#api.request('GET', path), reader); }

  /** @template T @param {string} path @param {(value: unknown) => T|null} reader @param {number} [pages] @returns {Promise<Result<T[]>>} */
  async #all(path, reader, pages = LIST_PAGES) {
    /** @type {T[]} */
    const all = [];
    for (let page = 1; page <= pages; page += 1) {
      const answer = await this.#get(`${path}${path.includes('?') ? '&' : '?'}page=${page}&per_page=${PAGE}`, pageOf(reader));
      if (!answer.ok) return answer;
      all.push(...answer.value.items);
      if (!answer.value.hasMore) break;
    }
    return { ok: true, value: all };
  }
}

/** @param {string} text */
const part = (text) => encodeURIComponent(text);

/** @template T @param {(value: unknown) => T|null} reader @returns {(body: unknown) => T|null} */
const one = (reader) => (body) => reader(unwrap(body));

/** @template T @param {Result<any>} answer @param {(body: any) => T|null} reader @returns {Result<T>} */
function read(answer, reader) {
  if (!answer.ok) return answer;
  const value = reader(answer.value);
  return value === null ? { ok: false, problem: problem('bad_answer') } : { ok: true, value };
}

/** @param {Result<any>} answer @returns {Result<null>} */
const nothing = (answer) => (answer.ok ? { ok: true, value: null } : answer);
