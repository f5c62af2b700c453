// @ts-check
/**
 * What sealed conversations need beside the others: their members' devices when something is written, and the text of
 * what was read, when it is open. Opened messages are remembered, so that a page that is read again shows at once what
 * it showed before.
 *
 * @module
 */

/** @typedef {import('./types.js').Message} Message */
/** @typedef {import('./types.js').Conversation} Conversation */
/** @typedef {import('../seal/sealer.js').Sealer} Sealer */
/** @typedef {import('../seal/box.js').SealedBody} SealedBody */
/** @template T @typedef {import('../plexichat-api.js').Result<T>} Result */
/** @typedef {{text: string, unreadable: null}|{text: null, unreadable: string}} Opened */

/** Messages that are remembered open; the oldest are opened again when they are shown again. */
const OPENED_MAX = 5_000;

export class Sealing {
  /** @type {Sealer} */ #sealer;
  /** @type {(id: string) => Promise<Result<string[]>>} */ #ask;
  /** @type {(message: Message, opened: Opened) => void} */ #tell;
  /** @type {Map<string, Opened>} */ #opened = new Map();
  /** @type {Set<string>} */ #opening = new Set();
  /** @type {Map<string, readonly string[]>} */ #members = new Map();

  /** @param {{sealer: Sealer, members: (id: string) => Promise<Result<string[]>>, opened: (message: Message, opened: Opened) => void}} options */
  constructor({ sealer, members, opened }) {
    [this.#sealer, this.#ask, this.#tell] = [sealer, members, opened];
  }

  /** @param {{conversationId: string, clientId: string, text: string}} draft @param {Conversation|undefined} conversation @returns {Promise<Result<SealedBody>>} */
  async seal({ conversationId, clientId, text }, conversation) {
    let members = conversation?.other ? [conversation.other.id] : this.#members.get(conversationId);
    if (!members) {
      const answer = await this.#ask(conversationId);
      if (!answer.ok) return answer;
      this.#members.set(conversationId, members = answer.value);
    }
    return this.#sealer.seal({ conversationId, clientId }, text, members);
  }

  /** As it was when it was open before. @template {Message|null} M @param {M} message @returns {M} */
  known(message) {
    if (!message?.box || message.text !== null || message.unreadable !== null) return message;
    const opened = this.#opened.get(nameOf(message));
    return opened ? { ...message, ...opened } : message;
  }

  /** Opens what is not open, and tells. @param {readonly (Message|null)[]} messages */
  look(messages) {
    for (const message of messages) {
      if (!message?.box || message.text !== null || message.unreadable !== null || this.#opening.has(nameOf(message))) continue;
      this.#opening.add(nameOf(message));
      void this.#open(message);
    }
  }

  /** Who is in a conversation is another now. @param {string} id */
  membersChanged(id) { this.#members.delete(id); }

  /** @param {string} userId */
  devicesChanged(userId) { this.#sealer.devicesChanged(userId); }

  /** The socket was away. */
  mayHaveMissed() {
    this.#members.clear();
    this.#sealer.mayHaveMissed();
  }

  /** @param {Message} message */
  async #open(message) {
    const name = nameOf(message);
    const answer = await this.#sealer.open(message, message.box);
    this.#opening.delete(name);
    // Not known yet: the next look asks again.
    if (!answer.ok) return;
    /** @type {Opened} */
    const opened = 'text' in answer.value ? { text: answer.value.text, unreadable: null } : { text: null, unreadable: answer.value.unreadable };
    this.#opened.set(name, opened);
    if (this.#opened.size > OPENED_MAX) this.#opened.delete(/** @type {string} */ (this.#opened.keys().next().value));
    this.#tell(message, opened);
  }
}

/** A body is another with each edit. @param {Message} message */
const nameOf = ({ id, version }) => `${id} ${version}`;
