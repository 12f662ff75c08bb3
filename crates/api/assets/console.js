// Fetches the live part of the page once a second. The page is complete without this script.
"use strict";
(() => {
  const live = document.getElementById("live");
  const state = document.getElementById("link-state");
  if (!live) return;
  const url = live.dataset.fragment;
  let shown = "";
  let lost = 0;

  const say = (text) => {
    if (!state) return;
    state.hidden = text === "";
    state.textContent = text;
  };

  const swap = (html) => {
    if (html === shown) return;
    // someone who marks text or holds a button keeps what they hold
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && live.contains(selection.anchorNode)) return;
    shown = html;
    const focused = document.activeElement;
    const id = focused && live.contains(focused) ? focused.id : "";
    live.innerHTML = html;
    if (id) document.getElementById(id)?.focus({ preventScroll: true });
  };

  const tick = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(5000) });
        if (answer.status === 401) return location.reload();
        if (!answer.ok) throw new Error(String(answer.status));
        swap(await answer.text());
        lost = 0;
        say("");
      } catch {
        lost += 1;
        if (lost > 2) say("no answer: numbers are old");
      }
    }
    setTimeout(tick, 1000);
  };
  setTimeout(tick, 1000);
})();
