// @ts-check
// Conversations, the newest first; what can be found in them; new ones.

import { lineOf, messageRow } from '../chat/view.js';
import { wordNodes } from '../chat/message.js';
import { openDialog } from '../dialog.js';
import { h, icon, keyed, replace, setData, setText } from '../dom.js';
import { form } from '../form.js';
import { emptyNote, face, field, notice, segments, toggle, waitingNote } from '../parts.js';
import { problemText } from '../problems.js';
import { formatRoute } from '../router.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../chat/types.js').Conversation} Conversation */

/** A search begins when somebody has stopped typing for so long. */
const patience = 300;

/** @param {App} app @returns {import('../app.js').Screen} */
export function chatsScreen(app) {
  let isOpen = true;
  /** The newest question; answers to older ones are dropped. */
  let question = 0;
  /** @type {ReturnType<typeof setTimeout> | null} */
  let typing = null;
  const list = h('ul', { class: 'rows', role: 'list', aria: { label: text('chats.list') } });
  const place = h('div', {}, waitingNote('app.loading'));
  const found = h('section', { class: 'stack stack--tight', hidden: true, aria: { label: text('chats.found') } });
  const status = h('p', { class: 'only-read', role: 'status' });
  const input = h('input', {
    class: 'input', type: 'search', id: 'chat-search', placeholder: text('chats.search'), autocomplete: 'off',
    on: {
      input() {
        if (typing !== null) clearTimeout(typing);
        typing = setTimeout(() => void search(input.value.trim()), patience);
      },
    },
  });
  const begin = h('button', { class: 'button button--primary', type: 'button', on: { click: () => newChannel(app) } }, icon('plus'), text('chats.new'));
  const browse = h('button', { class: 'button', type: 'button', on: { click: () => browseChannels(app) } }, text('chats.browse'));
  const element = h('div', { class: 'stack' },
    h('div', { class: 'bar' }, h('h1', { tabindex: '-1' }, text('chats.title')), h('div', { class: 'row__tools' }, browse, begin)),
    h('div', { class: 'search', role: 'search' }, h('label', { class: 'only-read', htmlFor: 'chat-search' }, text('chats.search')), icon('search'), input),
    status, found, place);

  function draw() {
    const { chat } = app.store.get();
    if (chat === null || (!chat.isListed && chat.problem === null)) return;
    if (chat.problem !== null) return replace(place, notice('error', problemText(chat.problem)));
    if (chat.conversations.length === 0) replace(place, emptyNote('chat', 'chats.none.title', 'chats.none.text'));
    else if (!list.isConnected) replace(place, list);
    keyed(list, chat.conversations, (one) => one.id, row);
  }

  /** @param {Conversation} first */
  function row(first) {
    const [name, note, when, badge] = [h('span', { class: 'row__name' }), h('span', { class: 'row__note' }), h('span', { class: 'row__note' }), h('span', {})];
    const picture = h('span', {});
    const link = h('a', { class: 'row__words chats__link', href: formatRoute({ name: 'chat', id: first.id }) }, name, note);
    let shown = '';
    return {
      element: h('li', { class: 'row' }, picture, link, when, badge),
      update(/** @type {Conversation} */ conversation) {
        const line = lineOf(conversation, app.eyes);
        if (shown !== line.title) replace(picture, line.isDirect ? face(line.title) : icon('chat'));
        shown = line.title;
        setText(name, line.title);
        setText(note, line.line);
        setText(when, line.when);
        setData(link, { unread: line.unread > 0 });
        replace(badge, line.unread === 0 ? null : [h('span', { class: 'badge', aria: { hidden: true } }, line.unread), h('span', { class: 'only-read' }, text('chats.unread', { count: line.unread }))]);
      },
    };
  }

  async function search(/** @type {string} */ words) {
    const mine = (question += 1);
    found.hidden = words === '';
    place.hidden = words !== '';
    if (words === '' || app.chat === null) return;
    const answer = await app.chat.rest.search(words);
    if (!isOpen || mine !== question) return;
    if (!answer.ok) return replace(found, notice('error', problemText(answer.problem)));
    setText(status, text('chats.foundCount', { count: answer.value.total }));
    const names = new Map((app.store.get().chat?.conversations ?? []).map((one) => [one.id, one.title]));
    replace(found, answer.value.items.length === 0 ? emptyNote('search', 'chats.notFound.title', 'chats.notFound.text')
      : h('ul', { class: 'rows', role: 'list' }, answer.value.items.map(({ message, terms }) => {
        const shown = messageRow(message, false, new Map(), '', app.eyes);
        return h('li', { class: 'row' }, h('div', { class: 'row__words' },
          h('a', { class: 'row__name', href: formatRoute({ name: 'chat', id: message.conversationId }) }, `${names.get(message.conversationId) ?? text('chats.untitled')} · ${shown.author} · ${shown.whole}`),
          h('p', { class: 'message__text' }, wordNodes(message.text ?? shown.note, terms))));
      })));
  }

  const unwatch = [app.store.watch((state) => state.chat, draw), app.store.watch((state) => state.names, draw)];
  return {
    title: text('chats.title'), element,
    close() {
      isOpen = false;
      for (const end of unwatch) end();
      if (typing !== null) clearTimeout(typing);
    },
  };
}

