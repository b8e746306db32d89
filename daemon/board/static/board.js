// Fetches the page again whenever the board says that something changed, and puts in the parts that differ.
// Without it the page reloads by itself every ten seconds.
"use strict";
(() => {
  const of = document.body.dataset.events;
  if (!of) return;
  const stale = document.getElementById("stale");
  const said = document.getElementById("said");
  const SILENCE = 30000; // the board says at least every ten seconds that it lives
  let shownAt = new Date();
  let lastHeard = Date.now();
  let busy = false;
  let again = false;

  function lost() {
    if (!stale.hidden) return;
    document.getElementById("stale-at").textContent = shownAt.toLocaleTimeString();
    stale.hidden = false;
  }

  function announce(before, after) {
    const known = new Map([...before.querySelectorAll("[data-said]")].map((e) => [e.dataset.said, true]));
    return [...after.querySelectorAll("[data-said]")].map((e) => e.dataset.said).filter((text) => !known.has(text));
  }

  function put(fresh) {
    const news = [];
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (!other || other.innerHTML === part.innerHTML) continue;
      news.push(...announce(part, other));
      const focused = part.contains(document.activeElement) ? document.activeElement : null;
      const link = focused && focused.getAttribute("href");
      const scrolled = [...part.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
      part.innerHTML = other.innerHTML;
      part.querySelectorAll(".scroll").forEach((e, number) => { e.scrollLeft = scrolled[number] || 0; });
      const target = link && [...part.querySelectorAll("a")].find((e) => e.getAttribute("href") === link);
      if (target) target.focus({ preventScroll: true });
    }
    if (news.length) said.textContent = news.join(". ");
  }

  async function fetchAgain() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (!answer.ok) throw new Error(answer.status);
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      shownAt = new Date();
      stale.hidden = true;
    } catch (error) {
      lost();
    } finally {
      busy = false;
      if (again) { again = false; fetchAgain(); }
    }
  }

  const source = new EventSource("/events?of=" + of);
  source.onmessage = () => { lastHeard = Date.now(); fetchAgain(); };
  source.addEventListener("alive", () => { lastHeard = Date.now(); if (!stale.hidden) fetchAgain(); });
  source.onerror = lost;
  setInterval(() => { if (Date.now() - lastHeard > SILENCE) lost(); }, 5000);
})();
