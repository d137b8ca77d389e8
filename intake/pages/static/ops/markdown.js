// The runbook's text as elements. Owns the few forms of Markdown that it is written in; anything else is shown as it stands.

import { h } from "./dom.js";

/** How a heading is named in addresses. */
export const slug = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-");

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)]+)\)/;

function inline(text, link) {
  const made = [];
  for (let rest = text; rest; ) {
    const match = INLINE.exec(rest);
    if (!match) return [...made, rest];
    const [whole, code, strong, emphasis, words, target] = match;
    made.push(rest.slice(0, match.index));
    if (code) made.push(h("code", {}, code));
    else if (strong) made.push(h("strong", {}, inline(strong, link)));
    else if (emphasis) made.push(h("em", {}, inline(emphasis, link)));
    else made.push(link(inline(words, link), target));
    rest = rest.slice(match.index + whole.length);
  }
  return made;
}

const cells = (line) => line.replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

const BLOCKS = [
  [/^```/, (lines) => {
    lines.shift();
    const code = [];
    while (lines.length && !lines[0].startsWith("```")) code.push(lines.shift());
    lines.shift();
    return h("pre", { tabindex: "0" }, h("code", {}, code.join("\n")));
  }],
  [/^#+ /, (lines, link) => {
    const [, marks, text] = /^(#+) (.*)$/.exec(lines.shift());
    return h(`h${Math.min(marks.length, 4)}`, { id: slug(text) }, inline(text, link));
  }],
  [/^\|/, (lines, link) => {
    const rows = [];
    while (lines[0]?.startsWith("|")) rows.push(cells(lines.shift()));
    const [head, , ...body] = rows;
    return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": head.join(", ") }, h("table", {},
      h("thead", {}, h("tr", {}, head.map((cell) => h("th", { scope: "col" }, inline(cell, link))))),
      h("tbody", {}, body.map((row) => h("tr", {}, row.map((cell) => h("td", {}, inline(cell, link))))))));
  }],
  [/^(-|\d+\.) /, (lines, link) => {
    const isOrdered = /^\d/.test(lines[0]);
    const items = [];
    while (lines.length && /^((-|\d+\.) |\s+\S)/.test(lines[0])) {
      const line = lines.shift();
      if (/^(-|\d+\.) /.test(line)) items.push(line.replace(/^(-|\d+\.) /, ""));
      else items[items.length - 1] += ` ${line.trim()}`;
    }
    return h(isOrdered ? "ol" : "ul", {}, items.map((item) => h("li", {}, inline(item, link))));
  }],
];

/** Turn a text into elements; `link` makes one of words and of where they lead. */
export function elements(text, link) {
  const lines = text.split("\n");
  const made = [];
  while (lines.length) {
    if (!lines[0].trim()) {
      lines.shift();
      continue;
    }
    const block = BLOCKS.find(([begin]) => begin.test(lines[0]));
    if (block) {
      made.push(block[1](lines, link));
      continue;
    }
    const said = [];
    while (lines.length && lines[0].trim() && !BLOCKS.some(([begin]) => begin.test(lines[0]))) said.push(lines.shift());
    made.push(h("p", {}, inline(said.join(" "), link)));
  }
  return made;
}

/** The part of a text that stands under a heading, with it; null if there is none. */
export function sectionOf(text, name) {
  const lines = text.split("\n");
  let isCode = false;
  const heads = lines.map((line) => {
    if (line.startsWith("```")) isCode = !isCode;
    return isCode ? null : /^(#+) (.*)$/.exec(line);
  });
  const from = heads.findIndex((head) => head && slug(head[2]) === name);
  if (from < 0) return null;
  const until = heads.findIndex((head, at) => at > from && head && head[1].length <= heads[from][1].length);
  return lines.slice(from, until < 0 ? undefined : until).join("\n");
}