/** @param {App} app */
function newChannel(app) {
  /** @type {'private' | 'public'} */
  let visibility = 'private';
  let isSealed = false;
  const name = field({ label: text('chats.new.name'), input: { maxLength: 100, autocomplete: 'off' } });
  const who = segments({
    label: text('chats.new.who'), value: visibility, onChange: (value) => { visibility = value === 'public' ? 'public' : 'private'; },
    options: [{ value: 'private', label: text('chats.new.private') }, { value: 'public', label: text('chats.new.public') }],
  });
  const seal = app.chat?.sealer ? toggle({ label: text('seal.on'), hint: text('seal.on.hint'), isOn: false, onChange: (on) => { isSealed = on; } }).element : null;
  const dialog = openDialog({
    title: text('chats.new'), content: [form({
      fields: [{ name: 'name', part: name, rules: { required: true } }], more: [who, seal], submit: text('chats.new.submit'),
      async onSubmit({ name: words }) {
        const answer = await app.chat?.rest.createChannel({ name: words.trim(), visibility, isSealed });
        if (answer === undefined) return null;
        if (!answer.ok) return problemText(answer.problem);
        dialog.close();
        app.chat?.learn(answer.value);
        app.navigate({ name: 'chat', id: answer.value.id });
        return null;
      },
    })],
  });
}

/** Public channels that one is not in. @param {App} app */
function browseChannels(app) {
  const place = h('div', {}, waitingNote('app.loading'));
  const dialog = openDialog({ title: text('chats.browse'), content: [place] });
  const join = async (/** @type {Conversation} */ channel) => {
    const answer = await app.chat?.rest.join(channel.id);
    if (answer === undefined) return;
    if (!answer.ok) return replace(place, notice('error', problemText(answer.problem)));
    dialog.close();
    app.chat?.learn(answer.value);
    app.navigate({ name: 'chat', id: channel.id });
  };
  void (async () => {
    const answer = await app.chat?.rest.findChannels();
    if (answer === undefined) return;
    if (!answer.ok) return replace(place, notice('error', problemText(answer.problem)));
    const others = answer.value.items.filter((one) => one.role === null && one.visibility === 'public');
    replace(place, others.length === 0 ? h('p', {}, text('chats.browse.none')) : h('ul', { class: 'rows', role: 'list' }, others.map((one) =>
      h('li', { class: 'row' }, h('div', { class: 'row__words' }, h('span', { class: 'row__name' }, one.title), h('span', { class: 'row__note' }, text('side.count', { count: one.memberCount }))),
        h('button', { class: 'button', type: 'button', aria: { label: text('chats.joinOf', { name: one.title }) }, on: { click: () => void join(one) } }, text('chats.join'))))));
  })();
}
