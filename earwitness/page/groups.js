// The newest samples: a clip to listen to beside the reasoning, each claim underlined with its verdict.
"use strict";

const CARDS = 12;
let newest = [];

const FILTERS = {
  "": () => true,
  right: (s) => s.correct,
  wrong: (s) => !s.correct,
  contradicted: (s) => s.contradicted > 0,
  surrogate: (s) => s.surrogate,
};

const showsSamples = (id) => newest.length > 0 && newest[0].run.split("/")[0] === id;
const few = () => newest.reduce((count, group) => count + group.samples.length, 0) < CARDS;
const listening = () => [...document.querySelectorAll(".sample audio")].some((audio) => !audio.paused);

async function loadGroups(id) {
  const found = await ask(`/api/groups/${encodeURIComponent(id)}`);
  if (showsSamples(id) && listening()) return;
  newest = found;
  of("samples").hidden = !newest.length;
  const kinds = ["", ...new Set(newest.map((group) => group.kind).filter(Boolean))].sort(), chosen = of("kind").value;
  of("kind").replaceChildren(...kinds.map((kind) => { const made = element("option", kind.replaceAll("_", " ") || "all kinds"); made.value = kind; return made; }));
  of("kind").value = kinds.includes(chosen) ? chosen : "";
  drawGroups();
}

function drawGroups() {
  const filter = FILTERS[of("filter").value], kind = of("kind").value;
  const found = newest.flatMap((group) => group.samples.map((sample) => ({ group, sample })))
    .filter(({ group, sample }) => filter(sample) && (!kind || group.kind === kind));
  if (of("order").value) found.sort((a, b) => b.sample.tokens - a.sample.tokens);
  else {
    // One of each group first, so that a dozen cards are not one question.
    const place = new Map(), rank = found.map((entry) => { const n = place.get(entry.group) ?? 0; place.set(entry.group, n + 1); return n; });
    found.forEach((entry, i) => { entry.rank = rank[i]; });
    found.sort((a, b) => a.rank - b.rank);
  }
  of("cards").replaceChildren(...found.slice(0, CARDS).map(card));
}

function card({ group, sample }) {
  const made = element("article", undefined, "card sample");
  made.append(element("p", `${group.kind.replaceAll("_", " ")} · ordinal ${group.ordinal} · version ${sample.version} · ${sample.tokens} tokens · ${group.worker}`, "kind"));
  if (group.clip) {
    const audio = element("audio");
    audio.controls = true;
    audio.preload = "none";
    audio.src = `/api/clip/${encodeURIComponent(group.run)}/${group.ordinal}`;
    made.append(audio);
  }
  made.append(element("p", `${group.question} ${group.choices.join(" / ")}`, "question"));
  const said = element("p", undefined, "said");
  for (const piece of sample.said) {
    if (!piece.verdict) said.append(piece.text);
    else {
      const mark = element("mark", piece.text, piece.verdict);
      mark.title = piece.measured ? `${piece.verdict}; measured: ${piece.measured}` : piece.verdict;
      said.append(mark);
    }
  }
  made.append(said);
  const verdict = element("p", `${sample.answer || "no answer"}: ${sample.correct ? "right" : `wrong, ${group.answer} is right`}, reward ${shorten(sample.reward)}`, sample.correct ? "right" : "wrong");
  made.append(verdict, element("p", `${sample.supported} claims supported, ${sample.contradicted} contradicted${sample.surrogate ? ", guesses from the words" : ""}`, "kind"));
  return made;
}

for (const id of ["filter", "kind", "order"]) of(id).addEventListener("change", drawGroups);
of("more").addEventListener("click", () => { if (shown) loadGroups(shown); });
