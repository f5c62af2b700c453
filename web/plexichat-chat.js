// @ts-check
/**
 * Chat for pages: conversations, their messages, who types and who has read, kept up to date over one socket that opens
 * again by itself and misses nothing. State is data, errors are values; docs/web.md shows how to use it.
 *
 * @module
 */

import { ChatAPI } from './api/chat.js';
import { DeviceAPI } from './api/devices.js';
import { FileAPI } from './api/files.js';
import { CLOSE } from './call/closing.js';
import { environment } from './call/environment.js';
import { DetailEvent } from './call/events.js';
import { problem } from './call/problems.js';
import { SignalSocket } from './call/socket.js';
import { Timers } from './call/timers.js';
import { listChanged, patched, sorted, withConversation, without } from './chat/list.js';
import * as say from './chat/messages.js';
import { Outbox } from './chat/outbox.js';
import { LogPlaces } from './chat/places.js';
import { Sealing } from './chat/sealing.js';
import { changed, draftID, emptyTimeline, withDraft, withNewest, withOlder, withOpened, withoutDraft, withPending } from './chat/timeline.js';

export { ChatAPI } from './api/chat.js';
export { DeviceAPI } from './api/devices.js';
export { FileAPI } from './api/files.js';

/** @typedef {import('./chat/types.js').ChatState} ChatState */
/** @typedef {import('./chat/types.js').Conversation} Conversation */
/** @typedef {import('./chat/types.js').Timeline} Timeline */
/** @typedef {import('./chat/types.js').Message} Message */
/** @typedef {import('./chat/types.js').Place} Place */
/** @typedef {import('./chat/messages.js').ChatEvent} ChatEvent */
/** @typedef {import('./chat/messages.js').Change} Change */
/** @typedef {import('./chat/outbox.js').Draft} Draft */
/** @typedef {import('./call/types.js').CallProblem} CallProblem */
/** @typedef {import('./call/types.js').Environment} Environment */

/** Somebody who types says so every 3 s at most (docs/protocol/chat-sockets.md); twice missed, they have stopped. */
export const TYPING_LASTS = 7_000;
export const TYPING_AGAIN = 3_000;
/** Places in one message, so that it stays far below the server's bound of 512 KiB. */
const PLACES_AT_ONCE = 100;
/** Before the list is read again after a failure. */
const LIST_AGAIN = 5_000;

/**
 * @typedef {object} ChatOptions
 * @property {string} url of `chatURL`
 * @property {() => Promise<string|null>} token
 * @property {Pick<import('./plexichat-api.js').PlexiAPI, 'request' | 'exchange' | 'userId'>} api
 * @property {import('./seal/sealer.js').Sealer|null} [sealer] without one, sealed messages stay closed and none are written
 * @property {Partial<Environment>} [env]
 * @property {() => string} [makeID] names of messages, unique for their sender
 */

/** Where chat is spoken. @param {{protocol: string, host: string}} place `location` @returns {string} */
export const chatURL = ({ protocol, host }) => `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/v1/ws/connect`;

/**
 * Events: `change` `{state}`, all changes of one turn in one; `message` `Message`, of somebody else and as it happens;
 * `problem` `CallProblem`, with `signed_out` the chat is closed for good.
 */
