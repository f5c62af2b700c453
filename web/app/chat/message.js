// @ts-check
// One message, and what can be done with it.

import { h, replace, setData, setText } from '../dom.js';
import { confirm, openDialog } from '../dialog.js';
import { face, iconButton } from '../parts.js';
import { problemText } from '../problems.js';
import { text } from '../text.js';
import { partsOf } from './words.js';

/** @typedef {import('./view.js').MessageRow} MessageRow */
/** @typedef {import('../../chat/types.js').Message} Message */

/** What most people mean most of the time; a short list is quicker than a whole keyboard. */
const emoji = /** @type {const} */ ([['👍', 'emoji.yes'], ['👎', 'emoji.no'], ['❤️', 'emoji.heart'], ['😂', 'emoji.laugh'],
  ['🎉', 'emoji.party'], ['😮', 'emoji.wow'], ['😢', 'emoji.sad'], ['🙏', 'emoji.thanks'], ['👀', 'emoji.eyes'], ['✅', 'emoji.done']]);

/**
 * @typedef {object} Doing what the screen does for its messages
 * @property {(message: Message) => void} reply
 * @property {((message: Message) => void) | null} openThread null within a thread
 * @property {(message: Message) => void} edit
 * @property {(permission: string) => boolean} may
 */

/** @param {string} words @param {readonly string[]} [terms] */
export const wordNodes = (words, terms) => partsOf(words, terms).map((part) => {
  if (part.href !== null) return h('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer' }, part.text);
  return part.isFound ? h('mark', {}, part.text) : part.text;
});

/** @param {import('../app.js').App} app @param {Doing} doing @param {MessageRow} first */
export function messageElement(app, doing, first) {
  let row = first;
  /** What is drawn; the next row is compared with it. */
  let drawn = '';
  const element = h('div', { class: 'message', role: 'article' });
  const tell = (/** @type {import('../../chat/types.js').CallProblem | null | undefined} */ problem) => {
    if (problem) app.announce.show(problemText(problem), 'error');
  };
  const react = async (/** @type {string} */ one) => tell(await app.chat?.toggleReaction(row.message, one));

  function pick() {
    const buttons = emoji.map(([sign, name]) => h('button', {
      class: 'button emoji', type: 'button', aria: { label: text(name) }, on: { click: () => { dialog.close(); void react(sign); } },
    }, sign));
    const dialog = openDialog({ title: text('chat.react'), content: [h('div', { class: 'emojis' }, buttons)] });
  }

  async function remove() {
    if (!await confirm({ title: text('chat.delete.sure'), words: text('chat.delete.text'), action: text('chat.delete') })) return;
    tell(await app.chat?.remove(row.message));
  }

  function tools() {
    const { message, isOwn } = row;
    if (message.isDeleted || message.pending !== null) return null;
    const [canSend, { openThread }] = [doing.may('send_messages'), doing];
    const name = (/** @type {import('../text.js').Key} */ key) => text(key, { name: row.author });
    return h('div', { class: 'message__tools' },
      doing.may('add_reactions') ? iconButton('smile', name('chat.reactTo'), { on: { click: pick } }) : null,
      canSend && openThread !== null ? iconButton('reply', name('chat.replyTo'), { on: { click: () => doing.reply(message) } }) : null,
      openThread !== null && doing.may('use_threads') && message.threadId === null
        ? iconButton('thread', name('chat.threadOf'), { on: { click: () => openThread(message) } }) : null,
      isOwn && canSend && message.text !== null ? iconButton('edit', text('chat.edit'), { on: { click: () => doing.edit(message) } }) : null,
      isOwn || doing.may('manage_messages') ? iconButton('delete', name('chat.deleteOf'), { on: { click: () => void remove() } }) : null);
  }

  function failed() {
    const { message } = row;
    if (message.pending !== 'failed') return null;
    return h('p', { class: 'message__failed' }, message.problem === null ? '' : problemText(message.problem), ' ',
      h('button', { class: 'button', type: 'button', on: { click: () => app.chat?.retry(row.message) } }, text('chat.again')),
      h('button', { class: 'button button--quiet', type: 'button', on: { click: () => app.chat?.discard(row.message) } }, text('chat.discard')));
  }

  function thread() {
    const { message } = row;
    const { openThread } = doing;
    if (openThread === null) return null;
    if (message.threadId !== null) return h('p', { class: 'message__note' }, text('chat.inThread'));
    if (message.replyCount === 0) return null;
    return h('button', { class: 'button button--quiet message__thread', type: 'button', on: { click: () => openThread(row.message) } }, text('chat.answers', { count: message.replyCount }));
  }

  function draw() {
    const { message } = row;
    setData(element, { continued: row.isContinued, pending: message.pending, own: row.isOwn });
    replace(element, row.isContinued ? null : face(row.author),
      h('div', { class: 'message__body' },
        h('p', { class: `message__head${row.isContinued ? ' only-read' : ''}` }, h('span', { class: 'message__author' }, row.author), ' ',
          h('time', { class: 'message__time', datetime: message.createdAt, title: row.whole }, row.time)),
        row.quote === null ? null : h('blockquote', { class: 'message__quote' }, row.quote.author === '' ? null : h('strong', {}, row.quote.author, ' '), row.quote.words),
        row.note === '' ? h('p', { class: 'message__text' }, wordNodes(message.text ?? ''), message.isEdited ? h('span', { class: 'message__note' }, ' ', text('chat.edited')) : null)
          : h('p', { class: 'message__note' }, row.note),
        message.pending === 'sending' ? h('p', { class: 'message__note' }, text('chat.sending')) : null, failed(),
        row.reactions.length === 0 ? null : h('div', { class: 'message__reactions' }, row.reactions.map((one) => h('button', {
          class: 'reaction', type: 'button', disabled: !doing.may('add_reactions'), aria: { pressed: one.isOwn, label: text('chat.reaction', { emoji: one.emoji, names: one.names }) }, title: one.names,
          on: { click: () => void react(one.emoji) },
        }, `${one.emoji} ${one.count}`))),
        thread(), row.readBy === '' ? null : h('p', { class: 'message__note' }, row.readBy)),
      tools());
  }

  return {
    element,
    update(/** @type {MessageRow} */ next) {
      row = next;
      const all = JSON.stringify(next);
      // Drawn anew only if something is another: what is focused or being read stays.
      if (all === drawn) return;
      drawn = all;
      draw();
    },
  };
}

/** @param {string} words */
export function dayElement(words) {
  const heading = h('h2', { class: 'day' });
  return { element: heading, update: () => setText(heading, words) };
}
