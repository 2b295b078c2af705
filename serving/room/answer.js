// The answer on the page: words, reasoning and claims, and the plots over which claims stand.

import { Plots } from "./draw.js";

const VERDICTS = { supported: "✓ supported", contradicted: "✗ contradicted", not_checkable: "? not checkable" };
export const part = (id) => document.getElementById(id);
export const plots = new Plots(part("mel"), part("pitch"), part("level"));

export function say(id, words) {
  part(id).textContent = words;
}

/** An answer of which nothing has come, and a page without one. */
export function empty() {
  const answer = { reasoning: "", words: "", claims: new Map() };
  show(answer);
  say("share", "");
  return answer;
}

export function sum({ error, supported, contradicted, coverage }) {
  if (error) return say("share", `not checked: ${error}`);
  const decided = supported + contradicted;
  const covers = coverage === null ? "" : `; ${Math.round(100 * coverage)} % of what is said of the sound can be checked`;
  return say("share", decided ? `${supported} of ${decided} checkable claims supported${covers}` : "nothing to check");
}

export function show({ reasoning, words, claims }) {
  if (part("answer").textContent !== words) say("answer", words);
  const standing = [...claims.values()].filter(({ verdict }) => verdict in VERDICTS);
  const pieces = [];
  let place = 0;
  for (const claim of [...standing].sort((one, other) => one.start - other.start)) {
    if (claim.start < place || claim.end > reasoning.length) continue; // within one that is marked already
    pieces.push(reasoning.slice(place, claim.start), marked(claim, reasoning.slice(claim.start, claim.end)));
    place = claim.end;
  }
  part("reasoning").replaceChildren(...pieces, reasoning.slice(place));
  const shown = JSON.stringify(standing);
  if (part("claims").dataset.shown !== shown) {
    part("claims").dataset.shown = shown;
    part("claims").replaceChildren(...standing.map(listed));
    plots.claims = standing;
    plots.draw();
  }
}

function marked(claim, words) {
  const mark = Object.assign(document.createElement("mark"), { className: claim.verdict, textContent: words });
  mark.title = `${VERDICTS[claim.verdict]}, measured: ${claim.measured}`;
  return pointed(mark, claim.index);
}

function listed(claim) {
  const item = Object.assign(document.createElement("li"), { className: claim.verdict, tabIndex: 0 });
  const verdict = Object.assign(document.createElement("span"), { className: "verdict", textContent: VERDICTS[claim.verdict] });
  const time = `${claim.from_seconds.toFixed(2)} to ${claim.to_seconds.toFixed(2)} s`;
  item.append(verdict, `: “${claim.text}”, measured: ${claim.measured} (${time})`);
  return pointed(item, claim.index);
}

/** What is pointed at, or has the focus, is lit in the reasoning, in the list and in the plots. */
function pointed(element, index) {
  element.dataset.claim = index;
  for (const kind of ["mouseenter", "focus"]) element.addEventListener(kind, () => light(index));
  for (const kind of ["mouseleave", "blur"]) element.addEventListener(kind, () => light(null));
  return element;
}

function light(index) {
  for (const element of document.querySelectorAll("[data-claim]")) {
    element.classList.toggle("near", index !== null && element.dataset.claim === String(index));
  }
  plots.near = index;
  plots.draw();
}
