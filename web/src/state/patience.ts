// Waits where the server or the connection asks for it: what may succeed later is tried again, and says so meanwhile.
import { ServerError, Unreachable } from "../api/client";
import { Lost } from "./transfer";

/** The longest pause between two tries, in ms, if the server does not ask for a longer one. */
export const longestPause = 30_000;
/** The longest delay of a timer, in ms: browsers count in 32 bits. */
const longestDelay = 2 ** 31 - 1;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** The time in `ms`, with the day if that is another one. */
function at(ms: number): string {
  const then = new Date(Date.now() + ms);
  return (then.toDateString() === new Date().toDateString() ? clock : date).format(then);
}

/** Whether the server says that the same call may succeed later. */
export const isPutOff = (error: unknown): boolean => error instanceof ServerError && error.temporary;

/** Whether the server does not answer, or says that the same call may succeed later. */
export const isTemporary = (error: unknown): boolean => error instanceof Unreachable || isPutOff(error);

/** The words of an error for people. */
export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The words of an error after which the caller makes the same call again without being asked. */
export const wordsOfRetry = (error: unknown): string =>
  error instanceof Unreachable ? `${error.message} The page tries again.` : wordsOf(error);

/**
 * Makes a call until it succeeds, or fails for good. The server says when to try again, or else the pauses double from 1 s to 30 s.
 *
 * `note` takes what the call waits for, in words for people, and for how many ms; and an empty text when it waits no longer. `mayRetry` says
 * of an error whether the call may succeed later; the number of failures until now is counted from 1.
 */
export async function patiently<T>(
  call: () => Promise<T>,
  note: (text: string, wait: number) => void,
  mayRetry: (error: unknown, failures: number) => boolean = isTemporary,
  signal?: AbortSignal,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      const answer = await call();
      note("", 0);
      return answer;
    } catch (error) {
      if (signal?.aborted === true || !mayRetry(error, failures)) {
        note("", 0);
        throw error;
      }
      const pause = Math.min(longestPause, 1_000 * 2 ** (failures - 1));
      if (error instanceof Unreachable || error instanceof Lost) {
        note("The connection was lost. It is tried again.", pause);
        await rest(pause, signal, true);
      } else {
        const after = error instanceof ServerError ? Math.max(pause, error.retryAfter * 1_000) : pause;
        const reason = error instanceof Error ? error.message : String(error);
        note(`${reason.replace(/[.\s]*$/, "")}. The page tries again by itself at ${at(after)}.`, after);
        await rest(after, signal, false);
      }
    }
  }
}

/** Waits. With `wakes`, not longer than until the connection is back. */
function rest(ms: number, signal: AbortSignal | undefined, wakes: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal?.removeEventListener("abort", done);
      if (signal?.aborted === true) reject(new DOMException("Cancelled.", "AbortError"));
      else resolve();
    };
    const timer = window.setTimeout(done, Math.min(longestDelay, ms));
    if (wakes) addEventListener("online", done);
    signal?.addEventListener("abort", done);
  });
}
