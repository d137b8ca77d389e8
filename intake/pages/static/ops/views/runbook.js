// What to do, by alert or symptom: the runbook that came with this version. Owns that view.

import { getText } from "../api.js";
import { fill, h } from "../dom.js";
import { elements, sectionOf } from "../markdown.js";
import { T } from "../texts.js";

const R = T.runbook;

// Within the runbook a link leads on; what stands in other documents is named by its words.
function link(words, target) {
  const [file, name] = target.split("#");
  if (["", "runbook.md", "symptoms.md"].includes(file) && name) return h("a", { href: `#/runbook/${encodeURIComponent(name)}` }, words);
  return h("span", {}, words, file.includes("/") ? "" : ` (docs/${target})`);
}

async function show({ root, params, signal }) {
  const text = await getText("/ops/runbook", { signal });
  const section = params.section ? sectionOf(text, params.section) : text;
  const shown = section === null ? [h("h1", {}, R.title), h("p", { class: "notice" }, R.missing(params.section))] : elements(section, link);
  const [first, ...rest] = shown;
  const head = first.tagName === "H1" ? first : h("h1", { id: first.id }, ...first.childNodes);
  fill(root, head, h("div", { class: "prose" }, rest), params.section && h("p", {}, h("a", { href: "#/runbook" }, R.whole)));
}

export const runbook = { path: "/runbook", menu: "runbook", title: () => R.title, show };
export const runbookSection = { path: "/runbook/:section", under: "runbook", title: ({ section }) => `${section}, ${R.title.toLowerCase()}`, show };
