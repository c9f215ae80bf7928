// Choices of the user that the next visit finds as they were.
import { signal, type Signal } from "@preact/signals";
import { keep, setting } from "./db";

/** A signal with the value that it had last. A kept value that is not valid, of a page of another version, is left. */
export function remembered<T>(key: string, initial: T, isValid: (kept: T) => boolean): Signal<T> {
  const value = signal(initial);
  let isRead = false;
  void setting<T>(key).then((kept) => {
    if (kept !== undefined && isValid(kept) && value.peek() === initial) value.value = kept;
    isRead = true;
  });
  value.subscribe((now) => {
    if (isRead || now !== initial) void keep(key, now);
  });
  return value;
}
