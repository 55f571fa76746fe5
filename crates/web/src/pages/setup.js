// Puts the secret from the address's fragment into the form, takes it out of the address, and sends the form as
// JSON. It shows answers as text only and keeps nothing.
"use strict";

const byId = (id) => document.getElementById(id);
const form = byId("setup");
const message = byId("message");

const fragment = window.location.hash.slice(1);
if (fragment.startsWith("cdu_")) {
  byId("secret").value = fragment;
  window.history.replaceState(null, "", window.location.pathname);
  byId("org").focus();
}

function show(answer) {
  for (const [name, value] of Object.entries(answer)) {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = String(value);
    byId("answer").append(term, text);
  }
  form.hidden = true;
  byId("done").hidden = false;
}

async function send() {
  const fields = Object.fromEntries(new FormData(form).entries());
  const filled = Object.entries(fields).filter(([, value]) => value !== "");
  const response = await fetch("/api/v1/setup", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(Object.fromEntries(filled)),
    credentials: "omit",
    redirect: "error",
  });
  const answer = await response.json();
  if (response.ok) {
    message.textContent = "";
    show(answer);
  } else {
    message.textContent = `Refused: ${answer.detail} (request ${answer.request_id})`;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  message.textContent = "One moment …";
  send().catch(() => {
    message.textContent = "The server did not answer; try again.";
  });
});
