// @ts-check
// From a route to its screen.

import { callScreen } from './call.js';
import { chatScreen } from './chat.js';
import { chatsScreen } from './chats.js';
import { historyScreen } from './history.js';
import { joinScreen } from './join.js';
import { missingScreen } from './missing.js';
import { peopleScreen } from './people.js';
import { readyScreen } from './ready.js';
import { settingsScreen } from './settings.js';
import { forgotScreen, resetScreen } from './reset.js';
import { loginScreen, registerScreen } from './welcome.js';

/**
 * @param {import('../app.js').App} app
 * @param {import('../router.js').Route} route
 * @returns {import('../app.js').Screen}
 */
export function screenFor(app, route) {
  switch (route.name) {
    case 'login': return loginScreen(app, route);
    case 'register': return registerScreen(app);
    case 'forgot': return forgotScreen(app);
    case 'reset': return resetScreen(app, route);
    case 'people': return peopleScreen(app);
    case 'chats': return chatsScreen(app);
    case 'chat': return chatScreen(app, route);
    case 'join': return joinScreen(app, route);
    case 'history': return historyScreen(app);
    case 'settings': return settingsScreen(app);
    case 'ready': return readyScreen(app, route);
    case 'call': return callScreen(app, route);
    case 'missing': return missingScreen();
  }
}
