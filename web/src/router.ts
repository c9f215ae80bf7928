// The route is in the URL's fragment, which browsers never send: it may hold a job's secret.
import { computed, signal } from "@preact/signals";

/** Where the page is. */
export type Route =
  | { view: "new" }
  | { view: "jobs" }
  | { view: "job"; id: string; secret: string; part: string }
  | { view: "unknown" };

const fragment = signal(location.hash);
addEventListener("hashchange", () => {
  fragment.value = location.hash;
});

/** The present route. */
export const route = computed<Route>(() => parse(fragment.value));

function parse(hash: string): Route {
  const parts = hash.replace(/^#\/?/, "").split("/").map(decode);
  switch (parts[0]) {
    case "":
    case undefined:
      return { view: "new" };
    case "jobs":
      return { view: "jobs" };
    case "job": {
      const [, id = "", second = "", third = ""] = parts;
      if (!isID(id)) return { view: "unknown" };
      // A secret has 32 letters and digits, which the name of no part has.
      return isSecret(second) ? { view: "job", id, secret: second, part: third } : { view: "job", id, secret: "", part: second };
    }
  }
  return { view: "unknown" };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const isID = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
const isSecret = (text: string) => /^[0-9A-Za-z]{16,128}$/.test(text);

/** The link to a job that this browser keeps, and to a part of its view. */
export const jobLink = (id: string, part = "") => `#/job/${id}${part === "" ? "" : `/${part}`}`;

/** A link that opens a job in any browser. */
export const shareLink = (id: string, secret: string) => `${location.origin}/#/job/${id}/${secret}`;

/** Goes to a route. With `replace`, the present one is not kept in the browser's history. */
export function go(hash: string, replace = false): void {
  if (replace) {
    history.replaceState(null, "", `/${hash}`);
    fragment.value = location.hash;
  } else {
    location.hash = hash;
  }
}

/**
 * Turns the address of a page of the published web UI into a route of this one: its share links are /job/ and, in base64, JSON with
 * `jobID` and `secret`, and maybe the name of a viewer behind that. The address is replaced, so that the secret does not stay in the
 * browser's history.
 */
export function takePublished(): void {
  const path = location.pathname;
  if (path === "/" || path === "/index.html") return;
  const shared = /^\/job\/(.+?)(?:\/(?:bakta|proteins|baktfold)?)?$/.exec(path)?.[1];
  let to = path === "/jobs" ? "#/jobs" : "#/";
  if (shared !== undefined) {
    const ref = published(shared);
    to = ref === undefined ? "#/unknown" : `#/job/${ref.id}/${ref.secret}`;
  }
  go(to, true);
}

function published(text: string): { id: string; secret: string } | undefined {
  try {
    const plain = decode(text).replaceAll("-", "+").replaceAll("_", "/");
    const { jobID, secret } = JSON.parse(atob(plain)) as { jobID?: unknown; secret?: unknown };
    if (typeof jobID === "string" && typeof secret === "string" && isID(jobID) && isSecret(secret)) return { id: jobID, secret };
  } catch {
    // Not such a link.
  }
  return undefined;
}