export class PlexiChat extends EventTarget {
  /** REST: what needs no socket. @type {ChatAPI} */ rest;
  /** Where one's sealed messages can be read. @type {DeviceAPI} */ devices;
  /** @type {FileAPI} */ files;
  /** What seals and opens, if this page can. @type {import('./seal/sealer.js').Sealer|null} */ sealer;
  /** @type {ChatOptions['api']} */ #api;
  /** @type {Environment} */ #env;
  /** @type {Timers} */ #timers;
  /** @type {SignalSocket} */ #socket;
  /** @type {() => string} */ #makeID;
  /** @type {Sealing|null} */ #sealing = null;
  #outbox = new Outbox();
  #places = new LogPlaces();
  /** What happens while a history is read; played on top of it. @type {Map<string, Change[]>} */ #held = new Map();
  /** @type {Map<string, number>} */ #typedAt = new Map();
  /** @type {ChatState} */ #state = Object.freeze({
    phase: 'idle', isListed: false, problem: null, conversations: [], timelines: {}, typing: {}, reads: {},
  });
  #isTelling = false;
  #isListing = false;
  #listAgain = false;

  /** @param {ChatOptions} options */
  constructor({ url, token, api, sealer, env, makeID }) {
    super();
    this.#api = api;
    this.rest = new ChatAPI(api);
    this.devices = new DeviceAPI(api);
    this.files = new FileAPI(api);
    this.sealer = sealer ?? null;
    this.#env = environment(env);
    this.#timers = new Timers(this.#env);
    this.#makeID = makeID ?? (() => globalThis.crypto.randomUUID());
    if (sealer) this.#sealing = new Sealing({ sealer, members: (id) => this.rest.memberIds(id), opened: (message, opened) => this.#opened(message, opened) });
    this.#socket = new SignalSocket({
      url, token, env: this.#env, language: { read: say.readEvent, ping: say.ping },
      handlers: {
        opened: () => {},
        received: (event) => this.#received(event),
        waiting: (_attempt, _at, why) => this.#lost('waiting', why),
        ended: (why) => this.#lost('closed', why),
      },
    });
  }

  /** Frozen data; what did not change stays the same object. @returns {ChatState} */
  get state() { return this.#state; }

  /** Opens, and stays open by itself. @returns {void} */
  open() {
    if (this.#state.phase !== 'idle') return;
    this.#set({ phase: 'connecting' });
    this.#socket.connect();
  }

  /** For good: a new sign-in makes a new one. @returns {void} */
  close() {
    this.#timers.end();
    this.#socket.close(CLOSE.hangUp);
    this.#set({ phase: 'closed' });
  }

  /** The page knows of another network: tries now. @returns {void} */
  networkChanged() { if (!['idle', 'closed'].includes(this.#state.phase)) this.#socket.networkChanged(); }

  // Reading

  /** Reads the newest messages of a conversation and keeps them up to date; again, after a failure. @param {string} id @returns {Promise<void>} */
  async show(id) {
    const { phase } = this.#state.timelines[id] ?? {};
    if (phase === 'ready' || this.#held.has(id)) return;
    const known = this.#state.conversations.some((one) => one.id === id);
    await Promise.all([this.#readNewest(id), known ? null : this.#readConversation(id)]);
  }

  /** The next older page. @param {string} id @returns {Promise<void>} */
  async loadOlder(id) {
    const timeline = this.#state.timelines[id];
    const oldest = timeline?.messages.find((message) => message.pending === null);
    if (!timeline || !oldest || !timeline.hasMore || timeline.phase !== 'ready') return;
    this.#setTimeline(id, { ...timeline, phase: 'loading' });
    const answer = await this.rest.messages(id, { before: oldest.id });
    const present = this.#state.timelines[id];
    // Read anew meanwhile: this page may not join on to what is there now.
    if (!present || !present.messages.some((message) => message.id === oldest.id)) return;
    this.#setTimeline(id, answer.ok ? withOlder(present, answer.value.items, answer.value.hasMore)
      : { ...present, phase: 'ready', problem: answer.problem });
  }

  /** All up to the newest message is read. @param {string} id @returns {void} */
  markRead(id) {
    const newest = (this.#state.timelines[id]?.messages ?? []).filter((message) => message.pending === null).at(-1);
    const conversation = this.#conversation(id);
    if (!newest || !conversation || conversation.unread === 0) return;
    // Without a socket it stays unread here, too, and is told when the page looks again.
    if (this.#socket.send(say.read(id, newest.id))) this.#set({ conversations: patched(this.#state.conversations, id, { unread: 0 }) });
  }

  /** A conversation that REST has just answered with: begun, joined, changed. @param {Conversation} conversation @returns {void} */
  learn(conversation) { this.#set({ conversations: withConversation(this.#state.conversations, conversation) }); }

  /** One that is left, or gone. @param {string} id @returns {void} */
  forget(id) {
    this.#places.forget(id);
    this.#held.delete(id);
    const { [id]: _, ...timelines } = this.#state.timelines;
    this.#set({ conversations: without(this.#state.conversations, id), timelines });
  }

  // Writing

  /**
   * Shown at once, sent as soon as there is a socket, and again until the server has it.
   * @param {string} id @param {string} text @param {{replyTo?: string|null, threadId?: string|null, files?: readonly import('./chat/types.js').AttachedFile[]}} [to] `files` are uploaded already
   * @returns {boolean} false when too many wait already
   */
  send(id, text, { replyTo = null, threadId = null, files = [] } = {}) {
    const draft = { conversationId: id, text, clientId: this.#makeID(), replyTo, threadId, files };
    if (!this.#outbox.add(draft)) return false;
    const message = /** @type {Message} */ ({
      id: draftID(draft.clientId), conversationId: id, sequence: Infinity, authorId: this.#api.userId ?? '', type: 'text',
      text, isSealed: this.#conversation(id)?.isSealed ?? false, box: null, unreadable: null, replyTo, threadId, replyCount: 0, reactions: [], files, version: 0, clientId: draft.clientId,
      isEdited: false, isDeleted: false, createdAt: new Date(this.#env.wallClock()).toISOString(), pending: 'sending', problem: null,
    });
    this.#setTimeline(id, withDraft(this.#state.timelines[id] ?? emptyTimeline, message));
    this.#typedAt.delete(id);
    this.#flush();
    return true;
  }

  /** What failed, once more: under its old name, in case that it arrived after all. @param {Message} message @returns {boolean} */
  retry({ conversationId, clientId, text, replyTo, threadId, files, pending }) {
    if (pending !== 'failed' || clientId === null || text === null) return false;
    if (!this.#outbox.add({ conversationId, text, clientId, replyTo, threadId, files })) return false;
    this.#pending(conversationId, clientId, 'sending', null);
    this.#flush();
    return true;
  }

  /** Gives up what failed. @param {Message} message @returns {void} */
  discard({ conversationId, clientId, pending }) {
    const timeline = this.#state.timelines[conversationId];
    if (pending === 'failed' && clientId !== null && timeline) this.#setTimeline(conversationId, withoutDraft(timeline, clientId));
  }

  /** @param {Message} message @param {string} text @returns {Promise<CallProblem|null>} what failed */
  async edit(message, text) {
    const { conversationId, clientId } = message;
    const body = await this.#bodyOf({ conversationId, clientId: clientId ?? '', text }, message.isSealed);
    if (!body.ok) return body.problem;
    const answer = await this.rest.edit(message, body.value);
    if (!answer.ok) return answer.problem;
    this.#apply(message.conversationId, { change: 'updated', message: answer.value });
    return null;
  }

  /** @param {Message} message @returns {Promise<CallProblem|null>} */
  async remove({ conversationId, id }) {
    const answer = await this.rest.remove(id);
    if (!answer.ok) return answer.problem;
    this.#apply(conversationId, { change: 'deleted', messageId: id });
    return null;
  }

  /** Adds one's own reaction, or takes it back. @param {Message} message @param {string} emoji @returns {Promise<CallProblem|null>} */
  async toggleReaction({ conversationId, id, reactions }, emoji) {
    const userId = this.#api.userId ?? '';
    const has = reactions.some((one) => one.userId === userId && one.emoji === emoji);
    const answer = has ? await this.rest.unreact(id, emoji) : await this.rest.react(id, emoji);
    if (!answer.ok) return answer.problem;
    this.#apply(conversationId, { change: has ? 'unreacted' : 'reacted', messageId: id, userId, emoji });
    return null;
  }

  /** For each key that somebody presses; told as often as the server passes on. @param {string} id @returns {void} */
  typing(id) {
    const [now, told] = [this.#env.now(), this.#typedAt.get(id)];
    if (told !== undefined && now - told < TYPING_AGAIN) return;
    if (this.#socket.send(say.typing(id, true))) this.#typedAt.set(id, now);
  }

  /** The line is empty again. @param {string} id @returns {void} */
  stopTyping(id) { if (this.#typedAt.delete(id)) this.#socket.send(say.typing(id, false)); }

  // What the server says

  /** @param {ChatEvent} event */
  #received(event) {
    switch (event.kind) {
      case 'connected': return this.#connected();
      case 'subscribed': return this.#subscribed(event.conversationId, event.place, event.isRecovered);
      case 'ok': return event.ref === 'all' ? void this.#readList() : undefined;
      case 'sent': return this.#stored(event.message, event.clientId ?? event.message.clientId);
      case 'change': return this.#changed(event.conversationId, event.place, event.what);
      case 'typing': return this.#typing(event.conversationId, event.userId, event.isTyping);
      case 'receipt': return event.isRead ? this.#receipt(event.conversationId, event.userId, event.messageId) : undefined;
      case 'added': return void this.#readConversation(event.conversationId);
      case 'removed': return this.forget(event.conversationId);
      case 'devices': return this.#sealing?.devicesChanged(event.userId);
      case 'error': return this.#refused(event.ref, event.problem);
    }
  }

  #connected() {
    this.#socket.accepted();
    this.#places.connected();
    this.#sealing?.mayHaveMissed();
    const places = this.#places.all;
    for (let at = 0; at < places.length; at += PLACES_AT_ONCE) this.#socket.send(say.resume(places.slice(at, at + PLACES_AT_ONCE), 'resume'));
    // After the places: what is followed already keeps its own.
    this.#socket.send(say.followAll('all'));
    this.#set({ phase: 'open' });
    this.#flush();
  }

  /** @param {'waiting'|'closed'} phase @param {CallProblem} why */
  #lost(phase, why) {
    this.#outbox.cut();
    this.#typedAt.clear();
    this.#set({ phase, typing: {} });
    this.#tell('problem', why);
  }

  /** @param {string} id @param {Place} place @param {boolean} isRecovered */
  #subscribed(id, place, isRecovered) {
    const isGapless = this.#places.followed(id, place, isRecovered);
    // What was read before we followed, or before what was missed, has holes.
    if (!isGapless && this.#state.timelines[id]) void this.#readNewest(id);
    if (!isGapless && this.#state.isListed) void this.#readConversation(id);
  }

  /** @param {string} id @param {Place|null} place @param {Change} what */
  #changed(id, place, what) {
    const ask = (/** @type {Place} */ from) => this.#socket.send(say.resume([{ id, place: from }], 'gap'));
    if (this.#places.take(id, place, ask) !== 'next') return;
    this.#apply(id, what);
    if (what.change === 'created' && what.message.authorId !== this.#api.userId) this.#tell('message', what.message);
    if (what.change === 'ended') this.forget(id);
  }

  /** @param {string} id @param {Change} what */
  #apply(id, what) {
    this.#held.get(id)?.push(what);
    if (what.change === 'joined' || what.change === 'left') this.#sealing?.membersChanged(id);
    if (what.change === 'created' && what.message.authorId === this.#api.userId && what.message.clientId !== null) this.#outbox.take(what.message.clientId);
    const timeline = this.#state.timelines[id];
    if (timeline) this.#setTimeline(id, changed(timeline, what));
    this.#set({ conversations: listChanged(this.#state.conversations, id, what, this.#api.userId) });
    if (what.change === 'created') {
      this.#typing(id, what.message.authorId, false);
      this.#flush();
    }
  }

  /** @param {Message} message @param {string|null} clientId */
  #stored(message, clientId) {
    if (clientId !== null) this.#outbox.take(clientId);
    this.#apply(message.conversationId, { change: 'created', message });
    this.#flush();
  }

  /** @param {import('./chat/messages.js').Ref} ref @param {CallProblem} why */
  #refused(ref, why) {
    const clientId = typeof ref === 'string' && ref.startsWith('send:') ? ref.slice('send:'.length) : null;
    if (clientId === null) return this.#tell('problem', why);
    this.#failed(clientId, why);
  }

  /** @param {string} clientId @param {CallProblem} why */
  #failed(clientId, why) {
    if (why.code === 'rate_limited') {
      this.#outbox.later(clientId, this.#env.now() + (why.retryAfter ?? 1) * 1_000);
    } else {
      const draft = this.#outbox.take(clientId);
      if (draft) this.#pending(draft.conversationId, clientId, 'failed', why);
    }
    this.#flush();
  }

  /** @param {string} id @param {string} clientId @param {'sending'|'failed'} pending @param {CallProblem|null} why */
  #pending(id, clientId, pending, why) {
    const timeline = this.#state.timelines[id];
    if (timeline) this.#setTimeline(id, withPending(timeline, clientId, pending, why));
  }

  #flush() {
    if (!this.#socket.isOpen || this.#state.phase !== 'open') return;
    const { send, failed } = this.#outbox.due(this.#env.now());
    for (const draft of send) void this.#sendNow(draft);
    for (const { clientId } of failed) this.#failed(clientId, problem('timeout'));
    const wait = this.#outbox.next(this.#env.now());
    if (wait === null) this.#timers.cancel('outbox');
    else this.#timers.after('outbox', Math.max(wait, 1), () => this.#flush());
  }

  /** @param {Draft} draft */
  async #sendNow(draft) {
    const { conversationId, clientId, replyTo, threadId, files = [] } = draft;
    const body = await this.#bodyOf(draft, this.#conversation(conversationId)?.isSealed ?? false);
    // What may help later is tried again by the outbox.
    if (!body.ok) return body.problem.retry ? undefined : this.#failed(clientId, body.problem);
    // Sockets have no word for an answer in a thread, nor for files.
    if (threadId === null && files.length === 0) return void this.#socket.send(say.send(draft, body.value, `send:${clientId}`));
    const words = files.length === 0 ? body.value : { ...body.value, file_ids: files.map((file) => file.id), type: typeOf(files) };
    const answer = threadId === null ? await this.rest.say(conversationId, words, { clientId, replyTo }) : await this.rest.answer(threadId, words, clientId);
    if (answer.ok) this.#stored(answer.value, clientId);
    else if (!answer.problem.retry || answer.problem.code === 'rate_limited') this.#failed(clientId, answer.problem);
  }

  /**
   * What goes to the server: the text, or it in a box. Nothing that is to be sealed ever goes as text.
   * @param {{conversationId: string, clientId: string, text: string}} draft @param {boolean} isSealed
   * @returns {Promise<import('./plexichat-api.js').Result<import('./api/chat.js').Body>>}
   */
  async #bodyOf(draft, isSealed) {
    if (!isSealed) return { ok: true, value: { content: draft.text } };
    if (!this.#sealing) return { ok: false, problem: problem('sealing_unsupported') };
    const answer = await this.#sealing.seal(draft, this.#conversation(draft.conversationId));
    return answer.ok ? { ok: true, value: { sealed: answer.value } } : answer;
  }

  /** @param {Message} message @param {import('./chat/sealing.js').Opened} opened */
  #opened(message, opened) {
    const timeline = this.#state.timelines[message.conversationId];
    if (timeline) this.#setTimeline(message.conversationId, withOpened(timeline, message, opened));
    const last = this.#conversation(message.conversationId)?.lastMessage;
    if (last?.id === message.id) this.#set({ conversations: [...this.#state.conversations] });
  }

  /** @param {string} id */
  #conversation(id) { return this.#state.conversations.find((one) => one.id === id); }

  /** @param {string} id @param {string} userId @param {boolean} isTyping */
  #typing(id, userId, isTyping) {
    if (userId === this.#api.userId) return;
    const others = (this.#state.typing[id] ?? []).filter((one) => one !== userId);
    if (!isTyping && others.length === (this.#state.typing[id]?.length ?? 0)) return;
    const purpose = `typing ${id} ${userId}`;
    if (isTyping) this.#timers.after(purpose, TYPING_LASTS, () => this.#typing(id, userId, false));
    else this.#timers.cancel(purpose);
    this.#set({ typing: { ...this.#state.typing, [id]: isTyping ? [...others, userId] : others } });
  }

  /** @param {string} id @param {string} userId @param {string} messageId */
  #receipt(id, userId, messageId) {
    this.#set({ reads: { ...this.#state.reads, [id]: { ...this.#state.reads[id], [userId]: messageId } } });
    if (userId !== this.#api.userId) return;
    // Read on another device. How much is left only the server knows, unless it was the last.
    const conversation = this.#conversation(id);
    if (!conversation || conversation.unread === 0) return;
    if (conversation.lastMessageId === messageId) this.#set({ conversations: patched(this.#state.conversations, id, { unread: 0 }) });
    else void this.#readConversation(id);
  }

  // What is read

  async #readList() {
    if (this.#isListing) {
      this.#listAgain = true;
      return;
    }
    [this.#isListing, this.#listAgain] = [true, false];
    const [channels, directs] = await Promise.all([this.rest.channels(), this.rest.directs()]);
    this.#isListing = false;
    if (this.#state.phase === 'closed') return;
    const failed = [channels, directs].find((answer) => !answer.ok);
    if (failed && !failed.ok) {
      this.#set({ problem: failed.problem });
      if (failed.problem.retry) this.#timers.after('list', LIST_AGAIN, () => void this.#readList());
      return;
    }
    const all = [channels, directs].flatMap((answer) => (answer.ok ? answer.value : []));
    const kept = this.#state.conversations;
    const list = all.map((one) => withConversation(kept.filter((old) => old.id === one.id), one)[0]);
    this.#set({ isListed: true, problem: null, conversations: sorted(list) });
    if (this.#listAgain) return void this.#readList();
  }

  /** @param {string} id */
  async #readConversation(id) {
    const answer = await this.rest.conversation(id);
    // Of a direct one this row does not tell who the other is.
    if (answer.ok && answer.value.type === 'direct' && !this.#conversation(id)?.other) return this.#readList();
    if (answer.ok && answer.value.role !== null) {
      this.learn(answer.value);
    } else if (!answer.ok && answer.problem.code === 'not_found') this.forget(id);
  }

  /** @param {string} id */
  async #readNewest(id) {
    /** @type {Change[]} */
    const held = [];
    this.#held.set(id, held);
    const before = this.#state.timelines[id] ?? emptyTimeline;
    this.#setTimeline(id, { ...before, phase: 'loading', problem: null });
    const answer = await this.rest.messages(id);
    // Asked for again meanwhile, or forgotten: this answer is the older one.
    if (this.#held.get(id) !== held) return;
    this.#held.delete(id);
    const present = this.#state.timelines[id] ?? emptyTimeline;
    if (!answer.ok) return this.#setTimeline(id, { ...present, phase: 'failed', problem: answer.problem });
    this.#setTimeline(id, held.reduce(changed, withNewest(present, answer.value.items, answer.value.hasMore)));
  }

  // State

  /** @param {string} id @param {Timeline} timeline */
  #setTimeline(id, timeline) {
    if (this.#state.timelines[id] === timeline) return;
    const known = this.#sealing ? { ...timeline, messages: timeline.messages.map((one) => this.#sealing?.known(one) ?? one) } : timeline;
    this.#set({ timelines: { ...this.#state.timelines, [id]: Object.freeze(known) } });
    this.#sealing?.look(known.messages);
  }

  /** @param {Partial<ChatState>} change */
  #set(change) {
    const keys = /** @type {(keyof ChatState)[]} */ (Object.keys(change));
    if (keys.every((key) => this.#state[key] === change[key])) return;
    this.#state = Object.freeze({ ...this.#state, ...change, ...this.#withLines(change.conversations) });
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      this.#tell('change', { state: this.#state });
    });
  }

  /** Last lines that are sealed, open as far as they can be. @param {readonly Conversation[]} [conversations] @returns {Partial<ChatState>} */
  #withLines(conversations) {
    const sealing = this.#sealing;
    if (!sealing || !conversations) return {};
    const lines = conversations.map((one) => {
      const lastMessage = sealing.known(one.lastMessage);
      return lastMessage === one.lastMessage ? one : { ...one, lastMessage };
    });
    sealing.look(lines.map((one) => one.lastMessage));
    return { conversations: lines };
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) { this.dispatchEvent(new DetailEvent(type, detail)); }
}

/** What a message with these is called. @param {readonly import('./chat/types.js').AttachedFile[]} files */
const typeOf = (files) => ['image', 'audio', 'video'].find((kind) => files.every(({ type }) => type.startsWith(`${kind}/`))) ?? 'file';
