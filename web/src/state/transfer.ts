// Sends one file to its link, with progress. fetch has none for uploads.

/** The object storage answered an upload with an error. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    /** What it answered: XML with a message, as S3 defines it, or what a proxy in front of it says. */
    answer: string,
  ) {
    const message = /<Message>([^<]+)<\/Message>/.test(answer) ? (new DOMParser().parseFromString(answer, "text/xml").querySelector("Message")?.textContent ?? "") : "";
    super(`The storage answered the upload with status ${status}${message === "" ? "." : `: ${message}`}`);
    this.name = "Refused";
  }

  /** The storage or a proxy in front of it failed, which may be over soon. A storage without space (507) stays so until people make room. */
  get temporary(): boolean {
    return this.status >= 500 && this.status !== 507;
  }
}

/** The connection was lost during an upload. */
export class Lost extends Error {
  constructor() {
    super("The connection was lost.");
    this.name = "Lost";
  }
}

/** A file that was changed, moved or removed after it was chosen. */
export class Unreadable extends Error {
  constructor(name: string) {
    super(`The browser can't read ${name} any more. If it was changed or moved, choose it again.`);
    this.name = "Unreadable";
  }
}

export async function put(url: string, file: File, headers: Record<string, string> | undefined, sent: (bytes: number) => void, signal: AbortSignal): Promise<void> {
  try {
    await file.slice(0, 1).arrayBuffer(); // an XMLHttpRequest does not tell this from a lost connection
  } catch {
    throw new Unreadable(file.name);
  }
  signal.throwIfAborted(); // a request that is aborted before it is sent has no event
  await new Promise<void>((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers ?? {})) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => sent(event.loaded);
    request.onload = () => (request.status >= 200 && request.status < 300 ? resolve() : reject(new Refused(request.status, request.responseText)));
    request.onerror = () => reject(new Lost());
    request.ontimeout = () => reject(new Lost());
    request.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}
