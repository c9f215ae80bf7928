// Runs the server's rules, which are Go compiled to WebAssembly, beside the page: a check of many megabytes never blocks it.

interface GoRuntime {
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

declare const self: {
  Go: new () => GoRuntime;
  baktaInspect: (request: string, answer: (text: string) => void, ...files: File[]) => void;
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent<Question>) => void) | null;
};

/** A request to the rules and the files that it is about. */
export interface Question {
  id: number;
  request: string;
  files: File[];
}

/** An answer, or why there is none. The rules are `absent` if the server was built without them. */
export type Reply = { id: number; answer: string } | { id: number; fault: string; absent: boolean };

/** The server has no rules. */
class Absent extends Error {}

const ready = start();

async function start(): Promise<void> {
  const program = await fetch("/inspect/inspect.wasm", { credentials: "omit" });
  if (program.status === 404) throw new Absent();
  if (!program.ok) throw new Error(`status ${program.status}`);
  // The loader is that of the Go version which compiled the rules, so it lies beside them and is not part of the page's own build.
  await import(/* @vite-ignore */ new URL("/inspect/wasm_exec.js", location.origin).href);
  const go = new self.Go();
  const { instance } = await WebAssembly.instantiateStreaming(program, go.importObject);
  void go.run(instance); // it ends with this worker
  if (typeof self.baktaInspect !== "function") throw new Error("the rules did not start");
}

self.onmessage = ({ data }) => {
  ready
    .then(() => {
      self.baktaInspect(data.request, (answer) => self.postMessage({ id: data.id, answer } satisfies Reply), ...data.files);
    })
    .catch((error: unknown) => {
      const reply: Reply = { id: data.id, fault: String(error), absent: error instanceof Absent };
      self.postMessage(reply);
    });
};
