"use strict";
// The arrow keys go to the next and the previous entry from the one with the focus, or else from where the page is.
document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const entries = [...document.querySelectorAll("article")];
  let at = entries.indexOf(document.activeElement.closest("article"));
  // Without a focus: the last entry that begins above the middle of the window, none at the top of the page.
  if (at < 0) at = entries.findLastIndex((entry) => entry.getBoundingClientRect().top < innerHeight / 2);
  const entry = entries[Math.max(0, at + step)];
  if (!entry) return;
  event.preventDefault();
  entry.focus({ preventScroll: true });
  entry.scrollIntoView();
});
