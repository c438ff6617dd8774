// Answers without leaving the page; the form works without this file.
"use strict";

const form = document.getElementById("ask");
const result = document.getElementById("result");

function say(text) {
  document.getElementById("status").textContent = text;
}

function busy(on) {
  result.setAttribute("aria-busy", String(on));
  form.querySelector("button.main").setAttribute("aria-disabled", String(on));
}

async function answer() {
  const sent = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  const page = new DOMParser().parseFromString(await sent.text(), "text/html");
  const fresh = page.getElementById("result");
  if (!fresh) throw new Error("no result in the answer");
  const spoken = fresh.querySelector("#status").textContent;
  fresh.querySelector("#status").remove();
  // The live region itself must stay, or screen readers do not say what changes in it.
  const live = document.getElementById("status");
  result.replaceChildren(live, ...fresh.childNodes);
  document.title = page.title;
  say(spoken);
  result.focus({ preventScroll: true });
  result.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (result.getAttribute("aria-busy") === "true") return;
  busy(true);
  say("Reading…");
  answer()
    .catch(() => say("The server does not answer. Is it still running?"))
    .finally(() => busy(false));
});

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
