// The page of a PDF that a passage comes from, with the quoted words boxed.
import { make, say } from "./dom.js";

// The boxed words are what was asked for: scroll no further than they need, so that the marked text stays in sight too.
function reveal(card) {
  if (card.classList.contains("selected")) card.querySelector(".box")?.scrollIntoView({ block: "nearest" });
}

export async function showPage(card, address) {
  if (card.querySelector(".pdf-page")) {
    reveal(card);
    return;
  }
  const host = make("figure", { className: "pdf-page" });
  card.querySelector("blockquote")?.after(host);
  try {
    const answer = await fetch(address("boxes"));
    if (!answer.ok) throw new Error((await answer.json()).error);
    const page = await answer.json();
    const sheet = make("div", { className: "sheet", style: `aspect-ratio: ${page.width} / ${page.height}` },
      make("img", { src: address("picture"), alt: `${say("Page")} ${page.number}`, decoding: "async" }),
      ...page.boxes.map(([left, top, right, bottom]) => make("span", { className: "box", style:
        `left:${100 * left}%;top:${100 * top}%;width:${100 * (right - left)}%;height:${100 * (bottom - top)}%` })));
    host.append(sheet, make("figcaption", {}, `${say("Page")} ${page.number} / ${page.pages}`
      + (page.boxes.length ? "" : `: ${say("the quoted words could not be placed on it")}`)));
    reveal(card);
  } catch (error) {
    host.append(make("p", { className: "quiet" }, error.message));
  }
}
