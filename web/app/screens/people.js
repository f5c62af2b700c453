// @ts-check
// The people of the server, with presence; calls to one, or to several at once.

import { h, icon, keyed, replace, setData, setText } from '../dom.js';
import { nameList } from '../format.js';
import { emptyNote, face, iconButton, notice, waitingNote } from '../parts.js';
import { presenceText, sortPeople } from '../people.js';
import { problemText } from '../problems.js';
import { formatRoute, peopleMax } from '../router.js';
import { text } from '../text.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../../api/answers.js').User} User */

/** A search begins when somebody has stopped typing for so long. */
const patience = 250;
const pageSize = 50;
/** Calls that are on are looked at this often, for who joins from another device. */
const activeRefresh = 30_000;

/** @param {App} app @returns {import('../app.js').Screen} */
export function peopleScreen(app) {
  /** @type {User[]} */
  let users = [];
  /** @type {Map<string, User>} */
  const chosen = new Map();
  let search = '';
  let page = 1;
  let hasMore = false;
  /** The newest question; answers to older ones are dropped. */
  let question = 0;
  let isOpen = true;
  let isLoaded = false;
  /** @type {import('../../api/answers.js').CallRecord[]} */
  let calls = [];
  /** @type {ReturnType<typeof setTimeout> | null} */
  let typing = null;

  const status = h('p', { class: 'only-read', role: 'status' });
  const list = h('ul', { class: 'rows', role: 'list', aria: { label: text('people.list') } });
  const place = h('div', {});
  const more = h('button', { class: 'button', type: 'button', hidden: true, on: { click: () => load(page + 1) } }, text('people.more'));
  const active = h('div', {});
  const bar = chosenBar();
  const input = h('input', {
    class: 'input', type: 'search', id: 'people-search', placeholder: text('people.search'), autocomplete: 'off',
    spellcheck: false,
    on: {
      input() {
        if (typing !== null) clearTimeout(typing);
        typing = setTimeout(() => {
          search = input.value;
          void load(1);
        }, patience);
      },
    },
  });
  const element = h('div', { class: 'stack' },
    h('h1', { tabindex: '-1' }, text('people.title')), active,
    h('div', { class: 'search', role: 'search' }, h('label', { class: 'only-read', htmlFor: 'people-search' }, text('people.search')), icon('search'), input),
    status, place, more, bar.element);

  const presence = app.presence.watch(() => users.map((user) => user.id), draw);

  async function load(/** @type {number} */ wanted) {
    const mine = (question += 1);
    if (users.length === 0) replace(place, waitingNote('app.loading'));
    const answer = await app.api.users({ search, page: wanted, size: pageSize });
    if (!isOpen || mine !== question) return;
    if (!answer.ok) {
      const again = h('button', { class: 'button', type: 'button', on: { click: () => load(wanted) } }, text('app.retry'));
      replace(place, notice('error', problemText(answer.problem), again));
      return;
    }
    isLoaded = true;
    app.directory.learn(answer.value.users);
    users = wanted === 1 ? answer.value.users : [...users, ...answer.value.users];
    page = wanted;
    hasMore = answer.value.hasMore;
    app.line?.watch(users.map((user) => user.id));
    draw();
    setText(status, text('people.found', { count: sortPeople(users, app.presence.known, app.self).length }));
    presence.look();
  }

  function draw() {
    // Presence may be told before there is anybody to tell it of.
    if (!isLoaded) return;
    const shown = sortPeople(users, app.presence.known, app.self);
    more.hidden = !hasMore;
    if (shown.length === 0) {
      const isSearch = search.trim() !== '';
      replace(place, isSearch
        ? emptyNote('search', 'people.notFound.title', 'people.notFound.text')
        : emptyNote('people', 'people.none.title', 'people.none.text'));
    } else if (!list.isConnected) {
      replace(place, list);
    }
    keyed(list, shown, (user) => user.id, personRow);
  }

  /** @param {User} first */
  function personRow(first) {
    let user = first;
    const dot = h('span', { class: 'presence' });
    const picture = face(user.displayName);
    picture.append(dot);
    const name = h('span', { class: 'row__name' });
    const note = h('span', { class: 'row__note' });
    const box = h('input', {
      class: 'choice__box', type: 'checkbox', aria: { label: text('people.select', { name: user.displayName }) },
      on: {
        change() {
          if (box.checked && chosen.size < peopleMax) chosen.set(user.id, user);
          else chosen.delete(user.id);
          box.checked = chosen.has(user.id);
          bar.update();
        },
      },
    });
    const call = (/** @type {'audio' | 'video'} */ kind) => () => app.navigate({ name: 'ready', people: [user.id], kind });
    const element = h('li', { class: 'row' }, box, picture, h('div', { class: 'row__words' }, name, note),
      h('div', { class: 'row__tools' },
        iconButton('chat', text('people.write', { name: user.displayName }), { on: { click: () => void write(user.id) } }),
        iconButton('call', text('people.callAudio', { name: user.displayName }), { on: { click: call('audio') } }),
        iconButton('camera', text('people.callVideo', { name: user.displayName }), { on: { click: call('video') } })));
    return {
      element,
      update(/** @type {User} */ next) {
        user = next;
        const known = app.presence.known.get(user.id);
        setData(dot, { status: known?.status ?? 'offline' });
        setText(name, user.displayName);
        setText(note, `@${user.username} · ${presenceText(known, new Date(app.now()))}`);
        box.checked = chosen.has(user.id);
      },
    };
  }

  async function write(/** @type {string} */ userId) {
    const answer = await app.chat?.rest.direct(userId);
    if (!isOpen || answer === undefined) return;
    if (!answer.ok) return app.announce.show(problemText(answer.problem), 'error');
    app.chat?.learn(answer.value);
    app.navigate({ name: 'chat', id: answer.value.id });
  }

  /** Who is selected stays so while somebody searches for the next. */
  function chosenBar() {
    const words = h('p', { role: 'status' });
    const call = (/** @type {'audio' | 'video'} */ kind) => () => app.navigate({ name: 'ready', people: [...chosen.keys()], kind });
    const clear = () => {
      chosen.clear();
      draw();
      update();
      input.focus();
    };
    const tools = h('div', { class: 'chosen__tools' },
      h('button', { class: 'button button--quiet', type: 'button', on: { click: clear } }, text('people.clear')),
      h('button', { class: 'button', type: 'button', on: { click: call('audio') } }, icon('call'), text('people.callChosenAudio')),
      h('button', { class: 'button button--primary', type: 'button', on: { click: call('video') } }, icon('camera'), text('people.callChosenVideo')));
    const element = h('section', { class: 'chosen', hidden: true, aria: { label: text('people.chosenCalls') } }, words, tools);
    function update() {
      element.hidden = chosen.size === 0;
      const names = nameList([...chosen.values()].map((user) => user.displayName));
      setText(words, text('people.chosen', { count: chosen.size, names }));
    }
    return { element, update };
  }

  async function lookForCalls() {
    const answer = await app.api.activeCalls();
    if (!isOpen || !answer.ok) return;
    // What rings for us is the incoming dialog's; here stand calls that were joined, on this device or another.
    calls = answer.value.filter((call) => call.status === 'ongoing');
    drawCalls();
  }

  function drawCalls() {
    if (calls.length === 0) {
      replace(active);
      return;
    }
    const rows = calls.map((call) => {
      const names = call.participants.filter((one) => one.userId !== app.self).map((one) => app.directory.nameOf(one.userId));
      const title = text('people.joinCall', { names: nameList(names) });
      return h('li', { class: 'row' }, icon('call'), h('span', { class: 'row__words row__name' }, title),
        h('a', { class: 'button button--primary', href: formatRoute({ name: 'call', id: call.id }), aria: { label: `${text('people.rejoin')}: ${title}` } }, text('people.rejoin')));
    });
    replace(active, h('section', { class: 'stack stack--tight' }, h('h2', {}, text('people.inCalls')), h('ul', { class: 'rows', role: 'list' }, rows)));
  }

  const activeTimer = setInterval(() => void lookForCalls(), activeRefresh);
  const unwatch = app.store.watch((state) => state.names, drawCalls);
  void lookForCalls();
  void load(1);
  return {
    title: text('people.title'), element,
    close() {
      isOpen = false;
      unwatch();
      presence.close();
      clearInterval(activeTimer);
      if (typing !== null) clearTimeout(typing);
    },
  };
}
