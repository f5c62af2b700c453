// @ts-check
/**
 * A model of the server's chat: REST answers in design's words, a log for each conversation that is numbered as the real
 * one's, and sockets that a test drops, lets repeat or withhold.
 *
 * @module
 */

import { FakeSocket } from './world.js';
import { id } from './app-world.js';

export const [ADA, BEN, CY] = [id(1), id(2), id(3)];
const names = new Map([[ADA, 'Ada'], [BEN, 'Ben Bitdiddle'], [CY, 'Cy D. Fect']]);
const ok = (/** @type {any} */ data, pagination = {}) => ({ ok: true, value: { success: true, data, pagination } });
const refused = (/** @type {string} */ code) => ({ ok: false, problem: { code, text: code, retry: code === 'network', retryAfter: null, info: {} } });

const sealedOf = (/** @type {any} */ { sealed = null }) => ({ sealed, encrypted: sealed !== null });

export class ChatServer {
  /** @type {Map<string, any>} */ channels = new Map();
  /** @type {any[]} */ sockets = [];
  /** @type {{method: string, path: string, body: any}[]} */ asked = [];
  /** Rows that fail: the beginning of `METHOD /path` to a code. @type {Map<string, string>} */ failing = new Map();
  /** While true, sockets store nothing and answer nothing. */ isDeaf = false;
  /** While true, what is stored is not told to sockets. */ isMute = false;
  /** @type {Promise<void>|null} what REST waits for before it answers */ gate = null;
  epoch = 77;
  #last = 100;
  userId = ADA;

