// Holds one annotation, outside the page's thread.
import { flag, type Annotation, type Answer, type Question, type Selection } from "./annotation";
import { Document } from "./read";

let document: Document | undefined;

async function open(url: string): Promise<Annotation> {
  let text: string;
  try {
    const answer = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    text = await answer.text();
  } catch (error) {
    // A storage on another host that refuses an expired link may do so without leave to read its answer: both look the same from here.
    throw Object.assign(new Error(`The storage does not give the file (${error instanceof Error ? error.message : String(error)}).`), { unavailable: true });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error("The file with the annotation is damaged: it is not JSON.");
  }
  document = new Document(parsed);
  return document.annotation;
}

const collator = new Intl.Collator("en", { numeric: true });

function select(doc: Document, s: Selection): Int32Array {
  const { features } = doc.annotation;
  const words = s.text.normalize("NFC").toLowerCase().split(/\s+/).filter((w) => w !== "");
  const kind = features.kinds.indexOf(s.kind);
  const wanted = s.kind === "hypothetical" ? flag.hypothetical : s.kind === "pseudogene" ? flag.pseudogene : 0;
  const found: number[] = [];
  for (let i = 0; i < features.count; i++) {
    if (s.sequence !== -1 && features.sequence[i] !== s.sequence) continue;
    if (wanted !== 0 ? (features.flags[i]! & wanted) === 0 : s.kind !== "" && features.kind[i] !== kind) continue;
    if (words.every((w) => doc.words[i]!.includes(w))) found.push(i);
  }
  const way = s.descending ? -1 : 1;
  switch (s.sort) {
    case "position":
      if (s.descending) found.reverse();
      break;
    case "length":
      found.sort((a, b) => way * (features.length[a]! - features.length[b]!) || a - b);
      break;
    case "kind":
      found.sort((a, b) => way * collator.compare(features.kinds[features.kind[a]!]!, features.kinds[features.kind[b]!]!) || a - b);
      break;
    default: {
      const column = features[s.sort];
      // What has no such name comes last, in both directions.
      found.sort((a, b) => {
        const [x, y] = [column[a]!, column[b]!];
        if (x === "" || y === "") return (x === "" ? 1 : 0) - (y === "" ? 1 : 0) || a - b;
        return way * collator.compare(x, y) || a - b;
      });
    }
  }
  return Int32Array.from(found);
}

function opened(): Document {
  if (document === undefined) throw new Error("There is no annotation yet.");
  return document;
}

async function answer(question: Question): Promise<unknown> {
  switch (question.call) {
    case "open":
      return open(question.ask);
    case "select":
      return select(opened(), question.ask);
    case "detail":
      return opened().detail(question.ask);
  }
}

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  answer(data).then(
    (result) => postMessage({ id: data.id, answer: result } satisfies Answer),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      postMessage({ id: data.id, error: message, unavailable: (error as { unavailable?: boolean }).unavailable === true } satisfies Answer);
    },
  );
});
