// The links of a job's files. They expire, and a server that was restarted may not honour older ones: then new ones are asked for.
import type { FileKey, JobResult } from "../../../api/types";

export class Links {
  #result: JobResult;
  #renewing: Promise<void> | undefined;

  constructor(
    result: JobResult,
    readonly refresh: () => Promise<JobResult>,
  ) {
    this.#result = result;
  }

  get(key: FileKey): string | undefined {
    return this.#result.result.files[key];
  }

  /** Gets new links, once for all that ask at the same time. */
  renew(): Promise<void> {
    this.#renewing ??= this.refresh()
      .then((result) => {
        this.#result = result;
      })
      .finally(() => {
        this.#renewing = undefined;
      });
    return this.#renewing;
  }

  /** Runs a use of a file's link, and once more with a new link if the first use fails. */
  async use<T>(key: FileKey, act: (url: string) => Promise<T>, again: (error: unknown) => boolean = () => true): Promise<T> {
    const url = this.#url(key);
    try {
      return await act(url);
    } catch (error) {
      if (!again(error)) throw error;
    }
    await this.renew();
    return act(this.#url(key));
  }

  /** Fetches a file. `isGood` says of an answer whether the link works. */
  fetch(key: FileKey, init: RequestInit = {}, isGood = (answer: Response) => answer.ok): Promise<Response> {
    return this.use(key, async (url) => {
      let answer: Response;
      try {
        answer = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer", ...init });
      } catch {
        throw new Error("The storage does not answer.");
      }
      if (!isGood(answer)) throw new Error(`The storage answers with status ${answer.status}.`);
      return answer;
    });
  }

  /** Returns a link that works now: the first byte is asked for with it. An empty file has none, to which S3 stores answer 416. */
  async working(key: FileKey): Promise<string> {
    const answer = await this.fetch(key, { headers: { Range: "bytes=0-0" } }, ({ ok, status }) => ok || status === 416);
    await answer.body?.cancel();
    return this.#url(key);
  }

  #url(key: FileKey): string {
    const url = this.get(key);
    if (url === undefined) throw new Error("The file is not among the results.");
    return url;
  }
}