  /** @param {{name?: string, type?: string, other?: string, visibility?: string, isMember?: boolean, isSealed?: boolean}} [what] */
  channel({ name = 'general', type = 'channel', other, visibility = 'public', isMember = true, isSealed = false } = {}) {
    const channelID = id(this.#last += 1);
    this.channels.set(channelID, { id: channelID, type, name, other, visibility, isMember, isSealed, log: [], messages: [], members: [ADA, other ?? BEN], read: 0 });
    return channelID;
  }

  /** @param {string} channel @param {string} author @param {string} content @param {any} [more] */
  say(channel, author, content, more = {}) {
    const one = this.channels.get(channel);
    const known = more.client_id && one.messages.find((/** @type {any} */ old) => old.client_id === more.client_id);
    if (known) return known;
    const message = {
      id: id(this.#last += 1), channel_id: channel, sequence: one.messages.length + 1, user_id: author, type: 'text', content,
      encrypted: false, sealed: null, reply_to: null, thread_id: null, reply_count: 0, reactions: [], version: 1, client_id: null,
      is_edited: false, is_deleted: false, created_at: new Date(Date.parse('2026-03-05T09:00:00Z') + one.messages.length * 60_000).toISOString(),
      ...more,
    };
    one.messages.push(message);
    if (author === ADA) one.read = message.sequence;
    this.log(channel, 'message.created', { ...message });
    return message;
  }

  /** @param {any} message @param {string|null} content @param {any} [sealed] */
  rewrite(message, content, sealed = null) {
    Object.assign(message, { content, sealed, encrypted: sealed !== null, version: message.version + 1, is_edited: true });
    this.log(message.channel_id, 'message.updated', { ...message });
  }
  /** @param {any} message */
  erase(message) {
    Object.assign(message, { content: null, is_deleted: true, reactions: [] });
    this.log(message.channel_id, 'message.deleted', { channel_id: message.channel_id, message_id: message.id });
  }
  /** @param {any} message @param {string} user @param {string} emoji @param {boolean} [on] */
  react(message, user, emoji, on = true) {
    message.reactions = message.reactions.filter((/** @type {any} */ one) => one.user_id !== user || one.emoji !== emoji);
    if (on) message.reactions.push({ user_id: user, emoji });
    this.log(message.channel_id, on ? 'reaction.added' : 'reaction.removed', { channel_id: message.channel_id, message_id: message.id, user_id: user, emoji });
  }

  /** @param {string} channel @param {string} type @param {any} data */
  log(channel, type, data) {
    const one = this.channels.get(channel);
    one.log.push({ type, data, epoch: this.epoch, offset: one.log.length + 1 });
    if (!this.isMute) for (const socket of this.sockets) if (socket.followed?.has(channel)) socket.say(one.log.at(-1));
  }
  /** Not in the log. @param {any} event */
  tell(event) { for (const socket of this.sockets) if (socket.followed) socket.say(event); }

  // Sockets

  get Socket() {
    const server = this;
    return class extends FakeSocket {
      /** @type {Set<string>|null} */ followed = null;
      isUsed = false;
      /** @param {string} url */
      constructor(url) {
        super(url);
        server.sockets.push(this);
      }
      /** @param {string} text */
      send(text) {
        super.send(text);
        if (!server.isDeaf) server.heard(this, JSON.parse(text));
      }
      /** @param {number} code */
      close(code) {
        super.close(code);
        this.followed = null;
      }
    };
  }
  get socket() { return this.sockets.at(-1); }

  /** Whether the newest socket is one that a test may still accept. */
  get isAsked() { return this.socket !== undefined && !this.socket.isUsed && this.socket.closedWith === null; }

  accept() {
    this.socket.isUsed = true;
    this.socket.open();
    this.socket.followed = new Set();
    this.socket.say({ type: 'connected', data: { user_id: ADA } });
  }
  drop() {
    this.socket.followed = null;
    this.socket.end(1006);
  }

  /** @param {any} socket @param {any} said */
  heard(socket, said) {
    if (said.type === 'ping') return socket.say({ type: 'pong', ref: said.id });
    if (said.type === 'subscribe') {
      const wanted = said.channels[0] === '*'
        ? [...this.channels.values()].filter((one) => one.isMember && !socket.followed.has(one.id)) : said.channels;
      for (const one of wanted) this.#follow(socket, one.id, said.channels[0] === '*' ? null : one, said.id);
      if (said.channels[0] === '*') socket.say({ type: 'ok', data: {}, ref: said.id });
    }
    if (said.type === 'send_message') {
      const message = this.say(said.channel_id, ADA, said.content ?? null, { ...sealedOf(said), client_id: said.client_id, reply_to: said.reply_to ?? null });
      socket.say({ type: 'message_sent', data: { client_id: said.client_id, message }, ref: said.id });
    }
  }

  /** @param {any} socket @param {string} channel @param {any} from @param {any} ref */
  #follow(socket, channel, from, ref) {
    const { log } = this.channels.get(channel);
    socket.followed.add(channel);
    const isRecovered = from === null || (from.epoch === this.epoch && from.offset <= log.length);
    const offset = from !== null && isRecovered ? from.offset : log.length;
    socket.say({ type: 'subscribed', data: { channel_id: channel, recovered: isRecovered }, epoch: this.epoch, offset, ref });
    for (const event of log.slice(offset)) socket.say(event);
  }

  // REST

  request = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {any} */ { body } = {}) => {
    this.asked.push({ method, path, body });
    if (this.gate) await this.gate;
    await Promise.resolve();
    const failure = [...this.failing].find(([start]) => `${method} ${path}`.startsWith(start));
    return failure ? refused(failure[1]) : this.#answer(method, new URL(path, 'http://x'), body);
  };

