// The theme is set before anything is drawn: light, dark, or what the system says. main.js wires its button.
"use strict";
{
  const order = ["auto", "light", "dark"];
  const read = () => {
    try { return localStorage.getItem("fovea-theme") || "auto"; } catch { return "auto"; }
  };
  const apply = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  apply(read());
  window.foveaTheme = {
    read,
    next() {
      const theme = order[(order.indexOf(read()) + 1) % order.length];
      try { localStorage.setItem("fovea-theme", theme); } catch { /* it lasts as long as the page */ }
      apply(theme);
      return theme;
    },
  };
}
