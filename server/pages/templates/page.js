// Keeps an open page current: asks for it again and shows what is new. Without this the page is
// whole, but only as new as its last load.
"use strict";
(() => {
  const every = 10_000;
  const announcer = document.getElementById("announcer");
  const lost = document.getElementById("lost");

  const keyOf = (element) =>
    element && (element.id ? `#${CSS.escape(element.id)}`
      : element.matches("a[href]") ? `a[href="${CSS.escape(element.getAttribute("href"))}"]` : null);

  function show(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const before = document.querySelector("main");
    const after = fresh.querySelector("main");
    if (!after) throw new Error("this is not the page");
    for (const open of before.querySelectorAll("details[open]")) {
      const same = open.id && fresh.getElementById(open.id);
      if (same) same.open = true;
    }
    const focused = before.contains(document.activeElement) ? keyOf(document.activeElement) : null;
    const headline = (root) => root.querySelector("h1").textContent.trim();
    if (headline(before) !== headline(after)) announcer.textContent = headline(after);
    before.replaceWith(document.adoptNode(after));
    if (focused) document.querySelector(focused)?.focus({ preventScroll: true });
    document.title = fresh.title;
    const icon = fresh.querySelector("link[rel=icon]");
    if (icon) document.querySelector("link[rel=icon]").href = icon.href;
  }

  // Also in a tab that is not looked at.
  function showLost() {
    if (lost.hidden === false) return;
    lost.hidden = false;
    document.title = `No answer · ${document.title}`;
    document.querySelector("link[rel=icon]").href = lost.dataset.icon;
  }

  async function look() {
    if (document.hidden || !document.getSelection().isCollapsed) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(every) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      show(await answer.text());
      lost.hidden = true;
    } catch {
      showLost();
    }
  }

  setInterval(look, every);
  document.addEventListener("visibilitychange", look);
})();