  /** @param {string} method @param {URL} url @param {any} body */
  #answer(method, url, body) {
    if (url.pathname.startsWith('/api/v1/chat/devices')) return this.#device(method, url.pathname.split('/')[5], body);
    const [, version, kind, key, part, last] = url.pathname.split('/');
    if (kind === 'files') return ok({ id: key, name: this.files.get(key).filename, type: this.files.get(key).content_type, size: this.files.get(key).size, thumbnail_url: null });
    const all = [...this.channels.values()];
    if (version === 'chatrooms') return this.#invitation(kind, key);
    if (kind === 'dm') {
      if (method === 'GET') return ok(all.filter((one) => one.type === 'direct').map((one) => this.#direct(one)));
      const old = all.find((one) => one.other === body.user_id);
      return ok(this.#direct(this.channels.get(old?.id ?? this.channel({ type: 'direct', other: body.user_id, visibility: 'private' }))));
    }
    if (kind === 'search') {
      return ok(all.flatMap((one) => one.messages).filter((one) => one.content?.includes(body.query)).map((message) => ({ message, matched_terms: [body.query] })));
    }
    if (kind === 'messages') return this.#message(method, key, part, last, body);
    if (key === undefined) {
      if (method === 'POST') return ok(this.#show(this.channels.get(this.channel({ name: body.name, visibility: body.visibility, isSealed: body.is_encrypted }))));
      return ok(all.filter((one) => one.type !== 'direct' && (one.isMember || !url.searchParams.has('joined'))).map((one) => this.#show(one)));
    }
    const channel = this.channels.get(key);
    if (!channel) return refused('not_found');
    if (part === 'messages' && method === 'POST') {
      const attachments = (body.file_ids ?? []).map((/** @type {string} */ one) => ({ id: one, file_id: `file_${one}`, ...this.files.get(one) }));
      return ok(this.say(key, ADA, body.content ?? null, { ...sealedOf(body), type: body.type, attachments, client_id: body.client_id, reply_to: body.reply_to ?? null }));
    }
    if (part === 'messages') return this.#history(channel, url.searchParams);
    if (part === 'members' && method === 'GET') return ok(channel.members.map((/** @type {string} */ user) => ({ user_id: user, username: 'x', display_name: names.get(user), role: user === ADA ? 'owner' : 'member' })));
    if (part === 'members') channel.isMember = false;
    if (part === 'join') channel.isMember = true;
    if (method === 'PUT' && part === undefined) channel.isSealed = body.is_encrypted;
    if (part === 'voice') return ok({ id: id(50), caller_id: ADA, type: 'video', status: 'ongoing', participants: [] });
    return ok(this.#show(channel));
  }

  /** @param {string} kind @param {string} key */
  #invitation(kind, key) {
    if (kind !== 'join') return ok({ invitation: { invite_code: 'Abcdefghijklmnopqrstuvwx', expires_at: null, max_uses: 10 } });
    const hidden = [...this.channels.values()].find((one) => !one.isMember);
    if (key.length < 20 || !hidden) return refused('invitation_invalid');
    hidden.isMember = true;
    return ok({ chatroom: { id: hidden.id } });
  }

  /** @param {string} method @param {string} key @param {string} part @param {string} last @param {any} body */
  #message(method, key, part, last, body) {
    const message = [...this.channels.values()].flatMap((one) => one.messages).find((one) => one.id === key);
    if (!message) return refused('not_found');
    if (part === 'reactions') {
      this.react(message, ADA, method === 'POST' ? body.emoji : decodeURIComponent(last), method === 'POST');
      return ok({});
    }
    const replies = this.channels.get(message.channel_id).messages.filter((/** @type {any} */ one) => one.thread_id === key);
    if (part === 'thread' && method === 'GET') return ok({ root: message, replies });
    if (part === 'thread') {
      message.reply_count += 1;
      return ok(this.say(message.channel_id, ADA, body.content ?? null, { ...sealedOf(body), thread_id: key, client_id: body.client_id }));
    }
    if (method === 'DELETE') this.erase(message);
    else if (body.version !== message.version) return refused('edited_since');
    else this.rewrite(message, body.content ?? null, body.sealed);
    return ok({ ...message });
  }

  // Files

  /** Files by id, as attachments have them. @type {Map<string, any>} */ files = new Map();
  /** Uploads under way. @type {Map<string, {length: number, meta: Record<string, string>, bytes: Buffer, channel: string}>} */ uploads = new Map();
  /** How many bytes of a piece arrive before the network goes, for one request each. @type {number[]} */ cuts = [];
  /** @type {string[]} */ exchanged = [];

  exchange = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {any} */ { headers = {}, body, signal } = {}) => {
    this.exchanged.push(`${method} ${path}`);
    await Promise.resolve();
    const answer = (/** @type {Record<string, string>} */ more, content = new Blob()) => ({ ok: true, value: new Response(content, { headers: more }) });
    if (signal?.aborted) return refused('network');
    if (path.endsWith('/download') || path.endsWith('/thumbnail')) return answer({}, this.files.get(path.split('/')[3]).content);
    if (method === 'POST') {
      const meta = Object.fromEntries(headers['Upload-Metadata'].split(',').map((/** @type {string} */ one) => [one.split(' ')[0], Buffer.from(one.split(' ')[1], 'base64').toString()]));
      if (meta.filename.endsWith('.exe')) return { ok: false, problem: { code: 'validation', text: 'not allowed', retry: false, retryAfter: null, info: {} } };
      const key = id(this.#last += 1);
      this.uploads.set(key, { length: Number(headers['Upload-Length']), meta, bytes: Buffer.alloc(0), channel: meta.channel_id });
      return answer({ Location: `https://chat.example.org/v1/files/uploads/${key}` });
    }
    const key = path.split('/')[4];
    const upload = /** @type {any} */ (this.uploads.get(key));
    if (method === 'HEAD') return answer({ 'Upload-Offset': String(upload.bytes.length) });
    if (method === 'DELETE') {
      this.uploads.delete(key);
      return answer({});
    }
    if (Number(headers['Upload-Offset']) !== upload.bytes.length) return refused('conflict');
    const cut = this.cuts.shift();
    const piece = new Uint8Array(await body.arrayBuffer());
    upload.bytes = Buffer.concat([upload.bytes, piece.subarray(0, cut)]);
    if (cut !== undefined) return refused('network');
    if (upload.bytes.length < upload.length) return answer({ 'Upload-Offset': String(upload.bytes.length) });
    this.files.set(key, { filename: upload.meta.filename, content_type: upload.meta.filetype ?? 'text/plain', size: upload.length, content: new Blob([upload.bytes]) });
    return answer({ 'Upload-Offset': String(upload.length), 'File-Id': key });
  };

  /** Registered devices, by person. @type {Map<string, any[]>} */ devices = new Map();

  /** @param {string} user @param {any} device */
  addDevice(user, device) {
    const others = (this.devices.get(user) ?? []).filter((one) => one.id !== device.id);
    this.devices.set(user, [...others, { name: '', version: 1, signed_key: null, seen_at: '2026-03-05T09:00:00Z', ...device }]);
    this.tell({ type: 'devices.changed', data: { user_id: user, version: 1 } });
  }

  /** @param {string} method @param {string} key @param {any} body */
  #device(method, key, body) {
    const list = (/** @type {any} */ value) => ({ ok: true, value });
    if (method === 'GET') return list({ data: this.devices.get(ADA) ?? [], count: 0, version: 1 });
    if (key === 'query') return list({ data: body.user_ids.map((/** @type {string} */ user) => ({ user_id: user, version: 1, devices: this.devices.get(user) ?? [] })), count: 0 });
    if (method === 'PUT') this.addDevice(ADA, { id: key, ...body });
    else this.devices.set(ADA, (this.devices.get(ADA) ?? []).filter((one) => one.id !== key));
    return list({ id: key });
  }

  /** @param {any} channel @param {URLSearchParams} query */
  #history({ messages }, query) {
    const [size, before] = [Number(query.get('per_page')), query.get('before')];
    const end = before === null ? messages.length : messages.findIndex((/** @type {any} */ one) => one.id === before);
    const page = messages.slice(Math.max(0, end - size), end).reverse().map((/** @type {any} */ one) => ({ ...one, reactions: [...one.reactions] }));
    return ok(page, { total: messages.length, has_next: end > size });
  }

  /** @param {any} one */
  #show(one) {
    const last = one.messages.at(-1);
    return {
      id: one.id, type: one.type, visibility: one.visibility, name: one.type === 'direct' ? names.get(one.other) : one.name, description: null, member_count: one.members.length,
      role: one.isMember ? 'owner' : null, permissions: one.isMember ? ['view', 'send_messages', 'add_reactions', 'use_threads', 'invite_members', 'join_voice', 'manage_channel', 'attach_files'] : [],
      is_archived: false, is_muted: false, is_encrypted: one.isSealed, unread_count: one.messages.length - one.read, last_message_id: last?.id ?? null, last_message: (one.isMember && last) || null,
      last_activity_at: last?.created_at ?? null, created_at: '2026-03-01T00:00:00Z',
    };
  }
  /** @param {any} one */
  #direct(one) {
    const { id: key, is_muted, is_encrypted, unread_count, last_activity_at, created_at } = this.#show(one);
    return { id: key, is_muted, is_encrypted, unread_count, last_activity_at, created_at, last_message: one.messages.at(-1) ?? null, user: { id: one.other, username: 'ben', display_name: names.get(one.other) } };
  }
}
