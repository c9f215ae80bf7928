/** A random name that no other has: 128 bits. crypto.randomUUID is there only on pages with HTTPS, or from this machine. */
export function randomName(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
