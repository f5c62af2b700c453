// Before anything is drawn: the theme that was chosen on this device, or a white page would flash in the dark.
// No module, because modules wait for the page.
(function () {
  try {
    var theme = JSON.parse(localStorage.getItem('plexichat.preferences') || '{}').theme;
    if (theme === 'light' || theme === 'dark') document.documentElement.setAttribute('data-theme', theme);
  } catch (_) {
    // No storage, or not ours: the system's choice.
  }
})();
